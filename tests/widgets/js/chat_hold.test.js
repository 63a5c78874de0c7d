import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Hold } from "../../../nbaudio/widgets/static/chat_hold.js";

/** @type {string[]} */
let told = [];
const held = {
  busy: false,
  start: () => void ((held.busy = true), told.push("start")),
  stop: () => void ((held.busy = false), told.push("stop")),
};
/** @type {Hold} */
let hold;

beforeEach(() => {
  told = [];
  held.busy = false;
  hold = new Hold(held);
});

test("held, it records as long as it is held", () => {
  hold.press(0);
  assert.equal(hold.down, true);
  hold.release(2000);
  assert.equal(hold.down, false);
  assert.deepEqual(told, ["start", "stop"]);
});

test("tapped, it records until it is pressed again", () => {
  hold.press(0);
  hold.release(100);
  assert.deepEqual(told, ["start"]);
  hold.press(5000);
  hold.release(6000); // of the press that ended it
  assert.deepEqual(told, ["start", "stop"]);
});

test("a click without a press begins, and the next one ends", () => {
  hold.click();
  hold.click();
  assert.deepEqual(told, ["start", "stop"]);
});

test("a recording that ended by itself is not ended once more by the release", () => {
  hold.press(0);
  hold.forget();
  hold.release(1000);
  assert.deepEqual(told, ["start"]);
});

test("a second press of what is down does nothing", () => {
  hold.press(0);
  hold.press(1);
  assert.deepEqual(told, ["start"]);
});
