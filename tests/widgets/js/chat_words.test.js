import assert from "node:assert/strict";
import { test } from "node:test";

import { holdLabel, status, troubleWords, whyShut } from "../../../nbaudio/widgets/static/chat_words.js";

const recording = (/** @type {Record<string, any>} */ known = {}) =>
  /** @type {any} */ ({ state: "idle", active: true, over: false, get: (/** @type {string} */ name) => known[name], ...known });
const quiet = { severed: false, busy: false, waiting: false, elsewhere: false, recording: recording() };

test("what is going on", () => {
  assert.equal(status(quiet), "");
  assert.equal(status({ ...quiet, busy: true }), "The answer is coming.");
  assert.match(status({ ...quiet, busy: true, waiting: true }), /as soon as it is free/);
  assert.equal(status({ ...quiet, elsewhere: true }), "A cell is being answered.");
  assert.match(status({ ...quiet, busy: true, severed: true }), /^The kernel has gone/);
  assert.equal(status({ ...quiet, recording: undefined }), "");
  assert.equal(status({ ...quiet, recording: recording({ trouble: "That was too short." }) }), "That was too short.");
});

test("who speaks comes before what is answered", () => {
  const speaking = recording({ state: "recording", trouble: "" });
  assert.equal(status({ ...quiet, busy: true, recording: speaking }), "Recording.");
});

test("what the large button is called", () => {
  assert.equal(holdLabel(undefined), "Hold to talk");
  assert.equal(holdLabel(recording()), "Hold to talk");
  assert.equal(holdLabel(recording({ state: "asking" })), "Opening …");
  assert.equal(holdLabel(recording({ state: "recording" })), "Release to send");
});

test("why nobody can talk", () => {
  assert.equal(whyShut(undefined), "");
  assert.equal(whyShut(recording({ shut: {} })), "");
  assert.match(whyShut(recording({ shut: { microphone: "Denied.", kernel: "None." } })), /^Denied\. Or choose or drop/);
});

test("what became of a request that failed, and of what was said", () => {
  assert.equal(troubleWords({}), "");
  assert.equal(troubleWords({ words: "No money.", typed: "Hello" }), "No money. Your words are kept.");
  assert.equal(troubleWords({ words: "No money.", recorded_s: 3.24 }), "No money. Your recording (3.2 s) is kept.");
  assert.equal(troubleWords({ words: "It broke off.", typed: "", recorded_s: 0 }), "It broke off.");
});
