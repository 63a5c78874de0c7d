// The Recorder in the browser: joins a widget's model to its Recording, and shows it. `widgets/recorder.py` is the other
// side.
//
// browser -> kernel   {kind: "ready"}                       this page shows widgets
//                     {kind: "begin", take, sample_rate, channels: 1, door, name?}   a take (a UUID) begins; `door` is
//                         "microphone" or "file", `name` the file's. The rate is the widget's, but for browsers that
//                         record at the device's rate only.
//                     {kind: "piece", take, index} + [PCM16 mono, little endian]   number `index`, from 0; 100 ms while
//                         recording, 480,000 bytes from a file; the last may be shorter. None is acknowledged.
//                     {kind: "end", take, pieces, frames, reason}   so many there are; `reason` is "stopped",
//                         "silence", "longest", "file" or "device lost"
//                     {kind: "accept", take}                it is to be used; without a review right after "end"
//                     {kind: "drop", take}                  it is not wanted, whether it has ended or not
//                     {kind: "cancel"}                      nothing is to be used
//                     {kind: "kernel", action, ask}         the kernel's own microphone: "start" it, a UUID being this
//                         start's; "stop" it; "drop" what this start has begun, or "lose" it: see kernel_door.js
// kernel -> browser   {kind: "start"}, {kind: "stop"}, {kind: "cancel"}   as the buttons do
//                     {kind: "got", take, duration_s}       the kernel has all of it
//                     {kind: "answered", ask}               that "start" is done, or could not be
//
// The rest are traits. The browser sets state, elapsed_s and level_dbfs while it records, the kernel while it does.
// Recording belongs to the model: it goes on while views come and go, and stops a second after the last one went. Then,
// as when a page is closed, no more sound is sent, and the kernel keeps what arrived.

import { showInPlace } from "./in_place.js";
import { RecorderView } from "./recorder_view.js";
import { Recording } from "./recording.js";

/** @typedef {import("./two_way.js").Model} Model */

/** The recorders of this page by their models' keys. @type {Map<string, Recording>} */
const recorders = new Map();
const page = /** @type {{nbaudio?: {recorders?: Map<string, Recording>}}} */ (globalThis);
(page.nbaudio ??= {}).recorders = recorders; // for tests and benchmarks

/**
 * @param {Recording} recording
 * @param {HTMLElement} place
 */
function show(recording, place) {
  const view = new RecorderView(recording);
  place.append(view.element);
  if (recording.enter()) view.takeFocus();
  return () => {
    view.close();
    recording.leave();
  };
}

export default {
  /** @param {{model: Model}} given */
  initialize({ model }) {
    const key = model.get("key");
    const recording = new Recording(model);
    recorders.set(key, recording);
    const leave = showInPlace(key, (place) => show(recording, place));
    return () => {
      leave();
      if (recorders.get(key) === recording) recorders.delete(key);
      recording.close();
    };
  },

  /** @param {{model: Model, el: HTMLElement}} given */
  render({ model, el }) {
    const recording = recorders.get(model.get("key"));
    if (!recording) throw new Error("This recorder has been closed.");
    return show(recording, el);
  },
};
