// What was recorded, to be listened to before it is used: the browser's own player without its looks.

import { clock, spoken } from "./clock.js";
import { make, put } from "./elements.js";

/** Event: "change" (it began, paused, or has come further). */
export class Replay extends EventTarget {
  #address;
  #sound;
  #duration_s;
  #frame = 0;
  slider;

  /**
   * @param {Blob} wav
   * @param {number} duration_s
   */
  constructor(wav, duration_s) {
    super();
    this.#duration_s = duration_s;
    this.#address = URL.createObjectURL(wav);
    this.#sound = new Audio(this.#address);
    this.slider = make("input", {
      type: "range",
      class: "nbaudio-recorder-slider",
      min: 0,
      max: duration_s,
      step: 0.01,
      value: 0,
      title: "Position (← and →)",
      "aria-label": "Position",
    });
    this.slider.addEventListener("input", () => {
      this.#sound.currentTime = Number(this.slider.value);
      this.#show();
    });
    for (const event of ["play", "pause", "ended"]) this.#sound.addEventListener(event, () => this.#follow());
    this.#show();
  }

  get playing() {
    return !this.#sound.paused && !this.#sound.ended;
  }

  /** @returns {string} "0:01 / 0:03" */
  get time() {
    return `${clock(this.#sound.currentTime)} / ${clock(this.#duration_s)}`;
  }

  toggle() {
    if (this.playing) this.#sound.pause();
    // A page that has just recorded may play; if it may not, the button stays at "Play".
    else void this.#sound.play().catch(() => this.dispatchEvent(new Event("change")));
  }

  close() {
    cancelAnimationFrame(this.#frame);
    this.#sound.pause();
    this.#sound.removeAttribute("src");
    URL.revokeObjectURL(this.#address);
    this.slider.remove();
  }

  #follow() {
    cancelAnimationFrame(this.#frame);
    this.#show();
    if (this.playing) this.#frame = requestAnimationFrame(() => this.#follow());
  }

  #show() {
    const position_s = this.#sound.currentTime;
    this.slider.value = String(position_s);
    this.slider.style.setProperty("--nbaudio-part", `${(100 * position_s) / this.#duration_s}%`);
    put(this.slider, "aria-valuetext", `${spoken(position_s)} of ${spoken(this.#duration_s)}`);
    this.dispatchEvent(new Event("change"));
  }
}
