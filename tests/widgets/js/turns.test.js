import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { hush, hushed, join, leave, queues, take } from "../../../nbaudio/widgets/static/turns.js";

/** @type {string[]} */
let told = [];
const speaker = (/** @type {string} */ name) => ({
  begin: () => void told.push(`${name} begins`),
  giveWay: () => void told.push(`${name} gives way`),
});
const [one, two, three] = ["one", "two", "three"].map(speaker);

beforeEach(() => {
  for (const each of [three, two, one]) leave(each);
  told = [];
});

test("one after the other, in order of arrival", () => {
  join(one);
  join(two);
  join(three);
  join(two);
  assert.deepEqual(told, ["one begins"]);
  assert.deepEqual([one, two, three].map(queues), [false, true, true]);
  leave(one);
  leave(two);
  assert.deepEqual(told, ["one begins", "two begins", "three begins"]);
});

test("who is asked for begins at once, and those who wait go on waiting", () => {
  join(one);
  join(two);
  join(three);
  take(three);
  assert.deepEqual(told, ["one begins", "one gives way", "three begins"]);
  assert.deepEqual([one, two, three].map(queues), [false, true, false]);
  leave(three);
  assert.equal(told.at(-1), "two begins");
});

test("who is asked for twice gives way to nobody", () => {
  take(one);
  take(one);
  assert.deepEqual(told, ["one begins", "one begins"]);
});

test("who is gone is never called", () => {
  join(one);
  join(two);
  join(three);
  leave(two);
  leave(one);
  assert.deepEqual(told, ["one begins", "three begins"]);
});

test("nobody begins by himself while one records", () => {
  join(one);
  const first = hush();
  const second = hush();
  join(two);
  first();
  first();
  assert.deepEqual(told, ["one begins", "one gives way"]);
  assert.equal(hushed(), true);
  second();
  assert.equal(hushed(), false);
  assert.deepEqual(told, ["one begins", "one gives way", "two begins"]);
});

test("what a person asks for while one records is heard", () => {
  const end = hush();
  take(one);
  join(two);
  end();
  assert.deepEqual(told, ["one begins"]);
  leave(one);
  assert.equal(told.at(-1), "two begins");
});
