import assert from "node:assert/strict";
import { test } from "node:test";
import { paragraphs, phraseAt } from "../../../nbaudio/widgets/static/phrases.js";

/** @typedef {import("../../../nbaudio/widgets/static/phrases.js").Phrase} Phrase */

/** @type {Phrase[]} */
const TWO = [
  ["Good news:", 0.5, 1],
  ["all is well.", 1.5, 3],
];

/**
 * Each paragraph as text, phrases in brackets with their number.
 * @param {string} words
 * @param {Phrase[]} phrases
 */
function laidOut(words, phrases) {
  return paragraphs(words, phrases).map((parts) =>
    parts.map(({ text, phrase }) => (phrase < 0 ? text : `[${phrase}:${text}]`)).join(""),
  );
}

test("the phrase at a time is the last that has begun", () => {
  const found = [0, 0.5, 0.99, 1.2, 1.5, 2, 99].map((time_s) => phraseAt(TWO, time_s));
  assert.deepEqual(found, [-1, 0, 0, 0, 1, 1, 1]);
  assert.equal(phraseAt([], 1), -1);
});

test("a seek that lands a frame early is still at the phrase that it was for", () => {
  assert.equal(phraseAt(TWO, 1.5 - 1 / 24_000), 1);
});

test("among many phrases the same is found as by looking at each", () => {
  /** @type {Phrase[]} */
  const many = Array.from({ length: 500 }, (_, index) => [`${index}`, index * 0.7, index * 0.7 + 0.5]);
  for (let time_s = 0; time_s < 360; time_s += 0.33) {
    assert.equal(phraseAt(many, time_s), many.findLastIndex(([, start_s]) => start_s <= time_s + 1e-3));
  }
});

test("phrases are marked in the words, and the words lose nothing", () => {
  assert.deepEqual(laidOut("Good news: all is well. And", TWO), ["[0:Good news:] [1:all is well.] And"]);
  assert.deepEqual(laidOut("Good news: all", TWO.slice(0, 1)), ["[0:Good news:] all"]);
});

test("blank lines part paragraphs, wherever the phrases begin and end", () => {
  assert.deepEqual(laidOut("Good news:\n\nall is well.", TWO), ["[0:Good news:]", "[1:all is well.]"]);
  assert.deepEqual(laidOut("one\n \n\ntwo\nthree", []), ["one", "two\nthree"]);
  assert.deepEqual(laidOut("one\n\ntwo", [["one\n\ntwo", 0, 1]]), ["[0:one]", "[0:two]"]);
  assert.deepEqual(laidOut("Good news:\n \nall is well.", [["Good news:\n", 0, 1], ["all is well.", 1, 2]]), [
    "[0:Good news:]",
    "[1:all is well.]",
  ]);
});

test("white space may differ between words and phrases", () => {
  assert.deepEqual(laidOut("Good\nnews:  all  is well.", [["Good news:", 0, 1], [" all is\nwell. ", 1, 2]]), [
    "[0:Good\nnews:]  [1:all  is well.]",
  ]);
});

test("a phrase that is not in the words is left out, and the next ones are found", () => {
  assert.deepEqual(laidOut("one two", [["ten", 0, 1], ["two", 1, 2]]), ["one [1:two]"]);
});

test("the same words twice are two phrases, in order", () => {
  assert.deepEqual(laidOut("no no no", [["no", 0, 1], ["no", 1, 2]]), ["[0:no] [1:no] no"]);
});

test("signs of regular expressions are text", () => {
  assert.deepEqual(laidOut("1 + 1\n= (2)?", [["1 +  1 = (2)?", 0, 1]]), ["[0:1 + 1\n= (2)?]"]);
});

test("without words the phrases are the words, and without both there is nothing", () => {
  assert.deepEqual(laidOut(" ", TWO), ["[0:Good news:] [1:all is well.]"]);
  assert.deepEqual(paragraphs("", []), []);
  assert.deepEqual(paragraphs("\n\n ", [["", 0, 0]]), []);
});
