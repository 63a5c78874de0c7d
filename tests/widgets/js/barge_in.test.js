import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { BargeIn, Ear } from "../../../nbaudio/widgets/static/barge_in.js";

const RATE = 24000;
const PIECE = 0.04 * RATE;

/** Random numbers from -1 to 1, the same every time. */
function dice(seed = 7) {
  let state = seed;
  return () => ((state = (state * 1664525 + 1013904223) >>> 0) / 2 ** 31) - 1;
}

const roll = dice();
const noise = (seconds, dbfs) =>
  Float32Array.from({ length: seconds * RATE }, () => 10 ** (dbfs / 20) * Math.sqrt(3) * roll());
const buzz = (seconds, dbfs, hertz = 200) =>
  Float32Array.from({ length: seconds * RATE }, (_, i) => 10 ** (dbfs / 20) * Math.SQRT2 * Math.sin((2 * Math.PI * hertz * i) / RATE));
const joined = (...parts) => Float32Array.from(parts.flatMap((part) => [...part]));
const over = (one, other) => one.map((sample, i) => sample + (other[i] ?? 0));

/** After how many seconds it was told that somebody begins, each time. */
function follow(samples, ear = new Ear(RATE), piece = PIECE) {
  const begun_s = [];
  for (let at = 0; at < samples.length; at += piece) {
    if (ear.add(samples.subarray(at, at + piece))) begun_s.push(Math.min(samples.length, at + piece) / RATE);
  }
  return begun_s;
}

test("speech is heard within 110 ms of its begin, wherever the pieces fall", () => {
  for (let shift = 0; shift < PIECE; shift += 120) {
    const [begun_s] = follow(joined(noise(2 + shift / RATE, -65), buzz(0.5, -30)));
    const after_s = begun_s - 2 - shift / RATE;
    assert.ok(after_s >= 0.05 && after_s <= 0.11, `${after_s}`);
  }
});

test("it is told once until it is quiet again", () => {
  assert.equal(follow(joined(noise(1, -65), buzz(1, -30), noise(0.3, -65), buzz(0.5, -30))).length, 2);
});

test("a quiet voice in a quiet room, and a raised one in a loud room", () => {
  assert.equal(follow(joined(noise(2, -75), buzz(0.3, -46))).length, 1);
  assert.equal(follow(over(noise(3, -40), joined(noise(2, -90), buzz(1, -20)))).length, 1);
});

test("neither keys nor clicks, nor mains, nor a room as loud as it was", () => {
  const key = joined(noise(0.03, -20), noise(0.17, -70));
  assert.deepEqual(follow(joined(noise(1, -70), key, key, key, key)), []);
  assert.deepEqual(follow(joined(noise(1, -70), buzz(1, -44, 50))), []);
  assert.deepEqual(follow(noise(5, -35)).slice(1), []); // the first moments of a loud room may be taken for speech
});

test("what an echo canceller leaves of an answer is not speech", () => {
  const residual = joined(...Array.from({ length: 10 }, (_, i) => noise(0.2, i % 2 ? -52 : -60)));
  assert.deepEqual(follow(joined(noise(1, -68), residual)), []);
});

test("after a false alarm it takes 6 dB more", () => {
  const ear = new Ear(RATE);
  follow(noise(2, -75), ear);
  const before = ear.threshold_dbfs;
  ear.falseAlarm();
  assert.equal(ear.threshold_dbfs - before, 6);
  assert.deepEqual(follow(buzz(0.3, -47), ear), []);
  assert.equal(follow(joined(noise(0.1, -75), buzz(0.3, -40)), ear).length, 1);
});

test("digital silence is no noise", () => {
  assert.deepEqual(follow(new Float32Array(RATE)), []);
  assert.equal(follow(joined(new Float32Array(RATE), buzz(0.2, -40))).length, 1);
});

// -- what is made of it

let told = [];
const said = {
  sounding: true,
  hold: () => void (told.push("hold"), (said.sounding = false)),
  goOn: () => void (told.push("go on"), (said.sounding = true)),
};
let bargeIn;
const hear = (samples) => {
  for (let at = 0; at < samples.length; at += PIECE) bargeIn.hear(samples.subarray(at, at + PIECE));
};

beforeEach(() => {
  told = [];
  said.sounding = true;
  bargeIn = new BargeIn(said, RATE);
  hear(noise(1, -70));
});

test("an answer is held while somebody speaks, and goes on after 700 ms where that was no speech", () => {
  hear(buzz(0.12, -30));
  assert.deepEqual(told, ["hold"]);
  hear(noise(0.6, -70));
  assert.deepEqual(told, ["hold"]);
  hear(noise(0.12, -70));
  assert.deepEqual(told, ["hold", "go on"]);
  hear(buzz(0.12, -47)); // it was loud enough before
  assert.deepEqual(told, ["hold", "go on"]);
});

test("where the kernel says that it was speech, it stays silent", () => {
  hear(buzz(0.12, -30));
  bargeIn.settle();
  hear(noise(2, -70));
  assert.deepEqual(told, ["hold"]);
});

test("where nothing sounds, nothing is held", () => {
  said.sounding = false;
  hear(buzz(1, -30));
  assert.deepEqual(told, []);
});

test("where the microphone is shut, it goes on at once, and only what it has held", () => {
  bargeIn.goOn();
  assert.deepEqual(told, []);
  hear(buzz(0.12, -30));
  bargeIn.goOn();
  assert.deepEqual(told, ["hold", "go on"]);
});
