// What one talks with in a chat of open sessions: the button that begins and ends one, and what there is while it is open.

import { status } from "./chat_words.js";
import { button, make, put, redraw, say, show, sign } from "./elements.js";
import { HoldButton } from "./hold_button.js";
import { LiveWave } from "./live_wave.js";
import { MICROPHONE, STOP } from "./recorder_icons.js";
import { holdLabel, sessionStatus } from "./session_words.js";

/** @typedef {import("./chat_state.js").Chat} Chat */
/** @typedef {import("./open_session.js").OpenSession} OpenSession */

const WITH_KEYS = "button, select, input, textarea, a, [role=slider]"; // they have a use for Space themselves

/** For a chat whose `session` there is; used as RecordingControls. */
export class SessionControls {
  #chat;
  #session;
  #was_live = false;
  #sign = sign(MICROPHONE);
  #label = make("span");
  #hold;
  #mute = button("Mute", "Mute the microphone (m)");
  #interrupt = button("Interrupt", "Interrupt the model (Space or Escape)");
  #reopen = button("Open the microphone", "Open the microphone again", { "data-first": true });
  #waves;
  #notice = make("p", { class: "nbaudio-chat-notice", role: "status" });
  #row;

  /**
   * @param {Chat} chat
   * @param {OpenSession} session
   * @param {AbortSignal} signal  ends it
   */
  constructor(chat, session, signal) {
    this.#chat = chat;
    this.#session = session;
    this.#waves = { you: new LiveWave("You", signal), model: new LiveWave("Model", signal) };
    const held = {
      get busy() {
        return session.held;
      },
      start: () => session.hold(),
      stop: () => session.letGo(),
    };
    this.#hold = new HoldButton(MICROPHONE, held, signal);
    put(this.#hold.element, "title", "Hold it, or Space, while you speak; or press once to begin and once to end");
    this.main = make("button", { type: "button", class: "nbaudio-chat-hold" }, this.#sign, this.#label);
    const waves = make("div", { class: "nbaudio-chat-waves" }, this.#waves.you.element, this.#waves.model.element);
    const parts = [waves, this.#hold.element, this.#reopen, this.#mute, this.#interrupt];
    this.#row = make("div", { class: "nbaudio-chat-session" }, ...parts);
    /** @type {Node[]} */
    this.first = [this.main];
    /** @type {Node[]} */
    this.line = [this.#notice, this.#row];
    /** @type {Node[]} */
    this.more = [];
    const on = (/** @type {EventTarget} */ target, /** @type {string} */ event, /** @type {() => void} */ react) =>
      target.addEventListener(event, react, { signal });
    on(this.main, "click", () => {
      if (session.live) session.end();
      else session.begin();
    });
    on(this.#mute, "click", () => session.mute(!session.muted));
    on(this.#interrupt, "click", () => void session.interrupt());
    on(this.#reopen, "click", () => void session.openMicrophone());
    on(session, "level", () => this.#showLevel());
  }

  get talking() {
    return false;
  }

  /** While it is open one types although the model speaks, and changes nothing that was said. */
  get open() {
    return this.#session.state !== "closed";
  }

  get status() {
    return this.#chat.severed ? status(this.#chat) : sessionStatus(this.#session) || status(this.#chat);
  }

  get shut() {
    const { live, trouble } = this.#session;
    return trouble || (live ? "" : String(this.#chat.recording?.get("shut")?.microphone ?? ""));
  }

  get takesFiles() {
    return false;
  }

  take() {}

  show() {
    const session = this.#session;
    const { state, live, holdToTalk, hears, asking, held } = session;
    const begins = !live;
    const hopeless = Boolean(this.#chat.recording?.hopeless);
    put(this.main, "disabled", this.#chat.severed || (state === "closed" && hopeless));
    put(this.main, "aria-disabled", state === "closing" ? "true" : null); // it keeps the keyboard
    put(this.main, "data-state", begins ? null : state);
    put(this.main, "data-quiet", !begins && holdToTalk); // red is the other button while it is held
    put(this.main, "title", begins ? "Open the microphone and talk with the model" : "End the session and shut the microphone");
    redraw(this.#sign, begins ? MICROPHONE : STOP);
    say(this.#label, begins ? "Begin talking" : "End");
    if (live && !this.#was_live) for (const wave of Object.values(this.#waves)) wave.clear();
    this.#was_live = live;
    show(this.#row, live);
    show(this.#hold.element, holdToTalk);
    put(this.#hold.element, "disabled", !hears && !held);
    put(this.#hold.element, "data-state", held ? "recording" : null);
    this.#showHold();
    show(this.#mute, !holdToTalk && (hears || asking));
    put(this.#mute, "aria-pressed", String(session.muted));
    show(this.#reopen, !hears && !asking);
    const answering = session.answering || this.#chat.turns.some((turn) => turn.arriving);
    put(this.#interrupt, "aria-disabled", answering ? null : "true");
    const key = holdToTalk ? "Escape" : "Space or Escape";
    put(this.#interrupt, "title", `Interrupt the model (${key})`);
    say(this.#notice, live ? session.notice : "");
    show(this.#notice, this.#notice.textContent !== "");
    this.#waves.you.mark(held || (session.speech && !session.muted));
    this.#waves.model.mark(session.sounding);
  }

  /** The keyboard has left the chat. */
  left() {
    this.#hold.release(performance.now());
  }

  /** @param {KeyboardEvent} event  @returns {boolean} */
  key(event) {
    const session = this.#session;
    const { type, key, target, repeat } = event;
    if (!session.live) return false;
    if (key === "Escape" && type === "keydown") {
      void session.interrupt();
      return true;
    }
    if (target instanceof Element && target.closest(WITH_KEYS)) return false;
    if (key === "m" && type === "keydown" && !session.holdToTalk) {
      if (!repeat) session.mute(!session.muted);
      return true;
    }
    if (key !== " ") return false;
    if (session.holdToTalk && type === "keyup") this.#hold.release(event.timeStamp);
    else if (!repeat && type === "keydown" && session.holdToTalk) this.#hold.press(event.timeStamp);
    else if (!repeat && type === "keydown") void session.interrupt();
    return true;
  }

  /** Whether it is down changes without anybody's telling. */
  #showHold() {
    this.#hold.show(MICROPHONE, holdLabel(this.#session.held, this.#hold.down));
  }

  #showLevel() {
    this.#showHold();
    const { you, model } = this.#session.level;
    this.#waves.you.add(you);
    this.#waves.model.add(model);
  }
}
