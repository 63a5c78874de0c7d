import assert from "node:assert/strict";
import { test } from "node:test";

import { Peak, SILENT_DBFS, levelDbfs } from "../../../nbaudio/widgets/static/level.js";

const sine = (amplitude) => Float32Array.from({ length: 2400 }, (_, i) => amplitude * Math.sin((2 * Math.PI * i) / 24));

test("a level is the root mean square, in dB below a square wave of full scale", () => {
  assert.ok(Math.abs(levelDbfs(sine(1)) + 3.01) < 0.01);
  assert.ok(Math.abs(levelDbfs(sine(0.1)) + 23.01) < 0.01);
  assert.equal(levelDbfs(new Float32Array(100).fill(-1)), 0);
});

test("silence, and no sound at all, have the lowest level", () => {
  assert.equal(levelDbfs(new Float32Array(100)), SILENT_DBFS);
  assert.equal(levelDbfs(new Float32Array(0)), SILENT_DBFS);
});

test("a peak is held for a while, and then falls to what is there", () => {
  const peak = new Peak();
  for (const [level, now_s] of [[-30, 0.1], [-10, 0.2], [-40, 0.3], [-40, 1.6]]) peak.follow(level, now_s);
  assert.equal(peak.dbfs, -10);
  peak.follow(-40, 1.8);
  assert.equal(peak.dbfs, -40);
});

test("a peak of the recording before does not stay", () => {
  const peak = new Peak();
  peak.follow(-10, 5);
  peak.follow(-50, 0.1);
  assert.equal(peak.dbfs, -50);
});

test("too loud is what comes close to full scale, for a moment", () => {
  const peak = new Peak();
  peak.hear(sine(0.9), 1);
  assert.equal(peak.tooLoud(1), false);
  peak.hear(sine(1), 2);
  assert.equal(peak.tooLoud(2.5), true);
  assert.equal(peak.tooLoud(4), false);
});
