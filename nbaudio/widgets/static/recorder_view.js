// A recorder as it is seen: a card with one large button, and a quiet line when all is over. It only shows and asks: what
// it shows is the Recording's, so that two views of one are always alike.

import { clock } from "./clock.js";
import { make, put, redraw, say, sign } from "./elements.js";
import { FocusBefore, mayTakeFocus } from "./focus.js";
import { PAUSE, PLAY } from "./icons.js";
import { Meter } from "./meter.js";
import * as icons from "./recorder_icons.js";
import { hint, shutDoors, status } from "./recorder_words.js";
import { Replay } from "./replay.js";

/** @typedef {import("./recording.js").Recording} Recording */
/** @typedef {[label: string, title: string, sign: string]} Face */

export class RecorderView {
  /** @type {Recording} */
  #recording;
  #closed = new AbortController();
  #meter = new Meter();
  /** @type {Replay | undefined} */
  #replay;

  #signs = { main: sign(icons.MICROPHONE), over: sign(icons.DONE) };
  #main = make("button", { type: "button", class: "nbaudio-recorder-main" }, this.#signs.main);
  #device = make("select", { class: "nbaudio-recorder-device", title: "Which microphone", "aria-label": "Microphone" });
  #buttons = {
    accept: button("Use this", "Go on with this recording", { "data-first": true }),
    again: button("Record again", "Record once more, in the place of this"),
    retry: button("Try again", "Try the microphone again"),
    file: button("Choose a file", "Take the sound of a file; one can be dropped here too"),
    kernel: button("Kernel's microphone", "Record with the microphone of the computer that the kernel runs on"),
    cancel: button("Cancel", "Cancel (Escape)"),
  };
  #files = make("input", { type: "file", accept: "audio/*,video/*", hidden: true });

  #prompt = make("p", { class: "nbaudio-recorder-prompt", dir: "auto" });
  #progress = make("progress", { "aria-label": "Sent" });
  #stage = make("div", { class: "nbaudio-recorder-stage" }, this.#meter.element, this.#progress);
  #time = make("span", { class: "nbaudio-recorder-time" });
  #over = make("span", { class: "nbaudio-recorder-sign" }, this.#signs.over);
  #title = make("strong");
  #status = make("span", { class: "nbaudio-recorder-status", role: "status" });
  #notes = make("div", { class: "nbaudio-recorder-notes" });
  #focus;

  /** @param {Recording} recording */
  constructor(recording) {
    this.#recording = recording;
    const { signal } = this.#closed;
    const { accept, again, retry, file, kernel, cancel } = this.#buttons;
    const controls = make("div", { class: "nbaudio-recorder-controls" });
    controls.append(accept, again, retry, file, kernel, cancel);
    const row = make("div", { class: "nbaudio-recorder-row" });
    row.append(this.#over, this.#time, this.#title, this.#status, controls);
    const foot = make("div", { class: "nbaudio-recorder-foot" }, this.#notes, this.#device);
    this.element = make(
      "section",
      // Lumino, on which JupyterLab stands, leaves the keys of such an element alone.
      { class: "nbaudio-recorder", role: "group", tabindex: -1, "data-lm-suppress-shortcuts": "true" },
      this.#prompt,
      make("div", { class: "nbaudio-recorder-card" }, this.#main, this.#stage, row, foot, this.#files),
    );
    put(this.element, "aria-label", "Recorder");
    this.#focus = new FocusBefore(this.element, signal);

    const on = (/** @type {HTMLElement} */ element, /** @type {string} */ event, /** @type {() => void} */ react) =>
      element.addEventListener(event, react, { signal });
    on(this.#main, "click", () => this.#press());
    on(accept, "click", () => recording.accept());
    on(again, "click", () => this.#begin(recording.get("door") === "kernel" ? "kernel" : recording.openDoor));
    on(retry, "click", () => void recording.start());
    on(file, "click", () => this.#files.click());
    on(kernel, "click", () => recording.startKernel());
    on(cancel, "click", () => recording.cancel());
    on(this.#device, "change", () => recording.use(this.#device.value));
    on(this.#files, "change", () => this.#take(this.#files.files));
    this.element.addEventListener("keydown", (event) => this.#onKey(event), { signal });
    for (const name of ["keypress", "keyup"]) this.element.addEventListener(name, keepInside, { signal });
    for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
      this.element.addEventListener(name, (event) => this.#onDrag(/** @type {DragEvent} */ (event)), { signal });
    }
    recording.addEventListener("change", () => this.#show(), { signal });
    recording.addEventListener("level", () => this.#showLevel(), { signal });
    this.#show();
  }

  /** Takes the keyboard as soon as it is on the page, where nobody is typing. */
  takeFocus() {
    const shown = new ResizeObserver(() => {
      if (!this.element.offsetHeight) return;
      shown.disconnect();
      if (this.#recording.active && mayTakeFocus(this.element)) this.#main.focus({ preventScroll: true });
    });
    shown.observe(this.element);
    this.#closed.signal.addEventListener("abort", () => shown.disconnect());
  }

  /** Takes the view off the page; the recording goes on. */
  close() {
    this.#closed.abort();
    this.#replay?.close();
    this.element.remove();
  }

  #show() {
    const recording = this.#recording;
    const { state, active } = recording;
    const over = !active || recording.over || recording.severed;
    const [idle, review] = [active && state === "idle", active && state === "review"];
    const shut = recording.get("shut") ?? {};
    const file = recording.get("door") === "file";
    const door = recording.openDoor;
    const anew = idle && this.element.dataset.state === "over";
    this.#showReplay(review);
    put(this.element, "data-state", over ? "over" : file && state !== "review" && !idle ? "file" : state);
    say(this.#prompt, over ? "" : String(recording.get("prompt") ?? ""));

    const { accept, again, retry, kernel, cancel } = this.#buttons;
    const wasInside = this.#focus.inside;
    show(this.#main, !over && (idle ? Boolean(door) : !review || Boolean(this.#replay)));
    show(accept, review);
    show(again, review || (over && active));
    show(retry, idle && Boolean(shut.microphone) && !recording.hopeless);
    show(this.#device, idle && !shut.microphone && this.#showDevices() > 1);
    show(this.#buttons.file, idle && !shut.file && door !== "file");
    show(kernel, idle && !shut.kernel && door !== "kernel");
    show(cancel, !over);
    show(this.#over, over);
    show(this.#meter.element, state === "recording" && !file && !over);
    show(this.#progress, (state === "recording" || state === "asking") && file && !over);
    show(this.#stage, !over && (review || [...this.#stage.children].some((one) => !one.hasAttribute("hidden"))));
    show(this.#time, !over && (state === "recording" || review));

    const [label, title, path] = this.#face(idle, review);
    redraw(this.#signs.main, path);
    put(this.#main, "aria-label", label);
    put(this.#main, "title", title);
    redraw(this.#signs.over, state === "done" ? icons.DONE : state === "lost" ? icons.LOST : icons.CANCELLED);
    say(this.#title, idle ? label : "");
    put(this.#status, "data-trouble", !over && recording.get("trouble") !== "");
    this.#showNotes(idle ? (shut.microphone ? shutDoors(recording) : [hint(recording)]) : []);
    put(this.#notes, "data-trouble", Boolean(shut.microphone));
    this.#showLevel();
    if (wasInside) this.#keepFocus(over);
    if (anew) this.takeFocus(); // the next one, by the same recorder
  }

  #showLevel() {
    const recording = this.#recording;
    const elapsed_s = Number(recording.get("elapsed_s"));
    say(this.#status, status(recording));
    this.#meter.show(Number(recording.get("level_dbfs")), recording.peak_dbfs);
    put(this.#progress, "value", recording.state === "recording" ? recording.file.share.toFixed(3) : null);
    const longest = recording.get("door") === "file" ? "" : ` / ${clock(Number(recording.get("max_s")))}`;
    say(this.#time, this.#replay ? this.#replay.time : `${clock(elapsed_s)}${longest}`);
  }

  /**
   * What the large button is now.
   * @param {boolean} idle
   * @param {boolean} review
   * @returns {Face}
   */
  #face(idle, review) {
    if (review) return this.#replay?.playing ? ["Pause", "Pause (space)", PAUSE] : ["Play", "Play (space)", PLAY];
    if (!idle) return ["Stop", "Stop (space or Enter)", icons.STOP];
    const door = this.#recording.openDoor;
    if (door === "file") return ["Choose or drop a sound file", "Choose a sound file (space or Enter)", icons.FILE];
    if (door === "kernel") return ["Record at the kernel", "Record (space or Enter)", icons.MICROPHONE];
    return ["Record", "Record (space or Enter)", icons.MICROPHONE];
  }

  /** @returns {number} how many there are to choose from */
  #showDevices() {
    const devices = /** @type {[string, string][]} */ (this.#recording.get("devices"));
    const named = devices.filter(([id]) => id !== "default"); // Chromium's second name for one of the others
    const shown = [["", "Default microphone"], ...named].map(([id, label]) => make("option", { value: id }, label));
    const same = shown.map((option) => option.outerHTML).join("") === this.#device.innerHTML;
    if (!same) this.#device.replaceChildren(...shown);
    this.#device.value = String(this.#recording.get("device"));
    return named.length;
  }

  /** @param {string[]} lines */
  #showNotes(lines) {
    const shown = [...this.#notes.children].map((line) => line.textContent);
    if (shown.join("\n") !== lines.join("\n")) this.#notes.replaceChildren(...lines.map((line) => make("p", {}, line)));
  }

  /** @param {boolean} review */
  #showReplay(review) {
    if (review === Boolean(this.#replay)) return;
    this.#replay?.close();
    const wav = review ? this.#recording.replay : undefined;
    this.#replay = wav && new Replay(wav, Number(this.#recording.get("duration_s")));
    if (!this.#replay) return;
    this.#stage.append(this.#replay.slider);
    this.#replay.addEventListener("change", () => this.#show(), { signal: this.#closed.signal });
  }

  /** A button that goes takes the keyboard with it. @param {boolean} over */
  #keepFocus(over) {
    const focused = this.element.ownerDocument.activeElement;
    const kept = this.#focus.inside && focused !== this.element && !focused?.closest("[hidden]");
    if (kept) return;
    if (over) this.#focus.giveBack();
    else (this.#main.hidden ? this.element : this.#main).focus({ preventScroll: true });
  }

  #press() {
    const recording = this.#recording;
    if (recording.state === "review") this.#replay?.toggle();
    else if (recording.state !== "idle") void recording.stop();
    else this.#begin(recording.openDoor);
  }

  /** @param {import("./recording.js").Door | undefined} door */
  #begin(door) {
    if (door === "microphone") void this.#recording.start();
    else if (door === "file") this.#files.click();
    else if (door === "kernel") this.#recording.startKernel();
  }

  /** @param {FileList | null | undefined} files */
  #take(files) {
    const file = files?.[0];
    if (file) void this.#recording.choose(file);
    this.#files.value = ""; // the same file may be chosen again
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    keepInside(event);
    const { key, target } = event;
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (target === this.#device) return; // Escape closes its list
    const presses = key === " " || key === "Enter";
    if (key === "Escape" && this.#recording.active) {
      event.preventDefault();
      this.#recording.cancel();
    } else if (presses && event.repeat) {
      event.preventDefault(); // a key held down would stop what it has just begun
    } else if (presses && target === this.element && !this.#main.hidden) {
      event.preventDefault();
      this.#press();
    }
  }

  /** @param {DragEvent} event */
  #onDrag(event) {
    const shut = this.#recording.get("shut") ?? {};
    const wanted = event.dataTransfer?.types.includes("Files") && !shut.file && this.#recording.free;
    const inside = event.relatedTarget instanceof Node && this.element.contains(event.relatedTarget);
    const over = wanted && event.type !== "drop" && !(event.type === "dragleave" && !inside);
    put(this.element, "data-drop", Boolean(over));
    if (!wanted) return;
    event.preventDefault(); // else the browser opens the file in the place of the notebook
    event.stopPropagation();
    if (event.type === "drop") this.#take(event.dataTransfer?.files);
  }
}

/**
 * @param {string} label
 * @param {string} title
 * @param {Record<string, boolean>} [marks]
 */
function button(label, title, marks = {}) {
  return make("button", { type: "button", class: "nbaudio-recorder-button", title, ...marks }, label);
}

/**
 * @param {HTMLElement} element
 * @param {boolean} shown
 */
function show(element, shown) {
  put(element, "hidden", !shown);
}

/**
 * A notebook reads single keys as commands (d d deletes the cell); those with Ctrl, Alt or ⌘ stay the application's.
 * @param {Event} event
 */
function keepInside(event) {
  const { ctrlKey, metaKey, altKey } = /** @type {KeyboardEvent} */ (event);
  if (!ctrlKey && !metaKey && !altKey) event.stopPropagation();
}
