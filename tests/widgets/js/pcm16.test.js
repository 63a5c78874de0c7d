import assert from "node:assert/strict";
import { test } from "node:test";

import { samplesOf, toFloat32, toPcm16, wavHeader } from "../../../nbaudio/widgets/static/pcm16.js";

const EVERY = Int16Array.from({ length: 65536 }, (_, index) => index - 32768);

test("every value of 16 bits comes back from floats as it was", () => {
  assert.deepEqual(toPcm16(toFloat32(EVERY)), EVERY);
});

test("floats are within one, and what is louder is clipped", () => {
  const floats = toFloat32(EVERY);
  assert.equal(floats[0], -1);
  assert.equal(floats[65535], 32767 / 32768);
  assert.deepEqual([...toPcm16(Float32Array.of(1, 1.5, -1.5, 0.00001, -0.00002))], [32767, 32767, -32768, 0, -1]);
});

test("a message's buffer is read as little endian, from any place, without its odd last byte", () => {
  const view = new DataView(Uint8Array.of(9, 1, 0, 0xff, 0xff, 0x00, 0x80, 7).buffer, 1);
  assert.deepEqual([...samplesOf(view)], [1, -1, -32768]);
});

test("samples of a message are a copy", () => {
  const given = Int16Array.of(1, 2);
  const copy = samplesOf(given);
  given[0] = 5;
  assert.deepEqual([...copy], [1, 2]);
});

test("a WAV file says what follows", () => {
  const header = new DataView(wavHeader(1000, 24000, 2));
  const letters = (at) => String.fromCharCode(...new Uint8Array(header.buffer, at, 4));
  assert.deepEqual([0, 8, 12, 36].map(letters), ["RIFF", "WAVE", "fmt ", "data"]);
  assert.equal(header.getUint32(4, true), 36 + 4000);
  assert.equal(header.getUint16(22, true), 2);
  assert.equal(header.getUint32(24, true), 24000);
  assert.equal(header.getUint32(28, true), 96000);
  assert.equal(header.getUint32(40, true), 4000);
});
