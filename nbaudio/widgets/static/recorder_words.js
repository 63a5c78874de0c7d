// What a recorder says about itself, in words: apart from its looks, so that they can be read and tested.

import { clock } from "./clock.js";

/** @typedef {import("./recording.js").Recording} Recording */

/**
 * What is going on; a screen reader says it when it changes.
 * @param {Recording} recording
 * @returns {string}
 */
export function status(recording) {
  const trouble = String(recording.get("trouble") ?? "");
  if (recording.state === "idle" && recording.elsewhere) {
    return "It was begun in another tab, or before this page was loaded again. Recording here takes its place.";
  }
  if (recording.state === "asking") return asking(recording);
  if (recording.state === "recording") return progress(recording);
  if (!recording.active && !recording.over && !recording.severed) return "Nothing was recorded.";
  const length = duration(Number(recording.get("duration_s")));
  if (recording.state === "review") return `Recorded ${length}. ${trouble}`.trim();
  if (recording.state === "done") return `Recorded ${length}${origin(recording)}. ${trouble}`.trim();
  if (recording.state === "cancelled") return "Cancelled.";
  if (recording.state === "lost") return lost(recording, length);
  return trouble;
}

/**
 * How to begin, where nothing has begun.
 * @param {Recording} recording
 * @returns {string}
 */
export function hint(recording) {
  const silence_s = Number(recording.get("silence_s"));
  return `Space or Enter starts and stops${silence_s > 0 ? `; a ${silence_s} s pause stops` : ""}.`;
}

/**
 * Which doors are shut and why, and which one is open instead.
 * @param {Recording} recording
 * @returns {string[]}
 */
export function shutDoors(recording) {
  const { microphone, file, kernel } = recording.get("shut") ?? {};
  if (!microphone) return [];
  const open = [file ? "" : "choose or drop a sound file", kernel ? "" : "use the kernel's microphone"].filter(Boolean);
  const instead = open.length ? ` Or ${open.join(", or ")}.` : "";
  return [`${microphone}${instead}`, file, kernel && `The kernel's microphone: ${kernel}`].filter(Boolean);
}

/**
 * @param {number} seconds
 * @returns {string} "3.2 s", "12:40 min"
 */
export function duration(seconds) {
  return seconds < 60 ? `${seconds.toFixed(1)} s` : `${clock(seconds)} min`;
}

/** @param {Recording} recording */
function asking(recording) {
  if (recording.get("door") === "file") return `Reading ${recording.file.name} …`;
  if (recording.get("door") === "kernel") return "The kernel's microphone opens as soon as the kernel is free.";
  return "Opening the microphone. The browser may ask whether this page may use it.";
}

/** @param {Recording} recording */
function progress(recording) {
  if (recording.get("door") === "file") return `Sending ${recording.file.name} …`;
  if (recording.get("door") === "kernel") return "Recording with the kernel's microphone.";
  if (recording.unheard) return `Nothing heard yet: is ${recording.microphoneName || "this"} the right microphone?`;
  return recording.tooLoud ? "Recording. Too loud: move back a little." : "Recording.";
}

/** @param {Recording} recording */
function origin(recording) {
  return recording.get("door") === "file" && recording.file.name ? ` from ${recording.file.name}` : "";
}

/**
 * @param {Recording} recording
 * @param {string} length
 */
function lost(recording, length) {
  if (recording.severed) return "The kernel has gone, and the recording has ended. What had arrived there is kept.";
  return `The connection broke; what arrived (${length}) is kept.`;
}
