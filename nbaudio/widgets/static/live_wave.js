// Who was heard in the last seconds: a narrow waveform that moves on while it is fed.

import { cleared } from "./canvas.js";
import { make, put } from "./elements.js";

const BAR = 3; // CSS pixels
const GAP = 2;
const MOST = 200; // values that are kept: 8 s

export class LiveWave {
  #canvas = make("canvas", { "aria-hidden": "true" }); // the status says in words who speaks
  /** @type {number[]} the latest stands last */
  #levels = [];
  #frame = 0;

  /**
   * @param {string} name  whose voice it is
   * @param {AbortSignal} signal  ends it
   */
  constructor(name, signal) {
    const label = make("span", { class: "nbaudio-chat-wave-name" }, name);
    this.element = make("div", { class: "nbaudio-chat-wave", "data-who": name.toLowerCase() }, label, this.#canvas);
    // What was drawn is drawn again where colours or room have changed and nothing feeds it.
    for (const end of ["transitionend", "transitioncancel"]) {
      this.#canvas.addEventListener(end, () => this.#soon(), { signal });
    }
    const resized = new ResizeObserver(() => this.#soon());
    resized.observe(this.#canvas);
    signal.addEventListener("abort", () => {
      resized.disconnect();
      cancelAnimationFrame(this.#frame);
    });
  }

  /** @param {number} level  from 0 to 1, of the moments since the one before */
  add(level) {
    this.#levels.push(level);
    if (this.#levels.length > MOST) this.#levels.splice(0, this.#levels.length - MOST);
    this.#soon();
  }

  /** From here on nothing was heard before. */
  clear() {
    this.#levels = [];
    this.#soon();
  }

  /** @param {boolean} speaks  this is who is heard now */
  mark(speaks) {
    put(this.element, "data-speaks", speaks);
  }

  #soon() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }

  #draw() {
    const shown = cleared(this.#canvas);
    if (!shown) return;
    const { pen, width, height } = shown;
    const outline = new Path2D();
    const count = Math.floor((width + GAP) / (BAR + GAP));
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    for (let bar = 0; bar < count; bar++) {
      // With less motion all bars are as high as the latest one: they grow and shrink, but do not run.
      const level = (still ? this.#levels.at(-1) : this.#levels[this.#levels.length - count + bar]) ?? 0;
      const tall = Math.max(BAR, Math.min(1, level) ** 0.6 * height);
      outline.roundRect(bar * (BAR + GAP), (height - tall) / 2, BAR, tall, BAR / 2);
    }
    pen.fillStyle = getComputedStyle(this.#canvas).color;
    pen.fill(outline);
  }
}
