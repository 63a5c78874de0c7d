// The words of a sound: which phrase sounds at a time, and where the phrases stand in the words.

/** @typedef {[text: string, start_s: number, end_s: number]} Phrase */
/** @typedef {{text: string, phrase: number}} Part  a run of words: the number of its phrase, -1 where it has none */

/**
 * The phrase that sounds at a time. Between two phrases it is the one before, so that the mark does not flicker.
 * @param {readonly Phrase[]} phrases  in order of time
 * @param {number} time_s
 * @returns {number} its number, -1 before the first
 */
export function phraseAt(phrases, time_s) {
  let low = 0;
  let high = phrases.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (phrases[middle][1] <= time_s + 1e-3) low = middle + 1; // a seek lands on a frame, up to 0.1 ms before
    else high = middle;
  }
  return low - 1;
}

/**
 * The words as paragraphs (blank lines part them), each as its runs of words in order.
 *
 * The words are what was said; phrases only mark places in them. So a phrase that is not found there is left out, and
 * words without a phrase stay. White space may differ: servers send it before or after a word.
 * @param {string} words
 * @param {readonly Phrase[]} phrases
 * @returns {Part[][]}
 */
export function paragraphs(words, phrases) {
  const text = words.trim() ? words : phrases.map(([phrase]) => phrase.trim()).join(" ");
  /** @type {Part[]} */
  const parts = [];
  let cursor = 0;
  phrases.forEach(([phrase], number) => {
    const found = find(text, phrase, cursor);
    if (!found) return;
    parts.push({ text: text.slice(cursor, found.start), phrase: -1 });
    parts.push({ text: text.slice(found.start, found.end), phrase: number });
    cursor = found.end;
  });
  parts.push({ text: text.slice(cursor), phrase: -1 });
  return splitAtBlankLines(parts);
}

/**
 * @param {string} text
 * @param {string} phrase
 * @param {number} from
 */
function find(text, phrase, from) {
  const words = phrase.trim();
  if (!words) return null;
  const exact = text.indexOf(words, from);
  if (exact >= 0) return { start: exact, end: exact + words.length };
  const pattern = words.split(/\s+/).map((word) => word.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&"));
  const expression = new RegExp(pattern.join("\\s+"), "g");
  expression.lastIndex = from;
  const match = expression.exec(text);
  return match && { start: match.index, end: match.index + match[0].length };
}

/**
 * @param {Part[]} parts
 * @returns {Part[][]}
 */
function splitAtBlankLines(parts) {
  /** @type {Part[][]} */
  const found = [[]];
  // A blank line may lie across two parts, as "…end.\n" and "\nNext…".
  let ended = false; // the part before ended its line
  for (const part of parts) {
    const lines = part.text.split(/(\n\s*\n\s*)/);
    if (ended && /^\s*\n/.test(part.text)) found.push([]);
    lines.forEach((text, index) => {
      if (index % 2) found.push([]);
      else if (text) found[found.length - 1].push({ text, phrase: part.phrase });
    });
    if (part.text.trim() || part.text.includes("\n")) ended = /\n[^\S\n]*$/.test(part.text);
  }
  return found.map(trimmed).filter((paragraph) => paragraph.length > 0);
}

/**
 * @param {Part[]} paragraph
 * @returns {Part[]}
 */
function trimmed(paragraph) {
  const inner = paragraph.slice();
  while (inner.length && !inner[0].text.trim()) inner.shift();
  while (inner.length && !inner[inner.length - 1].text.trim()) inner.pop();
  return inner.map((part, index) => {
    let text = index === 0 ? part.text.trimStart() : part.text;
    if (index === inner.length - 1) text = text.trimEnd();
    return { text, phrase: part.phrase };
  });
}
