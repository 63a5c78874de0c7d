// The waveform: it fills in while sound comes, shows where the sound is, and seeks by mouse, finger and keyboard.

import { cleared } from "./canvas.js";
import { spoken } from "./clock.js";
import { make, put } from "./elements.js";

const BAR = 3; // CSS pixels
const GAP = 2;
const SHORTEST_SPAN_S = 8;
const STEP_S = 5;
const PAGE_S = 15;

/**
 * @typedef {object} Timeline  what is shown, read anew at each drawing
 * @property {number} position_s
 * @property {number} duration_s  so far
 * @property {boolean} arriving
 * @property {(count: number, from_s: number, to_s: number) => Float32Array} peaks  count pairs of min and max
 */

/**
 * The time that the whole width stands for. While sound comes it is more than has come, and grows in steps: bars that
 * have been drawn then stay where they are for a while.
 * @param {number} duration_s
 * @param {boolean} arriving
 * @returns {number}
 */
export function spanOf(duration_s, arriving) {
  if (!arriving) return duration_s;
  let span_s = SHORTEST_SPAN_S;
  while (span_s < duration_s * 1.02) span_s *= 1.5;
  return span_s;
}

/**
 * The time under a place of the waveform, no later than what has come.
 * @param {number} x  from the left edge
 * @param {number} width  in the same unit
 * @param {number} span_s
 * @param {number} duration_s
 * @returns {number}
 */
export function timeAt(x, width, span_s, duration_s) {
  if (!(width > 0)) return 0;
  return Math.min(Math.max(0, x / width) * span_s, duration_s);
}

/**
 * Where a key leads, as sliders have it.
 * @param {string} key  a KeyboardEvent's
 * @param {number} position_s
 * @param {number} duration_s
 * @returns {number | null} null if the key means nothing here
 */
export function timeAfterKey(key, position_s, duration_s) {
  const step_s = /** @type {Record<string, number>} */ ({
    ArrowLeft: -STEP_S, ArrowDown: -STEP_S, ArrowRight: STEP_S, ArrowUp: STEP_S,
    PageDown: -PAGE_S, PageUp: PAGE_S, Home: -Infinity, End: Infinity,
  })[key];
  return step_s === undefined ? null : Math.min(Math.max(0, position_s + step_s), duration_s);
}

/**
 * Heights of bars, 0 to 1, for pairs of min and max. Speech is mostly quiet: a root brings its shape out, and full
 * height is what one bar in twenty exceeds, so that a single click does not flatten all the rest.
 * @param {Float32Array} peaks
 * @returns {number[]}
 */
export function heights(peaks) {
  const loudness = Array.from({ length: peaks.length / 2 }, (_, bar) =>
    Math.max(Math.abs(peaks[2 * bar]), Math.abs(peaks[2 * bar + 1])),
  );
  const full = loudness.toSorted((one, other) => one - other)[Math.floor(loudness.length * 0.95)];
  return loudness.map((one) => Math.min(1, one / Math.max(full, 0.1)) ** 0.7); // silence is not blown up to speech
}

export class Waveform {
  /** @type {Timeline} */
  #timeline;
  #canvas = make("canvas");
  /** @type {number | null} where the pointer holds it; the sound goes there when it lets go */
  #held_s = null;
  #frame = 0;
  #bars = { drawn: "", heights: /** @type {number[]} */ ([]) };

  /**
   * @param {Timeline} timeline
   * @param {(seconds: number) => void} seek
   * @param {AbortSignal} signal  ends it
   */
  constructor(timeline, seek, signal) {
    this.#timeline = timeline;
    this.element = make(
      "div",
      {
        class: "nbaudio-waveform",
        role: "slider",
        tabindex: 0,
        title: "Position (← and →)",
        "aria-label": "Position",
      },
      this.#canvas,
    );
    this.element.addEventListener("keydown", (event) => this.#onKey(event, seek), { signal });
    this.#holdByPointer(seek, signal);
    const resized = new ResizeObserver(() => this.update());
    resized.observe(this.element);
    // Colours of the theme reach the canvas as its own CSS colours, which the style sheet lets change by a (short)
    // transition: its end tells of every change of theme, in whichever application this is shown. JupyterLab hides
    // everything for a moment while it changes themes, which cancels it.
    for (const end of ["transitionend", "transitioncancel"]) {
      this.#canvas.addEventListener(end, () => this.update(), { signal });
    }
    signal.addEventListener("abort", () => {
      resized.disconnect();
      cancelAnimationFrame(this.#frame);
    });
  }

  /** There may be other sound than before. */
  renew() {
    this.#bars.drawn = "";
    this.update();
  }

  /** Something has changed: draw before the next frame. */
  update() {
    this.#describe();
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }

  get #span_s() {
    return spanOf(this.#timeline.duration_s, this.#timeline.arriving);
  }

  #describe() {
    const { duration_s } = this.#timeline;
    const now_s = this.#held_s ?? this.#timeline.position_s;
    put(this.element, "aria-valuemin", 0);
    put(this.element, "aria-valuemax", duration_s.toFixed(1));
    put(this.element, "aria-valuenow", Math.min(now_s, duration_s).toFixed(1));
    put(this.element, "aria-valuetext", `${spoken(now_s)} of ${spoken(duration_s)}`);
  }

  /**
   * @param {KeyboardEvent} event
   * @param {(seconds: number) => void} seek
   */
  #onKey(event, seek) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { position_s, duration_s } = this.#timeline;
    const to_s = timeAfterKey(event.key, position_s, duration_s);
    if (to_s === null) return;
    event.preventDefault(); // arrows and Page Down would scroll the notebook
    seek(to_s);
  }

  /**
   * The sound goes where the pointer lets go; on the way only the picture follows, as each step would be heard.
   * @param {(seconds: number) => void} seek
   * @param {AbortSignal} signal
   */
  #holdByPointer(seek, signal) {
    const { element } = this;
    const hold = (/** @type {PointerEvent} */ event) => {
      const { left, width } = element.getBoundingClientRect();
      this.#held_s = timeAt(event.clientX - left, width, this.#span_s, this.#timeline.duration_s);
      this.update();
    };
    const release = (/** @type {boolean} */ andSeek) => {
      const to_s = this.#held_s;
      this.#held_s = null;
      if (andSeek && to_s !== null) seek(to_s);
      this.update();
    };
    element.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      element.setPointerCapture(event.pointerId);
      hold(event);
    }, { signal });
    element.addEventListener("pointermove", (event) => this.#held_s !== null && hold(event), { signal });
    element.addEventListener("pointerup", () => release(true), { signal });
    element.addEventListener("pointercancel", () => release(false), { signal });
  }

  #draw() {
    const shown = cleared(this.#canvas);
    if (!shown) return;
    const { pen, width, height } = shown;

    const span_s = this.#span_s;
    const now_s = this.#held_s ?? this.#timeline.position_s;
    const x = span_s > 0 ? Math.min(now_s / span_s, 1) * width : 0;
    const count = Math.max(1, Math.floor((width + GAP) / (BAR + GAP)));
    const bars = this.#heights(count, span_s);
    const outline = new Path2D();
    for (let bar = 0; bar < count; bar++) {
      const tall = Math.max(BAR, (bars[bar] ?? 0) * height);
      outline.roundRect((bar * width) / count, (height - tall) / 2, BAR, tall, BAR / 2);
    }
    const { color, fill, stroke } = getComputedStyle(this.#canvas);
    pen.fillStyle = stroke;
    pen.fill(outline);
    pen.save();
    pen.beginPath();
    pen.rect(0, 0, x, height);
    pen.clip();
    pen.clearRect(0, 0, x, height); // or a rim of the colour below would show through
    pen.fillStyle = fill;
    pen.fill(outline);
    pen.restore();
    if (now_s > 0) {
      pen.fillStyle = color;
      pen.fillRect(Math.min(Math.max(0, x - 1), width - 2), 0, 2, height);
    }
  }

  /**
   * @param {number} count
   * @param {number} span_s
   */
  #heights(count, span_s) {
    const { duration_s, peaks } = this.#timeline;
    const filled = span_s > 0 ? Math.min(count, Math.floor((duration_s / span_s) * count + 1e-6)) : 0;
    const drawn = `${count} ${span_s} ${duration_s}`;
    if (this.#bars.drawn !== drawn) {
      this.#bars = { drawn, heights: filled ? heights(peaks(filled, 0, (filled / count) * span_s)) : [] };
    }
    return this.#bars.heights;
  }
}

