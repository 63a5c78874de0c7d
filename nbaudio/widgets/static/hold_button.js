// A button that is held: by a pointer, by Space or Enter, or pressed once to begin and once to end. See chat_hold.js.

import { Hold } from "./chat_hold.js";
import { make, redraw, say, sign } from "./elements.js";

export class HoldButton {
  #sign;
  #label = make("span");
  #hold;
  #pressed = false; // by a pointer, which is followed by a click

  /**
   * @param {string} path  its sign
   * @param {import("./chat_hold.js").Held} held
   * @param {AbortSignal} signal  ends it
   */
  constructor(path, held, signal) {
    this.#hold = new Hold(held);
    this.#sign = sign(path);
    this.element = make("button", { type: "button", class: "nbaudio-chat-hold" }, this.#sign, this.#label);
    this.#react(signal);
  }

  /** Whether it is down just now. */
  get down() {
    return this.#hold.down;
  }

  /** It is not held any more; what that means is for the caller to say. */
  forget() {
    this.#hold.forget();
  }

  /** @param {number} at_ms  when the person did it */
  press(at_ms) {
    this.#hold.press(at_ms);
  }

  /** @param {number} at_ms */
  release(at_ms) {
    this.#hold.release(at_ms);
  }

  /**
   * @param {string} path
   * @param {string} label
   */
  show(path, label) {
    redraw(this.#sign, path);
    say(this.#label, label);
  }

  /** @param {AbortSignal} signal */
  #react(signal) {
    const button = this.element;
    const on = (/** @type {string} */ event, /** @type {(event: any) => void} */ react) =>
      button.addEventListener(event, react, { signal });
    on("pointerdown", (event) => {
      if (event.button !== 0) return;
      this.#pressed = true;
      button.setPointerCapture(event.pointerId);
      this.press(event.timeStamp);
    });
    const released = (/** @type {Event} */ event) => {
      this.release(event.timeStamp);
      setTimeout(() => (this.#pressed = false)); // after the click that belongs to it
    };
    for (const name of ["pointerup", "pointercancel"]) on(name, released);
    on("contextmenu", (event) => event.preventDefault()); // what a long touch means elsewhere
    on("click", () => this.#pressed || this.#hold.click());
    const isPress = (/** @type {KeyboardEvent} */ { key }) => key === " " || key === "Enter";
    on("keydown", (event) => {
      if (!isPress(event) || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault(); // else the key clicks too
      if (!event.repeat) this.press(event.timeStamp);
    });
    on("keyup", (event) => {
      if (!isPress(event)) return;
      event.preventDefault();
      this.release(event.timeStamp);
    });
    on("blur", (event) => this.release(event.timeStamp));
  }
}
