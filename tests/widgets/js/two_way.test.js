import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { TwoWay } from "../../../nbaudio/widgets/static/two_way.js";

/** A model as anywidget gives it; `fromKernel` is what a message of the kernel does. */
class Model {
  /** @type {Record<string, any>} */
  traits = { playing: false, position_s: 0, speed: 1, volume: 1 };
  /** @type {Record<string, any>[]} what went to the kernel */
  saved = [];
  /** @type {Record<string, any>} */
  #unsaved = {};
  #events = new EventTarget();
  /** @type {Map<string, number>} */
  listeners = new Map();

  get = (/** @type {string} */ name) => this.traits[name];
  set = (/** @type {string} */ name, /** @type {any} */ value) => {
    this.#unsaved[name] = value;
    this.#change(name, value);
  };
  save_changes = () => {
    this.saved.push(this.#unsaved);
    this.#unsaved = {};
  };
  send = () => assert.fail("traits need no messages");
  on = (/** @type {string} */ name, /** @type {() => void} */ react) => {
    this.listeners.set(name, (this.listeners.get(name) ?? 0) + 1);
    this.#events.addEventListener(name, react);
  };
  off = (/** @type {string} */ name, /** @type {() => void} */ react) => {
    this.listeners.set(name, (this.listeners.get(name) ?? 0) - 1);
    this.#events.removeEventListener(name, react);
  };
  widget_manager = undefined;

  /** @param {Record<string, any>} traits */
  fromKernel(traits) {
    for (const [name, value] of Object.entries(traits)) this.#change(name, value);
  }

  /**
   * @param {string} name
   * @param {any} value
   */
  #change(name, value) {
    if (this.traits[name] === value) return;
    this.traits[name] = value;
    this.#events.dispatchEvent(new Event(`change:${name}`));
  }
}

/** A player that goes where it is told, on whole frames, and is its own sound. */
class Playing extends EventTarget {
  sound = this;
  #state = /** @type {Record<string, any>} */ ({ playing: false, speed: 1, volume: 1 });
  position_s = 0;
  arriving = false;
  /** @type {number[]} */
  seeks = [];

  /**
   * @param {string} name
   * @param {any} value
   */
  #put(name, value) {
    if (this.#state[name] === value) return;
    this.#state[name] = value;
    this.dispatchEvent(new Event("change"));
  }
  get playing() {
    return this.#state.playing;
  }
  get speed() {
    return this.#state.speed;
  }
  set speed(value) {
    this.#put("speed", Math.min(Math.max(0.5, value), 2));
  }
  get volume() {
    return this.#state.volume;
  }
  set volume(value) {
    this.#put("volume", value);
  }
  play() {
    this.#put("playing", true);
  }
  pause() {
    this.#put("playing", false);
  }
  /** @param {number} seconds */
  seek(seconds) {
    this.seeks.push(seconds);
    this.moveTo(Math.min(Math.round(seconds * 24_000) / 24_000, 12));
  }
  /** @param {number} seconds */
  moveTo(seconds) {
    this.position_s = seconds;
    this.dispatchEvent(new Event("position"));
  }
}

/** @type {Model} */
let model;
/** @type {Playing} */
let sound;
/** @type {TwoWay} */
let traits;

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
  model = new Model();
  sound = new Playing();
  traits = new TwoWay(model, sound);
});

test("what the kernel sets happens here, and no echo goes back", () => {
  model.fromKernel({ speed: 1.5, volume: 0.25, playing: true, position_s: 2.00001 });
  assert.deepEqual([sound.speed, sound.volume, sound.playing, sound.seeks], [1.5, 0.25, true, [2.00001]]);
  model.fromKernel({ playing: false });
  mock.timers.tick(1000);
  assert.equal(sound.playing, false);
  assert.deepEqual(model.saved, []);
});

test("what it begins with comes from the kernel", () => {
  model.traits = { ...model.traits, speed: 0.75, volume: 0.5 };
  const other = new Playing();
  new TwoWay(model, other);
  assert.deepEqual([other.speed, other.volume, other.seeks], [0.75, 0.5, []]);
});

test("what happens here goes to the kernel once", () => {
  sound.play();
  sound.speed = 2;
  sound.volume = 0;
  assert.deepEqual(model.saved, [{ playing: true }, { speed: 2 }, { volume: 0 }]);
});

test("what can't be done is told as it is", () => {
  model.fromKernel({ speed: 3, position_s: 99 });
  assert.deepEqual(model.saved, [{ speed: 2 }, { position_s: 12 }]);
  assert.deepEqual(sound.seeks, [99]);
});

/** What is told of the position in 4 s, of 15 that the sound reports each second. */
function positionsIn4s() {
  sound.play();
  model.saved = [];
  for (let tick = 1; tick <= 60; tick++) {
    sound.moveTo(tick / 15);
    mock.timers.tick(1000 / 15);
  }
  assert.ok(model.saved.every((told) => Object.keys(told).join() === "position_s"));
  assert.deepEqual(sound.seeks, []);
  return model.saved.length;
}

test("while it plays the position is told four times a second", () => {
  const told = positionsIn4s();
  assert.ok(told >= 15 && told <= 17, `${told} in 4 s`);
});

test("while pieces come the position is told once a second", () => {
  sound.arriving = true;
  const told = positionsIn4s();
  assert.ok(told >= 4 && told <= 5, `${told} in 4 s`);
});

test("the last position is told, and where it was paused at once", () => {
  sound.play();
  sound.moveTo(1);
  sound.moveTo(1.1);
  mock.timers.tick(300);
  assert.equal(model.traits.position_s, 1.1);
  sound.moveTo(1.2);
  sound.pause();
  assert.deepEqual(model.saved.at(-1), { playing: false, position_s: 1.2 });
  const told = model.saved.length;
  mock.timers.tick(10_000);
  assert.equal(model.saved.length, told);
});

test("two linked players that stand still do not chase each other", () => {
  const [other, otherSound] = [new Model(), new Playing()];
  new TwoWay(other, otherSound);
  sound.moveTo(3.3333333); // by the person
  other.fromKernel({ position_s: model.traits.position_s });
  model.fromKernel({ position_s: other.traits.position_s });
  mock.timers.tick(1000);
  assert.deepEqual([model.saved, other.saved, sound.seeks], [[{ position_s: 3.3333333 }], [], []]);
});

test("after close neither side hears of the other", () => {
  sound.play();
  sound.moveTo(1);
  sound.moveTo(2);
  const told = model.saved.length;
  traits.close();
  mock.timers.tick(1000);
  sound.pause();
  model.fromKernel({ speed: 0.5 });
  assert.equal(model.saved.length, told);
  assert.equal(sound.speed, 1);
  assert.ok([...model.listeners.values()].every((count) => count === 0));
});
