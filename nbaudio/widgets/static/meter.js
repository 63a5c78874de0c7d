// The level, as a bar with a tick at the highest of the last moments.

import { make, put, say } from "./elements.js";
import { SILENT_DBFS } from "./level.js";

const LEAST_DBFS = -60; // below it a bar would show the room

export class Meter {
  #bar = make("div", { class: "nbaudio-recorder-bar" });
  #peak = make("div", { class: "nbaudio-recorder-peak" });
  #scale = make("div", {
    class: "nbaudio-recorder-meter",
    role: "meter",
    "aria-label": "Level",
    "aria-valuemin": SILENT_DBFS,
    "aria-valuemax": 0,
  });
  #number = make("span", { class: "nbaudio-recorder-level", "aria-hidden": "true" });
  element = make("div", { class: "nbaudio-recorder-loudness" }, this.#scale, this.#number);

  constructor() {
    this.#scale.append(this.#bar, this.#peak);
  }

  /**
   * @param {number} level_dbfs
   * @param {number} peak_dbfs
   */
  show(level_dbfs, peak_dbfs) {
    const decibels = Math.round(level_dbfs);
    put(this.#scale, "aria-valuenow", decibels);
    put(this.#scale, "aria-valuetext", `${decibels} dBFS`);
    say(this.#number, `${decibels} dB`.replace("-", "−"));
    this.#scale.style.setProperty("--nbaudio-level", String(share(level_dbfs)));
    this.#scale.style.setProperty("--nbaudio-peak", String(share(peak_dbfs)));
  }
}

/**
 * @param {number} dbfs
 * @returns {number} from 0 to 1
 */
function share(dbfs) {
  return Math.min(1, Math.max(0, 1 - dbfs / LEAST_DBFS));
}
