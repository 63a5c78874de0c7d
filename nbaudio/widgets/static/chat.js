// The VoiceChat in the browser: joins a widget's model to its Chat, and shows it. `widgets/voice_chat.py` is the other
// side.
//
// kernel -> browser   {kind: "piece", answer, by_page, index, frames_before, words, phrases?} + [PCM16 mono, LE]
//                     {kind: "whole", answer, frames}       as of a player, see player.js; `answer` is its key
//                     {kind: "so far", answer, words}       the answer to "ready", where one is arriving
//                     {kind: "sound", turn, mime, frames, phrases} + [bytes]    the answer to "need"
// browser -> kernel   {kind: "ready"}                       a page shows it
//                     {kind: "say", text}, {kind: "again"}, {kind: "dismiss"}, {kind: "stop"}, {kind: "retry"},
//                     {kind: "undo"}, {kind: "earlier"}     as the buttons say
//                     {kind: "need", turn}                  the sound of a turn is not here
//                     {kind: "focus", inside}               the keyboard is in it, or has left
//
// And in an open session (`realtime`), whose sound is PCM16, mono, 24,000 Hz, both ways; what goes out has the id that this
// page has given it, `session`:
//
// kernel -> browser   {kind: "said", item, index, frames_before, words, phrases?} + [PCM16]    behind all given before
//                     {kind: "all said", item, frames}      no more of it
//                     {kind: "hush", number}                silent now; what was given before is over
//                     {kind: "speech", began}               the server hears that the person begins, has ended
// browser -> kernel   {kind: "open"}, {kind: "close", played?, sounded?}    the person begins, ends (see "hushed")
//                     {kind: "here"}                        once a minute
//                     {kind: "heard", index} + [PCM16, 40 ms]    from 0 in each session
//                     {kind: "turn over", index}            the button that has to be held is let go
//                     {kind: "played", item, frames, sounding}    how much of it was heard: five times a second, and at
//                                                           its first sound and its end
//                     {kind: "hushed", number, played, sounded}, {kind: "interrupt", played, sounded}    by the kernel,
//                                                           by the person: frames heard of each item that was not over
//
// The rest are traits. What is recorded goes by the model of a recorder, see recorder.js.

import { showInPlace } from "./in_place.js";
import { Chat } from "./chat_state.js";
import { ChatView } from "./chat_view.js";

/** The chats of this page by their models' keys. @type {Map<string, Chat>} */
const chats = new Map();
const page = /** @type {{nbaudio?: {chats?: Map<string, Chat>}}} */ (globalThis);
(page.nbaudio ??= {}).chats = chats; // for tests and benchmarks

/**
 * @param {Chat} chat
 * @param {HTMLElement} place
 */
function show(chat, place) {
  chat.enter();
  const view = new ChatView(chat);
  place.append(view.element);
  view.shown();
  return () => {
    view.close();
    chat.leave();
  };
}

export default {
  /** @param {{model: import("./chat_state.js").ChatModel}} given */
  initialize({ model }) {
    const key = model.get("key");
    const chat = new Chat(model);
    chats.set(key, chat);
    const leave = showInPlace(key, (place) => show(chat, place));
    const end = () => {
      leave();
      if (chats.get(key) === chat) chats.delete(key);
      chat.close();
    };
    chat.addEventListener("abandoned", end);
    return end;
  },

  /** @param {{model: import("./chat_state.js").ChatModel, el: HTMLElement}} given */
  render({ model, el }) {
    const chat = chats.get(model.get("key"));
    if (!chat) throw new Error("This chat has been closed.");
    return show(chat, el);
  },
};
