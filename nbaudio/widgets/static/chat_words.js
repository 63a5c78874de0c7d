// What a chat says about itself, in words: apart from its looks, so that they can be read and tested.

import { shutDoors, status as recorderStatus } from "./recorder_words.js";

/** @typedef {import("./recording.js").Recording} Recording */

/** @typedef {object} Situation
 * @property {boolean} severed
 * @property {boolean} busy
 * @property {boolean} waiting  the kernel has not heard of it yet
 * @property {boolean} elsewhere  a cell asks
 * @property {Recording | undefined} recording */

/**
 * What is going on; a screen reader says it when it changes.
 * @param {Situation} now
 * @returns {string}
 */
export function status({ severed, busy, waiting, elsewhere, recording }) {
  if (severed) return "The kernel has gone. What was said is kept; run the cell again to go on.";
  if (recording && ["asking", "recording"].includes(recording.state)) return recorderStatus(recording);
  if (waiting) return "Sent: the kernel takes it as soon as it is free.";
  if (busy) return "The answer is coming.";
  if (elsewhere) return "A cell is being answered.";
  if (recording?.state === "lost") return recorderStatus(recording);
  return String(recording?.get("trouble") ?? "");
}

/**
 * What the large button is called.
 * @param {Recording | undefined} recording
 * @returns {string}
 */
export function holdLabel(recording) {
  if (recording?.state === "asking") return "Opening …";
  if (recording?.state === "recording") return "Release to send";
  return "Hold to talk";
}

/**
 * Why nobody can talk here, and what to do instead; empty where one can.
 * @param {Recording | undefined} recording
 * @returns {string}
 */
export function whyShut(recording) {
  return recording ? shutDoors(recording).join(" ") : "";
}

/**
 * What became of a request that failed.
 * @param {{words?: string, typed?: string, recorded_s?: number}} trouble
 * @returns {string}
 */
export function troubleWords({ words = "", typed = "", recorded_s = 0 }) {
  const kept = recorded_s > 0 ? `Your recording (${recorded_s.toFixed(1)} s) is kept.` : typed ? "Your words are kept." : "";
  return `${words} ${kept}`.trim();
}
