import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Hold } from "../../../nbaudio/widgets/static/chat_hold.js";

/** @type {string[]} */
let told = [];
let now_ms = 0;
const held = {
  busy: false,
  start: () => void ((held.busy = true), told.push("start")),
  stop: () => void ((held.busy = false), told.push("stop")),
};
/** @type {Hold} */
let hold;

beforeEach(() => {
  told = [];
  now_ms = 0;
  held.busy = false;
  hold = new Hold(held, () => now_ms);
});

test("held, it records as long as it is held", () => {
  hold.press();
  assert.equal(hold.down, true);
  now_ms = 2000;
  hold.release();
  assert.equal(hold.down, false);
  assert.deepEqual(told, ["start", "stop"]);
});

test("tapped, it records until it is pressed again", () => {
  hold.press();
  now_ms = 100;
  hold.release();
  assert.deepEqual(told, ["start"]);
  now_ms = 5000;
  hold.press();
  now_ms = 6000;
  hold.release(); // of the press that ended it
  assert.deepEqual(told, ["start", "stop"]);
});

test("a click without a press begins, and the next one ends", () => {
  hold.click();
  hold.click();
  assert.deepEqual(told, ["start", "stop"]);
});

test("a recording that ended by itself is not ended once more by the release", () => {
  hold.press();
  now_ms = 1000;
  hold.forget();
  hold.release();
  assert.deepEqual(told, ["start"]);
});

test("a second press of what is down does nothing", () => {
  hold.press();
  hold.press();
  assert.deepEqual(told, ["start"]);
});
