// What the model says in an open session, item by item: one sounds, the others wait behind it in the order in which
// they were given. It knows how much of each has left the loudspeaker, and becomes silent at once.

/** @typedef {import("./sound.js").Sound} Sound */
/** @typedef {{item: string, frames: number, sounding: boolean}} Played */
/** @typedef {{played: Record<string, number>, sounded: string}} Hushed */

/** @typedef {object} Item
 * @property {string} item
 * @property {Sound} sound
 * @property {boolean} asked  it is to be heard now
 * @property {boolean} begun  something of it was heard
 * @property {number} told_ms  when it was last told how far it is
 * @property {AbortController} closed */

const TELL_MS = 190; // reports come 15 a second: every third
const STANDS_MS = 200; // a sound thread that lives says within 20 where it has stopped, on a busy machine within 100

/**
 * Events: "change" (who sounds), "played" (its `detail` is Played), "elsewhere" (another sound of the page has taken the
 * turn from it).
 */
export class Said extends EventTarget {
  #open;
  #now;
  /** @type {Item[]} */
  #items = [];
  /** @type {Set<string>} items that are over although more of them may come */
  #dropped = new Set();
  #standing = Promise.resolve(); // when it is known where the sound that is held back stands
  /** It keeps quiet for a moment. */
  held = false;

  /**
   * @param {(item: string) => Sound} open  gives the sound of an item; it must not begin by itself
   * @param {() => number} [now_ms]
   */
  constructor(open, now_ms = () => performance.now()) {
    super();
    this.#open = open;
    this.#now = now_ms;
  }

  /** Something of it can be heard just now. */
  get sounding() {
    const [first] = this.#items;
    return Boolean(first?.begun && first.sound.playing && !this.held);
  }

  /** Something is to be heard, now or later. */
  get busy() {
    return this.#items.length > 0;
  }

  /** The sound that is heard, or about to be. @returns {Sound | undefined} */
  get sound() {
    return this.#items[0]?.sound;
  }

  /**
   * The next piece of an item: it is played behind all that was given before.
   * @param {string} item
   * @param {DataView | Int16Array} pcm16
   * @param {number} index
   * @param {number} framesBefore
   */
  add(item, pcm16, index, framesBefore) {
    this.#of(item)?.sound.append(pcm16, index, framesBefore);
  }

  /**
   * No more of it comes.
   * @param {string} item
   * @param {number} frames
   */
  finish(item, frames) {
    if (frames > 0 || this.#items.some((one) => one.item === item)) this.#of(item)?.sound.finish(frames);
  }

  /** Silent at once; `goOn` plays it from there. */
  hold() {
    if (this.held) return;
    this.held = true;
    const [first] = this.#items;
    const moves = first?.asked && first.sound.playing;
    first?.sound.pause();
    this.#standing = moves ? stands(first.sound) : Promise.resolve();
    this.#changed();
  }

  goOn() {
    if (!this.held) return;
    this.held = false;
    const [first] = this.#items;
    if (first) first.asked = false;
    this.#next();
    this.#changed();
  }

  /** Silent at once, and all that was given is over. @returns {Promise<Hushed>} */
  async hush() {
    const given = this.#items.splice(0);
    const [first] = given;
    const moves = first?.asked && !this.held && first.sound.playing;
    const standing = this.held ? this.#standing : undefined; // who holds it back is often told to hush at once
    this.held = false;
    for (const { item, closed } of given) {
      this.#dropped.add(item);
      closed.abort();
    }
    first?.sound.pause();
    this.#changed();
    await (moves ? stands(first.sound) : standing);
    const played = Object.fromEntries(given.map(({ item, sound }) => [item, framesOf(sound)]));
    for (const { sound } of given) sound.release();
    return { played, sounded: first?.begun ? first.item : "" };
  }

  /** The session is over. */
  close() {
    for (const { sound, closed } of this.#items.splice(0)) {
      closed.abort();
      sound.release();
    }
    this.#dropped.clear();
    this.held = false;
  }

  /** @param {string} item  @returns {Item | undefined} */
  #of(item) {
    const found = this.#items.find((one) => one.item === item);
    if (found || this.#dropped.has(item)) return found;
    const sound = this.#open(item);
    const made = { item, sound, asked: false, begun: false, told_ms: 0, closed: new AbortController() };
    const { signal } = made.closed;
    sound.addEventListener("ended", () => this.#ended(made), { signal });
    sound.addEventListener("position", () => this.#follow(made), { signal });
    sound.addEventListener("change", () => this.#look(made), { signal });
    this.#items.push(made);
    this.#next();
    return made;
  }

  #next() {
    const [first] = this.#items;
    if (!first || first.asked || this.held) return;
    first.asked = true;
    void first.sound.play();
  }

  /** @param {Item} one */
  #follow(one) {
    if (one.asked && !this.held && (!one.begun || this.#now() - one.told_ms >= TELL_MS)) this.#tell(one, true);
    if (one.begun) return;
    one.begun = true;
    this.#changed();
  }

  /** @param {Item} one */
  #look(one) {
    const taken = one.asked && !this.held && !one.sound.playing && one.sound.waiting === "";
    if (taken) this.dispatchEvent(new Event("elsewhere"));
    else this.#changed();
  }

  /** @param {Item} one */
  #ended(one) {
    one.closed.abort();
    this.#items = this.#items.filter((other) => other !== one);
    this.#dropped.add(one.item);
    this.#tell(one, false);
    one.sound.release();
    this.#next();
    this.#changed();
  }

  /**
   * @param {Item} one
   * @param {boolean} sounding
   */
  #tell(one, sounding) {
    one.told_ms = this.#now();
    const detail = { item: one.item, frames: framesOf(one.sound), sounding };
    this.dispatchEvent(new CustomEvent("played", { detail }));
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

/** @param {Sound} sound */
function framesOf(sound) {
  return Math.round(sound.position_s * sound.sampleRate);
}

/**
 * When it is known where a sound stands that was paused: what is on its way to the sound thread is still heard.
 * @param {Sound} sound
 * @returns {Promise<void>}
 */
function stands(sound) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      sound.removeEventListener("change", look);
      resolve();
    };
    const look = () => sound.still && done();
    const timer = setTimeout(done, STANDS_MS); // the sound device has gone
    sound.addEventListener("change", look);
    look();
  });
}
