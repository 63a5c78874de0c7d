// The Player in the browser: joins a widget's model to its Sound, and shows both. The other side: widgets/player.py.
//
// kernel -> browser   {kind: "piece", index, frames_before, words, phrases?} + [PCM16 mono, little endian]
//                         sound number `index`, which begins at frame `frames_before`; the words that came since the
//                         last message; all phrases so far, each [text, start_s, end_s]. The sound may be empty.
//                     {kind: "whole", frames}                   all pieces have been sent
//                     {kind: "pause"}                           be silent now
//                     {kind: "sound", mime, frames} + [bytes]   the answer to "need": a file, or audio/pcm;rate=24000
// browser -> kernel   {kind: "need"}   this page lacks the sound: it was reloaded, or is new to it, or missed a piece
//                     {kind: "stop"}   the person pressed stop while sound was coming
//
// The rest are traits. The sound belongs to the model: it goes on while views come and go, and stops a second after the
// last one went: an output that is cleared makes no sound.

import { make } from "./elements.js";
import { showInPlace } from "./in_place.js";
import { KeyboardPlace } from "./keyboard_place.js";
import { Link } from "./link.js";
import { PlayerView } from "./player_view.js";
import { Sound } from "./sound.js";
import * as turns from "./turns.js";
import { TwoWay } from "./two_way.js";

/** @typedef {import("./two_way.js").Model} Model */
/** @typedef {import("./phrases.js").Phrase} Phrase */

const GONE = "The kernel has gone, and this page never had the sound: run the cell again.";
const SHOWN = ["title", "state", "notes", "duration_s", "words", "phrases"];
const PATIENCE_MS = 10_000; // a busy kernel is asked for the sound again only after this
const VIEWLESS_MS = 1000; // a cell that is moved takes its view away and gives another at once

/**
 * One model with its sound. Events: "change" (anything that is shown but the position), "position", "abandoned" (by kernel
 * and page).
 */
export class Player extends EventTarget {
  /** @type {Model} */
  #model;
  #link;
  /** @type {TwoWay} */
  #traits;
  #closed = new AbortController();
  #asked_ms = -Infinity;
  #failure = "";
  #begun = false;
  #wanted; // whether it was made to play; until it is shown, the trait follows the sound, which is silent
  #from_s = 0; // where it will begin: the place of a sound that is not here yet
  #queued = false;
  /** @type {Set<PlayerView>} */
  #views = new Set();
  keyboard = new KeyboardPlace();
  #place = { begin: () => void this.play(), giveWay: () => {} }; // in the page's queue, until it is its turn

  /** @param {Model} model */
  constructor(model) {
    super();
    this.#model = model;
    this.#link = new Link(model);
    this.#wanted = Boolean(model.get("playing"));
    this.words = String(model.get("words"));
    /** @type {Phrase[]} */
    this.phrases = model.get("phrases");
    this.sound = Sound.of(model.get("key"), {
      sampleRate: model.get("sample_rate"),
      source: model.get("source"),
      play: this.arriving ? this.#mode : "click", // what is whole begins in `begin`
    });
    if (this.sound.empty) this.#from_s = Number(model.get("position_s")); // before the page was reloaded
    this.#traits = new TwoWay(model, this);

    this.#link.addEventListener("severed", () => this.#breakOff());
    this.#link.on("msg:custom", (message, buffers) => this.#hear(message, buffers ?? []));
    this.#link.on("change:sample_rate", () => {
      if (this.sound.empty) this.sound.sampleRate = model.get("sample_rate"); // known only after the model was made
    });
    this.#link.on("change:play", () => (this.sound.mode = this.#mode));
    for (const name of SHOWN) this.#link.on(`change:${name}`, () => this.#changed(name));
    const { signal } = this.#closed;
    this.sound.addEventListener("change", () => this.#changed(), { signal });
    this.sound.addEventListener("position", () => this.dispatchEvent(new Event("position")), { signal });
  }

  get title() {
    return String(this.#model.get("title"));
  }

  get arriving() {
    return this.#model.get("state") === "arriving" && !this.#link.severed;
  }

  /** @returns {string[]} */
  get notes() {
    return this.#model.get("notes");
  }

  /** When it begins: in another tab with the same notebook it does not sound as well. */
  get #mode() {
    const here = this.#model.widget_manager?.kernel?.clientId;
    const page = this.#model.get("asked_by");
    return here && page && here !== page ? "click" : this.#model.get("play");
  }

  /** Of what is here, or of what the kernel has and this page does not have yet. */
  get duration_s() {
    return this.sound.duration_s || (this.arriving ? 0 : Number(this.#model.get("duration_s")));
  }

  get position_s() {
    return this.sound.empty ? Math.min(this.#from_s, this.duration_s) : this.sound.position_s;
  }

  /** Why it is not heard although it should be. */
  get waiting() {
    return this.#queued ? "turn" : this.sound.waiting;
  }

  /** Why it can't be heard now, in plain words; empty if it can. */
  get trouble() {
    if (this.#failure) return this.#failure;
    if (this.waiting === "click") return "This page plays sound only after a click: press play.";
    if (!this.arriving) return "";
    if (this.waiting === "insecure") return "This page is not https, so sound plays when the answer is complete.";
    if (this.waiting === "whole") return "Here sound plays when the answer is complete.";
    return "";
  }

  /** What there is to say beside the words. */
  get status() {
    if (this.trouble) return this.trouble;
    if (this.waiting === "turn") return "Waits for its turn.";
    if (this.waiting && this.sound.empty && !this.arriving) return "Waits for the kernel to send the sound.";
    return !this.arriving && this.#model.get("state") !== "whole" ? "The answer broke off: this is what came." : "";
  }

  /** A view is shown: what is whole already begins, if it was to begin by itself and never did. @param {PlayerView} view */
  enter(view) {
    this.#views.add(view);
    this.keyboard.restore(view.element);
    if (this.#begun || this.arriving || !this.sound.empty || this.#link.severed) return;
    this.#begun = true;
    const mode = this.#mode;
    const played = Number(this.#model.get("position_s")) > 0; // in this page before it was reloaded, or in another
    if (played) this.#tell("playing", this.sound.playing);
    else if ((mode === "auto" && !turns.hushed()) || this.#wanted || this.#model.get("playing")) void this.play();
    else if (mode !== "click") this.#queue();
  }

  /** A view has gone. @param {PlayerView} view */
  leave(view) {
    this.#views.delete(view);
    for (const other of this.#views) this.keyboard.restore(other.element);
    setTimeout(() => this.#views.size === 0 && this.#rest(), VIEWLESS_MS);
  }

  /** Asks the kernel for the sound, if this page lacks it. */
  need() {
    const lacks = this.sound.lacking || (this.sound.empty && !this.arriving);
    if (!lacks || performance.now() - this.#asked_ms < PATIENCE_MS) return;
    this.#asked_ms = performance.now();
    this.#link.send({ kind: "need" });
  }

  async play() {
    this.#failure = "";
    this.#queued = false;
    if (this.sound.empty && this.#from_s > this.duration_s - 0.05) this.#from_s = 0; // it was at its end
    this.need();
    if (this.#link.severed && this.sound.empty) return turns.leave(this.#place), this.#fail(GONE);
    const playing = this.sound.play(); // before anything is awaited: only a click's own call may start sound
    turns.leave(this.#place);
    try {
      await playing;
    } catch (error) {
      this.#fail(error);
    }
  }

  pause() {
    this.sound.pause();
  }

  /** @param {number} seconds */
  seek(seconds) {
    if (!this.sound.empty) return this.sound.seek(seconds);
    this.#from_s = Math.min(Math.max(0, seconds), this.duration_s);
    this.need();
    this.dispatchEvent(new Event("position"));
  }

  /** Ends an answer that is arriving: silent at once, and the kernel asks for no more. */
  stop() {
    if (!this.arriving) return this.sound.pause();
    this.sound.pause();
    this.#link.send({ kind: "stop" });
    // The message waits behind the running cell where comm messages do; an interrupt does not.
    this.#model.widget_manager?.kernel?.interrupt?.()?.catch((error) => this.#fail(error));
  }

  /** Saves the sound as a file of the person's; what the page lacks is fetched first. */
  async download() {
    this.#failure = "";
    this.need();
    if (this.#link.severed && this.sound.empty) return this.#fail(GONE);
    await this.#until(() => !this.sound.empty && !this.sound.lacking);
    const name = String(this.#model.get("file_name")) || "sound.wav";
    const address = URL.createObjectURL(this.sound.wav());
    make("a", { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000); // browsers read it some time after the click
  }

  close() {
    this.#closed.abort();
    this.#link.close();
    this.#traits.close();
    turns.leave(this.#place);
    this.sound.release();
  }

  /** Nobody sees it, or could make it silent. */
  #rest() {
    if (this.#closed.signal.aborted) return;
    this.keyboard.forget();
    this.#queued = false;
    turns.leave(this.#place);
    this.sound.pause(); // what still comes does not begin by itself
    this.#changed();
    if (this.#link.severed) this.dispatchEvent(new Event("abandoned"));
  }

  /** The kernel has gone: what came is all there is, and nobody waits for more. */
  #breakOff() {
    const { sound } = this;
    this.#traits.close();
    this.#queued = false;
    turns.leave(this.#place);
    if (!sound.whole) sound.pause(); // what is whole needs no kernel
    if (!sound.empty) sound.finish(Math.round(sound.duration_s * sound.sampleRate));
    this.#changed();
    if (this.#views.size === 0) this.dispatchEvent(new Event("abandoned"));
  }

  #queue() {
    this.#queued = true;
    this.need();
    turns.join(this.#place);
    this.#changed();
  }

  /**
   * @param {any} message
   * @param {DataView[]} buffers
   */
  #hear(message, [bytes]) {
    if (message.kind === "piece") {
      this.words += message.words ?? "";
      this.phrases = message.phrases ?? this.phrases;
      if (bytes?.byteLength) this.sound.append(bytes, message.index, message.frames_before);
      this.#changed();
    } else if (message.kind === "whole") {
      this.sound.finish(message.frames);
    } else if (message.kind === "pause") {
      this.sound.pause(); // what still comes does not begin by itself
    } else if (message.kind === "sound") {
      void this.#load(bytes, message.mime, message.frames);
    }
  }

  /**
   * @param {DataView} bytes
   * @param {string} mime
   * @param {number} frames
   */
  async #load(bytes, mime, frames) {
    this.#asked_ms = -Infinity;
    this.#failure = "";
    const { empty } = this.sound;
    try {
      await this.sound.load(bytes, mime, frames);
      if (empty && this.#from_s > 0) this.sound.seek(this.#from_s);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** @param {string} [trait]  that the kernel has changed */
  #changed(trait) {
    if (trait === "words") this.words = String(this.#model.get("words"));
    if (trait === "phrases") this.phrases = this.#model.get("phrases");
    if (this.sound.lacking) this.need();
    this.#tell("trouble", this.trouble);
    this.dispatchEvent(new Event("change"));
  }

  /** @param {unknown} error */
  #fail(error) {
    this.#failure = error instanceof Error ? error.message : String(error);
    this.#changed();
  }

  /**
   * @param {string} name
   * @param {unknown} value
   */
  #tell(name, value) {
    if (this.#model.get(name) === value) return;
    this.#link.tell({ [name]: value });
  }

  /** @param {() => boolean} met */
  #until(met) {
    if (met()) return Promise.resolve();
    return /** @type {Promise<void>} */ (new Promise((resolve) => {
      const done = new AbortController();
      const signal = AbortSignal.any([done.signal, this.#closed.signal]);
      this.addEventListener("change", () => met() && (done.abort(), resolve()), { signal });
    }));
  }
}

/** @type {Map<string, Player>} */
const players = new Map();

/**
 * @param {Player} player
 * @param {HTMLElement} place
 */
function show(player, place) {
  const view = new PlayerView(player);
  place.append(view.element);
  player.enter(view);
  return () => {
    view.close();
    player.leave(view);
  };
}

export default {
  /** @param {{model: Model}} given */
  initialize({ model }) {
    const key = model.get("key");
    const player = new Player(model);
    players.set(key, player);
    const leave = showInPlace(key, (place) => show(player, place));
    const end = () => {
      leave();
      if (players.get(key) === player) players.delete(key);
      player.close();
    };
    player.addEventListener("abandoned", end);
    return end;
  },

  /** @param {{model: Model, el: HTMLElement}} given */
  render({ model, el }) {
    const player = players.get(model.get("key"));
    if (!player) throw new Error("This player has been closed.");
    return show(player, el);
  },
};
