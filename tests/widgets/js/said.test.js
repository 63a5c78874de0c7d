import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Said } from "../../../nbaudio/widgets/static/said.js";

/** A sound whose place the test sets; it says what a Sound says. */
class Stand extends EventTarget {
  sampleRate = 24000;
  position_s = 0;
  waiting = "";
  playing = false;
  still = true; // the loudspeaker has had all of it
  done = [];
  constructor(item) {
    super();
    this.item = item;
  }
  append(pcm16, index, framesBefore) {
    this.done.push(["append", pcm16.length, index, framesBefore]);
  }
  finish(frames) {
    this.done.push(["finish", frames]);
  }
  async play() {
    this.playing = true;
    this.still = false;
    this.#say("play");
  }
  pause() {
    this.playing = false;
    this.#say("pause");
  }
  release() {
    this.done.push(["release"]);
  }
  at(seconds) {
    this.position_s = seconds;
    this.dispatchEvent(new Event("position"));
  }
  end(seconds) {
    this.position_s = seconds;
    this.playing = false;
    this.dispatchEvent(new Event("ended"));
  }
  stand(seconds) {
    this.position_s = seconds;
    this.still = true;
    this.dispatchEvent(new Event("change"));
  }
  #say(what) {
    this.done.push([what]);
    this.dispatchEvent(new Event("change"));
  }
}

let now_ms = 0;
let sounds = {};
let played = [];
let said;
const piece = new Int16Array(2400);
const did = (item) => sounds[item].done.map(([what]) => what);

beforeEach(() => {
  now_ms = 0;
  sounds = {};
  played = [];
  said = new Said((item) => (sounds[item] = new Stand(item)), () => now_ms);
  said.addEventListener("played", ({ detail }) => played.push([detail.item, detail.frames, detail.sounding]));
});

test("items sound one after the other, in the order in which they were given", () => {
  said.add("a", piece, 0, 0);
  said.add("b", piece, 0, 0);
  said.add("a", piece, 1, 2400);
  said.finish("a", 4800);
  assert.deepEqual(sounds.a.done, [["play"], ["append", 2400, 0, 0], ["append", 2400, 1, 2400], ["finish", 4800]]);
  assert.deepEqual(sounds.b.done, [["append", 2400, 0, 0]]);
  sounds.a.end(0.2);
  assert.deepEqual(did("a").slice(-1), ["release"]);
  assert.deepEqual(did("b"), ["append", "play"]);
  said.finish("b", 2400);
  sounds.b.end(0.1);
  assert.equal(said.busy, false);
});

test("the clock tells of the first sound, of every 200 ms, and of the end", () => {
  said.add("a", piece, 0, 0);
  assert.equal(said.sounding, false);
  sounds.a.at(0.01);
  assert.equal(said.sounding, true);
  for (now_ms = 67; now_ms < 460; now_ms += 67) sounds.a.at(now_ms / 1000);
  sounds.a.end(0.5);
  assert.deepEqual(played, [["a", 240, true], ["a", 4824, true], ["a", 9648, true], ["a", 12000, false]]);
});

test("hush says how much of each was heard, and what comes of them is not played", async () => {
  said.add("a", piece, 0, 0);
  said.add("b", piece, 0, 0);
  sounds.a.at(0.05);
  const hushed = said.hush();
  assert.equal(sounds.a.playing, false);
  sounds.a.dispatchEvent(new Event("change")); // of something else
  sounds.a.stand(0.06); // the sound thread says where it is
  assert.deepEqual(await hushed, { played: { a: 1440, b: 0 }, sounded: "a" });
  const before = sounds.a;
  said.add("a", piece, 1, 2400);
  said.finish("b", 2400);
  assert.equal(sounds.a, before);
  assert.equal(said.busy, false);
  said.add("c", piece, 0, 0);
  assert.deepEqual(did("c"), ["play", "append"]);
  assert.deepEqual(await said.hush(), { played: { c: 0 }, sounded: "" });
});

test("where nothing was given, nothing was heard", async () => {
  assert.deepEqual(await said.hush(), { played: {}, sounded: "" });
  said.finish("a", 0);
  assert.equal(said.busy, false);
});

test("what is over is not told of once more", async () => {
  said.add("a", piece, 0, 0);
  sounds.a.end(0.1);
  said.add("b", piece, 0, 0);
  assert.deepEqual((await said.hush()).played, { b: 0 });
});

test("held, nothing sounds and nothing begins; then it goes on", async () => {
  said.add("a", piece, 0, 0);
  sounds.a.at(0.02);
  said.hold();
  said.add("b", piece, 0, 0);
  assert.deepEqual([said.sounding, sounds.a.playing, did("b")], [false, false, ["append"]]);
  said.goOn();
  assert.deepEqual([said.sounding, sounds.a.playing, did("b")], [true, true, ["append"]]);
  said.hold();
  const hushed = said.hush(); // at once: nobody knows yet where it stands
  sounds.a.stand(0.03);
  assert.deepEqual(await hushed, { played: { a: 720, b: 0 }, sounded: "a" });
  assert.equal(said.held, false);
});

test("what comes first while all is held begins when it goes on", () => {
  said.hold();
  said.add("a", piece, 0, 0);
  assert.deepEqual(did("a"), ["append"]);
  said.goOn();
  assert.deepEqual(did("a"), ["append", "play"]);
});

test("another sound of the page that takes its turn is told of", () => {
  let told = 0;
  said.addEventListener("elsewhere", () => told++);
  said.add("a", piece, 0, 0);
  sounds.a.at(0.02);
  said.hold();
  said.goOn();
  assert.equal(told, 0);
  sounds.a.pause();
  assert.equal(told, 1);
});

test("closed, all is released", () => {
  said.add("a", piece, 0, 0);
  said.add("b", piece, 0, 0);
  said.close();
  assert.deepEqual([did("a").at(-1), did("b").at(-1), said.busy], ["release", "release", false]);
});
