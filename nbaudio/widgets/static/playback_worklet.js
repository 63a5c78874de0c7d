// The page's sound thread: a Playback for each node, fed by messages.
//
// page -> worklet   {kind: "add", samples, at_ms}   what follows, and when it came by Date.now(); undefined: long since
//                   {kind: "end"} {kind: "play"} {kind: "pause"} {kind: "seek", frame} {kind: "speed", speed}
//                   {kind: "close"}
// worklet -> page   Report, 15 a second while it plays and at every turn

import { Playback } from "./playback.js";

/** @typedef {import("./report.js").Report} Report */

const REPORTS_PER_S = 15;

class PlaybackProcessor extends AudioWorkletProcessor {
  #open = true;
  #shown = "";
  #due_s = 0;
  #since_s = 0;
  #seeks = 0;

  /** @param {{processorOptions: import("./outputs.js").ToPlay}} options */
  constructor({ processorOptions }) {
    super();
    this.playback = new Playback(sampleRate, processorOptions.channels, processorOptions);
    this.since = this.playback.since;
    this.port.onmessage = ({ data }) => this.#hear(data);
  }

  /** @param {any} message */
  #hear(message) {
    const { playback } = this;
    if (message.kind === "add") {
      playback.add(message.samples, message.at_ms === undefined ? undefined : message.at_ms / 1000);
    } else if (message.kind === "end") playback.end();
    else if (message.kind === "play") playback.play();
    else if (message.kind === "pause") playback.pause();
    else if (message.kind === "speed") playback.speed = message.speed;
    else if (message.kind === "seek") {
      playback.seek(message.frame);
      this.#seeks++;
    } else this.#open = false;
  }

  /** @param {Float32Array[][]} _
   * @param {Float32Array[][]} outputs */
  process(_, [outputs]) {
    // The clock of the page's messages: the sound's own stands still while the page may not play.
    this.playback.render(outputs, Date.now() / 1000);
    if (this.playback.since !== this.since) {
      this.since = this.playback.since;
      this.#since_s = currentTime;
    }
    this.#report(currentTime + outputs[0].length / sampleRate);
    return this.#open;
  }

  /** @param {number} time_s */
  #report(time_s) {
    const { state, held, underruns, flow, frame, lead } = this.playback;
    const shown = `${state} ${held} ${underruns} ${flow} ${this.#since_s} ${this.#seeks}`;
    const due = state === "playing" && time_s >= this.#due_s;
    if (shown === this.#shown && !due) return;
    this.#shown = shown;
    this.#due_s = time_s + 1 / REPORTS_PER_S;
    /** @type {Report} */
    const report = {
      state,
      held,
      frame,
      time_s,
      pace: flow,
      since_frame: this.since.frame,
      since_s: this.#since_s,
      seeks: this.#seeks,
      underruns,
      learned: lead.learned,
    };
    this.port.postMessage(report);
  }
}

registerProcessor("nbaudio-playback", PlaybackProcessor);
