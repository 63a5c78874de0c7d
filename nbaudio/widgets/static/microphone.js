// The browser's microphone, from opening it to its last sample.

import { page } from "./page.js";
import { Shut, shutBy, shutForGood } from "./shut.js";

const FLUSH_MS = 300; // an audio thread that lives answers within 10
const RESUME_MS = 1000;
const WANTS_CLICK = new Error("The browser wants a click on this page before it records: press the button once more.");

// The sound as the microphone gives it: a model hears it, not somebody on a call. An echo canceller and automatic gain eat
// or overdrive the first syllables while they settle, and suppressors swallow soft consonants; speech models learned from
// rooms with noise in them, and a quiet voice has 50 dB to spare in 16 bits. The meter then shows what is really there.
const AS_IT_IS = { echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: 1 };

/** What the browser's own processing makes of it: for somebody who is heard while loudspeakers sound in the room. */
export const WITHOUT_ECHO = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };

/** A microphone that is open. It gives its sound in pieces once `listen` was called. */
export class Microphone {
  #stream;
  #source;
  #node;
  #track;

  /** @param {AudioContext} context
   * @param {MediaStream} stream
   * @param {MediaStreamAudioSourceNode} source
   * @param {number} piece_s */
  constructor(context, stream, source, piece_s) {
    this.context = context;
    this.#stream = stream;
    this.#source = source;
    this.#track = /** @type {MediaStreamTrack} */ (stream.getAudioTracks()[0]);
    this.#node = new AudioWorkletNode(context, "nbaudio-capture", {
      numberOfOutputs: 0,
      channelCount: 1,
      channelCountMode: "explicit", // a stereo microphone is mixed down here
      processorOptions: { pieceFrames: Math.round(context.sampleRate * piece_s) },
    });
  }

  /**
   * Opens it. Call it from a click or a key: some browsers give sound to nothing else.
   * @param {object} options
   * @param {number} options.sampleRate
   * @param {string} options.device  "" is the browser's default
   * @param {AbortSignal} options.signal  once it is aborted, nothing is left open
   * @param {number} [options.piece_s]  how long each piece is
   * @param {MediaTrackConstraints} [options.processing]  what the browser makes of the sound
   * @returns {Promise<Microphone>} rejects with `Shut`, where a click is wanted with another error, or with the
   *   reason of `signal`
   */
  static async open({ sampleRate, device, signal, piece_s = 0.1, processing = AS_IT_IS }) {
    const never = shutForGood();
    if (never) throw never;
    const opening = new Opening(sampleRate);
    const undo = () => opening.undo();
    signal.addEventListener("abort", undo);
    try {
      const parts = await opening.begin(device, processing);
      signal.throwIfAborted();
      return new Microphone(...parts, piece_s);
    } catch (error) {
      opening.undo();
      signal.throwIfAborted();
      throw error instanceof Shut || error === WANTS_CLICK ? error : shutBy(error, device !== "");
    } finally {
      signal.removeEventListener("abort", undo);
    }
  }

  /** Samples per second of what `listen` is given.
   * @returns {number} */
  get sampleRate() {
    return this.context.sampleRate;
  }

  /** What the system calls it.
   * @returns {string} */
  get label() {
    return this.#track.label;
  }

  /** @returns {MediaStreamTrackState} */
  get trackState() {
    return this.#track.readyState;
  }

  /** Begins to give sound.
   * @param {(samples: Float32Array) => void} piece called as each piece is full; by `end` once more with what is left
   * @param {() => void} lost called if the microphone goes away */
  listen(piece, lost) {
    this.#node.port.onmessage = ({ data }) => data.samples.length && piece(data.samples);
    this.#track.onended = lost;
    this.#source.connect(this.#node);
    if (this.#track.readyState === "ended") lost(); // while it was being opened, and nobody is told twice
  }

  /** Gives what is left of the sound, and no more. Call `release` then. */
  async end() {
    const { port } = this.#node;
    await new Promise((resolve) => {
      const given = port.onmessage;
      const timer = setTimeout(resolve, FLUSH_MS);
      port.onmessage = (event) => {
        given?.call(port, event);
        if (event.data.last) resolve(clearTimeout(timer));
      };
      port.postMessage("end");
    });
  }

  /** Shuts the microphone at once. */
  release() {
    this.#track.onended = null;
    this.#node.port.onmessage = null;
    this.#node.port.postMessage("end");
    this.#source.disconnect();
    for (const track of this.#stream.getTracks()) track.stop();
    closed(this.context);
  }
}

/** What is open before a Microphone is: it can be undone at any moment, also while a person is asked. */
class Opening {
  /** @type {AudioContext} */
  #context;
  /** @type {MediaStream | undefined} */
  #stream;
  #undone = false;

  /** @param {number} sampleRate */
  constructor(sampleRate) {
    this.#context = opened({ sampleRate });
  }

  /**
   * @param {string} device
   * @param {MediaTrackConstraints} processing
   * @returns {Promise<[AudioContext, MediaStream, MediaStreamAudioSourceNode]>}
   */
  async begin(device, processing) {
    const audio = { ...processing, ...(device ? { deviceId: { exact: device } } : {}) };
    const asked = navigator.mediaDevices.getUserMedia({ audio });
    // Together: the person who has just pressed Record speaks at once.
    const [stream] = await Promise.all([asked.then((granted) => this.#keep(granted)), ready(this.#context)]);
    let source;
    try {
      source = this.#context.createMediaStreamSource(stream);
    } catch (error) {
      // Firefox connects no stream of another rate to a context: then the sound comes at the device's own rate.
      if (!(error instanceof DOMException) || error.name !== "NotSupportedError") throw error;
      closed(this.#context);
      this.#context = opened();
      await ready(this.#context);
      source = this.#context.createMediaStreamSource(stream);
    }
    if (!(await running(this.#context))) throw WANTS_CLICK;
    return [this.#context, stream, source];
  }

  undo() {
    this.#undone = true;
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    closed(this.#context);
  }

  /** @param {MediaStream} granted */
  #keep(granted) {
    this.#stream = granted;
    if (this.#undone) this.undo(); // the person allowed it after the recorder had gone
    return granted;
  }
}

/** @param {AudioContextOptions} [options] */
function opened(options) {
  const context = new AudioContext(options);
  page().contexts.add(context);
  return context;
}

/** @param {AudioContext} context */
function closed(context) {
  page().contexts.delete(context);
  if (context.state !== "closed") void context.close();
}

/** @param {AudioContext} context */
async function ready(context) {
  void context.resume().catch(() => undefined); // not awaited: without a click it waits for one, for ever
  const worklet = new URL("./capture_worklet.js", import.meta.url);
  try {
    await context.audioWorklet.addModule(worklet.href);
  } catch (error) {
    throw new Shut(`This page keeps the recorder from loading: ${error instanceof Error ? error.message : error}`, true);
  }
}

/**
 * @param {AudioContext} context
 * @returns {Promise<boolean>}
 */
function running(context) {
  return new Promise((resolve) => {
    const timer = setTimeout(() => settle(false), RESUME_MS);
    const look = () => context.state === "running" && settle(true);
    const settle = (/** @type {boolean} */ is) => {
      clearTimeout(timer);
      context.removeEventListener("statechange", look);
      resolve(is);
    };
    context.addEventListener("statechange", look);
    look();
  });
}
