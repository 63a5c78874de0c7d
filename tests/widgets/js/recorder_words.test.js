import assert from "node:assert/strict";
import { test } from "node:test";

import { duration, hint, shutDoors, status } from "../../../nbaudio/widgets/static/recorder_words.js";

/** A recording as its words see it. */
function recording({ state = "idle", active = true, ...more } = {}, traits = {}) {
  const known = { trouble: "", duration_s: 0, silence_s: 1.5, door: "microphone", shut: {}, ...traits };
  const over = ["done", "cancelled", "lost"].includes(state);
  return { state, active, over, file: { name: "", share: 0 }, get: (name) => known[name], ...more };
}

const SAID = [
  ["Recording.", recording({ state: "recording" })],
  ["Recording. Too loud: move back a little.", recording({ state: "recording", tooLoud: true })],
  ["Nothing heard yet: is Headset the right microphone?", recording({ state: "recording", unheard: true, microphoneName: "Headset" })],
  ["Nothing heard yet: is this the right microphone?", recording({ state: "recording", unheard: true, microphoneName: "" })],
  ["Recording with the kernel's microphone.", recording({ state: "recording" }, { door: "kernel" })],
  ["Reading dog.mp3 …", recording({ state: "asking", file: { name: "dog.mp3", share: 0 } }, { door: "file" })],
  ["Sending dog.mp3 …", recording({ state: "recording", file: { name: "dog.mp3", share: 0 } }, { door: "file" })],
  ["Recorded 3.2 s.", recording({ state: "review" }, { duration_s: 3.21 })],
  ["Recorded 3.2 s.", recording({ state: "done", active: false }, { duration_s: 3.21 })],
  ["Recorded 1:01 min from dog.mp3.", recording({ state: "done", file: { name: "dog.mp3" } }, { duration_s: 61, door: "file" })],
  ["Recorded 1.0 s. It went away.", recording({ state: "done" }, { duration_s: 1, trouble: "It went away." })],
  ["Cancelled.", recording({ state: "cancelled", active: false })],
  ["The connection broke; what arrived (12.3 s) is kept.", recording({ state: "lost" }, { duration_s: 12.3 })],
  ["Nothing was recorded.", recording({ active: false })],
  ["That went wrong.", recording({}, { trouble: "That went wrong." })],
  ["", recording()],
];

for (const [words, at] of SAID) test(`"${words}" in state ${at.state}`, () => assert.equal(status(at), words));

test("a kernel that has gone is told apart from a connection", () => {
  assert.match(status(recording({ state: "lost", severed: true, active: false })), /^The kernel has gone/);
});

test("the hint says what ends a recording", () => {
  assert.equal(hint(recording()), "Space or Enter starts and stops; a 1.5 s pause stops.");
  assert.equal(hint(recording({}, { silence_s: 0 })), "Space or Enter starts and stops.");
});

test("a shut door points at those that are open", () => {
  const shut = (doors) => shutDoors(recording({}, { shut: doors }));
  assert.deepEqual(shut({}), []);
  assert.deepEqual(shut({ kernel: "No." }), []);
  assert.deepEqual(shut({ microphone: "Denied." }), [
    "Denied. Or choose or drop a sound file, or use the kernel's microphone.",
  ]);
  assert.deepEqual(shut({ microphone: "Denied.", kernel: "No sounddevice." }), [
    "Denied. Or choose or drop a sound file.",
    "The kernel's microphone: No sounddevice.",
  ]);
  assert.deepEqual(shut({ microphone: "Denied.", file: "No files.", kernel: "None." }), [
    "Denied.",
    "No files.",
    "The kernel's microphone: None.",
  ]);
});

test("lengths", () => {
  assert.deepEqual([0.04, 3.25, 59.9, 60, 3600].map(duration), ["0.0 s", "3.3 s", "59.9 s", "1:00 min", "1:00:00 min"]);
});
