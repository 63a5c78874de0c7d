// What one talks with in a chat of recordings: the button to hold, the level while it is held, and files.

import { holdLabel, status, whyShut } from "./chat_words.js";
import { clock } from "./clock.js";
import { button, make, put, say, show } from "./elements.js";
import { HoldButton } from "./hold_button.js";
import { Meter } from "./meter.js";
import { MICROPHONE, STOP } from "./recorder_icons.js";

/** @typedef {import("./chat_state.js").Chat} Chat */

export class RecordingControls {
  #chat;
  #signal;
  #hold;
  /** @type {import("./recording.js").Recording | undefined} that it listens to */
  #recording;
  #meter = new Meter();
  #time = make("span", { class: "nbaudio-chat-time" });
  #listening = make("div", { class: "nbaudio-chat-listening" }, this.#meter.element, this.#time);
  #file = button("Sound file", "Send the sound of a file");
  #files = make("input", { type: "file", accept: "audio/*,video/*", hidden: true });
  #told;

  /**
   * @param {Chat} chat
   * @param {() => void} told  called when `status` may be another
   * @param {AbortSignal} signal  ends it
   */
  constructor(chat, told, signal) {
    this.#chat = chat;
    this.#told = told;
    this.#signal = signal;
    const held = {
      get busy() {
        return ["asking", "recording"].includes(chat.recording?.state ?? "idle");
      },
      start: () => chat.talk(),
      stop: () => chat.endTalk(),
    };
    this.#hold = new HoldButton(MICROPHONE, held, signal);
    this.main = this.#hold.element;
    /** Before the box for typed words. @type {Node[]} */
    this.first = [this.main, this.#listening];
    /** On a line of their own. @type {Node[]} */
    this.line = [];
    /** With the other buttons. @type {Node[]} */
    this.more = [this.#file, this.#files];
    this.#file.addEventListener("click", () => this.#files.click(), { signal });
    this.#files.addEventListener("change", () => this.#choose(), { signal });
  }

  /** Somebody speaks: there is no room for typed words, nor sense in the other buttons. */
  get talking() {
    return ["asking", "recording"].includes(this.#state);
  }

  /** One may type although an answer is on its way. */
  get open() {
    return false;
  }

  get status() {
    return status(this.#chat);
  }

  /** Why nobody can talk. */
  get shut() {
    return this.#chat.recorderTrouble || whyShut(this.#chat.recording);
  }

  show() {
    const { recording, severed } = this.#chat;
    if (recording && recording !== this.#recording) {
      this.#recording = recording;
      recording.addEventListener("level", () => this.#showLevel(), { signal: this.#signal });
    }
    const { talking, main } = this;
    put(main, "disabled", !this.#chat.door);
    put(main, "data-state", talking ? this.#state : null);
    const label = recording?.state === "recording" && !this.#hold.down ? "Press to send" : holdLabel(recording);
    this.#hold.show(talking ? STOP : MICROPHONE, label);
    put(main, "title", talking ? "Escape cancels" : "Hold it, or Space or Enter, while you speak; or press once to begin and once to end");
    show(this.#listening, talking);
    put(this.#file, "disabled", severed || talking || !recording?.free);
    this.#showLevel();
  }

  /** @param {KeyboardEvent} event  @returns {boolean} whether it meant something here */
  key(event) {
    if (event.type !== "keydown" || event.key !== "Escape") return false;
    this.#hold.forget();
    if (!this.talking) return false;
    this.#chat.recording?.cancel();
    return true;
  }

  /** The keyboard has left the chat; the button itself has noticed. */
  left() {}

  /** Whether what is dragged here may be dropped. */
  get takesFiles() {
    return !this.#chat.severed && Boolean(this.#chat.recording?.free);
  }

  /** @param {File} file */
  take(file) {
    this.#chat.talkBy(file);
  }

  get #state() {
    return this.#chat.recording?.state ?? "idle";
  }

  #choose() {
    const chosen = this.#files.files?.[0];
    if (chosen) this.take(chosen);
    this.#files.value = ""; // the same file may be chosen again
  }

  #showLevel() {
    this.#told();
    const { recording } = this.#chat;
    if (!recording) return;
    this.#meter.show(Number(recording.get("level_dbfs")), recording.peak_dbfs);
    say(this.#time, clock(Number(recording.get("elapsed_s"))));
  }
}
