import assert from "node:assert/strict";
import { test } from "node:test";

import { FIRST_S } from "../../../nbaudio/widgets/static/lead.js";
import { Playback } from "../../../nbaudio/widgets/static/playback.js";

const RATE = 24000;
const QUANTUM = 128;
const PIECE = 2400;
const VARIED = { windows: [0.4, 0.4], window: 0, sound_s: 0 };

/** Loud, no two places alike. */
function noise(frames, seed = 1) {
  return Int16Array.from({ length: frames }, () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return (seed & 65536 ? 1 : -1) * (1000 + (seed >>> 20));
  });
}

const floats = (samples) => Float32Array.from(samples, (sample) => sample / 32768);

/** A sound thread with its own clock, and pieces that come as they are told to. */
class Stage {
  now_s = 100;
  heard = [];

  constructor(known = {}) {
    this.playback = new Playback(RATE, 1, known);
  }

  run(duration_s) {
    const until_s = this.now_s + duration_s;
    while (this.now_s < until_s - 1e-9) this.quantum();
  }

  quantum() {
    const output = new Float32Array(QUANTUM);
    this.playback.render([output], this.now_s);
    this.heard.push(output);
    this.now_s += QUANTUM / RATE;
  }

  /** Plays `samples` to their end; piece n comes n * every_s + late(n) from now on, never before the one before it. */
  stream(samples, { every_s = PIECE / RATE, late = () => 0 } = {}) {
    const begun_s = this.now_s;
    let came_s = 0;
    const pieces = Array.from({ length: Math.ceil(samples.length / PIECE) }, (_, index) => {
      came_s = Math.max(came_s, begun_s + index * every_s + late(index));
      return { came_s, samples: samples.subarray(index * PIECE, (index + 1) * PIECE) };
    });
    this.playback.play();
    let sounded_s = null;
    while (this.playback.state !== "over" && this.now_s < begun_s + 2 * (samples.length / RATE) + 10) {
      while (pieces.length && pieces[0].came_s <= this.now_s) {
        const piece = pieces.shift();
        this.playback.add(piece.samples, piece.came_s);
        if (!pieces.length) this.playback.end();
      }
      this.quantum();
      if (this.playback.state === "playing") sounded_s ??= this.now_s - begun_s;
    }
    return sounded_s;
  }

  /** All that was heard, without the zeros around it. */
  get trimmed() {
    const all = new Float32Array(this.heard.length * QUANTUM);
    this.heard.forEach((output, index) => all.set(output, index * QUANTUM));
    const first = all.findIndex((value) => value !== 0);
    return all.subarray(first, all.findLastIndex((value) => value !== 0) + 1);
  }
}

function random(seed) {
  return () => (seed = (Math.imul(seed, 48271) >>> 0) % 2147483647) / 2147483647;
}

test("a whole sound comes out as it is", () => {
  const stage = new Stage();
  const samples = noise(30001);
  stage.playback.add(samples);
  stage.playback.end();
  stage.playback.play();
  stage.run(2);
  assert.equal(stage.playback.state, "over");
  assert.equal(stage.heard[0][0], samples[0] / 32768, "from the first frame on");
  assert.deepEqual(stage.trimmed, floats(samples));
});

test("a minute in real time, up to 25 ms late: as it is, never dry, and begun within 40 ms", () => {
  const stage = new Stage();
  const samples = noise(60 * RATE);
  const draw = random(7);
  const sounded_s = stage.stream(samples, { late: () => 0.025 * draw() });
  assert.equal(stage.playback.underruns, 0);
  assert.ok(sounded_s < 0.065, `${sounded_s} s`); // the first piece may be 25 ms late itself
  assert.deepEqual(stage.trimmed, floats(samples));
});

test("all at once begins at once", () => {
  const stage = new Stage();
  const samples = noise(5 * RATE);
  assert.ok(stage.stream(samples, { every_s: 0.002 }) < 0.012);
  assert.deepEqual(stage.trimmed, floats(samples));
});

test("150 ms too early and too late: what one minute taught lets the next ones never run dry", () => {
  for (const seed of [11, 12, 13]) {
    const draw = random(seed);
    const late = () => 0.15 + 0.15 * (2 * draw() - 1);
    const first = new Stage();
    first.stream(noise(60 * RATE), { late });
    assert.ok(first.playback.underruns <= 3, `${first.playback.underruns} in the first minute`);
    const { seconds, learned } = first.playback.lead;
    assert.ok(seconds <= 0.35, `${seconds}`);

    const second = new Stage({ learned });
    const samples = noise(60 * RATE);
    second.stream(samples, { late });
    assert.equal(second.playback.underruns, 0, `seed ${seed}`);
    assert.deepEqual(second.trimmed, floats(samples));
  }
});

test("where it runs dry it goes on with the next sample, without a jump", () => {
  const stage = new Stage();
  const tone = Int16Array.from({ length: 10 * PIECE }, (_, i) => 12000 * Math.sin((i + 1) / 30));
  stage.stream(tone, { late: (index) => (index >= 5 ? 0.3 : 0) });
  assert.equal(stage.playback.underruns, 1);
  const { trimmed } = stage;
  const jump = trimmed.reduce((most, value, i) => (i ? Math.max(most, Math.abs(value - trimmed[i - 1])) : 0), 0);
  assert.ok(jump < 0.025, `${jump}`);
  assert.deepEqual(trimmed.subarray(0, 5 * PIECE), floats(tone.subarray(0, 5 * PIECE)));
  const gap = trimmed.length - tone.length;
  assert.deepEqual(trimmed.subarray(5 * PIECE + gap + 121), floats(tone.subarray(5 * PIECE + 121)));
});

test("the last piece is heard without a lead, and its end is no underrun", () => {
  const stage = new Stage({ learned: VARIED });
  stage.playback.play();
  stage.playback.add(noise(2400), stage.now_s);
  stage.run(0.1);
  assert.equal(stage.playback.state, "waiting");
  stage.playback.end();
  stage.quantum();
  assert.equal(stage.playback.state, "playing");

  const late = new Stage();
  const samples = noise(2400);
  late.playback.play();
  late.playback.add(samples, late.now_s);
  late.run(0.5);
  late.playback.end(); // it was said long after the sound was over
  late.run(0.1);
  assert.equal(late.playback.state, "over");
  assert.equal(late.playback.underruns, 0);
  assert.deepEqual(late.trimmed.subarray(0, 2400), floats(samples));
});

test("a longer lead is put in where it is quiet, before it runs dry", () => {
  const samples = noise(60 * PIECE);
  samples.fill(0, 20 * PIECE, 21 * PIECE); // between two words
  const stage = new Stage();
  // Pieces that come early for a while show how much they vary, before one is too late.
  const late = (/** @type {number} */ index) => (index < 10 ? 0.06 : index < 15 ? 0 : index === 40 ? 0.145 : 0.08);
  stage.stream(samples, { late });
  assert.equal(stage.playback.underruns, 0);
  const { trimmed } = stage;
  assert.deepEqual(trimmed.subarray(0, 20 * PIECE), floats(samples.subarray(0, 20 * PIECE)));
  assert.deepEqual(trimmed.slice(-39 * PIECE), floats(samples.subarray(21 * PIECE)));
});

test("pause is silent within 5 ms, without a jump, and goes on where it stopped", () => {
  const stage = new Stage();
  const tone = Int16Array.from({ length: RATE }, (_, i) => 12000 * Math.sin((i + 1) / 30));
  stage.playback.add(tone);
  stage.playback.end();
  stage.playback.play();
  stage.run(0.3);
  stage.playback.pause();
  const paused = stage.heard.length;
  stage.quantum();
  stage.quantum();
  assert.equal(stage.playback.state, "idle");
  const { frame } = stage.playback;
  assert.ok(Math.abs(frame - 0.305 * RATE) < 200, `${frame}`);
  assert.equal(stage.heard[paused + 1].at(-1), 0);
  stage.playback.play();
  stage.run(1);
  const { trimmed } = stage;
  const jump = trimmed.reduce((most, value, i) => (i ? Math.max(most, Math.abs(value - trimmed[i - 1])) : 0), 0);
  assert.ok(jump < 0.02, `${jump}`);
  assert.deepEqual(trimmed.slice(-(RATE - frame - 121)), floats(tone.subarray(frame + 121)));
});

test("seek goes there, and back to the beginning without a fade", () => {
  const stage = new Stage();
  const samples = noise(RATE);
  stage.playback.add(samples);
  stage.playback.end();
  stage.playback.seek(12000);
  assert.equal(stage.playback.state, "idle");
  stage.playback.play();
  stage.run(0.1);
  stage.playback.seek(0);
  assert.equal(stage.playback.frame, 0);
  stage.run(1.2);
  assert.deepEqual(stage.trimmed.slice(-RATE), floats(samples));
});

test("a seek while it is paused stays paused, and a pause during a seek too", () => {
  const stage = new Stage();
  stage.playback.add(noise(RATE));
  stage.playback.end();
  stage.playback.play();
  stage.run(0.1);
  stage.playback.seek(12000);
  stage.playback.pause();
  stage.run(0.1);
  assert.equal(stage.playback.state, "idle");
  assert.equal(stage.playback.frame, 12000);
});

for (const speed of [0.5, 1.5, 2]) {
  test(`${speed} times the speed lasts as long as it should`, () => {
    const stage = new Stage();
    stage.playback.add(Int16Array.from({ length: 2 * RATE }, (_, i) => 12000 * Math.sin((i + 1) / 30)));
    stage.playback.end();
    stage.playback.speed = speed;
    stage.playback.play();
    stage.run(5);
    assert.equal(stage.playback.state, "over");
    assert.ok(Math.abs(stage.trimmed.length / RATE - 2 / speed) < 0.03, `${stage.trimmed.length / RATE} s`);
  });
}

test("back at speed 1 the source comes out as it is again", () => {
  const stage = new Stage();
  const samples = noise(2 * RATE);
  stage.playback.add(samples);
  stage.playback.end();
  stage.playback.play();
  stage.run(0.2);
  stage.playback.speed = 1.3;
  stage.run(0.2);
  stage.playback.speed = 1;
  stage.run(2);
  assert.deepEqual(stage.trimmed.slice(-RATE), floats(samples.subarray(RATE)));
});

test("faster than it comes is heard as fast as it comes", () => {
  const stage = new Stage();
  stage.playback.speed = 2;
  const samples = Int16Array.from({ length: 10 * RATE }, (_, i) => 12000 * Math.sin((i + 1) / 30));
  stage.stream(samples);
  assert.equal(stage.playback.underruns, 0);
});

test("slower than it comes never waits for sound", () => {
  const stage = new Stage();
  stage.playback.speed = 0.5;
  const samples = Int16Array.from({ length: 3 * RATE }, (_, i) => 12000 * Math.sin((i + 1) / 30));
  assert.ok(stage.stream(samples) < FIRST_S + 0.02);
  assert.equal(stage.playback.underruns, 0);
  assert.ok(Math.abs(stage.trimmed.length / RATE - 6) < 0.05);
});
