// Plays one sound that may still be arriving, a few frames at a time, on the clock of whoever asks for the frames.
//
// At speed 1 the frames are those of the source, unchanged. A few milliseconds of fade stand where a person stops and
// goes on in the middle; where the sound runs dry its last value is led to zero behind it, and fades in when it goes on.

import { Lead } from "./lead.js";
import { Samples } from "./samples.js";
import { Stretch } from "./stretch.js";

const FADE_S = 0.005;
const QUIET_S = 0.01; // a silence put in where it is this quiet is heard as a longer pause between words
const QUIET = 0.003; // -50 dBFS
const SHORT_S = 0.02; // a lead that falls short by less isn't worth a silence
const SLOW_S = 0.15; // sound that arrives is played faster than 1 with more than this behind the lead, lest it run dry,
const FAST_S = 0.6; // and once it was slowed down, only with this much

/** @typedef {"idle" | "waiting" | "playing" | "over"} State
 * idle: nobody asked, or paused; waiting: for sound or its lead; over: all of it was played */

export class Playback {
  /** @type {State} */
  state = "idle";
  /** it stands still in a quiet place, on purpose */
  held = false;
  /** how often it ran dry in the middle */
  underruns = 0;
  /** 0.5 to 2 */
  speed = 1;
  /** the speed just now: 1 where faster would run dry */
  pace = 1;
  /** all of it is here */
  whole = false;
  /** the frame at which it began or went on the last time; a new object each time */
  since = { frame: 0 };

  #sampleRate;
  #position; // in the source, of the frame that comes next
  #wanted = false;
  /** @type {number | null} where to go on once it is silent */
  #jump = null;
  #gain = 1;
  #fade; // change of the gain in one frame
  #dry = false;
  #last; // of each channel, led to zero when it runs dry
  #tail = 0; // frames that this still takes
  #ahead;
  /** @type {Stretch | null} while the speed isn't 1 */
  #stretch = null;
  /** @type {Float32Array[]} */
  #hop = [];
  #hopStart = 0; // its place in the source
  #hopFrames = 0;
  #hopUsed = 0;
  #slowed = false;

  /** @param {number} sampleRate Hz
   * @param {number} channels
   * @param {{learned?: import("./lead.js").Learned, frame?: number}} [known] of its sender; where to begin */
  constructor(sampleRate, channels, { learned, frame = 0 } = {}) {
    this.#sampleRate = sampleRate;
    this.#position = frame;
    this.#fade = 1 / Math.round(FADE_S * sampleRate);
    this.#last = new Float32Array(channels);
    this.#ahead = new Float32Array(Math.round(QUIET_S * sampleRate));
    this.samples = new Samples(channels);
    this.lead = new Lead(learned);
  }

  /** The source's frame that comes next. */
  get frame() {
    return this.#jump ?? this.#place;
  }

  /** Frames of the source in each frame; 0 where it stands. */
  get flow() {
    return this.state === "playing" && this.#jump === null ? this.pace : 0;
  }

  get #place() {
    return this.#stretch ? this.#hopStart + this.#hopUsed * this.pace : this.#position;
  }

  /** @param {Int16Array} interleaved what follows
   * @param {number | undefined} now_s when it arrived; undefined where nothing can be learned from it */
  add(interleaved, now_s) {
    const start_s = this.samples.frames / this.#sampleRate;
    this.samples.append(interleaved);
    if (now_s === undefined) return;
    this.lead.arrived(start_s, this.samples.frames / this.#sampleRate - start_s, now_s);
    if (!this.#dry) return;
    this.#dry = false;
    this.underruns++;
    this.lead.again(start_s, now_s);
  }

  /** Nothing more will come. */
  end() {
    this.whole = true;
    this.#dry = false;
  }

  play() {
    this.#wanted = true;
    if (this.state === "idle" || this.state === "over") this.state = "waiting";
  }

  pause() {
    this.#wanted = false;
    if (this.state !== "playing") this.state = "idle";
  }

  /** @param {number} frame */
  seek(frame) {
    this.#jump = frame;
    if (this.state !== "playing") this.#land();
  }

  /** Fills the outputs.
   * @param {Float32Array[]} outputs one for each channel
   * @param {number} now_s on the clock of `add` */
  render(outputs, now_s) {
    for (const output of outputs) output.fill(0);
    if (this.state === "playing" && this.#shouldHold(now_s)) {
      this.held = true;
      this.state = "waiting";
    }
    if (this.state === "waiting") this.#begin(now_s);
    let made = 0;
    if (this.state === "playing") {
      const asked = outputs[0].length;
      // On its way to silence no more is taken from the source than is heard.
      const count = this.#leaves ? Math.min(asked, Math.ceil(this.#gain / this.#fade)) : asked;
      made = this.#make(outputs, count);
      this.#shape(outputs, made);
      if (made < count) this.#runOut();
      else if (this.#leaves && this.#gain === 0) this.#land();
    }
    if (this.#tail > 0) this.#leadOut(outputs, made);
  }

  get #leaves() {
    return !this.#wanted || this.#jump !== null;
  }

  /** @param {number} now_s */
  #begin(now_s) {
    const place = this.#position;
    if (place >= this.samples.frames) {
      if (this.whole) this.#finish();
      return;
    }
    if (!this.whole && now_s < this.lead.startAt(place / this.#sampleRate)) return;
    // From the beginning on, and after a quiet place, every sample is heard as it is.
    this.#gain = place === 0 || this.held ? 1 : 0;
    this.#tail = 0;
    this.held = false;
    this.state = "playing";
    this.since = { frame: place };
  }

  /** The lead has grown since this began: the missing part is put in where nobody speaks, before it runs dry.
   * @param {number} now_s */
  #shouldHold(now_s) {
    if (this.whole || this.#stretch || this.#leaves || this.#gain < 1) return false;
    if (this.lead.startAt(this.#position / this.#sampleRate) < now_s + SHORT_S) return false;
    if (this.samples.frames < this.#position + this.#ahead.length) return false;
    for (let channel = 0; channel < this.samples.channels; channel++) {
      this.samples.read(channel, this.#position, this.#ahead);
      if (this.#ahead.some((sample) => Math.abs(sample) > QUIET)) return false;
    }
    return true;
  }

  /** It is silent, and is paused or elsewhere now. */
  #land() {
    this.#position = Math.round(this.frame);
    if (this.#jump !== null) this.#dry = false;
    this.#jump = null;
    this.#stretch = null;
    this.held = false;
    this.state = this.#wanted ? "waiting" : "idle";
  }

  #runOut() {
    if (this.#leaves) return this.#land();
    this.#position = this.#stretch ? this.#stretch.natural : this.#position;
    this.#stretch = null;
    if (this.whole) return this.#finish();
    this.#dry = true;
    this.state = "waiting";
    this.#tail = Math.round(1 / this.#fade);
  }

  #finish() {
    this.#position = this.samples.frames;
    this.#wanted = false;
    this.state = "over";
  }

  /** @param {Float32Array[]} outputs
   * @param {number} count
   * @returns {number} frames that there were */
  #make(outputs, count) {
    let made = 0;
    while (made < count) {
      const stretched = this.#stretch !== null || this.speed !== 1;
      const more = stretched ? this.#stretched(outputs, made, count - made) : this.#asItIs(outputs, made, count - made);
      if (more === 0) break;
      made += more;
    }
    return made;
  }

  /** @param {Float32Array[]} outputs
   * @param {number} at
   * @param {number} most */
  #asItIs(outputs, at, most) {
    const count = Math.max(0, Math.min(most, this.samples.frames - this.#position));
    for (const [channel, output] of outputs.entries()) this.samples.read(channel, this.#position, output, at, count);
    this.#position += count;
    this.pace = 1;
    return count;
  }

  /** @param {Float32Array[]} outputs
   * @param {number} at
   * @param {number} most */
  #stretched(outputs, at, most) {
    if (!this.#stretch) {
      this.#stretch = new Stretch(this.#sampleRate, this.samples.channels);
      this.#stretch.begin(this.#position);
      this.#hop = outputs.map(() => new Float32Array(/** @type {Stretch} */ (this.#stretch).hop));
      this.#hopFrames = this.#hopUsed = 0;
    }
    if (this.#hopUsed === this.#hopFrames) {
      if (this.speed === 1) {
        this.#position = this.#stretch.natural;
        this.#stretch = null;
        return this.#asItIs(outputs, at, most);
      }
      if (!this.#nextHop(this.#stretch)) return 0;
    }
    const count = Math.min(most, this.#hopFrames - this.#hopUsed);
    for (const [channel, output] of outputs.entries()) {
      output.set(this.#hop[channel].subarray(this.#hopUsed, this.#hopUsed + count), at);
    }
    this.#hopUsed += count;
    return count;
  }

  /** @param {Stretch} stretch
   * @returns {boolean} whether there was enough for it */
  #nextHop(stretch) {
    const { frames } = this.samples;
    const left = frames - stretch.natural;
    const enough = (this.whole ? stretch.position + stretch.hop : stretch.needed) <= frames; // behind it there are zeros
    const ahead_s = left / this.#sampleRate - this.lead.seconds;
    this.#slowed = !this.whole && this.speed > 1 && ahead_s < (this.#slowed ? FAST_S : SLOW_S);
    if (enough && !this.#slowed) {
      this.pace = this.speed;
      this.#hopStart = stretch.position;
      stretch.next(this.samples, this.pace, this.#hop);
      this.#hopFrames = stretch.hop;
    } else {
      if (left <= 0 || (left < stretch.hop && !this.whole)) return false;
      this.pace = 1;
      this.#hopStart = stretch.natural;
      stretch.follow(this.samples, this.#hop);
      this.#hopFrames = Math.min(stretch.hop, left);
    }
    this.#hopUsed = 0;
    return true;
  }

  /** @param {Float32Array[]} outputs
   * @param {number} made frames of them that hold sound */
  #shape(outputs, made) {
    const step = this.#leaves ? -this.#fade : this.#fade;
    const from = this.#gain;
    for (const [channel, output] of outputs.entries()) {
      let gain = from;
      if (gain < 1 || step < 0) {
        for (let i = 0; i < made; i++) output[i] *= gain = Math.max(0, Math.min(1, gain + step));
      }
      this.#gain = gain;
      if (made) this.#last[channel] = output[made - 1];
    }
  }

  /** @param {Float32Array[]} outputs
   * @param {number} from where the sound broke off */
  #leadOut(outputs, from) {
    const count = Math.min(this.#tail, outputs[0].length - from);
    for (const [channel, output] of outputs.entries()) {
      for (let i = 0; i < count; i++) output[from + i] = this.#last[channel] * ((this.#tail - i) * this.#fade) ** 2;
    }
    this.#tail -= count;
  }
}
