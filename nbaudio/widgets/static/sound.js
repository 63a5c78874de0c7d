// One sound of this page: it belongs to a widget's model, and goes on while views of the model come and go.
//
// Its samples are here, whether it is heard or not. While it is heard, or arrives and soon will be, an output has them
// too. `turns.js` says whose turn it is, `contexts.js` holds the AudioContexts, `playback.js` runs in the sound thread.

import { canStream, SharedContext } from "./contexts.js";
import { decoded } from "./decode.js";
import { Lead } from "./lead.js";
import { keep, learn, learnedOf } from "./leads.js";
import { newOutput, useNoWorklets } from "./outputs.js";
import { page } from "./page.js";
import { samplesOf, wavHeader } from "./pcm16.js";
import { Peaks } from "./peaks.js";
import { Samples } from "./samples.js";
import * as turns from "./turns.js";

const IDLE_MS = 5000; // a paused sound keeps its place in the sound thread for so long
const READY_MS = 30_000; // and so does one whose first piece is awaited

/** @typedef {"queue" | "auto" | "click"} PlayMode */
/** @typedef {"" | "turn" | "click" | "sound" | "insecure" | "whole"} Waiting
 * why it is not heard although it should be: another has its turn; the page wants a click; the next piece is not here;
 * the page is not secure (neither https nor localhost) or this front end lets no worklet in ("whole"), so that it can
 * be played only when all of it is here */

/** @typedef {import("./outputs.js").Output} Output */

/** Events: "change" (any readable but position_s), "position" (about 15 a second while it sounds), "ended". */
export class Sound extends EventTarget {
  /** of the widget's model */
  key;
  sampleRate;
  /** what it does when its first piece comes: PlayMode */
  mode;
  /** all of it is here */
  whole = false;
  /** finished, but a piece never came: ask for the whole */
  lacking = false;
  /** performance.now() of the first piece; 0: not yet */
  first_piece_ms = 0;
  /** performance.now() at which the first sound could be heard; 0: not yet */
  first_sound_ms = 0;
  /** how often it ran dry while it arrived */
  underruns = 0;

  #source;
  #samples;
  #peaks;
  /** @type {[number, number][]} first frame of each piece, and Date.now() of its arrival; until it is whole */
  #arrivals = [];
  /** @type {Map<number, Int16Array>} pieces whose place has not been reached, by their first frame */
  #early = new Map();
  #frames = Infinity; // of the whole, where known
  /** @type {Output | null} */
  #output = null;
  #frame = 0; // where it stands while there is no output
  #learns = false; // its output hears how its pieces come
  #asked = false; // it was to be played or stopped once: what comes does not begin by itself any more
  #wanted = false; // it is to be heard
  #speed = 1;
  #volume = 1;
  #shown = ""; // of the output's report
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #idle;
  #speaker = { begin: () => this.#begin(), giveWay: () => this.#halt() };

  /** Use `Sound.of`.
   * @param {string} key
   * @param {{sampleRate: number, channels?: number, source?: string, play?: PlayMode}} options */
  constructor(key, { sampleRate, channels = 1, source = "", play = "queue" }) {
    super();
    this.key = key;
    this.sampleRate = sampleRate;
    /** @type {PlayMode} */
    this.mode = play;
    this.#source = source;
    this.#samples = new Samples(channels);
    this.#peaks = new Peaks(this.#samples);
  }

  /** The page's sound of this key, made on first ask. One that begins by itself gets its sound device ready now.
   * @param {string} key
   * @param {{sampleRate: number, channels?: number, source?: string, play?: PlayMode}} options `source`: who sends it;
   *   the page remembers how late its pieces come
   * @returns {Sound} */
  static of(key, options) {
    const { players } = page();
    let sound = players.get(key);
    if (!sound) {
      players.set(key, (sound = new Sound(key, options)));
      if (sound.mode !== "click") {
        sound.#open();
        sound.#rest(READY_MS);
      }
    }
    return sound;
  }

  /** @param {string} key */
  static find(key) {
    return page().players.get(key);
  }

  /** What sounds is paused, and nothing begins by itself, until the returned function is called: while one records.
   * @returns {() => void} */
  static hush() {
    return turns.hush();
  }

  /** Seconds of sound so far. */
  get duration_s() {
    return this.#samples.frames / this.sampleRate;
  }

  /** What is heard now; smooth. */
  get position_s() {
    const frame = this.#output ? this.#output.frame : this.#frame;
    return Math.max(0, Math.min(frame, this.#samples.frames)) / this.sampleRate;
  }

  /** Seconds of sound that are here and were not heard yet. */
  get buffered_s() {
    return this.duration_s - this.position_s;
  }

  /** How long the first piece of an answer like this one is kept back. */
  get lead_s() {
    return new Lead(this.#output?.report.learned ?? learnedOf(this.#source)).seconds;
  }

  /** No sound is here at all. */
  get empty() {
    return this.#samples.frames === 0;
  }

  /** It sounds, or will as soon as its next piece is here; not while it waits for its turn, a click or the whole. */
  get playing() {
    return this.#wanted && (this.waiting === "" || this.waiting === "sound");
  }

  /** @returns {Waiting} */
  get waiting() {
    if (!this.#wanted) return "";
    if (turns.queues(this.#speaker)) return "turn";
    if (this.#output?.blocked) return "click";
    if (this.#output && !this.#output.streams && !this.whole) return canStream() ? "whole" : "insecure";
    const report = this.#output?.report;
    return report && (report.state === "playing" || report.held) ? "" : "sound";
  }

  get speed() {
    return this.#speed;
  }

  /** 0.5 to 2; the pitch stays. Sound that still arrives is played faster only as far as it is here. */
  set speed(speed) {
    this.#speed = Math.max(0.5, Math.min(2, speed));
    if (this.#output) this.#output.speed = this.#speed;
    this.#changed();
  }

  get volume() {
    return this.#volume;
  }

  /** 0 to 1 (as it is). */
  set volume(volume) {
    this.#volume = Math.max(0, Math.min(1, volume));
    if (this.#output) this.#output.volume = this.#volume;
    this.#changed();
  }

  /** A piece of what arrives; twice or out of order does no harm.
   * @param {Int16Array | DataView} pcm16 little endian, interleaved
   * @param {number} index from 0
   * @param {number} framesBefore its place, which is what it is ordered by */
  append(pcm16, index, framesBefore) {
    if (this.whole || !pcm16.byteLength) return;
    this.first_piece_ms ||= performance.now();
    this.#early.set(framesBefore, samplesOf(pcm16));
    this.#order();
    if (!this.#asked && this.mode !== "click" && !this.empty) this.#ask(this.mode === "auto" && !turns.hushed());
    this.#changed();
  }

  /** Nothing more will come.
   * @param {number} frames that it has */
  finish(frames) {
    if (this.whole) return;
    this.#frames = frames;
    this.#order();
    this.lacking = this.#samples.frames < frames;
    if (this.empty && !this.#wanted) this.#close();
    this.#changed();
  }

  /** The whole sound at once.
   * @param {ArrayBuffer | DataView} bytes a file that the browser can decode, or PCM16 (little endian, interleaved)
   * @param {string} mime "audio/pcm;rate=24000", with ";channels=2" for stereo, for the latter
   * @param {number} [frames] its length; what is longer is cut
   * @returns {Promise<void>} rejects with an Error in plain words when it can't be decoded */
  async load(bytes, mime, frames = Infinity) {
    const { channels, sampleRate, samples } = await decoded(bytes, mime, this.sampleRate);
    if (this.whole || Sound.find(this.key) !== this) return;
    const { position_s } = this;
    this.#close();
    this.sampleRate = sampleRate;
    this.#samples = new Samples(channels);
    this.#peaks = new Peaks(this.#samples);
    this.#samples.append(samples.subarray(0, Math.min(samples.length, frames * channels)));
    this.#frame = Math.round(position_s * sampleRate);
    this.#complete();
    if (this.#wanted && !turns.queues(this.#speaker)) this.#begin();
    this.#changed();
  }

  /** Asked for by a person or a program: begins at once, and pauses what sounds. From the start, if it is at its end.
   * Call it from the click itself, before anything is awaited: only so some browsers let sound begin.
   * @returns {Promise<void>} */
  async play() {
    if (this.whole && this.#samples.frames && this.position_s >= this.duration_s) this.seek(0);
    this.#ask(true);
    this.#changed();
  }

  /** Nothing of it is on its way to the loudspeaker: `position_s` is where it stands. */
  get still() {
    return !this.#output || this.#output.report.pace === 0;
  }

  /** Silent within a few milliseconds; the next one's turn comes. What still comes begins only with `play`. */
  pause() {
    this.#asked = true;
    this.#halt();
    turns.leave(this.#speaker);
  }

  /** @param {number} seconds */
  seek(seconds) {
    const frame = Math.round(Math.max(0, Math.min(seconds, this.duration_s)) * this.sampleRate);
    this.#frame = frame;
    this.#output?.seek(frame);
    this.dispatchEvent(new Event("position"));
  }

  /** `count` pairs low, high (±1) of equal stretches of time; 0, 0 where nothing is yet. Cheap while filling in.
   * @param {number} count
   * @param {number} [from_s]
   * @param {number} [to_s] */
  peaks(count, from_s = 0, to_s = this.duration_s) {
    return this.#peaks.of(count, from_s * this.sampleRate, to_s * this.sampleRate);
  }

  /** What is here, as a WAV file.
   * @returns {Blob} */
  wav() {
    const { frames, channels } = this.#samples;
    /** @type {BlobPart[]} */
    const parts = [wavHeader(frames, this.sampleRate, channels)];
    this.#samples.each(0, frames, (part) => parts.push(/** @type {BlobPart} */ (part)));
    return new Blob(parts, { type: "audio/wav" });
  }

  /** The model is gone: silent, forgotten, and its AudioContext is closed unless others use it. */
  release() {
    if (Sound.find(this.key) !== this) return;
    page().players.delete(this.key);
    this.#wanted = false;
    this.#close();
    turns.leave(this.#speaker);
    if (!page().players.size) SharedContext.closeUnused();
  }

  /** Takes over what follows what is here. */
  #order() {
    const { channels } = this.#samples;
    for (const [start, samples] of [...this.#early].sort(([one], [other]) => one - other)) {
      const { frames } = this.#samples;
      if (start > frames) return;
      this.#early.delete(start);
      const fresh = samples.subarray((frames - start) * channels);
      if (!fresh.length) continue;
      this.#samples.append(fresh);
      this.#arrivals.push([frames, Date.now()]);
      this.#output?.add(fresh.slice(), Date.now());
    }
    if (this.#samples.frames >= this.#frames) this.#complete();
  }

  #complete() {
    this.whole = true;
    this.lacking = false;
    keep(this.#source);
    this.#early.clear();
    this.#arrivals = [];
    this.#output?.end();
    if (this.#output && !this.#wanted) this.#rest();
  }

  /** @param {boolean} atOnce or when its turn comes */
  #ask(atOnce) {
    this.#asked = true;
    this.#wanted = true;
    if (atOnce) turns.take(this.#speaker);
    else turns.join(this.#speaker);
  }

  #begin() {
    clearTimeout(this.#idle);
    this.#wanted = true;
    this.#open().play();
    this.#changed();
  }

  /** Silent, with its output kept for a while. */
  #halt() {
    this.#wanted = false;
    this.#output?.pause();
    if (this.whole) this.#rest();
    this.#changed();
  }

  #rest(limit_ms = IDLE_MS) {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.#close(), limit_ms);
  }

  /** @returns {Output} its way to the loudspeaker, with all that is here */
  #open() {
    return (this.#output ??= this.#connected());
  }

  #connected() {
    const { channels, frames } = this.#samples;
    const { sampleRate } = this;
    const output = newOutput({ sampleRate, channels, learned: learnedOf(this.#source), frame: this.#frame });
    this.#learns = !this.whole;
    output.speed = this.#speed;
    output.volume = this.#volume;
    for (const [index, [start, at_ms]] of this.#arrivals.entries()) {
      const end = this.#arrivals[index + 1]?.[0] ?? frames;
      this.#samples.each(start, end, (part) => output.add(part.slice(), at_ms));
    }
    if (this.whole) {
      this.#samples.each(0, frames, (part) => output.add(part.slice()));
      output.end();
    }
    output.addEventListener("report", () => this.#output === output && this.#hear(output));
    output.addEventListener("change", () => this.#output === output && this.#changed());
    output.addEventListener("failed", () => this.#output === output && this.#fallBack());
    return output;
  }

  /** This front end lets no worklet in. */
  #fallBack() {
    useNoWorklets();
    this.#close();
    if (this.#wanted && !turns.queues(this.#speaker)) this.#begin();
  }

  #close() {
    clearTimeout(this.#idle);
    if (!this.#output) return;
    this.#frame = this.#output.frame;
    this.#output.close();
    this.#output = null;
  }

  /** @param {Output} output */
  #hear(output) {
    const { state, held, underruns } = output.report;
    this.first_sound_ms ||= output.first_sound_ms;
    if (this.#learns) {
      this.underruns = underruns;
      if (output.report.learned) learn(this.#source, output.report.learned);
    }
    if (state === "over" && this.#wanted) return this.#ended();
    if (state === "playing") this.dispatchEvent(new Event("position"));
    const shown = `${state} ${held} ${underruns}`;
    if (shown !== this.#shown) this.#changed();
    this.#shown = shown;
  }

  #ended() {
    this.#wanted = false;
    this.#close();
    this.#frame = this.#samples.frames;
    turns.leave(this.#speaker);
    this.dispatchEvent(new Event("ended"));
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
