// What an output says about itself.

/** @typedef {object} Report
 * @property {import("./playback.js").State} state
 * @property {boolean} held it stands still in a quiet place, to have a longer lead
 * @property {number} frame of the source, that comes out at `time_s`
 * @property {number} time_s of the AudioContext
 * @property {number} pace frames of the source in each frame from there on; 0 where it stands
 * @property {number} since_frame where it last began or went on
 * @property {number} since_s and when, by the AudioContext
 * @property {number} seeks how often it was sent elsewhere
 * @property {number} underruns
 * @property {import("./lead.js").Learned} [learned] of how pieces come */

/** Of an output that has not begun.
 * @param {number} frame
 * @param {import("./lead.js").Learned} [learned]
 * @returns {Report} */
export function atRest(frame, learned) {
  return {
    state: "idle",
    held: false,
    frame,
    time_s: 0,
    pace: 0,
    since_frame: frame,
    since_s: 0,
    seeks: 0,
    underruns: 0,
    learned,
  };
}
