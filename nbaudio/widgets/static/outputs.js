// How a sound gets to the loudspeaker on this page.

import { canStream } from "./contexts.js";
import { ElementOutput } from "./element_output.js";
import { WorkletOutput } from "./worklet_output.js";

/** @typedef {WorkletOutput | ElementOutput} Output */

let admitsWorklets = true;

/** From here on all sounds are played when they are whole. */
export function useNoWorklets() {
  admitsWorklets = false;
}

/** @typedef {object} ToPlay
 * @property {number} sampleRate
 * @property {number} channels
 * @property {import("./lead.js").Learned} [learned] of how pieces come from its sender
 * @property {number} frame where to begin */

/** @param {ToPlay} sound
 * @returns {Output} */
export function newOutput(sound) {
  if (canStream() && admitsWorklets) {
    try {
      return new WorkletOutput(sound);
    } catch (error) {
      // NotSupportedError: a sample rate that the browser has no AudioContext for.
      if (!(error instanceof DOMException)) throw error;
    }
  }
  return new ElementOutput(sound);
}
