import assert from "node:assert/strict";
import { test } from "node:test";

import { ChatTurn, TurnModel } from "../../../nbaudio/widgets/static/chat_turn.js";

/** @type {string[]} */
const told = [];
const line = { prefix: "the-chat", need: (/** @type {string} */ key) => void told.push(`need ${key}`), stop: () => void told.push("stop") };
const entry = (/** @type {Record<string, unknown>} */ more = {}) =>
  /** @type {any} */ ({
    key: "a1", role: "assistant", speaker: "Answer", words: "Yes.", notes: [], time_s: 0, broken: false, duration_s: 0,
    sample_rate: 0, file_name: "a.wav", ...more,
  });

test("a model of one turn: what is set is told once, and all of an update is set before any of it is told", () => {
  /** @type {any[]} */
  const sent = [];
  const model = new TurnModel({ words: "", state: "arriving" }, (content) => sent.push(content));
  /** @type {string[]} */
  const heard = [];
  const react = () => void heard.push(`${model.get("words")} ${model.get("state")}`);
  model.on("change:words", react);
  model.set("words", "Yes");
  model.set("words", "Yes");
  model.update({ words: "Yes.", state: "whole" });
  assert.deepEqual(heard, ["Yes arriving", "Yes. whole"]);
  model.off("change:words", react);
  model.set("words", "No.");
  assert.equal(heard.length, 2);
  model.send({ kind: "need" });
  assert.deepEqual(sent, [{ kind: "need" }]);
  model.on("msg:custom", (message, buffers) => heard.push(`${message.kind} ${buffers.length}`));
  model.hear({ kind: "whole" }, []);
  assert.equal(heard.at(-1), "whole 0");
});

test("words without sound grow as they come, and are what the kernel says at last", () => {
  const turn = new ChatTurn(entry({ words: "" }), line, { aloud: false, play: "queue", source: "" });
  let changes = 0;
  turn.addEventListener("change", () => changes++);
  turn.hear({ kind: "piece", words: "Ye" }, []);
  turn.hear({ kind: "piece", words: "s" }, []);
  assert.equal(turn.words, "Yes");
  turn.catchUp("Yes.");
  assert.equal(turn.words, "Yes.");
  assert.equal(turn.arriving, true);
  turn.update(entry({ words: "Yes. Indeed." }));
  assert.equal(turn.words, "Yes. Indeed.");
  assert.equal(turn.arriving, false);
  assert.equal(changes, 4);
  turn.update(entry({ words: "Yes. Indeed." })); // the same again
  assert.equal(changes, 4);
  assert.equal(turn.player, undefined);
});

test("a turn with sound has a player, which asks the chat for its sound, until it has none any more", () => {
  const turn = new ChatTurn(entry({ duration_s: 1, sample_rate: 24_000 }), line);
  assert.equal(turn.player?.duration_s, 1);
  assert.equal(turn.player?.sound.key, "the-chat-a1");
  turn.player?.need();
  assert.deepEqual(told, ["need a1"]);
  turn.hear({ kind: "sound", mime: "audio/pcm;rate=24000", frames: 0, phrases: [["Yes.", 0, 1]] }, [new DataView(new ArrayBuffer(0))]);
  assert.deepEqual(turn.player?.phrases, [["Yes.", 0, 1]]);
  turn.update(entry({ words: "No." }));
  assert.equal(turn.player, undefined);
  turn.close();
});
