import assert from "node:assert/strict";
import { test } from "node:test";

import { parts } from "../../../nbaudio/widgets/static/file_door.js";
import { Take } from "../../../nbaudio/widgets/static/take.js";

/** A take, and what it sends. */
function take(about = {}) {
  const sent = [];
  const link = { send: (content, buffers = []) => sent.push({ ...content, bytes: buffers.map((one) => one.byteLength) }) };
  return [new Take(link, { door: "microphone", sampleRate: 24000, keep: false, ...about }), sent];
}

const ramp = (length) => Float32Array.from({ length }, (_, i) => i / 32768);

test("pieces are numbered, and the end says how many there are", () => {
  const [one, sent] = take();
  one.add(ramp(2400));
  one.add(ramp(2400));
  one.add(ramp(100));
  one.end("stopped");
  const { id } = one;
  assert.deepEqual(sent, [
    { kind: "begin", take: id, sample_rate: 24000, channels: 1, door: "microphone", bytes: [] },
    { kind: "piece", take: id, index: 0, bytes: [4800] },
    { kind: "piece", take: id, index: 1, bytes: [4800] },
    { kind: "piece", take: id, index: 2, bytes: [200] },
    { kind: "end", take: id, pieces: 3, frames: 4900, reason: "stopped", bytes: [] },
  ]);
  assert.equal(one.duration_s, 4900 / 24000);
});

test("every take has a name of its own, a UUID of version 4", () => {
  const names = Array.from({ length: 50 }, () => take()[0].id);
  assert.equal(new Set(names).size, 50);
  for (const name of names) assert.match(name, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test("the name of a file is told", () => {
  const [, sent] = take({ door: "file", name: "dog.mp3" });
  assert.equal(sent[0].name, "dog.mp3");
});

test("nothing is kept but for a replay, and that can be forgotten", async () => {
  const [unkept] = take();
  unkept.add(ramp(100));
  assert.equal(unkept.wav(), undefined);

  const [kept] = take({ keep: true });
  kept.add(ramp(100));
  kept.add(ramp(50));
  const bytes = Buffer.from(await kept.wav().arrayBuffer());
  assert.equal(bytes.toString("latin1", 0, 4) + bytes.toString("latin1", 8, 12), "RIFFWAVE");
  assert.equal(bytes.readUInt32LE(24), 24000);
  assert.equal(bytes.readUInt32LE(40), 300);
  assert.deepEqual([44, 46, 242, 244, 342].map((at) => bytes.readInt16LE(at)), [0, 1, 99, 0, 49]);
  kept.forget();
  assert.equal(kept.wav(), undefined);
});

test("a file goes in parts of a size, the last one smaller", async () => {
  const sizes = [];
  for await (const part of parts(new Float32Array(500_000), new AbortController().signal)) sizes.push(part.length);
  assert.deepEqual(sizes, [240_000, 240_000, 20_000]);
});

test("a file stops going when it is not wanted any more", async () => {
  const wanted = new AbortController();
  const sizes = [];
  await assert.rejects(async () => {
    for await (const part of parts(new Float32Array(2_400_000), wanted.signal)) {
      sizes.push(part.length);
      if (sizes.length === 2) wanted.abort();
    }
  }, { name: "AbortError" });
  assert.equal(sizes.length, 2);
});
