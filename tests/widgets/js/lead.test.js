import assert from "node:assert/strict";
import { test } from "node:test";

import { FIRST_S, Lead } from "../../../nbaudio/widgets/static/lead.js";

const PIECE_S = 0.1;
const VARIED = { windows: [0.28, 0.3, 0.29], window: 0, sound_s: 0 };

/** Pieces of 100 ms; number n comes at n * pace + late(n). */
function taught(lead, count, late, pace_s = PIECE_S) {
  for (let index = 0; index < count; index++) lead.arrived(index * PIECE_S, PIECE_S, 5 + index * pace_s + late(index));
  return lead;
}

test("with no knowledge the first piece waits for the first lead, and no longer", () => {
  const lead = taught(new Lead(), 1, () => 0);
  assert.equal(lead.startAt(0), 5 + FIRST_S);
  assert.equal(new Lead().startAt(0), Infinity);
});

test("pieces that come up to 25 ms late teach nothing", () => {
  assert.ok(taught(new Lead(), 600, (index) => 0.001 * ((index * 7) % 26)).seconds < FIRST_S + 0.001);
});

test("what comes faster than it sounds begins with what is here", () => {
  const lead = taught(new Lead(VARIED), 5, () => 0, 0.01);
  assert.ok(lead.startAt(0) <= 5.04);
});

test("a long first piece begins at once", () => {
  const lead = new Lead();
  lead.arrived(0, 1.5, 5);
  assert.ok(lead.startAt(0) <= 5);
});

test("long pieces in real time begin at once, until they were late", () => {
  let lead = new Lead();
  lead.arrived(0, 1.5, 5);
  lead.arrived(1.5, 1.5, 6.6);
  lead = new Lead(lead.learned);
  lead.arrived(0, 1.5, 5);
  assert.ok(lead.startAt(0) <= 5, "one window may be an accident, as far as it is longer than 350 ms");
  for (let index = 1; index < 6; index++) lead.arrived(1.5 * index, 1.5, 5.1 + 1.5 * index);
  lead = new Lead(lead.learned);
  lead.arrived(0, 1.5, 5);
  assert.ok(lead.startAt(0) > 5.1 && lead.startAt(0) < 5.3, `${lead.startAt(0)}`);
});

test("the lead becomes what pieces vary by and a little more", () => {
  const lead = taught(new Lead(), 300, (index) => 0.003 * ((index * 37) % 101)); // 0 to 300 ms
  assert.ok(lead.seconds > 0.33 && lead.seconds <= 0.35, `${lead.seconds}`);
});

test("until more is known one window counts, up to 350 ms", () => {
  assert.equal(taught(new Lead(), 2, (index) => 0.2 * index).seconds.toFixed(3), "0.230");
  assert.equal(taught(new Lead(), 20, (index) => (index < 19 ? 0 : 4)).seconds, 0.35);
});

test("what happened once in half a minute is an accident, and what happened twice is not", () => {
  const once = (/** @type {number} */ index) => (index === 60 ? 0.3 : 0);
  assert.equal(taught(new Lead(), 120, once).seconds, FIRST_S);
  const twice = (/** @type {number} */ index) => (index % 60 === 50 ? 0.3 : 0);
  assert.equal(taught(new Lead(), 120, twice).seconds.toFixed(3), "0.345");
});

test("a halt that nobody hears, in a stream that is far ahead, teaches nothing", () => {
  const lead = taught(new Lead(), 200, (index) => (index > 50 ? 2 : 0) + (index > 150 ? 2 : 0), 0.02);
  assert.equal(lead.seconds, FIRST_S);
});

test("the next stream knows what this one learned, however short both are", () => {
  let lead = new Lead();
  for (let stream = 0; stream < 10; stream++) {
    lead = taught(new Lead(lead.learned), 8, (index) => (index % 4 === 3 ? 0.15 : 0));
  }
  assert.equal(lead.seconds.toFixed(4), "0.1725");
  assert.equal(new Lead(lead.learned).seconds, lead.seconds);
});

test("it is forgotten after half a minute of sound in time", () => {
  const lead = new Lead(VARIED);
  assert.ok(lead.seconds > 0.3);
  assert.ok(taught(lead, 200, () => 0).seconds > 0.3);
  assert.equal(taught(new Lead(lead.learned), 101, () => 0).seconds, FIRST_S);
});

test("what one stream teaches doesn't change what another began with", () => {
  const before = structuredClone(VARIED);
  taught(new Lead(VARIED), 300, () => 0);
  assert.deepEqual(VARIED, before);
});

test("after it ran dry the late piece is what others are compared with", () => {
  const lead = taught(new Lead(), 11, (index) => (index === 10 ? 0.2 : 0));
  lead.again(1, 6.2);
  const all = lead.seconds;
  assert.equal(lead.startAt(1), 6.2 + all);
  lead.arrived(1.1, PIECE_S, 6.1); // the next is in time again
  assert.ok(Math.abs(lead.startAt(1) - (6 + all)) < 0.001, "it begins when the lead is there, not 200 ms later");
});

test("who runs dry again and again waits longer each time, up to two seconds", () => {
  const lead = new Lead();
  const waits = [0, 1, 2, 3, 4, 5, 6, 7].map((start_s) => {
    const now_s = 10 + 5 * start_s;
    lead.arrived(start_s, 1, now_s);
    if (start_s > 0) lead.again(start_s, now_s);
    return lead.startAt(start_s) - now_s;
  });
  for (let turn = 2; turn < waits.length; turn++) assert.ok(waits[turn] >= waits[turn - 1]);
  assert.ok(waits[1] <= 0.35);
  assert.equal(waits[7], 2);
});
