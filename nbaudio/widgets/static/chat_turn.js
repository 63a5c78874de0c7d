// One turn of a chat: its words, and its sound where it has one, with the same player as everywhere else.

import { Player } from "./player.js";

/** @typedef {import("./phrases.js").Phrase} Phrase */

/**
 * A turn, as the kernel tells of it.
 * @typedef {object} Entry
 * @property {string} key
 * @property {"user" | "assistant" | "tool"} role
 * @property {string} speaker
 * @property {string} words
 * @property {string[]} notes
 * @property {number} time_s
 * @property {boolean} broken
 * @property {number} duration_s  of its sound; 0: it has none
 * @property {number} sample_rate
 * @property {string} file_name
 * @property {Phrase[]} [phrases]
 */

/** @typedef {object} Line
 * @property {string} prefix  of the keys of its sounds on this page
 * @property {(key: string) => void} need  asks the kernel for a turn's sound
 * @property {() => void} stop  ends what is coming */

/** What a Player takes for its model: its traits live in the page alone, and its messages become those of the chat. */
export class TurnModel {
  #traits;
  #send;
  /** @type {{event: string, react: (...given: any[]) => void}[]} */
  #listeners = [];
  widget_manager = undefined; // no kernel is interrupted: other cells may be running

  /**
   * @param {Record<string, unknown>} traits
   * @param {(content: any) => void} send
   */
  constructor(traits, send) {
    this.#traits = { ...traits };
    this.#send = send;
  }

  /** @param {string} name */
  get(name) {
    return /** @type {any} */ (this.#traits[name]);
  }

  /**
   * @param {string} name
   * @param {unknown} value
   */
  set(name, value) {
    if (this.#traits[name] === value) return;
    this.#traits[name] = value;
    this.#emit(`change:${name}`);
  }

  save_changes() {}

  /** @param {object} content */
  send(content) {
    this.#send(content);
  }

  /**
   * @param {string} event
   * @param {(...given: any[]) => void} react
   */
  on(event, react) {
    this.#listeners.push({ event, react });
  }

  /**
   * @param {string} event
   * @param {(...given: any[]) => void} react
   */
  off(event, react) {
    this.#listeners = this.#listeners.filter((one) => one.event !== event || one.react !== react);
  }

  /** The kernel has gone. */
  sever() {
    this.#emit("comm_live_update");
  }

  /** All of these are set before anybody hears of one. @param {Record<string, unknown>} traits */
  update(traits) {
    const changed = Object.keys(traits).filter((name) => this.#traits[name] !== traits[name]);
    Object.assign(this.#traits, traits);
    for (const name of changed) this.#emit(`change:${name}`);
  }

  /**
   * A message from the kernel.
   * @param {object} content
   * @param {DataView[]} buffers
   */
  hear(content, buffers) {
    this.#emit("msg:custom", content, buffers);
  }

  /**
   * @param {string} event
   * @param {...any} given
   */
  #emit(event, ...given) {
    for (const { react } of this.#listeners.filter((one) => one.event === event)) react(...given);
  }
}

/** Event: "change" (its words, while it has no player). */
export class ChatTurn extends EventTarget {
  /** @type {Entry} */
  entry;
  arriving;
  /** @type {Player | undefined} */
  player;
  words = "";
  #line;
  /** @type {TurnModel | undefined} */
  #model;
  #told = "";

  /**
   * @param {Entry} entry
   * @param {Line} line
   * @param {{aloud: boolean, play: string, source: string}} [coming]  it has not come yet
   */
  constructor(entry, line, coming) {
    super();
    this.entry = entry;
    this.arriving = Boolean(coming);
    this.#line = line;
    this.words = entry.words;
    if (coming ? coming.aloud : entry.duration_s > 0) this.#play(coming);
  }

  /** What it is now. @param {Entry} entry */
  update(entry) {
    const told = JSON.stringify(entry);
    if (told === this.#told && !this.arriving) return;
    this.#told = told;
    this.entry = entry;
    this.arriving = false;
    this.words = entry.words;
    const sounds = entry.duration_s > 0;
    if (this.player && !sounds) this.#silence();
    if (!this.player && sounds) this.#play();
    else this.#model?.update(this.#known());
    this.dispatchEvent(new Event("change"));
  }

  /** Words that a page has missed which is new to them. @param {string} words */
  catchUp(words) {
    this.words = words;
    this.#model?.set("words", words);
    this.dispatchEvent(new Event("change"));
  }

  /**
   * A message from the kernel, to its player.
   * @param {any} message
   * @param {DataView[]} buffers
   */
  hear(message, buffers) {
    if (message.kind === "sound") this.#model?.set("phrases", message.phrases);
    this.#model?.hear(message, buffers);
    if (message.kind !== "piece" || this.player) return;
    this.words += message.words ?? "";
    this.dispatchEvent(new Event("change"));
  }

  /** The kernel has gone: nothing more comes of it, and a chat without one is silent. */
  sever() {
    this.player?.pause();
    this.#model?.sever();
  }

  /** It is silent, and forgotten. */
  close() {
    this.#silence();
  }

  #known() {
    const { entry } = this;
    const phrases = entry.phrases ?? this.#model?.get("phrases") ?? [];
    const { words, notes, duration_s, sample_rate, file_name } = entry;
    const state = entry.broken ? "broken" : "whole";
    return { title: entry.speaker, state, words, notes, phrases, duration_s, sample_rate, file_name };
  }

  /** @param {{play: string, source: string}} [coming] */
  #play(coming) {
    const traits = {
      ...this.#known(),
      key: `${this.#line.prefix}-${this.entry.key}`,
      source: coming?.source ?? "",
      play: coming?.play ?? "click",
      playing: false,
      position_s: 0,
      speed: 1,
      volume: 1,
      trouble: "",
      ...(coming ? { state: "arriving", sample_rate: 24_000, duration_s: 0 } : {}),
    };
    this.#model = new TurnModel(traits, (content) => {
      if (content.kind === "need") this.#line.need(this.entry.key);
      else if (content.kind === "stop") this.#line.stop();
    });
    this.player = new Player(this.#model);
  }

  #silence() {
    this.player?.sound.pause();
    this.player?.close();
    this.player = undefined;
    this.#model = undefined;
  }
}
