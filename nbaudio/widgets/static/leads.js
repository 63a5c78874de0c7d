// What streams from each source have taught about their lead: for the next answer of this page, and for the next page,
// so that only the first uneven answer of a server that this browser has not heard lately may have a gap.

import { remember, storage } from "./storage.js";

/** @typedef {import("./lead.js").Learned} Learned
 * @typedef {{windows: number[], at_ms: number}} Kept  of the last streams, and when */

const KEPT = "nbaudio.leads";
const LASTS_MS = 86_400_000; // networks change
const SOURCES = 20;

/** @type {Map<string, Learned>} of this page */
const learned = new Map();

/** @param {string} source  empty: unknown, and not kept beyond the page
 * @returns {Learned | undefined} */
export function learnedOf(source) {
  const known = learned.get(source);
  if (known || !source) return known;
  const kept = read().get(source);
  return kept && { windows: kept.windows, window: 0, sound_s: 0 };
}

/** @param {string} source
 * @param {Learned} lesson */
export function learn(source, lesson) {
  learned.set(source, lesson);
}

/** Keeps it for the next page. @param {string} source */
export function keep(source) {
  const lesson = learned.get(source);
  if (!source || !lesson) return;
  const windows = lesson.window > 0 ? [...lesson.windows, lesson.window] : lesson.windows;
  if (!windows.length) return;
  const all = read();
  all.delete(source); // so that the latest stands last
  all.set(source, { windows, at_ms: Date.now() });
  remember(KEPT, JSON.stringify([...all].slice(-SOURCES)));
}

/** @returns {Map<string, Kept>} what is not too old; nothing, where something else stands there */
function read() {
  try {
    const found = JSON.parse(storage()?.getItem(KEPT) ?? "[]");
    return new Map(found.filter((/** @type {unknown} */ one) => isKept(one)));
  } catch {
    return new Map();
  }
}

/** @param {any} entry */
function isKept([source, { windows, at_ms }]) {
  const numbers = Array.isArray(windows) && windows.every((one) => Number.isFinite(one) && one >= 0);
  return typeof source === "string" && numbers && Math.abs(Date.now() - at_ms) < LASTS_MS;
}
