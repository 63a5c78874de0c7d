// When a person has stopped speaking, told from how loud the sound was: no model, no delay, the same in every browser.
//
// The level of each 20 ms is compared with the room's own noise, which is what the quietest tenth of the last ten
// seconds stays below. Speech is what stands out of that for a while, and goes up and down as syllables do: a fan is
// loud but steady, a key or a click is short. Until something counted as speech, nothing counts as silence.

import { SILENT_DBFS, dbfs } from "./level.js";

const FRAME_S = 0.02;
const NOISE_S = 10; // long enough to hold the pauses of fluent speech, short enough to follow a window being opened
const RECENT_S = 0.6; // two or three syllables
const NOISE_SHARE = 0.1;
const ABOVE_NOISE_DB = 8;
const FAINTEST_DBFS = -58; // below it nobody speaks into a microphone, however still the room
const FIRST_FRAMES = 12; // of the recent ones; 240 ms is a short "no", and longer than a door that falls shut
const FURTHER_FRAMES = 6;
const UNBROKEN_FRAMES = 4; // typing makes peaks of one or two
const SWING_DB = 5; // steady noise stays within 2 dB from frame to frame, syllables within 6 at the least
const HIGH_PASS_HZ = 120; // mains, fans and wind are below it, and would lift the noise over a quiet voice

/** Follows a recording and tells when its speaker has been silent for long enough. */
export class Silence {
  #frames;
  #filter;
  #silence_s;
  /** @type {number[]} levels of the last NOISE_S, oldest first */
  #levels = [];
  #sum = 0;
  #count = 0;
  #last = 0;
  #passed = 0;
  #now_s = 0;
  #spoke_s = 0;

  /** Whether anything was said so far. */
  heard = false;

  /** @param {number} sampleRate
   * @param {number} silence_s how long a silence ends the recording; 0: none does */
  constructor(sampleRate, silence_s) {
    this.#frames = Math.round(sampleRate * FRAME_S);
    this.#filter = 1 / (1 + (2 * Math.PI * HIGH_PASS_HZ) / sampleRate);
    this.#silence_s = silence_s;
  }

  /** Seconds since something was said; where nothing was, since the beginning. */
  get silent_s() {
    return this.#now_s - this.#spoke_s;
  }

  /** Whether the recording is over: something was said, and then nothing for long enough. */
  get over() {
    return this.#silence_s > 0 && this.heard && this.silent_s >= this.#silence_s - FRAME_S / 2;
  }

  /** The next samples, any number of them.
   * @param {Float32Array} samples
   * @returns {void} */
  add(samples) {
    for (const sample of samples) {
      this.#passed = this.#filter * (this.#passed + sample - this.#last);
      this.#last = sample;
      this.#sum += this.#passed * this.#passed;
      if (++this.#count < this.#frames) continue;
      this.#levels.push(dbfs(this.#sum / this.#frames));
      this.#sum = this.#count = 0;
      this.#now_s += FRAME_S;
    }
    const kept = Math.round(NOISE_S / FRAME_S);
    if (this.#levels.length > kept) this.#levels.splice(0, this.#levels.length - kept);
    this.#listen();
  }

  #listen() {
    const threshold = Math.max(FAINTEST_DBFS, quantile(this.#levels, NOISE_SHARE) + ABOVE_NOISE_DB);
    const recent = this.#levels.slice(-Math.round(RECENT_S / FRAME_S));
    const voiced = recent.filter((level) => level > threshold);
    if (voiced.length < (this.heard ? FURTHER_FRAMES : FIRST_FRAMES)) return;
    if (longestRun(recent, threshold) < UNBROKEN_FRAMES) return;
    if (quantile(voiced, 0.9) - quantile(voiced, 0.1) < SWING_DB) return;
    const since = recent.length - 1 - recent.findLastIndex((level) => level > threshold);
    this.heard = true;
    this.#spoke_s = Math.max(this.#spoke_s, this.#now_s - since * FRAME_S);
  }
}

/** @param {number[]} values
 * @param {number} share from 0 to 1
 * @returns {number} */
function quantile(values, share) {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.floor(share * (sorted.length - 1))] ?? SILENT_DBFS;
}

/** @param {number[]} levels
 * @param {number} threshold
 * @returns {number} how many in a row are above it, at most */
function longestRun(levels, threshold) {
  let [longest, run] = [0, 0];
  for (const level of levels) longest = Math.max(longest, (run = level > threshold ? run + 1 : 0));
  return longest;
}
