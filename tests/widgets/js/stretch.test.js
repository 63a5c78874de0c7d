import assert from "node:assert/strict";
import { test } from "node:test";

import { Samples } from "../../../nbaudio/widgets/static/samples.js";
import { Stretch } from "../../../nbaudio/widgets/static/stretch.js";

const RATE = 24000;

function sounding(frames, channels, value) {
  const samples = new Samples(channels);
  const at = (index) => Math.round(32767 * value(Math.floor(index / channels), index % channels));
  samples.append(Int16Array.from({ length: frames * channels }, (_, index) => at(index)));
  return samples;
}

/** All hops that are there to be had, joined. */
function stretched(samples, speed, sampleRate = RATE) {
  const stretch = new Stretch(sampleRate, samples.channels);
  const hops = samples.channels === 1 ? [[]] : [[], []];
  const hop = hops.map(() => new Float32Array(stretch.hop));
  stretch.begin(0);
  while (stretch.needed <= samples.frames) {
    stretch.next(samples, speed, hop);
    hop.forEach((output, channel) => hops[channel].push(...output));
  }
  return { outputs: hops.map((each) => Float32Array.from(each)), stretch };
}

/** Hz, by zero crossings on the way up, between their first and last. */
function pitch(output, sampleRate = RATE) {
  const crossings = [];
  for (let i = 1; i < output.length; i++) {
    if (output[i - 1] < 0 && output[i] >= 0) crossings.push(i - 1 + output[i - 1] / (output[i - 1] - output[i]));
  }
  return (sampleRate * (crossings.length - 1)) / (crossings.at(-1) - crossings[0]);
}

for (const speed of [0.5, 0.75, 1.1, 1.5, 2]) {
  for (const [hertz, sampleRate] of [[70, 24000], [220, 24000], [330, 48000], [997, 16000]]) {
    test(`${hertz} Hz at ${sampleRate} stays what it is at ${speed} times the speed`, () => {
      const samples = sounding(2 * sampleRate, 1, (i) => 0.5 * Math.sin((2 * Math.PI * hertz * i) / sampleRate));
      const { outputs: [output] } = stretched(samples, speed, sampleRate);

      assert.ok(Math.abs(pitch(output, sampleRate) / hertz - 1) < 0.01, `${pitch(output, sampleRate)} Hz`);
      assert.ok(Math.abs((output.length * speed) / samples.frames - 1) < 0.04, `${output.length} frames`);
      const steepest = (0.5 * 2 * Math.PI * hertz) / sampleRate;
      const jump = output.reduce((most, value, i) => (i ? Math.max(most, Math.abs(value - output[i - 1])) : 0), 0);
      assert.ok(jump < 1.3 * steepest, `a jump of ${jump} clicks`);
    });
  }
}

test("a voice keeps its loudness: no period is laid over its opposite", () => {
  // Harmonics of a pitch that glides from 90 to 180 Hz, as a voice's does.
  let phase = 0;
  const samples = sounding(2 * RATE, 1, (i) => {
    phase += (2 * Math.PI * (90 + (90 * i) / (2 * RATE))) / RATE;
    return [1, 2, 3, 4, 5].reduce((sum, n) => sum + (0.15 / n) * Math.sin(n * phase), 0);
  });
  const power = (part) => part.reduce((sum, value) => sum + value * value, 0) / part.length;
  const source = new Float32Array(samples.frames);
  samples.read(0, 0, source);
  for (const speed of [0.6, 1.4]) {
    const { outputs: [output] } = stretched(samples, speed);
    for (let at = 0; at + 2400 < output.length; at += 2400) {
      const db = 10 * Math.log10(power(output.subarray(at, at + 2400)) / power(source));
      assert.ok(Math.abs(db) < 1, `${db} dB at ${at / RATE} s, speed ${speed}`);
    }
  }
});

test("clicks keep their distances, times the speed", () => {
  const samples = sounding(4 * RATE, 1, (i) => (i % 12000 < 24 ? 0.9 : 0));
  for (const speed of [0.8, 1.25]) {
    const { outputs: [output] } = stretched(samples, speed);
    const clicks = [];
    output.forEach((value, i) => value > 0.5 && i - (clicks.at(-1) ?? -9999) > 2400 && clicks.push(i));
    for (let i = 1; i < clicks.length; i++) {
      assert.ok(Math.abs((clicks[i] - clicks[i - 1]) * speed - 12000) < 0.016 * RATE * 2, `${clicks}`);
    }
    assert.equal(clicks.length, 8);
  }
});

test("left and right stay together", () => {
  const samples = sounding(RATE, 2, (i, channel) => (channel ? -0.4 : 0.8) * Math.sin(i / 20));
  const { outputs: [left, right] } = stretched(samples, 1.5);
  left.forEach((value, i) => assert.ok(Math.abs(value + 2 * right[i]) < 0.001));
});

test("at speed 1, and when it follows, the source comes out unchanged", () => {
  const samples = sounding(RATE, 1, (i) => 0.9 * Math.sin(i * i));
  const source = new Float32Array(samples.frames);
  samples.read(0, 0, source);
  const { outputs: [output] } = stretched(samples, 1);
  assert.deepEqual(output, source.subarray(0, output.length));

  const stretch = new Stretch(RATE, 1);
  const hop = new Float32Array(stretch.hop);
  stretch.begin(1000);
  for (let turn = 0; turn < 3; turn++) stretch.next(samples, 1.7, [hop]);
  const place = stretch.natural;
  stretch.follow(samples, [hop]);
  assert.deepEqual(hop, source.subarray(place, place + stretch.hop));
});

test("silence goes at the asked speed too", () => {
  const samples = sounding(RATE, 1, () => 0);
  const { outputs: [output], stretch } = stretched(samples, 2);
  assert.ok(output.every((value) => value === 0));
  assert.ok(Math.abs(stretch.position - 2 * output.length) < 2);
});
