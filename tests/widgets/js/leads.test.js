import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

/** @type {Map<string, string>} */
let stored;
let full = false;
/** Loads the module as a new page does. */
let pages = 0;
const newPage = () => import(`../../../nbaudio/widgets/static/leads.js?page=${pages++}`);
const LESSON = { windows: [0.28, 0.3], window: 0.1, sound_s: 1 };

beforeEach(() => {
  stored = new Map();
  full = false;
  globalThis.localStorage = /** @type {any} */ ({
    getItem: (/** @type {string} */ name) => stored.get(name) ?? null,
    setItem: (/** @type {string} */ name, /** @type {string} */ text) => {
      if (full) throw new DOMException("full", "QuotaExceededError");
      stored.set(name, text);
    },
  });
});

test("the next page knows what this one learned of a source, and nothing of others", async () => {
  const [one, other] = [await newPage(), await newPage()];
  one.learn("slow", LESSON);
  one.keep("slow");
  assert.deepEqual(other.learnedOf("slow"), { windows: [0.28, 0.3, 0.1], window: 0, sound_s: 0 });
  assert.equal(other.learnedOf("else"), undefined);
  assert.equal(one.learnedOf("slow"), LESSON);
});

test("of an unknown source nothing is kept, nor of one that taught nothing", async () => {
  const one = await newPage();
  one.learn("", LESSON);
  one.keep("");
  one.learn("short", { windows: [], window: 0, sound_s: 0.5 });
  one.keep("short");
  one.keep("never heard");
  assert.equal(stored.size, 0);
});

test("after a day it is forgotten, and the oldest of more than twenty", async () => {
  const one = await newPage();
  for (let number = 0; number <= 20; number++) {
    one.learn(`source ${number}`, LESSON);
    one.keep(`source ${number}`);
  }
  const kept = JSON.parse(/** @type {string} */ (stored.get("nbaudio.leads")));
  assert.equal(kept.length, 20);
  assert.equal((await newPage()).learnedOf("source 0"), undefined);
  kept[0][1].at_ms -= 86_400_001;
  stored.set("nbaudio.leads", JSON.stringify(kept));
  const other = await newPage();
  assert.equal(other.learnedOf("source 1"), undefined);
  assert.ok(other.learnedOf("source 2"));
});

test("what else may stand there is nothing known, and is written over", async () => {
  const bad = ["no JSON", "7", "{}", "[7]", '[["slow", null]]', '[["slow", {"windows": [-1], "at_ms": 1}]]'];
  for (const text of bad) {
    stored.set("nbaudio.leads", text);
    const one = await newPage();
    assert.equal(one.learnedOf("slow"), undefined, text);
    one.learn("slow", LESSON);
    one.keep("slow");
    assert.ok((await newPage()).learnedOf("slow"), text);
  }
});

test("a store that is full, or not there, breaks nothing", async () => {
  full = true;
  let one = await newPage();
  one.learn("slow", LESSON);
  one.keep("slow");
  Object.defineProperty(globalThis, "localStorage", { configurable: true, get: () => assert.fail("not allowed") });
  one = await newPage();
  one.learn("slow", LESSON);
  one.keep("slow");
  assert.equal(one.learnedOf("slow"), LESSON);
  Reflect.deleteProperty(globalThis, "localStorage");
});
