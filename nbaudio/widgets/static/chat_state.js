// A chat on this page: its turns, what arrives, and the microphone. It belongs to the widget's model; views show it and
// ask it. What chat.js says of the kernel's messages is done here.

import { ChatTurn } from "./chat_turn.js";
import { Link } from "./link.js";
import { OpenSession } from "./open_session.js";
import { Recording } from "./recording.js";

/** @typedef {import("./chat_turn.js").Entry} Entry */
/** @typedef {import("./two_way.js").Model} Model */
/** @typedef {Model & {widget_manager?: {get_model?: (id: string) => Promise<Model>}}} ChatModel */

/**
 * An answer on its way.
 * @typedef {object} Arrival
 * @property {string} key
 * @property {Entry} question
 * @property {Entry[]} parts  that have come of it before this answer: calls of tools and their results
 * @property {boolean} instead  of what stands behind its question
 * @property {boolean} aloud
 * @property {boolean} here  it was asked in the chat, not in a cell
 * @property {boolean} by_page  by a person at a page: this one, or another with the same notebook
 * @property {string} source
 */

const SHOWN = ["busy", "trouble", "spent", "voice", "voices", "aloud", "more", "earlier"];
const VIEWLESS_MS = 1000; // a cell that is moved takes its view away and gives another at once
const MOST_EARLY = 200; // pieces of an answer of which the page has not been told yet

/** Events: "change" (anything that is shown), "sent" (a question is on its way), "abandoned" (by kernel and page). */
export class Chat extends EventTarget {
  #link;
  #model;
  #closed = false;
  #views = 0;
  /** @type {Map<string, ChatTurn>} */
  #known = new Map();
  /** @type {[any, DataView[]][]} */
  #early = [];
  #due = false;
  #typed = "";
  #talks = false; // what is recorded was begun in this page
  #asked = false; // by this page, and no answer is coming yet
  /** The questions of this page whose answers are coming. @type {Set<string>} */
  #mine = new Set();
  /** Something was sent of which the kernel has not heard yet: it may be busy with a cell. */
  waiting = false;

  /** In order. @type {ChatTurn[]} */
  turns = [];
  /** What is typed and has not been sent. */
  draft = "";
  /** @type {Recording | undefined} once its model is here */
  recording;
  /** Why there is none. */
  recorderTrouble = "";
  /** In the place of recordings, where the chat is one of open sessions. @type {OpenSession | undefined} */
  session;

  /** @param {ChatModel} model */
  constructor(model) {
    super();
    this.#model = model;
    this.#link = new Link(model);
    for (const name of ["turns", "arriving"]) this.#link.on(`change:${name}`, () => this.#soon());
    this.#link.on("change:asked_times", () => ((this.waiting = false), this.#changed()));
    this.#link.on("change:trouble", () => this.#giveBack());
    for (const name of SHOWN) this.#link.on(`change:${name}`, () => this.#changed());
    this.#link.on("msg:custom", (message, buffers) => this.#hear(message, buffers ?? []));
    this.#link.addEventListener("severed", () => this.#breakOff());
    if (this.get("realtime")) {
      const device = () => String(this.recording?.get("device") ?? "");
      this.session = new OpenSession(this.#link, String(this.get("key")), device);
      this.session.addEventListener("change", () => this.#changed());
    }
    void this.#listen();
  }

  /** A trait of the widget. @param {string} name */
  get(name) {
    return this.#link.get(name);
  }

  /** Nothing reaches the kernel any more. */
  get severed() {
    return this.#link.severed;
  }

  /** Something that was asked here is being answered, or will be. */
  get busy() {
    return !this.severed && (this.waiting || Boolean(this.get("busy")));
  }

  /** A cell asks. */
  get elsewhere() {
    return this.#arriving.some((arrival) => !arrival.here);
  }

  /** @returns {{words?: string, typed?: string, recorded_s?: number, session?: boolean}} */
  get trouble() {
    return this.get("trouble") ?? {};
  }

  /** By which one can talk. @returns {"microphone" | "kernel" | undefined} */
  get door() {
    const door = this.severed ? undefined : this.recording?.openDoor;
    if (door !== "file") return door;
    return this.recording?.get("shut")?.kernel ? undefined : "kernel";
  }

  /** @param {string} text  sent; it comes back to the box if that fails */
  say(text) {
    const open = Boolean(this.session?.live); // where one need not wait for an answer to its end
    if (!text.trim() || this.severed || (this.busy && !open)) return;
    this.draft = "";
    this.#typed = text;
    this.#asked = true;
    this.waiting = !open;
    this.#link.send({ kind: "say", text });
    this.dispatchEvent(new Event("sent"));
    this.#changed();
  }

  /** @param {"again" | "dismiss" | "stop" | "retry" | "undo" | "earlier"} kind */
  ask(kind) {
    if (kind === "again" && this.trouble.session) return this.session?.begin();
    if (kind === "stop") for (const turn of this.turns) if (turn.arriving) turn.player?.sound.pause();
    if (kind === "again" && this.draft === this.trouble.typed) this.draft = "";
    if (kind === "again" || kind === "retry") this.waiting = this.#asked = true;
    this.#link.send({ kind });
    if (kind === "again") this.dispatchEvent(new Event("sent"));
    this.#changed();
  }

  /** @param {{voice?: string, aloud?: boolean}} chosen */
  choose(chosen) {
    this.#link.tell(chosen);
    this.#changed();
  }

  /** The keyboard is here, or has gone. @param {boolean} inside */
  focus(inside) {
    this.#link.send({ kind: "focus", inside });
  }

  /** Begins to record, by whichever door is open. Call it from a click or a key. */
  talk() {
    if (this.door === "kernel") this.recording?.startKernel();
    else if (this.door) void this.recording?.start();
    this.#talks = true;
  }

  /** Sends what is in a file. @param {File} file */
  talkBy(file) {
    void this.recording?.choose(file);
    this.#talks = true;
  }

  /** Ends the recording, which is sent. */
  endTalk() {
    void this.recording?.stop();
  }

  /** A view shows it. */
  enter() {
    this.#views++;
    this.recording?.enter();
    if (this.#views > 1) return;
    this.#follow();
    this.#link.send({ kind: "ready" });
  }

  /** A view has gone. An output that is cleared leaves neither sound nor microphone. */
  leave() {
    this.#views--;
    this.recording?.leave();
    setTimeout(() => this.#views === 0 && this.#rest(), VIEWLESS_MS);
  }

  /** The model has gone. */
  close() {
    this.#closed = true;
    this.session?.close();
    this.#forget();
    this.recording?.close();
    this.#link.close();
  }

  /** @returns {Arrival[]} */
  get #arriving() {
    return this.severed ? [] : (this.get("arriving") ?? []);
  }

  /** The recorder is a model of its own, without looks. */
  async #listen() {
    try {
      const model = await this.#model.widget_manager?.get_model?.(this.get("recorder_id"));
      if (!model) throw new Error("This front end gives a widget no other widgets.");
      if (this.#closed) return;
      this.recording = new Recording(model);
      for (let views = this.#views; views > 0; views--) this.recording.enter();
      this.recording.addEventListener("change", () => this.#listenOn());
    } catch (error) {
      this.recorderTrouble = `Nobody can talk here: ${error instanceof Error ? error.message : error}`;
    }
    this.#changed();
  }

  /** The recording has gone on: what was begun here and is done is a question of this page. */
  #listenOn() {
    const states = [this.recording?.state, this.recording?.get("state")]; // the second is the kernel's: either may be late
    if (!states.includes("asking") && !states.includes("recording")) {
      if (this.#talks && states[0] === "done") this.#asked = true;
      this.#talks = false;
    }
    this.#changed();
  }

  /** Once for all traits of one message. */
  #soon() {
    if (this.#due) return;
    this.#due = true;
    queueMicrotask(() => {
      this.#due = false;
      if (!this.#closed) this.#follow();
    });
  }

  /** Brings the turns in line with the kernel's. Those that stay are the same objects: they may be sounding. */
  #follow() {
    if (!this.#views) return; // what nobody sees makes no sound either
    const before = this.#known;
    const early = this.#early;
    this.#early = [];
    this.#known = new Map();
    /** @type {ChatTurn[]} */
    const shown = [];
    /** Whole before this page was told that they come. @type {[ChatTurn, Entry][]} */
    const quick = [];
    const put = (/** @type {Entry} */ entry, /** @type {Arrival | undefined} */ arrival = undefined) => {
      let turn = before.get(entry.key);
      const heard = turn ? undefined : early.find(([message, [sound]]) => message.answer === entry.key && sound?.byteLength);
      if (heard && !arrival) {
        turn = new ChatTurn(coming(entry), this.#line, { aloud: true, play: this.#mode(heard[0]), source: "" });
        quick.push([turn, entry]);
      } else if (!turn) turn = new ChatTurn(entry, this.#line, arrival && { ...arrival, play: this.#mode(arrival) });
      else if (!arrival) turn.update(entry);
      before.delete(entry.key);
      this.#known.set(entry.key, turn);
      shown.push(turn);
    };
    /** @type {Entry[]} */
    const entries = this.get("turns") ?? [];
    const instead = this.#arriving.filter((one) => one.instead).map((one) => one.question.key);
    const last = entries.findIndex(({ key }) => instead.includes(key));
    for (const entry of last < 0 ? entries : entries.slice(0, last + 1)) put(entry);
    for (const arrival of this.#arriving) {
      if (!this.#known.has(arrival.question.key)) put(arrival.question);
      for (const part of arrival.parts) put(part);
      put(coming(arrival), arrival);
    }
    this.turns = shown;
    const still = this.#arriving.map(({ question }) => question.key);
    this.#mine = new Set(still.filter((key) => this.#mine.has(key)));
    for (const turn of before.values()) turn.close();
    for (const [message, buffers] of early) {
      if (this.busy || this.#known.has(message.answer)) this.#hear(message, buffers);
    }
    for (const [turn, entry] of quick) turn.update(entry);
    this.#changed();
  }

  /**
   * When an answer begins to sound: by itself only in the page that asked, where one did.
   * @param {{by_page?: boolean, question?: Entry}} answer
   */
  #mode({ by_page = false, question }) {
    if (!by_page) return this.get("play");
    const key = question?.key ?? "";
    if (this.#asked) this.#mine.add(key);
    this.#asked = false;
    return this.#mine.has(key) ? this.get("play") : "click";
  }

  /** @returns {import("./chat_turn.js").Line} */
  get #line() {
    return {
      prefix: String(this.get("key")),
      need: (turn) => this.#link.send({ kind: "need", turn }),
      stop: () => this.ask("stop"),
    };
  }

  /**
   * @param {any} message
   * @param {DataView[]} buffers
   */
  #hear(message, buffers) {
    if (this.session?.take(message, buffers)) return;
    const turn = this.#known.get(message.answer ?? message.turn);
    if (turn && message.kind === "so far") turn.catchUp(message.words);
    else if (turn) turn.hear(message, buffers);
    else if (message.answer && this.#views && this.#early.length < MOST_EARLY) this.#early.push([message, buffers]);
  }

  /** What was typed and could not be sent is in the box again, where nothing else is by now. */
  #giveBack() {
    const { typed, words } = this.trouble;
    if (words) this.#asked = false; // nothing comes of it
    if (!typed || !this.#typed || this.draft) return;
    if (typed.endsWith(this.#typed)) this.draft = typed; // more than the last words, where a session did not open
  }

  /** Nobody sees it: nothing sounds and nothing is held, until it is shown again. */
  #rest() {
    this.session?.end();
    this.#forget();
    if (this.severed) this.dispatchEvent(new Event("abandoned"));
  }

  #breakOff() {
    for (const turn of this.#known.values()) turn.sever();
    this.#changed();
  }

  #forget() {
    for (const turn of this.#known.values()) turn.close();
    this.#known.clear();
    this.#early = [];
    this.turns = [];
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

/** @param {{key: string}} answer  @returns {Entry} */
function coming({ key }) {
  const nothing = { words: "", notes: [], time_s: 0, broken: false, duration_s: 0, sample_rate: 24_000, file_name: "" };
  return { key, role: "assistant", speaker: "Answer", ...nothing };
}
