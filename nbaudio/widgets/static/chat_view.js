// A chat as it is seen: the turns, and below them what one can say and do. It only shows and asks: what it shows is the
// Chat's, so that two views of one are always alike.

import { ChatTurnView } from "./chat_turn_view.js";
import { troubleWords } from "./chat_words.js";
import { button, make, put, say, show } from "./elements.js";
import { RecordingControls } from "./recording_controls.js";
import { SessionControls } from "./session_controls.js";

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
  /** @type {RecordingControls | SessionControls} what one talks with */
  #talk;
  #inside = false;
  #told_inside = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #leaving;
  #earlier_shown = 0;

  #buttons = {
    earlier: button("Earlier", "Show earlier turns"),
    send: button("Send", "Send (Enter)", { "data-first": true }),
    stop: button("Stop", "End the answer here (Escape)", { "data-first": true }),
    again: button("Try again", "Send it once more"),
    dismiss: button("Dismiss", "Take this message away"),
    retry: button("Ask again", "Ask the last question once more, in the chosen voice"),
    undo: button("Undo", "Take the last question and its answer back"),
  };
  #before = make("p", { class: "nbaudio-chat-before" });
  #list = make("div", { class: "nbaudio-chat-turns" });
  #empty = make("p", { class: "nbaudio-chat-empty" }, "Nothing has been said yet.");
  #log = make("div", { class: "nbaudio-chat-log", role: "log", "aria-live": "polite", tabindex: 0 });
  #trouble = make("p", { class: "nbaudio-chat-trouble-words", role: "alert" });
  #trouble_row = make("div", { class: "nbaudio-chat-trouble" });
  #text = make("textarea", { rows: 1, "aria-label": "Your words", placeholder: "Or type here" });
  #voice = make("select", { title: "The voice of the next answers", "aria-label": "Voice" });
  #other = make("input", { type: "text", "aria-label": "Name of another voice", placeholder: "Name of a voice", hidden: true });
  #aloud = make("input", { type: "checkbox" });
  #status = make("span", { class: "nbaudio-chat-status", role: "status" });
  #shut = make("p", { class: "nbaudio-chat-shut" });
  #spent = make("span", { class: "nbaudio-chat-spent" });

  /** @param {Chat} chat */
  constructor(chat) {
    this.#chat = chat;
    const { signal } = this.#closed;
    this.#talk = chat.session
      ? new SessionControls(chat, chat.session, signal)
      : new RecordingControls(chat, () => this.#showStatus(), signal);
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
    const { earlier, send, stop, again, dismiss, retry, undo } = this.#buttons;
    put(this.#log, "aria-label", "Conversation");
    this.#log.append(earlier, this.#before, this.#empty, this.#list);
    this.#trouble_row.append(this.#trouble, again, dismiss);
    const { first, line, more } = this.#talk;
    const row = (/** @type {string} */ name, /** @type {Node[]} */ ...parts) => make("div", { class: name }, ...parts);
    return make(
      "section",
      // Lumino, on which JupyterLab stands, leaves the keys of such an element alone.
      { class: "nbaudio-chat", role: "group", tabindex: -1, "data-lm-suppress-shortcuts": "true", "aria-label": "Voice chat" },
      this.#log,
      this.#trouble_row,
      row("nbaudio-chat-say", ...first, this.#text, send, stop),
      ...line,
      this.#shut,
      row("nbaudio-chat-row", this.#voice, this.#other, make("label", {}, this.#aloud, "Spoken"), retry, undo, ...more),
      row("nbaudio-chat-row", this.#status, this.#spent),
    );
  }

  #react() {
    const chat = this.#chat;
    const { signal } = this.#closed;
    const on = (/** @type {HTMLElement} */ element, /** @type {string} */ event, /** @type {(event: any) => void} */ react) =>
      element.addEventListener(event, react, { signal });
    const { earlier, send } = this.#buttons;
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
    on(this.element, "keydown", (event) => this.#onKey(event));
    on(this.element, "keyup", (event) => this.#onKey(event));
    on(this.element, "keypress", keepInside);
    for (const name of ["dragenter", "dragover", "dragleave", "drop"]) on(this.element, name, (event) => this.#onDrag(event));
    on(this.element, "focusin", () => this.#focus(true));
    on(this.element, "focusout", ({ relatedTarget: to }) => this.#focus(to instanceof Node && this.element.contains(to)));
    chat.addEventListener("change", () => this.#show(), { signal });
    chat.addEventListener("sent", () => this.#toEnd(), { signal });
  }

  #show() {
    const chat = this.#chat;
    const follows = this.#log.scrollHeight - this.#log.scrollTop - this.#log.clientHeight < NEAR_END_PX;
    this.#showTurns();
    this.#showTrouble();
    if (this.#text.value !== chat.draft) this.#text.value = chat.draft;
    put(this.#text, "readonly", chat.severed); // what was typed can still be copied
    this.#showVoices();
    this.#aloud.checked = Boolean(chat.get("aloud"));
    this.#showButtons();
    this.#showStatus();
    say(this.#spent, String(chat.get("spent")));
    const { shut } = this.#talk;
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
    const { busy, severed } = chat;
    const { send, stop, again, retry, undo } = this.#buttons;
    const had = document.activeElement;
    this.#talk.show();
    const { talking, open } = this.#talk;
    show(this.#text, !talking);
    show(send, (!busy || open) && !talking);
    show(stop, busy && !talking && !open);
    put(send, "disabled", severed || !chat.draft.trim());
    const none = !chat.turns.length;
    for (const one of [retry, undo]) put(one, "disabled", severed || busy || talking || open || none);
    put(again, "disabled", severed);
    put(this.#voice, "disabled", severed || open);
    put(this.#aloud, "disabled", severed || open);
    // A button that goes takes the keyboard with it.
    if (this.#inside && had instanceof HTMLElement && this.element.contains(had) && had.closest("[hidden]")) {
      (talking || open ? this.#talk.main : this.#text).focus({ preventScroll: true });
    }
  }

  #showStatus() {
    say(this.#status, this.#talk.status);
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
    if (!inside) this.#talk.left();
    this.#chat.focus(inside);
  }

  /** A sound file that is dropped here is sent. @param {DragEvent} event */
  #onDrag(event) {
    const wanted = event.dataTransfer?.types.includes("Files") && this.#talk.takesFiles;
    const inside = event.relatedTarget instanceof Node && this.element.contains(event.relatedTarget);
    const over = wanted && event.type !== "drop" && !(event.type === "dragleave" && !inside);
    put(this.element, "data-drop", Boolean(over));
    if (!wanted) return;
    event.preventDefault(); // else the browser opens the file in the place of the notebook
    event.stopPropagation();
    const file = event.type === "drop" ? event.dataTransfer?.files[0] : undefined;
    if (file) this.#talk.take(file);
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    keepInside(event);
    if (event.isComposing) return; // the keys are those of a word that is being chosen
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (this.#talk.key(event)) event.preventDefault();
    else if (event.type !== "keydown") return;
    else if (event.key === "Escape" && this.#chat.busy) {
      event.preventDefault();
      this.#chat.ask("stop");
    } else if (event.key === "Enter" && !event.shiftKey && event.target === this.#text) {
      event.preventDefault();
      if (!this.#chat.busy || this.#talk.open) this.#send();
    }
  }
}

/**
 * A notebook reads single keys as commands (d d deletes the cell); those with Ctrl, Alt or ⌘ stay the application's.
 * @param {Event} event
 */
function keepInside(event) {
  const { ctrlKey, metaKey, altKey } = /** @type {KeyboardEvent} */ (event);
  if (!ctrlKey && !metaKey && !altKey) event.stopPropagation();
}
