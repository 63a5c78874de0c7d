import assert from "node:assert/strict";
import { test } from "node:test";

import { Resampler } from "../../../nbaudio/widgets/static/resample.js";

const tone = (hertz, rate, seconds = 0.5) =>
  Float32Array.from({ length: seconds * rate }, (_, i) => 0.5 * Math.sin((2 * Math.PI * hertz * i) / rate));

function resampled(samples, from, to, piece = Math.round(from * 0.04)) {
  const resampler = new Resampler(from, to);
  const parts = [];
  for (let at = 0; at < samples.length; at += piece) parts.push(resampler.add(samples.subarray(at, at + piece)));
  return { parts, samples: Float32Array.from(parts.flatMap((part) => [...part])) };
}

const level = (samples) => 10 * Math.log10(samples.reduce((sum, one) => sum + one * one, 0) / samples.length);

/** The level of one frequency, relative to a tone of 0.5. */
function at(samples, hertz, rate) {
  const inner = samples.subarray(1000, samples.length - 1000);
  let [re, im] = [0, 0];
  inner.forEach((one, i) => {
    const window = 1 - Math.cos((2 * Math.PI * i) / inner.length);
    re += one * window * Math.cos((2 * Math.PI * hertz * i) / rate);
    im += one * window * Math.sin((2 * Math.PI * hertz * i) / rate);
  });
  return 20 * Math.log10((2 * Math.hypot(re, im)) / inner.length / 0.5);
}

test("pieces of 40 ms stay pieces of 40 ms, whatever the microphone's rate", () => {
  for (const from of [16000, 44100, 48000, 96000]) {
    const { parts } = resampled(tone(440, from), from, 24000);
    assert.deepEqual([...new Set(parts.slice(0, 12).map((part) => part.length))], [960], String(from));
  }
});

test("what it makes does not depend on how it comes", () => {
  const samples = tone(1000, 44100);
  const whole = resampled(samples, 44100, 24000, samples.length).samples;
  const torn = resampled(samples, 44100, 24000, 37).samples;
  assert.ok(Math.abs(whole.length - torn.length) <= 1);
  for (let i = 0; i < Math.min(whole.length, torn.length); i++) assert.ok(Math.abs(whole[i] - torn[i]) < 1e-6);
});

test("a tone stays what it is", () => {
  for (const from of [16000, 44100, 48000]) {
    for (const hertz of [100, 1000, 5000]) {
      const { samples } = resampled(tone(hertz, from), from, 24000);
      assert.ok(Math.abs(at(samples, hertz, 24000)) < 0.1, `${hertz} Hz from ${from} Hz`);
    }
  }
});

test("what 24,000 Hz can't hold is left out, and does not come back as another tone", () => {
  for (const hertz of [12500, 15000, 20000]) {
    const { samples } = resampled(tone(hertz, 48000), 48000, 24000);
    assert.ok(level(samples.subarray(500)) < -70, `${hertz} Hz: ${level(samples.subarray(500))} dB`);
  }
});
