import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { Silence } from "../../../nbaudio/widgets/static/silence.js";

const RATE = 24000;
const PIECE = RATE / 10;

/** Random numbers from -1 to 1, the same every time. */
function dice(seed = 7) {
  let state = seed;
  return () => ((state = (state * 1664525 + 1013904223) >>> 0) / 2 ** 31) - 1;
}

const amplitude = (dbfs) => 10 ** (dbfs / 20);

function noise(seconds, dbfs) {
  const roll = dice();
  return Float32Array.from({ length: seconds * RATE }, () => amplitude(dbfs) * Math.sqrt(3) * roll());
}

/** Four syllables a second: a buzz that swells and fades. */
function syllables(seconds, dbfs) {
  return Float32Array.from({ length: seconds * RATE }, (_, i) => {
    const time = i / RATE;
    const swell = Math.sin(Math.PI * ((time * 4) % 1)) ** 2;
    const buzz = [1, 2, 3, 4, 5].reduce((sum, harmonic) => sum + Math.sin(2 * Math.PI * 140 * harmonic * time), 0);
    return (amplitude(dbfs) * 0.8 * swell * buzz) / 1.0;
  });
}

const over = (one, other) => one.map((sample, i) => sample + other[i]);
const joined = (...parts) => Float32Array.from(parts.flatMap((part) => [...part]));
const quiet = (seconds, dbfs = -70) => noise(seconds, dbfs);

/** When something counted as said, and when it was over; seconds, or undefined. */
function follow(samples, silence_s = 1.5, rate = RATE) {
  const silence = new Silence(rate, silence_s);
  let [heard_s, over_s] = [undefined, undefined];
  for (let first = 0; first < samples.length && over_s === undefined; first += rate / 10) {
    silence.add(samples.subarray(first, first + rate / 10));
    const now_s = (first + rate / 10) / rate;
    if (silence.heard) heard_s ??= now_s;
    if (silence.over) over_s = now_s;
  }
  return { heard_s, over_s, silent_s: silence.silent_s };
}

const near = (value, wanted, by, what) =>
  assert.ok(Math.abs(value - wanted) <= by, `${what}: ${value} is not ${wanted} ± ${by}`);

test("it is over as long after the last syllable as was asked for", () => {
  for (const silence_s of [0.5, 1.5, 3]) {
    const { heard_s, over_s } = follow(joined(quiet(1), syllables(2, -25), quiet(5)), silence_s);
    near(heard_s, 1.5, 0.3, "heard");
    near(over_s, 3 + silence_s, 0.25, `over with ${silence_s} s`);
  }
});

test("a pause between two sentences is shorter than the silence that ends it", () => {
  const { over_s } = follow(joined(syllables(2, -25), quiet(1.2), syllables(1, -25), quiet(3)));
  near(over_s, 2 + 1.2 + 1 + 1.5, 0.25, "over");
});

test("somebody who speaks at once, before there was any silence, is heard", () => {
  const { heard_s, over_s } = follow(joined(syllables(2, -20), quiet(3)));
  near(heard_s, 0.4, 0.3, "heard");
  near(over_s, 3.5, 0.25, "over");
});

test("a long silence comes before the first word", () => {
  const { heard_s, over_s } = follow(joined(quiet(25), syllables(1, -30), quiet(4)));
  near(heard_s, 25.5, 0.3, "heard");
  near(over_s, 27.5, 0.25, "over");
});

test("a soft voice and a loud room", () => {
  for (const [voice, room] of [[-45, -75], [-35, -55], [-20, -40], [-20, -35]]) {
    const spoken = over(joined(quiet(1, -90), syllables(3, voice), quiet(4, -90)), noise(8, room));
    const { heard_s, over_s } = follow(spoken);
    near(heard_s, 1.5, 0.4, `heard ${voice} in ${room}`);
    near(over_s, 5.5, 0.4, `over ${voice} in ${room}`);
  }
});

test("a voice beside a machine that hums", () => {
  const hum = Float32Array.from({ length: 8 * RATE }, (_, i) => 0.02 * Math.sin((2 * Math.PI * 50 * i) / RATE));
  const { heard_s, over_s } = follow(over(joined(quiet(1), syllables(3, -30), quiet(4)), hum));
  near(heard_s, 1.5, 0.4, "heard");
  near(over_s, 5.5, 0.4, "over");
});

const STEADY = {
  "digital silence": () => new Float32Array(30 * RATE),
  hiss: () => noise(30, -35),
  "mains hum": () => Float32Array.from({ length: 30 * RATE }, (_, i) => 0.05 * Math.sin((2 * Math.PI * 50 * i) / RATE)),
  "a fan that is switched on and off": () => joined(noise(8, -60), noise(8, -30), noise(8, -60)),
  "keys that are typed on": () => {
    const [samples, roll] = [noise(30, -65), dice(3)];
    for (let stroke = 0; stroke < 30 * 12; stroke++) {
      const [at, loudness] = [Math.floor((stroke / 12 + 0.01 * (1 + roll())) * RATE), 0.15 + 0.1 * roll()];
      for (let i = 0; i < 0.03 * RATE; i++) samples[at + i] += loudness * roll() * Math.exp(-i / (0.006 * RATE));
    }
    return samples;
  },
  "doors that fall shut": () => {
    const roll = dice(5);
    return noise(30, -60).map((sample, i) => sample + 0.5 * roll() * Math.exp(-((i / RATE) % 5) / 0.03));
  },
};

for (const [name, samples] of Object.entries(STEADY)) {
  test(`${name} is nothing that was said, so no silence follows it`, () => {
    const { heard_s, over_s, silent_s } = follow(samples());
    assert.equal(heard_s, undefined);
    assert.equal(over_s, undefined);
    assert.ok(silent_s > 20);
  });
}

test("a fan that begins after the speech does not keep it going", () => {
  const { over_s } = follow(joined(quiet(1), syllables(2, -25), noise(6, -40)));
  assert.ok(over_s < 6, `over at ${over_s}`);
});

test("0 switches it off, and what was said is noticed all the same", () => {
  const { heard_s, over_s, silent_s } = follow(joined(syllables(2, -25), quiet(20)), 0);
  assert.ok(heard_s < 1);
  assert.equal(over_s, undefined);
  near(silent_s, 20, 0.3, "silent");
});

test("how the samples are cut into pieces makes no difference", () => {
  const samples = joined(quiet(1), syllables(1, -25), quiet(1));
  const [whole, cut] = [new Silence(RATE, 1), new Silence(RATE, 1)];
  for (let first = 0; first < samples.length; first += PIECE) whole.add(samples.subarray(first, first + PIECE));
  for (let first = 0; first < samples.length; first += 128) cut.add(samples.subarray(first, first + 128));
  assert.equal(whole.heard, cut.heard);
  near(cut.silent_s, whole.silent_s, 0.05, "silent");
});

test("a question that a person asks, at 16 kHz", () => {
  const wav = readFileSync(new URL("../../../notebooks/question.wav", import.meta.url));
  const rate = wav.readUInt32LE(24);
  const begin = wav.indexOf("data") + 8;
  const samples = Float32Array.from({ length: (wav.length - begin) / 2 }, (_, i) => wav.readInt16LE(begin + 2 * i) / 32768);
  const { heard_s, over_s } = follow(joined(samples, new Float32Array(3 * rate)), 1.5, rate);
  assert.ok(heard_s < 0.5);
  near(over_s, samples.length / rate + 1.5, 0.4, "over");
});
