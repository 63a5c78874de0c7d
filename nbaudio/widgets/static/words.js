// The words below the sound. Each phrase is a button that leads to where it is heard; the one that sounds is marked.

import { clock } from "./clock.js";
import { make, put, say } from "./elements.js";
import { paragraphs, phraseAt } from "./phrases.js";

/** @typedef {import("./phrases.js").Phrase} Phrase */
/** @typedef {import("./phrases.js").Part} Part */

/** @type {Record<string, number>} */
const STEPS = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1, Home: -Infinity, End: Infinity };

export class Words {
  /** @type {readonly Phrase[]} */
  #phrases = [];
  #shown = "";
  #marked = -1;
  #seek;

  /**
   * @param {(seconds: number) => void} seek
   * @param {AbortSignal} signal  ends it
   */
  constructor(seek, signal) {
    this.#seek = seek;
    // Only added elements, that is phrases, are for reading out: a phrase was plain words a moment before.
    this.element = make("div", { class: "nbaudio-words", role: "group", "aria-relevant": "additions" });
    this.element.addEventListener("click", (event) => this.#onClick(event), { signal });
    this.element.addEventListener("keydown", (event) => this.#onKey(event), { signal });
  }

  /**
   * Shows the words. What is there already stays the same element: it may have the focus, or be selected.
   * @param {string} words
   * @param {readonly Phrase[]} phrases
   */
  show(words, phrases) {
    const now = JSON.stringify([words, phrases]);
    if (now === this.#shown) return;
    this.#shown = now;
    this.#phrases = phrases;
    const wanted = paragraphs(words, phrases);
    wanted.forEach((parts, index) => {
      const paragraph = this.element.children[index] ?? this.element.appendChild(make("p", { dir: "auto" }));
      parts.forEach((part, place) => this.#place(paragraph, part, place));
      while (paragraph.childNodes.length > parts.length) paragraph.lastChild?.remove();
    });
    while (this.element.children.length > wanted.length) this.element.lastElementChild?.remove();
    put(this.element, "hidden", wanted.length === 0);
    this.#mark();
    this.#keepOneTabStop();
  }

  /**
   * Whether a screen reader reads words out as they come. Not while they are heard: they would be said twice.
   * @param {boolean} aloud
   */
  readOut(aloud) {
    put(this.element, "aria-live", aloud ? "polite" : "off");
  }

  /**
   * Marks the phrase that sounds.
   * @param {number | null} time_s  null while none does
   */
  mark(time_s) {
    const now = time_s === null ? -1 : phraseAt(this.#phrases, time_s);
    if (now === this.#marked) return;
    this.#marked = now;
    this.#mark();
    this.#keepOneTabStop();
  }

  /**
   * @param {Element} paragraph
   * @param {Part} part
   * @param {number} place
   */
  #place(paragraph, { text, phrase }, place) {
    const there = paragraph.childNodes[place];
    const kind = phrase < 0 ? "#text" : "SPAN";
    let node = there;
    if (there?.nodeName !== kind) {
      node = phrase < 0 ? document.createTextNode("") : make("span", { role: "button", tabindex: -1 });
      // What has become a phrase takes the place of its plain words.
      if (there) paragraph.replaceChild(node, there);
      else paragraph.append(node);
    }
    say(node, text);
    if (node instanceof HTMLElement) {
      put(node, "data-phrase", phrase);
      put(node, "title", `Hear it from ${clock(this.#phrases[phrase][1])} (enter)`);
    }
  }

  #mark() {
    for (const span of this.#spans) {
      const marked = Number(span.dataset.phrase) === this.#marked;
      put(span, "aria-current", marked ? "true" : null);
    }
  }

  /** The tab key stops at one phrase: the focused, else the one that sounds, else the first. */
  #keepOneTabStop() {
    const spans = this.#spans;
    const focused = spans.find((span) => span === span.ownerDocument.activeElement);
    const stop = focused ?? spans.find((span) => span.hasAttribute("aria-current")) ?? spans[0];
    for (const span of spans) put(span, "tabindex", span === stop ? 0 : -1);
  }

  get #spans() {
    return /** @type {HTMLElement[]} */ ([...this.element.querySelectorAll("[data-phrase]")]);
  }

  /** @param {Event} event */
  #hear(event) {
    const span = event.target instanceof Element ? event.target.closest("[data-phrase]") : null;
    if (span instanceof HTMLElement) this.#seek(this.#phrases[Number(span.dataset.phrase)][1]);
    return span;
  }

  /** @param {MouseEvent} event */
  #onClick(event) {
    if (!getSelection()?.isCollapsed) return; // words were selected, to be copied
    if (this.#hear(event)) this.#keepOneTabStop();
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const spans = this.#spans;
    const at = spans.findIndex((span) => span === event.target);
    if (at < 0) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault(); // space would scroll the notebook
      this.#hear(event);
    } else if (event.key in STEPS) {
      event.preventDefault();
      spans[Math.min(Math.max(0, at + STEPS[event.key]), spans.length - 1)].focus();
      this.#keepOneTabStop();
    }
  }
}
