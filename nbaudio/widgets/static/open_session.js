// An open session on this page: the microphone that goes out piece by piece, the answers that come in, and who is heard.
// It belongs to a Chat; what chat.js says of the kernel's messages of a session is done here.

import { BargeIn } from "./barge_in.js";
import { SharedContext } from "./contexts.js";
import { toPcm16 } from "./pcm16.js";
import { Said } from "./said.js";
import { PIECE_S, RATE, SessionMicrophone } from "./session_microphone.js";
import { shutForGood } from "./shut.js";
import { Sound } from "./sound.js";
import { uuid } from "./take.js";
import { hush } from "./turns.js";

/** @typedef {import("./link.js").Link} Link */
/** @typedef {"closed" | "opening" | "open" | "closing" | "elsewhere"} State
 * elsewhere: open, but not by this page: another tab has it, a program, or this page before it was loaded again */

const CLOSING_PIECES = 25; // of silence: a server that waits for the end of a turn gets it
const HERE_MS = 60_000; // how often the kernel is told that there is a page: after five minutes without a word it gives up

/** Events: "change" (anything that is shown but the following), "level" (25 a second while the microphone is open). */
export class OpenSession extends EventTarget {
  #link;
  #device;
  /** @type {AbortController | undefined} while this page has it */
  #own;
  #microphone = new SessionMicrophone((samples) => this.#hear(samples), () => this.#lose());
  /** @type {SharedContext | undefined} open all the time, so that no answer waits for its sound device */
  #loudspeaker;
  /** @type {(() => void) | undefined} lets sounds of the page begin by themselves again */
  #endHush;
  #said;
  /** @type {BargeIn} */
  #ear;
  #index = 0;
  #page = uuid(); // what the ids of this page's sessions begin with
  #count = 0;
  #id = ""; // of the last that began here
  #before = ""; // the kernel's when that one began
  #ended = ""; // of the one that is to end, here or elsewhere
  #takes_over = false; // it is to begin here as soon as it has ended elsewhere
  #release = false; // the button has been let go, and the last piece is on its way

  /** The server hears somebody speak. */
  speech = false;
  /** The button, or Space, is held: where one has to. */
  held = false;
  /** From 0 to 1: the highest sample of the last piece that went out, and of what was heard meanwhile. */
  level = { you: 0, model: 0 };
  #shown_s = 0; // of the sound that is heard, what `level` has seen

  /**
   * @param {Link} link
   * @param {string} key  of the chat
   * @param {() => string} device  the chosen microphone; "" is the browser's default
   */
  constructor(link, key, device) {
    super();
    this.#link = link;
    this.#device = device;
    this.#microphone.addEventListener("change", () => this.#changed());
    const kind = { sampleRate: RATE, source: "open session", play: /** @type {const} */ ("click") };
    this.#said = new Said((item) => Sound.of(`${key}-said-${item}`, kind));
    this.#ear = new BargeIn(this.#said, RATE);
    this.#said.addEventListener("change", () => this.#changed());
    this.#said.addEventListener("elsewhere", () => void this.interrupt());
    this.#said.addEventListener("played", (event) => {
      this.#tell("played", /** @type {CustomEvent} */ (event).detail);
      if (!this.hears) this.#measure(0);
    });
    for (const name of ["session", "session_id"]) link.on(`change:${name}`, () => this.#follow());
    for (const name of ["hold_to_talk", "muted", "notice"]) link.on(`change:${name}`, () => this.#changed());
    link.addEventListener("severed", () => (this.#close(), this.#changed()));
  }

  /** @returns {State} */
  get state() {
    if (this.#link.severed) return "closed";
    const session = this.#link.get("session");
    const id = this.#current;
    if (this.#own) return session === "open" && id === this.#id ? "open" : "opening";
    if (session === "closed") return "closed";
    return id === this.#ended || id.startsWith(this.#page) ? "closing" : "elsewhere";
  }

  /** This page has it. */
  get live() {
    return Boolean(this.#own);
  }

  /** The microphone is open. */
  get hears() {
    return this.#microphone.hears;
  }

  /** The microphone is being opened. */
  get asking() {
    return this.#microphone.asking;
  }

  /** Why nobody is heard here, in words for a person. */
  get trouble() {
    return this.#microphone.trouble;
  }

  get muted() {
    return Boolean(this.#link.get("muted"));
  }

  /** Sound goes out only while a button is held. */
  get holdToTalk() {
    return Boolean(this.#link.get("hold_to_talk"));
  }

  get notice() {
    return String(this.#link.get("notice") ?? "");
  }

  /** The model is heard. */
  get sounding() {
    return this.#said.sounding;
  }

  /** The model has something to say, which is heard, held back or still to come. */
  get answering() {
    return this.#said.busy;
  }

  /** The browser wants a click before it lets the page sound. */
  get blocked() {
    return this.#said.sound?.waiting === "click";
  }

  /** Begins to talk, here and nowhere else. Call it from a click or a key. */
  begin() {
    if (this.state === "elsewhere") {
      this.#stop();
      this.#takes_over = true;
    }
    if (this.state !== "closed" || this.#link.severed) return;
    const never = shutForGood();
    this.#microphone.trouble = never?.message ?? "";
    if (never) return this.#changed();
    const own = (this.#own = new AbortController());
    this.#takes_over = false;
    this.#before = this.#current;
    this.#id = `${this.#page} ${++this.#count}`;
    this.#index = 0;
    this.#ear = new BargeIn(this.#said, RATE);
    this.#tell("open");
    if (this.#link.severed) return; // the kernel turns out to be dead
    const here = setInterval(() => this.#tell("here"), HERE_MS);
    own.signal.addEventListener("abort", () => clearInterval(here));
    this.#endHush = hush(); // what a cell says meanwhile waits until this is over
    this.#loudspeaker = SharedContext.use(RATE);
    this.#loudspeaker.resume();
    addEventListener("pagehide", () => this.#leave(), { signal: own.signal });
    void this.openMicrophone().then((opened) => {
      if (!opened && this.#own === own) this.#stop();
    });
  }

  /** Opens the microphone: at the beginning, and where it went away. Call it from a click or a key. */
  async openMicrophone() {
    return Boolean(this.#own) && this.#microphone.open(this.#device());
  }

  /** Ends it: the microphone is shut, and nothing sounds. */
  end() {
    this.#microphone.trouble = "";
    this.#stop();
  }

  /** The page goes: there is no time to wait for anything. */
  #leave() {
    this.#close();
    this.#tell("close");
  }

  #stop() {
    if (!this.#own && this.#link.get("session") === "closed") return;
    const id = (this.#ended = this.#own ? this.#id : this.#current);
    this.#takes_over = false;
    // What was heard of an answer stays in the conversation; another tab says it for itself.
    const hushed = this.#own ? this.#said.hush() : Promise.resolve({});
    this.#close();
    void hushed.then((heard) => this.#tell("close", { session: id, ...heard }));
    this.#changed();
  }

  /** The model has gone: as `end`, but there is nobody to tell. */
  close() {
    this.#close();
  }

  /** What the model says is over. */
  async interrupt() {
    const own = this.#own;
    if (!own) return;
    this.#ear.settle();
    const hushed = await this.#said.hush();
    if (this.#own === own) this.#tell("interrupt", hushed);
  }

  /** @param {boolean} muted */
  mute(muted) {
    this.#link.tell({ muted });
    this.#changed();
  }

  /** What is said from here on is sent; what the model says is over. */
  hold() {
    if (!this.#own || this.held) return;
    this.held = true;
    this.#release = false;
    if (this.answering) void this.interrupt();
    this.#changed();
  }

  /** The person's turn is over. */
  letGo() {
    if (!this.held || this.#release) return;
    this.#release = true;
    if (!this.hears) this.#turnOver();
  }

  /**
   * A message from the kernel.
   * @param {any} message
   * @param {DataView[]} buffers
   * @returns {boolean} whether it was one of a session
   */
  take(message, buffers) {
    const { kind, item } = message;
    if (!["said", "all said", "hush", "speech"].includes(kind)) return false;
    if (!this.#own) return true; // another page has it
    if (kind === "said" && buffers[0]) this.#said.add(item, buffers[0], message.index, message.frames_before);
    else if (kind === "all said") this.#said.finish(item, message.frames);
    else if (kind === "hush") void this.#hush(message.number);
    else if (kind === "speech") this.#speak(Boolean(message.began));
    return true;
  }

  /** @param {number} number */
  async #hush(number) {
    const own = this.#own;
    this.#ear.settle();
    const hushed = await this.#said.hush();
    if (this.#own === own) this.#tell("hushed", { number, ...hushed });
  }

  /** @param {boolean} began */
  #speak(began) {
    this.speech = began;
    this.#ear.settle();
    if (!began) this.#said.goOn(); // it had nothing against the answer
    this.#changed();
  }

  /** A piece of the microphone's. @param {Float32Array} samples */
  #hear(samples) {
    const sent = !this.holdToTalk || this.held;
    const heard = this.muted ? new Float32Array(samples.length) : samples;
    if (sent) this.#send(heard);
    if (this.#release) this.#turnOver();
    if (this.holdToTalk || this.muted) this.#ear.goOn();
    else this.#ear.hear(samples);
    this.#measure(sent ? highest(heard) : 0);
  }

  /** @param {Float32Array} samples */
  #send(samples) {
    const pcm = toPcm16(samples);
    this.#tell("heard", { index: this.#index++ }, [/** @type {ArrayBuffer} */ (pcm.buffer)]);
  }

  #turnOver() {
    this.held = this.#release = false;
    this.#tell("turn over", { index: this.#index });
    this.#changed();
  }

  /** @param {number} you */
  #measure(you) {
    const { sound } = this.#said;
    let model = 0;
    if (sound && this.sounding) {
      const now_s = sound.position_s;
      if (now_s > this.#shown_s) model = highest(sound.peaks(1, this.#shown_s, now_s));
      this.#shown_s = now_s;
    } else this.#shown_s = 0;
    this.level = { you, model };
    this.dispatchEvent(new Event("level"));
  }

  /** The microphone is not there any more. The session is: one can type, and open it again. */
  #lose() {
    if (!this.holdToTalk) for (let piece = 0; piece < CLOSING_PIECES; piece++) this.#send(new Float32Array(PIECE_S * RATE));
    if (this.held) this.#turnOver();
    this.#ear.goOn();
  }

  /** The id of the kernel's session, or of its last. */
  get #current() {
    return String(this.#link.get("session_id") ?? "");
  }

  /** The kernel says how it stands. */
  #follow() {
    const closed = this.#link.get("session") === "closed";
    const id = this.#current;
    if (this.#own && id === this.#id) {
      if (closed) this.#close(); // the kernel has ended it
    } else if (this.#own) {
      // Not this page's: what was there when it began, or what it ended itself before. Else another page has the session.
      if (id !== this.#before && !id.startsWith(this.#page)) this.#giveWay();
    } else if (this.#takes_over && closed) this.begin();
    else if (id !== this.#ended) this.#takes_over = false; // somebody was quicker
    this.#changed();
  }

  /** Another page has the session, or had it meanwhile. */
  #giveWay() {
    this.#close();
    this.#tell("close"); // the kernel may have been about to begin it
  }

  /**
   * @param {string} kind
   * @param {object} [content]
   * @param {ArrayBuffer[]} [buffers]
   */
  #tell(kind, content = {}, buffers = []) {
    this.#link.send({ kind, session: this.#id, ...content }, buffers);
  }

  #close() {
    this.#own?.abort();
    this.#microphone.close();
    this.#said.close();
    this.#loudspeaker?.leave();
    this.#endHush?.();
    if (this.#own) SharedContext.closeUnused();
    this.#own = this.#loudspeaker = this.#endHush = undefined;
    this.held = this.speech = this.#release = false;
    this.level = { you: 0, model: 0 };
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

/** @param {Float32Array} samples  @returns {number} from 0 to 1 */
function highest(samples) {
  let most = 0;
  for (const sample of samples) most = Math.max(most, Math.abs(sample));
  return most;
}
