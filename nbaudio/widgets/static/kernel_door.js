// The kernel's own microphone, as this page has asked for it. The kernel may be busy with a cell: what is asked of it
// waits, in order, and until it has answered the person may have let go.

import { uuid } from "./take.js";

export class KernelDoor {
  #link;
  #changed;
  /** @type {string | undefined} of the last start, by which it is told from those of other pages */
  #ask;
  /** The kernel has not come to the last start yet. */
  unanswered = false;
  /** This page has asked for it and has not let go. */
  wanted = false;

  /**
   * @param {{get(name: string): unknown, send(content: object): void}} link
   * @param {() => void} changed  called when any of these has
   */
  constructor(link, changed) {
    this.#link = link;
    this.#changed = changed;
  }

  /** The person has let go before the kernel has come to it. */
  get letGo() {
    return this.unanswered && !this.wanted;
  }

  start() {
    this.#ask = uuid();
    this.unanswered = this.wanted = true;
    this.#tell("start");
  }

  /** The person lets go: what was heard counts, but nothing can have been where the kernel has not begun. */
  stop() {
    this.wanted = false;
    this.#tell(this.unanswered ? "drop" : "stop");
  }

  /** Nobody sees it any more. */
  leave() {
    if (!this.wanted) return;
    this.wanted = false;
    this.#tell(this.unanswered ? "drop" : "lose");
  }

  /** The kernel has come to a start. @param {string} ask */
  answer(ask) {
    if (ask === this.#ask) this.unanswered = false;
    this.follow();
    this.#changed();
  }

  /** The kernel may have ended it. */
  follow() {
    if (!this.unanswered && this.#link.get("state") !== "recording") this.wanted = false;
  }

  /** @param {"start" | "stop" | "drop" | "lose"} action */
  #tell(action) {
    this.#link.send({ kind: "kernel", action, ask: this.#ask });
    this.#changed();
  }
}
