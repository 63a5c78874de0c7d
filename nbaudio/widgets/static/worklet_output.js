// One sound on its way to the loudspeaker through the page's sound thread.

import { SharedContext } from "./contexts.js";
import { atRest } from "./report.js";

const VOLUME_S = 0.02; // a jump of the volume would click

/** Events: "report" (the sound thread said how far it is), "change" (`blocked`), "failed" (no worklet works here). */
export class WorkletOutput extends EventTarget {
  /** performance.now() at which its first frame could be heard; 0: not yet */
  first_sound_ms = 0;

  /** Plays what is here while more arrives. */
  streams = true;

  #shared;
  #shown = { frame: 0, since_s: -1 };
  /** @type {AudioWorkletNode | null} */
  #node = null;
  /** @type {GainNode | null} */
  #gain = null;
  /** @type {[any, Transferable[]][]} */
  #unsent = [];
  #volume = 1;
  #closed = new AbortController();

  /** @param {import("./outputs.js").ToPlay} sound
   * @throws {DOMException} for a rate that the browser doesn't have */
  constructor(sound) {
    super();
    this.report = atRest(sound.frame, sound.learned);
    this.#shared = SharedContext.use(sound.sampleRate);
    const { signal } = this.#closed;
    this.#shared.addEventListener("change", () => this.dispatchEvent(new Event("change")), { signal });
    this.#shared.ready.then(
      () => signal.aborted || this.#connect(sound),
      () => signal.aborted || this.dispatchEvent(new Event("failed")),
    );
  }

  /** The page wants a click before it sounds. */
  get blocked() {
    return this.#shared.blocked;
  }

  /** The source's frame that is heard now. */
  get frame() {
    const { report } = this;
    if (report.pace === 0) return report.frame;
    const { frame, since_frame, since_s } = report;
    const passed = (this.#heard_s() - report.time_s) * report.pace * this.#shared.context.sampleRate;
    // What was heard before it went on there was another place; and as two clocks are compared, it may seem to go back.
    const least = this.#shown.since_s === since_s ? this.#shown.frame : since_frame;
    this.#shown = { frame: Math.max(least, frame + passed), since_s };
    return this.#shown.frame;
  }

  /** @param {Int16Array} samples in memory that nobody else uses
   * @param {number} [at_ms] when they came, by Date.now() */
  add(samples, at_ms) {
    this.#send({ kind: "add", samples, at_ms }, [samples.buffer]);
  }

  end() {
    this.#send({ kind: "end" });
  }

  /** Call it from a click or a key where there is one. */
  play() {
    this.#shared.resume();
    this.#send({ kind: "play" });
  }

  pause() {
    this.#send({ kind: "pause" });
  }

  /** @param {number} frame */
  seek(frame) {
    const seeks = this.report.seeks + 1;
    this.report = { ...this.report, frame, since_frame: frame, pace: 0, seeks }; // shown at once
    this.#send({ kind: "seek", frame });
  }

  /** @param {number} speed */
  set speed(speed) {
    this.#send({ kind: "speed", speed });
  }

  /** @param {number} volume */
  set volume(volume) {
    this.#volume = volume;
    if (!this.#gain) return;
    const now_s = this.#shared.context.currentTime;
    this.#gain.gain.setValueAtTime(this.#gain.gain.value, now_s);
    this.#gain.gain.linearRampToValueAtTime(volume, now_s + VOLUME_S);
  }

  close() {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort();
    this.#send({ kind: "close" });
    this.#node?.port.close();
    this.#node?.disconnect();
    this.#gain?.disconnect();
    this.#shared.leave();
  }

  /** @param {import("./outputs.js").ToPlay} processorOptions */
  #connect(processorOptions) {
    const { context } = this.#shared;
    const { channels } = processorOptions;
    const node = new AudioWorkletNode(context, "nbaudio-playback", {
      numberOfInputs: 0,
      outputChannelCount: [channels],
      processorOptions,
    });
    const gain = new GainNode(context, { gain: this.#volume }); // 1 leaves every sample as it is
    node.connect(gain).connect(context.destination);
    node.port.onmessage = ({ data }) => this.#hear(data);
    node.onprocessorerror = () => this.dispatchEvent(new Event("failed"));
    this.#node = node;
    this.#gain = gain;
    for (const [message, transfer] of this.#unsent.splice(0)) node.port.postMessage(message, transfer);
  }

  /** @param {import("./report.js").Report} report */
  #hear(report) {
    if (this.#closed.signal.aborted || report.seeks < this.report.seeks) return; // it was elsewhere when it said so
    if (report.state === "playing" && !this.first_sound_ms) {
      this.first_sound_ms = performance.now() + 1000 * (report.since_s - this.#heard_s());
    }
    this.report = report;
    this.dispatchEvent(new Event("report"));
  }

  /** The context's time of what leaves the loudspeaker now. */
  #heard_s() {
    const { context } = this.#shared;
    const { contextTime, performanceTime } = context.getOutputTimestamp();
    // Zero while the device has played nothing yet.
    if (contextTime && performanceTime) return contextTime + (performance.now() - performanceTime) / 1000;
    return context.currentTime - (context.outputLatency || context.baseLatency || 0);
  }

  /** @param {any} message
   * @param {Transferable[]} [transfer] */
  #send(message, transfer = []) {
    if (this.#node) this.#node.port.postMessage(message, transfer);
    else this.#unsent.push([message, transfer]);
  }
}
