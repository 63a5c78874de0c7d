// The page's own ear: whether a person begins to speak while an answer sounds. It is asked before the server is, for
// the way there and back takes longer than a person who interrupts is willing to be talked over.
//
// As in silence.js, loud is what stands out of the room's own noise, which is what the quietest tenth of the last
// seconds stays below. Here there is no time to wait for syllables: 60 ms without a break are enough, which a key or a
// click has not. So a door that falls shut is taken for speech; whoever listens says so with `falseAlarm`.

import { dbfs, SILENT_DBFS } from "./level.js";

const FRAME_S = 0.01;
const NOISE_S = 5;
const NOISE_SHARE = 0.1;
const ABOVE_NOISE_DB = 12; // what an echo canceller leaves of an answer is further below a voice
const FAINTEST_DBFS = -50; // with automatic gain on, nobody speaks below it
const UNBROKEN_FRAMES = 6;
const HARDER_DB = 6;
const HIGH_PASS_HZ = 120; // mains, fans and wind are below it

/** Follows a microphone. */
export class Ear {
  #frames;
  #filter;
  /** @type {number[]} levels of the last NOISE_S, oldest first */
  #levels = [];
  #sum = 0;
  #count = 0;
  #last = 0;
  #passed = 0;
  #run = 0; // frames that have been loud, without a break
  #harder_db = 0;

  /** @param {number} sampleRate Hz */
  constructor(sampleRate) {
    this.#frames = Math.round(sampleRate * FRAME_S);
    this.#filter = 1 / (1 + (2 * Math.PI * HIGH_PASS_HZ) / sampleRate);
  }

  /** The next samples.
   * @param {Float32Array} samples
   * @returns {boolean} whether somebody begins to speak in them: once until it is quiet again */
  add(samples) {
    const threshold = this.threshold_dbfs;
    let begins = false;
    for (const sample of samples) {
      this.#passed = this.#filter * (this.#passed + sample - this.#last);
      this.#last = sample;
      this.#sum += this.#passed * this.#passed;
      if (++this.#count < this.#frames) continue;
      const level = dbfs(this.#sum / this.#frames);
      this.#sum = this.#count = 0;
      this.#levels.push(level);
      this.#run = level > threshold ? this.#run + 1 : 0;
      begins ||= this.#run === UNBROKEN_FRAMES;
    }
    const kept = Math.round(NOISE_S / FRAME_S);
    if (this.#levels.length > kept) this.#levels.splice(0, this.#levels.length - kept);
    return begins;
  }

  /** What is louder than this is not the room. */
  get threshold_dbfs() {
    const sorted = Float64Array.from(this.#levels).sort();
    const noise = sorted[Math.floor(NOISE_SHARE * (sorted.length - 1))] ?? SILENT_DBFS;
    return Math.max(FAINTEST_DBFS, noise + ABOVE_NOISE_DB) + this.#harder_db;
  }

  /** Nobody had spoken: from here on it takes 6 dB more. */
  falseAlarm() {
    this.#harder_db += HARDER_DB;
  }
}

const PATIENCE_S = 0.7; // so soon the kernel says whether it was speech

/** What can be held for a moment. @typedef {{sounding: boolean, hold: () => void, goOn: () => void}} Held */

/** Holds what the model says as soon as the ear hears somebody, and goes on where nobody confirms that it was speech. */
export class BargeIn {
  #said;
  #ear;
  #rate;
  #doubt_s = -1; // since when it holds it; below 0: it does not, or the kernel has spoken

  /**
   * @param {Held} said
   * @param {number} sampleRate  Hz
   */
  constructor(said, sampleRate) {
    this.#said = said;
    this.#rate = sampleRate;
    this.#ear = new Ear(sampleRate);
  }

  /** The next samples of the microphone: they are the clock, too. @param {Float32Array} samples */
  hear(samples) {
    const begins = this.#ear.add(samples);
    if (this.#doubt_s >= 0) {
      this.#doubt_s += samples.length / this.#rate;
      if (this.#doubt_s < PATIENCE_S) return;
      this.#ear.falseAlarm();
      this.goOn();
    } else if (begins && this.#said.sounding) {
      this.#doubt_s = 0;
      this.#said.hold();
    }
  }

  /** The kernel has said what it was: it is not asked for any more. */
  settle() {
    this.#doubt_s = -1;
  }

  /** Nobody can be heard now, so nobody interrupts. */
  goOn() {
    if (this.#doubt_s < 0) return;
    this.#doubt_s = -1;
    this.#said.goOn();
  }
}
