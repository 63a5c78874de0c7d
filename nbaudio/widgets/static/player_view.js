// A player as it is seen: a card with the controls, the waveform and the words. It only shows and asks: what it shows
// is the Player's, so that two views of one are always alike.

import { clock } from "./clock.js";
import { make, put, redraw, say, sign } from "./elements.js";
import * as icons from "./icons.js";
import { Waveform } from "./waveform.js";
import { Words } from "./words.js";

/** @typedef {import("./player.js").Player} Player */

const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 2];

export class PlayerView {
  #player;
  #closed = new AbortController();
  #volume_before = 1; // what unmuting goes back to

  /** @param {Player} player */
  constructor(player) {
    this.#player = player;
    const { signal } = this.#closed;
    const seek = (/** @type {number} */ seconds) => player.seek(seconds);
    this.#waveform = new Waveform(timeline(player), seek, signal);
    this.#words = new Words(seek, signal);

    const { play, stop, speed, mute, volume, download } = this.#controls;
    const pick = make("span", { class: "nbaudio-pick" }, speed, sign(icons.DOWN));
    this.element = make(
      "section",
      // Lumino, on which JupyterLab stands, leaves the keys of such an element alone.
      { class: "nbaudio-player", role: "group", tabindex: -1, "data-lm-suppress-shortcuts": "true" },
      make(
        "div",
        { class: "nbaudio-card" },
        play,
        this.#waveform.element,
        make(
          "div",
          { class: "nbaudio-row" },
          this.#time,
          make("div", { class: "nbaudio-says" }, this.#title, this.#status),
          make("div", { class: "nbaudio-controls" }, stop, pick, mute, volume, download),
        ),
      ),
      this.#words.element,
      this.#notes,
    );

    const on = (/** @type {HTMLElement} */ element, /** @type {string} */ event, /** @type {() => void} */ react) =>
      element.addEventListener(event, react, { signal });
    // The press itself may unlock the page's sound, which then plays before the click: what counts is what the button
    // said when it was pressed.
    /** @type {boolean | null} */
    let said_pause = null;
    for (const name of ["pointerdown", "keydown"]) on(play, name, () => (said_pause = player.sound.playing));
    on(play, "click", () => {
      this.#toggle(said_pause ?? player.sound.playing);
      said_pause = null;
    });
    on(stop, "click", () => player.stop());
    on(speed, "change", () => (player.sound.speed = Number(speed.value)));
    on(mute, "click", () => this.#toggleMute());
    on(volume, "input", () => (player.sound.volume = Number(volume.value)));
    on(download, "click", () => void player.download());
    this.element.addEventListener("keydown", (event) => this.#onKey(event), { signal });
    for (const name of ["keypress", "keyup"]) this.element.addEventListener(name, keepInside, { signal });
    player.keyboard.watch(this.element, signal);
    player.addEventListener("change", () => this.#show(), { signal });
    player.addEventListener("position", () => this.#showPosition(), { signal });
    this.#askWhenSeen(signal);
    this.#show();
  }

  #waveform;
  #words;
  #signs = { play: sign(icons.PLAY), volume: sign(icons.LOUD) };
  #controls = {
    play: make("button", { type: "button", class: "nbaudio-play" }, this.#signs.play),
    stop: make(
      "button",
      { type: "button", class: "nbaudio-stop", title: "End the answer here (s)" },
      sign(icons.STOP),
      "Stop",
    ),
    speed: make("select", { class: "nbaudio-speed", title: "Speed (< and >)", "aria-label": "Speed" }),
    mute: make("button", { type: "button", class: "nbaudio-sign" }, this.#signs.volume),
    volume: make("input", {
      type: "range",
      class: "nbaudio-volume",
      min: 0,
      max: 1,
      step: 0.05,
      title: "Volume (← and →)",
      "aria-label": "Volume",
    }),
    download: make(
      "button",
      { type: "button", class: "nbaudio-sign", title: "Download as WAV (d)", "aria-label": "Download as WAV" },
      sign(icons.DOWNLOAD),
    ),
  };
  #time = make("span", { class: "nbaudio-time" });
  #title = make("span", { class: "nbaudio-title" });
  #status = make("span", { class: "nbaudio-status", role: "status" });
  #notes = make("div", { class: "nbaudio-notes" });

  /** Takes the view off the page; the sound goes on. */
  close() {
    this.#closed.abort();
    this.element.remove();
  }

  #show() {
    const player = this.#player;
    const { play, stop, mute, volume, download } = this.#controls;
    put(this.element, "aria-label", `${player.title}: player`);
    const { playing, speed, volume: loudness } = player.sound;
    const action = playing ? "Pause" : "Play";
    redraw(this.#signs.play, playing ? icons.PAUSE : icons.PLAY);
    put(play, "aria-label", action);
    put(play, "title", `${action} (space or k)`);

    const hadFocus = stop === this.element.ownerDocument.activeElement;
    put(stop, "hidden", !player.arriving);
    put(download, "hidden", player.arriving);
    if (hadFocus && !player.arriving) play.focus(); // a button that goes takes the focus with it

    this.#showSpeed(speed);
    redraw(this.#signs.volume, loudness === 0 ? icons.MUTED : loudness < 0.5 ? icons.QUIET : icons.LOUD);
    put(mute, "aria-label", loudness === 0 ? "Unmute" : "Mute");
    put(mute, "title", `${loudness === 0 ? "Unmute" : "Mute"} (m)`);
    if (Number(volume.value) !== loudness) volume.value = String(loudness);
    volume.style.setProperty("--nbaudio-part", `${loudness * 100}%`);
    put(volume, "aria-valuetext", `${Math.round(loudness * 100)} percent`);

    const status = player.status;
    say(this.#title, status ? "" : player.title);
    say(this.#status, status);
    put(this.#status, "data-trouble", player.trouble !== "");
    this.#words.show(player.words, player.phrases);
    this.#words.readOut(player.arriving && !playing && player.waiting !== "turn");
    put(this.#words.element, "aria-label", `Words of: ${player.title}`);
    this.#showNotes();
    this.#waveform.renew();
    this.#showPosition();
  }

  #showPosition() {
    const { position_s, duration_s, arriving, sound } = this.#player;
    say(this.#time, `${clock(position_s)} / ${clock(duration_s)}${arriving ? "…" : ""}`);
    const over = !sound.playing && (position_s === 0 || position_s >= duration_s);
    this.#words.mark(over ? null : position_s);
    this.#waveform.update();
  }

  /** @param {number} speed */
  #showSpeed(speed) {
    const select = this.#controls.speed;
    const speeds = SPEEDS.includes(speed) ? SPEEDS : [...SPEEDS, speed].sort((one, other) => one - other);
    const shown = [...select.options].map((option) => Number(option.value));
    if (shown.join() !== speeds.join()) {
      select.replaceChildren(...speeds.map((one) => make("option", { value: one }, `${Number(one.toFixed(2))}×`)));
    }
    if (Number(select.value) !== speed) select.value = String(speed);
  }

  #showNotes() {
    const { notes } = this.#player;
    const shown = [...this.#notes.children].map((line) => line.textContent);
    if (shown.length !== notes.length || shown.some((text, index) => text !== notes[index])) {
      this.#notes.replaceChildren(...notes.map((note) => make("p", { dir: "auto" }, note)));
    }
  }

  #toggle(playing = this.#player.sound.playing) {
    if (playing) this.#player.pause();
    else void this.#player.play();
  }

  #toggleMute() {
    const { sound } = this.#player;
    if (sound.volume > 0) this.#volume_before = sound.volume;
    sound.volume = sound.volume > 0 ? 0 : this.#volume_before;
  }

  /** @param {number} step */
  #changeSpeed(step) {
    const { sound } = this.#player;
    const next = step > 0 ? SPEEDS.find((one) => one > sound.speed) : SPEEDS.findLast((one) => one < sound.speed);
    if (next !== undefined) sound.speed = next;
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const chats = event.key === "Escape" && this.element.closest(".nbaudio-chat"); // it ends an answer there
    if (!chats) keepInside(event);
    const target = event.target;
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (target instanceof HTMLSelectElement || target instanceof HTMLInputElement) return; // with keys of their own
    const onButton = target instanceof HTMLButtonElement; // space presses it
    /** @type {Record<string, () => void>} */
    const actions = {
      k: () => this.#toggle(),
      s: () => this.#player.arriving && this.#player.stop(),
      m: () => this.#toggleMute(),
      d: () => void (this.#player.arriving || this.#player.download()),
      "<": () => this.#changeSpeed(-1),
      ">": () => this.#changeSpeed(1),
      ...(onButton ? {} : { " ": () => this.#toggle() }),
    };
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    if (!event.repeat) action();
  }

  /**
   * The waveform of a sound that this page lacks is asked for when someone may be looking.
   * @param {AbortSignal} signal
   */
  #askWhenSeen(signal) {
    const seen = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) this.#player.need();
    });
    seen.observe(this.element);
    signal.addEventListener("abort", () => seen.disconnect());
  }
}

/** @param {Player} player */
function timeline(player) {
  return {
    get position_s() {
      return player.position_s;
    },
    get duration_s() {
      return player.duration_s;
    },
    get arriving() {
      return player.arriving;
    },
    peaks: (/** @type {number} */ count, /** @type {number} */ from_s, /** @type {number} */ to_s) =>
      player.sound.empty ? new Float32Array(2 * count) : player.sound.peaks(count, from_s, to_s),
  };
}

/**
 * A notebook reads single keys as commands (d d deletes the cell); those with Ctrl, Alt or ⌘ stay the application's.
 * @param {Event} event
 */
function keepInside(event) {
  const { ctrlKey, metaKey, altKey } = /** @type {KeyboardEvent} */ (event);
  if (!ctrlKey && !metaKey && !altKey) event.stopPropagation();
}
