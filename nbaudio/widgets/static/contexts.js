// The page's AudioContexts: one for each sample rate, open while somebody uses it and a little longer.

import { page } from "./page.js";

const IDLE_MS = 5000; // opening one takes 20 to 300 ms, and one that is open keeps the sound device awake
const BLOCKED_MS = 400; // a context that may run does so by then
const MISSED = 0.01; // of the time: a device whose buffers come too late so often gets longer ones
const GESTURES = ["pointerdown", "pointerup", "keydown", "click"];

const worklet = new URL("./playback_worklet.js", import.meta.url);

/** @type {Map<number, SharedContext>} */
const shared = new Map();
// What is heard half as late as with "interactive", where the device can do it.
/** @type {number | "interactive"} */
let latencyHint = 0.005;

/** Calls `react` at the person's next gestures, which may unlock sound.
 * @param {() => void} react
 * @returns {() => void} ends it */
export function onGesture(react) {
  for (const name of GESTURES) document.addEventListener(name, react, { capture: true });
  return () => {
    for (const name of GESTURES) document.removeEventListener(name, react, { capture: true });
  };
}

/** Whether this page can play while sound arrives: browsers have worklets on https and localhost only. */
export function canStream() {
  return typeof AudioContext === "function" && "audioWorklet" in AudioContext.prototype && globalThis.isSecureContext;
}

/** Event: "change" (`blocked`). */
export class SharedContext extends EventTarget {
  /** the page wants a click before it sounds */
  blocked = false;
  #users = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #stopListening = () => {};
  #key;

  /** @param {number} sampleRate */
  constructor(sampleRate) {
    super();
    this.#key = sampleRate;
    this.context = new AudioContext({ sampleRate, latencyHint });
    /** Fulfilled when nodes can be made. */
    this.ready = this.context.audioWorklet.addModule(worklet.href);
    this.ready.catch(() => {}); // whoever uses it hears of it too
    page().contexts.add(this.context);
    this.context.addEventListener("statechange", () => this.#look());
    this.resume();
  }

  /** The page's context of this rate. Whoever is done says `leave`.
   * @param {number} sampleRate
   * @returns {SharedContext}
   * @throws {DOMException} for a rate that the browser doesn't have */
  static use(sampleRate) {
    let found = shared.get(sampleRate);
    if (!found) shared.set(sampleRate, (found = new SharedContext(sampleRate)));
    clearTimeout(found.#timer);
    found.#users++;
    return found;
  }

  /** Closes those that nobody uses now, without waiting. */
  static closeUnused() {
    for (const each of [...shared.values()]) if (!each.#users) each.#close();
  }

  leave() {
    this.#users--;
    if (!this.#users) this.#timer = setTimeout(() => this.#close(), IDLE_MS);
  }

  /** Call it from a click or a key where there is one. */
  resume() {
    if (this.context.state === "running" || this.context.state === "closed") return;
    this.context.resume().catch(() => {}); // it was closed meanwhile
    setTimeout(() => this.#look(true), BLOCKED_MS);
  }

  /** @param {boolean} [waited] for long enough to call it blocked */
  #look(waited = false) {
    const { state } = this.context;
    const blocked = state !== "running" && state !== "closed" && (waited || this.blocked);
    if (blocked === this.blocked) return;
    this.blocked = blocked;
    this.#stopListening();
    this.#stopListening = blocked ? onGesture(() => this.resume()) : () => {};
    this.dispatchEvent(new Event("change"));
  }

  #close() {
    clearTimeout(this.#timer);
    this.#stopListening();
    // Chromium counts what its device missed; other browsers don't say.
    const { playbackStats: stats } = /** @type {{playbackStats?: Record<string, number>}} */ (
      /** @type {unknown} */ (this.context)
    );
    if (stats && stats.underrunDuration > MISSED * stats.totalDuration) latencyHint = "interactive";
    shared.delete(this.#key);
    page().contexts.delete(this.context);
    this.context.close().catch(() => {}); // the browser closed it before, with its device
  }
}
