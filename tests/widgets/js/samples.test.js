import assert from "node:assert/strict";
import { test } from "node:test";

import { Peaks } from "../../../nbaudio/widgets/static/peaks.js";
import { Samples } from "../../../nbaudio/widgets/static/samples.js";

const counting = (length, from = 0) => Int16Array.from({ length }, (_, index) => ((from + index) % 20000) + 1);

function filled(total, sizes, channels = 1) {
  const samples = new Samples(channels);
  for (let done = 0, turn = 0; done < total; turn++) {
    const frames = Math.min(sizes[turn % sizes.length], total - done);
    samples.append(counting(frames * channels, done * channels));
    done += frames;
  }
  return samples;
}

test("pieces of any size are one sound", () => {
  const samples = filled(50000, [1, 100, 16384, 7001]);
  const read = new Float32Array(50000);
  samples.read(0, 0, read);
  assert.equal(samples.frames, 50000);
  assert.deepEqual(Int16Array.from(read, (value) => value * 32768), counting(50000));
});

test("a part is read from any place, with zeros around the sound", () => {
  const samples = filled(40000, [5000]);
  const read = new Float32Array(8).fill(9);
  samples.read(0, 39998, read, 1, 5);
  assert.deepEqual([...read].map((value) => value * 32768), [9 * 32768, 19999, 20000, 0, 0, 0, 9 * 32768, 9 * 32768]);
  samples.read(0, -2, read, 0, 4);
  assert.deepEqual([...read.subarray(0, 4)].map((value) => value * 32768), [0, 0, 1, 2]);
});

test("channels lie side by side", () => {
  const samples = filled(20000, [777], 2);
  const [left, right] = [0, 1].map((channel) => {
    const read = new Float32Array(3);
    samples.read(channel, 9000, read);
    return [...read].map((value) => value * 32768);
  });
  assert.deepEqual([left, right], [[18001, 18003, 18005], [18002, 18004, 18006]]);
});

test("each gives the same frames as were put in", () => {
  const samples = filled(40000, [999], 2);
  const parts = [];
  samples.each(5, 39001, (part) => parts.push(...part));
  assert.deepEqual(Int16Array.from(parts), counting(80000).slice(10, 78002));
});

test("peaks are the lowest and the highest of each stretch, at every zoom", () => {
  const samples = new Samples(1);
  const whole = Int16Array.from({ length: 300000 }, (_, i) => Math.round(20000 * Math.sin(i / 900) * Math.sin(i / 7)));
  const peaks = new Peaks(samples);
  // Asked for while it grows: what was half there must not stay.
  for (let done = 0; done < whole.length; done += 10007) {
    samples.append(whole.subarray(done, done + 10007));
    peaks.of(10, 0, samples.frames);
  }
  for (const [count, from, to] of [[100, 0, 300000], [50, 1000, 90000], [64, 0, 600], [7, 299000, 300000]]) {
    const found = peaks.of(count, from, to);
    const step = (to - from) / count;
    for (let index = 0; index < count; index++) {
      const part = whole.subarray(Math.floor(from + index * step), Math.floor(from + (index + 1) * step));
      const [low, high] = [part.reduce((a, b) => Math.min(a, b)), part.reduce((a, b) => Math.max(a, b))];
      // Over whole bins of 256 a stretch may reach a little further.
      assert.ok(found[2 * index] <= low / 32768 && found[2 * index + 1] >= high / 32768);
      if (step < 1024) assert.deepEqual([found[2 * index], found[2 * index + 1]], [low / 32768, high / 32768]);
    }
  }
});

test("peaks are zero where nothing is yet", () => {
  const samples = filled(1000, [100]);
  const found = new Peaks(samples).of(4, 0, 2000);
  assert.ok(found[3] > 0);
  assert.deepEqual([...found.subarray(4)], [0, 0, 0, 0]);
});
