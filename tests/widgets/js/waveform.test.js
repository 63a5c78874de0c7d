import assert from "node:assert/strict";
import { test } from "node:test";
import { heights, spanOf, timeAfterKey, timeAt } from "../../../nbaudio/widgets/static/waveform.js";

test("a sound that is whole fills the width", () => {
  assert.equal(spanOf(3.7, false), 3.7);
  assert.equal(timeAt(50, 100, spanOf(3.7, false), 3.7), 1.85);
});

test("while it arrives there is room for more, and the scale changes seldom", () => {
  const scales = new Set();
  for (let duration_s = 0; duration_s < 600; duration_s += 0.04) {
    const span_s = spanOf(duration_s, true);
    assert.ok(span_s > duration_s, `${duration_s}`);
    scales.add(span_s);
  }
  assert.ok(scales.size <= 12, `${scales.size} scales in ten minutes`);
});

test("a place is a time, no earlier than the start and no later than what has come", () => {
  assert.equal(timeAt(25, 100, 8, 6), 2);
  assert.equal(timeAt(90, 100, 8, 6), 6);
  assert.equal(timeAt(-5, 100, 8, 6), 0);
  assert.equal(timeAt(5, 0, 8, 6), 0); // not laid out yet
});

test("keys move as on any slider, within the sound", () => {
  const from = (/** @type {string} */ key) => timeAfterKey(key, 20, 32);
  assert.deepEqual(["ArrowLeft", "ArrowRight", "PageDown", "PageUp", "Home", "End"].map(from), [15, 25, 5, 32, 0, 32]);
  assert.equal(timeAfterKey("ArrowLeft", 3, 32), 0);
  assert.equal(from("x"), null);
});

test("the shape of quiet speech fills the height, one click does not flatten it, silence stays flat", () => {
  const speech = Float32Array.from({ length: 80 }, (_, index) => (index % 2 ? 0.2 : -0.1));
  assert.ok(heights(speech).every((one) => Math.abs(one - 1) < 1e-6));
  speech[40] = -1;
  assert.ok(heights(speech)[0] > 0.99);
  assert.ok(heights(new Float32Array(80).fill(0.001)).every((one) => one < 0.05));
  assert.deepEqual(heights(new Float32Array(0)), []);
});
