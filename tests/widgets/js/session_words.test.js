import assert from "node:assert/strict";
import { test } from "node:test";

import { holdLabel, sessionStatus } from "../../../nbaudio/widgets/static/session_words.js";

const listening = {
  state: "open",
  live: true,
  hears: true,
  asking: false,
  muted: false,
  held: false,
  holdToTalk: false,
  speech: false,
  sounding: false,
  blocked: false,
};

test("who speaks now", () => {
  assert.equal(sessionStatus(listening), "Listening");
  assert.equal(sessionStatus({ ...listening, speech: true }), "You are speaking");
  assert.equal(sessionStatus({ ...listening, speech: true, sounding: true }), "The model is speaking");
  assert.equal(sessionStatus({ ...listening, sounding: true }), "The model is speaking");
  assert.equal(sessionStatus({ ...listening, muted: true }), "Muted");
  assert.equal(sessionStatus({ ...listening, muted: true, speech: true }), "Muted");
  assert.equal(sessionStatus({ ...listening, muted: true, sounding: true }), "The model is speaking");
  assert.match(sessionStatus({ ...listening, hears: false }), /^Nobody hears you/);
});

test("where a button has to be held", () => {
  assert.match(sessionStatus({ ...listening, holdToTalk: true }), /^Hold the button/);
  assert.equal(sessionStatus({ ...listening, holdToTalk: true, held: true }), "You are speaking");
  assert.equal(holdLabel(false, false), "Hold to talk");
  assert.equal(holdLabel(true, true), "Release to send");
  assert.equal(holdLabel(true, false), "Press to send");
});

test("before and after", () => {
  assert.equal(sessionStatus({ ...listening, state: "closed", live: false }), "");
  assert.match(sessionStatus({ ...listening, state: "opening", asking: true, hears: false }), /^Opening … The browser may ask/);
  assert.match(sessionStatus({ ...listening, state: "opening" }), /^Opening …/);
  assert.equal(sessionStatus({ ...listening, state: "closing", live: false }), "Ending …");
  assert.match(sessionStatus({ ...listening, state: "elsewhere", live: false }), /another tab/);
  assert.match(sessionStatus({ ...listening, blocked: true }), /wants a click/);
});
