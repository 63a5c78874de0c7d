// Hold to talk: what a press, its release and a plain click of the button mean.
//
// Held, it records as long as it is held. Pressed for a moment, it records until it is pressed once more: for those who
// can't hold a key, and for screen readers and speech control, which click.

const TAP_MS = 350; // nobody says anything in less

/** @typedef {object} Held
 * @property {boolean} busy  it records, or is about to
 * @property {() => void} start
 * @property {() => void} stop */

export class Hold {
  #held;
  /** when the press began that has not been released; null: there is none */
  #pressed_ms = /** @type {number | null} */ (null);

  /** @param {Held} held */
  constructor(held) {
    this.#held = held;
  }

  /** Whether the button is down just now. */
  get down() {
    return this.#pressed_ms !== null;
  }

  /** @param {number} at_ms  when the person did it: a busy page hears of it later */
  press(at_ms) {
    if (this.down) return;
    if (this.#held.busy) return this.#held.stop(); // the second press: it began with a tap
    this.#pressed_ms = at_ms;
    this.#held.start();
  }

  /** @param {number} at_ms */
  release(at_ms) {
    if (this.#pressed_ms === null) return;
    const held_ms = at_ms - this.#pressed_ms;
    this.#pressed_ms = null;
    if (held_ms >= TAP_MS) this.#held.stop();
  }

  /** A click that no press went before. */
  click() {
    if (this.#held.busy) this.#held.stop();
    else this.#held.start();
  }

  /** It is neither down nor held any more; what that means is for the caller to say. */
  forget() {
    this.#pressed_ms = null;
  }
}
