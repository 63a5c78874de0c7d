// A whole sound through an <audio> element: where the page has no sound thread, because it is neither https nor
// localhost, or because this front end lets none in.

import { onGesture } from "./contexts.js";
import { wavHeader } from "./pcm16.js";
import { atRest } from "./report.js";

/** The same as WorkletOutput for whoever plays a sound, except that nothing can be heard before `end`. */
export class ElementOutput extends EventTarget {
  first_sound_ms = 0;
  /** Plays nothing before it is whole. */
  streams = false;
  /** The page wants a click before it sounds. */
  blocked = false;

  #element = new Audio();
  #sampleRate;
  #channels;
  /** @type {Int16Array[]} */
  #parts = [];
  #frames = 0;
  #wanted = false;
  #address = "";
  #stopListening = () => {};

  /** @param {import("./outputs.js").ToPlay} sound */
  constructor({ sampleRate, channels, learned, frame }) {
    super();
    this.#sampleRate = sampleRate;
    this.#channels = channels;
    this.report = atRest(frame, learned);
    this.#element.preservesPitch = true;
    this.#element.currentTime = frame / sampleRate; // the browser goes there once it knows the file
    for (const name of ["playing", "pause", "ended", "timeupdate", "seeked", "waiting"]) {
      this.#element.addEventListener(name, () => this.#look());
    }
  }

  get frame() {
    return this.#address ? Math.round(this.#element.currentTime * this.#sampleRate) : this.report.frame;
  }

  /** @param {Int16Array} samples */
  add(samples) {
    this.#parts.push(samples);
    this.#frames += samples.length / this.#channels;
  }

  end() {
    const header = wavHeader(this.#frames, this.#sampleRate, this.#channels);
    const parts = /** @type {BlobPart[]} */ (this.#parts.splice(0));
    this.#address = URL.createObjectURL(new Blob([header, ...parts], { type: "audio/wav" }));
    this.#element.src = this.#address;
    this.#element.currentTime = this.report.frame / this.#sampleRate;
    if (this.#wanted) this.play();
  }

  play() {
    this.#wanted = true;
    if (!this.#address) return;
    this.#element.play().then(
      () => this.#block(false),
      (error) => error.name === "NotAllowedError" && this.#block(true), // AbortError: paused before it began
    );
  }

  pause() {
    this.#wanted = false;
    this.#element.pause();
    this.#block(false);
    this.#look();
  }

  /** @param {number} frame */
  seek(frame) {
    this.report = { ...this.report, frame };
    if (this.#address) this.#element.currentTime = frame / this.#sampleRate;
  }

  /** @param {number} speed */
  set speed(speed) {
    this.#element.defaultPlaybackRate = speed;
    this.#element.playbackRate = speed;
  }

  /** @param {number} volume */
  set volume(volume) {
    this.#element.volume = volume;
  }

  close() {
    this.#wanted = false;
    this.#block(false);
    this.#element.pause();
    this.#element.removeAttribute("src");
    URL.revokeObjectURL(this.#address);
    this.#address = "";
  }

  /** @param {boolean} blocked */
  #block(blocked) {
    if (blocked === this.blocked) return;
    this.blocked = blocked;
    this.#stopListening();
    this.#stopListening = blocked ? onGesture(() => this.#wanted && this.play()) : () => {};
    this.dispatchEvent(new Event("change"));
  }

  #look() {
    if (!this.#address) return;
    const { ended, paused } = this.#element;
    /** @type {import("./playback.js").State} */
    const state = ended ? "over" : paused ? "idle" : "playing";
    if (state === "playing" && !this.first_sound_ms) this.first_sound_ms = performance.now();
    this.report = { ...this.report, state, frame: ended ? this.#frames : this.frame };
    this.dispatchEvent(new Event("report"));
  }
}
