// A chat as it is seen: the turns, and below them what one can say and do. It only shows and asks: what it shows is the
// Chat's, so that two views of one are always alike.

import { Hold } from "./chat_hold.js";
import { ChatTurnView } from "./chat_turn_view.js";
import { holdLabel, status, troubleWords, whyShut } from "./chat_words.js";
import { clock } from "./clock.js";
import { make, put, redraw, say, sign } from "./elements.js";
import { Meter } from "./meter.js";
import { MICROPHONE, STOP } from "./recorder_icons.js";

/** @typedef {import("./chat_state.js").Chat} Chat */
/** @typedef {import("./chat_turn.js").ChatTurn} ChatTurn */

const OTHER = "another voice"; // no name of a voice has a space
const LEAVING_MS = 100; // a press in a notebook moves the keyboard to the cell, and from there to what is pressed
const NEAR_END_PX = 40;

export class ChatView {
  #chat;
  #closed = new AbortController();
  /** @type {Map<ChatTurn, ChatTurnView>} */
  #turns = new Map();
  #hold;
  #pressed = false; // by a pointer, which is followed by a click
  #inside = false;
  #told_inside = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #leaving;
  #earlier_shown = 0;
  /** @type {import("./recording.js").Recording | undefined} that it listens to */
  #recording;
  #meter = new Meter();
  #sign = sign(MICROPHONE);
  #hold_label = make("span");

  #buttons = {
    earlier: button("Earlier", "Show earlier turns"),
    hold: make("button", { type: "button", class: "nbaudio-chat-hold" }, this.#sign, this.#hold_label),
    send: button("Send", "Send (Enter)", { "data-first": true }),
    stop: button("Stop", "End the answer here (Escape)", { "data-first": true }),
    again: button("Try again", "Send it once more"),
    dismiss: button("Dismiss", "Take this message away"),
    retry: button("Ask again", "Ask the last question once more, in the chosen voice"),
    undo: button("Undo", "Take the last question and its answer back"),
    file: button("Sound file", "Send the sound of a file"),
  };
  #files = make("input", { type: "file", accept: "audio/*,video/*", hidden: true });
  #before = make("p", { class: "nbaudio-chat-before" });
  #list = make("div", { class: "nbaudio-chat-turns" });
  #empty = make("p", { class: "nbaudio-chat-empty" }, "Nothing has been said yet.");
  #log = make("div", { class: "nbaudio-chat-log", role: "log", "aria-live": "polite", tabindex: 0 });
  #trouble = make("p", { class: "nbaudio-chat-trouble-words", role: "alert" });
  #trouble_row = make("div", { class: "nbaudio-chat-trouble" });
  #text = make("textarea", { rows: 1, "aria-label": "Your words", placeholder: "Or type here" });
  #time = make("span", { class: "nbaudio-chat-time" });
  #listening = make("div", { class: "nbaudio-chat-listening" });
  #voice = make("select", { title: "The voice of the next answers", "aria-label": "Voice" });
  #other = make("input", { type: "text", "aria-label": "Name of another voice", placeholder: "Name of a voice", hidden: true });
  #aloud = make("input", { type: "checkbox" });
  #status = make("span", { class: "nbaudio-chat-status", role: "status" });
  #shut = make("p", { class: "nbaudio-chat-shut" });
  #spent = make("span", { class: "nbaudio-chat-spent" });

  /** @param {Chat} chat */
  constructor(chat) {
    this.#chat = chat;
    this.#hold = new Hold({
      get busy() {
        return ["asking", "recording"].includes(chat.recording?.state ?? "idle");
      },
      start: () => chat.talk(),
      stop: () => chat.endTalk(),
    });
    this.element = this.#built();
    this.#react();
    this.#show();
  }

  /** It is on the page now: the latest turns are what is seen first. */
  shown() {
    const shown = new ResizeObserver(() => {
      if (!this.element.offsetHeight) return;
      shown.disconnect();
      this.#toEnd();
    });
    shown.observe(this.element);
    this.#closed.signal.addEventListener("abort", () => shown.disconnect());
  }

  /** Takes the view off the page. */
  close() {
    this.#closed.abort();
    clearTimeout(this.#leaving);
    this.#tellFocus(false);
    for (const view of this.#turns.values()) view.close();
    this.element.remove();
  }

  #built() {
    const { earlier, hold, send, stop, again, dismiss, retry, undo, file } = this.#buttons;
    put(this.#log, "aria-label", "Conversation");
    this.#log.append(earlier, this.#before, this.#empty, this.#list);
    this.#trouble_row.append(this.#trouble, again, dismiss);
    this.#listening.append(this.#meter.element, this.#time);
    const row = (/** @type {string} */ name, /** @type {Node[]} */ ...parts) => make("div", { class: name }, ...parts);
    return make(
      "section",
      // Lumino, on which JupyterLab stands, leaves the keys of such an element alone.
      { class: "nbaudio-chat", role: "group", tabindex: -1, "data-lm-suppress-shortcuts": "true", "aria-label": "Voice chat" },
      this.#log,
      this.#trouble_row,
      row("nbaudio-chat-say", hold, this.#listening, this.#text, send, stop),
      this.#shut,
      row("nbaudio-chat-row", this.#voice, this.#other, make("label", {}, this.#aloud, "Spoken"), retry, undo, file, this.#files),
      row("nbaudio-chat-row", this.#status, this.#spent),
    );
  }

  #react() {
    const chat = this.#chat;
    const { signal } = this.#closed;
    const on = (/** @type {HTMLElement} */ element, /** @type {string} */ event, /** @type {(event: any) => void} */ react) =>
      element.addEventListener(event, react, { signal });
    const { earlier, hold, send, file } = this.#buttons;
    for (const kind of /** @type {const} */ (["stop", "again", "dismiss", "retry", "undo"])) {
      on(this.#buttons[kind], "click", () => chat.ask(kind));
    }
    on(earlier, "click", () => {
      this.#earlier_shown = this.#log.scrollHeight - this.#log.scrollTop; // where the person is, from the end
      chat.ask("earlier");
    });
    on(send, "click", () => this.#send());
    on(this.#text, "input", () => {
      chat.draft = this.#text.value;
      this.#showButtons();
    });
    on(this.#voice, "change", () => this.#chooseVoice());
    on(this.#other, "change", () => {
      if (this.#other.value.trim()) chat.choose({ voice: this.#other.value.trim() });
    });
    on(this.#aloud, "change", () => chat.choose({ aloud: this.#aloud.checked }));
    on(file, "click", () => this.#files.click());
    on(this.#files, "change", () => {
      const chosen = this.#files.files?.[0];
      if (chosen) void chat.recording?.choose(chosen);
      this.#files.value = ""; // the same file may be chosen again
    });
    this.#reactToHold(hold, on);
    on(this.element, "keydown", (event) => this.#onKey(event));
    for (const name of ["keypress", "keyup"]) on(this.element, name, keepInside);
    for (const name of ["dragenter", "dragover", "dragleave", "drop"]) on(this.element, name, (event) => this.#onDrag(event));
    on(this.element, "focusin", () => this.#focus(true));
    on(this.element, "focusout", ({ relatedTarget: to }) => this.#focus(to instanceof Node && this.element.contains(to)));
    chat.addEventListener("change", () => this.#show(), { signal });
    chat.addEventListener("sent", () => this.#toEnd(), { signal });
  }

  /**
   * @param {HTMLElement} button
   * @param {(element: HTMLElement, event: string, react: (event: any) => void) => void} on
   */
  #reactToHold(button, on) {
    on(button, "pointerdown", (event) => {
      if (event.button !== 0) return;
      this.#pressed = true;
      button.setPointerCapture(event.pointerId);
      this.#hold.press(event.timeStamp);
    });
    const released = (/** @type {Event} */ event) => {
      this.#hold.release(event.timeStamp);
      setTimeout(() => (this.#pressed = false)); // after the click that belongs to it
    };
    for (const name of ["pointerup", "pointercancel"]) on(button, name, released);
    on(button, "contextmenu", (event) => event.preventDefault()); // what a long touch means elsewhere
    on(button, "click", () => this.#pressed || this.#hold.click());
    const isPress = (/** @type {KeyboardEvent} */ { key }) => key === " " || key === "Enter";
    on(button, "keydown", (event) => {
      if (!isPress(event) || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault(); // else the key clicks too
      if (!event.repeat) this.#hold.press(event.timeStamp);
    });
    on(button, "keyup", (event) => {
      if (!isPress(event)) return;
      event.preventDefault();
      this.#hold.release(event.timeStamp);
    });
    on(button, "blur", (event) => this.#hold.release(event.timeStamp));
  }

  #show() {
    const chat = this.#chat;
    if (chat.recording && chat.recording !== this.#recording) {
      this.#recording = chat.recording;
      chat.recording.addEventListener("level", () => this.#showLevel(), { signal: this.#closed.signal });
    }
    const follows = this.#log.scrollHeight - this.#log.scrollTop - this.#log.clientHeight < NEAR_END_PX;
    this.#showTurns();
    this.#showTrouble();
    if (this.#text.value !== chat.draft) this.#text.value = chat.draft;
    put(this.#text, "readonly", chat.severed); // what was typed can still be copied
    this.#showVoices();
    this.#aloud.checked = Boolean(chat.get("aloud"));
    this.#showButtons();
    this.#showLevel();
    say(this.#spent, String(chat.get("spent")));
    const shut = chat.recorderTrouble || whyShut(chat.recording);
    say(this.#shut, shut);
    show(this.#shut, shut !== "");
    if (follows) this.#toEnd();
  }

  #showTurns() {
    const { turns } = this.#chat;
    const before = Number(this.#chat.get("earlier"));
    const more = Boolean(this.#chat.get("more"));
    for (const [turn, view] of this.#turns) {
      if (turns.includes(turn)) continue;
      this.#turns.delete(turn);
      view.close();
    }
    turns.forEach((turn, index) => {
      let view = this.#turns.get(turn);
      if (view) view.show();
      else this.#turns.set(turn, (view = new ChatTurnView(turn)));
      const there = this.#list.children[index];
      if (there !== view.element) this.#list.insertBefore(view.element, there ?? null);
    });
    show(this.#buttons.earlier, more);
    say(this.#before, before && !more ? `${before} earlier turns are not shown here; the conversation has them.` : "");
    show(this.#before, this.#before.textContent !== "");
    show(this.#empty, !turns.length);
    if (this.#earlier_shown && this.#log.scrollHeight > this.#earlier_shown + this.#log.scrollTop) {
      this.#log.scrollTop = this.#log.scrollHeight - this.#earlier_shown;
      this.#earlier_shown = 0;
    }
  }

  #showTrouble() {
    const { trouble } = this.#chat;
    const words = troubleWords(trouble);
    const hadFocus = this.#trouble_row.contains(document.activeElement);
    say(this.#trouble, words);
    show(this.#trouble_row, words !== "");
    if (hadFocus && !words) this.#text.focus({ preventScroll: true });
  }

  #showButtons() {
    const chat = this.#chat;
    const { recording, busy, severed } = chat;
    const { hold, send, stop, again, retry, undo, file } = this.#buttons;
    const state = recording?.state ?? "idle";
    const talking = state === "asking" || state === "recording";
    const had = document.activeElement;
    put(hold, "disabled", !chat.door);
    put(hold, "data-state", talking ? state : null);
    redraw(this.#sign, talking ? STOP : MICROPHONE);
    const label = recording?.state === "recording" && !this.#hold.down ? "Press to send" : holdLabel(recording);
    say(this.#hold_label, label);
    put(hold, "title", talking ? "Escape cancels" : "Hold it, or Space or Enter, while you speak; or press once to begin and once to end");
    show(this.#listening, talking);
    show(this.#text, !talking);
    show(send, !busy && !talking);
    show(stop, busy && !talking);
    put(send, "disabled", severed || !chat.draft.trim());
    const none = !chat.turns.length;
    for (const one of [retry, undo]) put(one, "disabled", severed || busy || talking || none);
    put(again, "disabled", severed);
    put(file, "disabled", severed || talking || !recording?.free);
    put(this.#voice, "disabled", severed);
    put(this.#aloud, "disabled", severed);
    // A button that goes takes the keyboard with it.
    if (this.#inside && had instanceof HTMLElement && this.element.contains(had) && had.closest("[hidden]")) {
      (talking ? hold : this.#text).focus({ preventScroll: true });
    }
  }

  #showLevel() {
    const { recording } = this.#chat;
    say(this.#status, status(this.#chat));
    if (!recording) return;
    this.#meter.show(Number(recording.get("level_dbfs")), recording.peak_dbfs);
    say(this.#time, clock(Number(recording.get("elapsed_s"))));
  }

  #showVoices() {
    const voice = String(this.#chat.get("voice"));
    const known = /** @type {string[]} */ (this.#chat.get("voices"));
    const names = [...known, ...(known.includes(voice) ? [] : [voice])];
    const shown = [...this.#voice.options].map((option) => option.value);
    if (shown.join("\n") !== [...names, OTHER].join("\n")) {
      const options = names.map((name) => make("option", { value: name }, name));
      this.#voice.replaceChildren(...options, make("option", { value: OTHER }, "Another voice …"));
    }
    if (document.activeElement === this.#other && this.#other.value.trim() !== voice) return; // it is being typed
    if (this.#other.value.trim() === voice) show(this.#other, false);
    if (this.#other.hidden) this.#voice.value = voice;
  }

  #chooseVoice() {
    const other = this.#voice.value === OTHER;
    show(this.#other, other);
    if (!other) return this.#chat.choose({ voice: this.#voice.value });
    this.#other.value = "";
    this.#other.focus();
  }

  #send() {
    this.#chat.say(this.#text.value);
    this.#text.focus({ preventScroll: true });
  }

  #toEnd() {
    this.#log.scrollTop = this.#log.scrollHeight;
  }

  /** @param {boolean} inside */
  #focus(inside) {
    this.#inside = inside;
    clearTimeout(this.#leaving);
    if (inside) this.#tellFocus(true);
    else this.#leaving = setTimeout(() => this.#tellFocus(false), LEAVING_MS);
  }

  /** @param {boolean} inside */
  #tellFocus(inside) {
    if (inside === this.#told_inside) return;
    this.#told_inside = inside;
    this.#chat.focus(inside);
  }

  /** A sound file that is dropped here is sent. @param {DragEvent} event */
  #onDrag(event) {
    const { recording, severed } = this.#chat;
    const wanted = event.dataTransfer?.types.includes("Files") && !severed && recording?.free;
    const inside = event.relatedTarget instanceof Node && this.element.contains(event.relatedTarget);
    const over = wanted && event.type !== "drop" && !(event.type === "dragleave" && !inside);
    put(this.element, "data-drop", Boolean(over));
    if (!wanted) return;
    event.preventDefault(); // else the browser opens the file in the place of the notebook
    event.stopPropagation();
    const file = event.type === "drop" ? event.dataTransfer?.files[0] : undefined;
    if (file) void recording?.choose(file);
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    keepInside(event);
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      const { recording, busy } = this.#chat;
      const talking = ["asking", "recording"].includes(recording?.state ?? "idle");
      if (!talking && !busy) return;
      event.preventDefault();
      this.#hold.forget();
      if (talking) recording?.cancel();
      else this.#chat.ask("stop");
    } else if (event.key === "Enter" && !event.shiftKey && event.target === this.#text && !event.isComposing) {
      event.preventDefault();
      if (!this.#chat.busy) this.#send();
    }
  }
}

/**
 * @param {string} label
 * @param {string} title
 * @param {Record<string, boolean>} [marks]
 */
function button(label, title, marks = {}) {
  return make("button", { type: "button", class: "nbaudio-chat-button", title, ...marks }, label);
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
