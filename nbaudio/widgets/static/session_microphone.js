// The microphone of an open session: it may go away and come back while the session stays.

import { Microphone, WITHOUT_ECHO } from "./microphone.js";
import { Resampler } from "./resample.js";

const GONE = "The microphone went away. Plug it in, or choose another one in the system, then open it again.";

/** What its sound is, whatever rate the browser gives it at. */
export const RATE = 24_000;
export const PIECE_S = 0.04;

/** Event: "change". */
export class SessionMicrophone extends EventTarget {
  #piece;
  #lost;
  /** @type {Microphone | undefined} */
  #microphone;
  /** @type {AbortController | undefined} from `open` to `close` */
  #open;

  /** It is being opened. */
  asking = false;
  /** Why nobody is heard, in words for a person. */
  trouble = "";

  /**
   * @param {(samples: Float32Array) => void} piece  called 25 times a second while it is open
   * @param {() => void} lost  called if it goes away
   */
  constructor(piece, lost) {
    super();
    this.#piece = piece;
    this.#lost = lost;
  }

  /** It is open. */
  get hears() {
    return Boolean(this.#microphone);
  }

  /**
   * Opens it; does nothing where it is open. Call it from a click or a key.
   * @param {string} device  "" is the browser's default
   * @returns {Promise<boolean>}  whether it is open; false too where it was closed meanwhile
   */
  async open(device) {
    if (this.#open) return this.hears;
    const open = (this.#open = new AbortController());
    const { signal } = open;
    this.asking = true;
    this.trouble = "";
    this.#changed();
    try {
      const options = { sampleRate: RATE, device, signal, piece_s: PIECE_S, processing: WITHOUT_ECHO };
      const microphone = await Microphone.open(options);
      this.#microphone = microphone;
      this.asking = false;
      const { sampleRate } = microphone;
      const resampler = sampleRate === RATE ? undefined : new Resampler(sampleRate, RATE);
      const piece = (/** @type {Float32Array} */ samples) => this.#piece(resampler ? resampler.add(samples) : samples);
      microphone.listen(piece, () => this.#lose());
    } catch (error) {
      if (signal.aborted) return false; // the one who closed it knows
      this.close();
      this.trouble = error instanceof Error ? error.message : String(error);
    }
    this.#changed();
    return this.hears;
  }

  /** Shuts it at once. */
  close() {
    this.#open?.abort();
    this.#microphone?.release();
    this.#open = this.#microphone = undefined;
    this.asking = false;
  }

  #lose() {
    this.close();
    this.trouble = GONE;
    this.#lost();
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
