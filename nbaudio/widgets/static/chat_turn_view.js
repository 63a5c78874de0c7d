// One turn of a chat as it is seen: who, and the player with the words, or the words alone.

import { make, put, say } from "./elements.js";
import { PlayerView } from "./player_view.js";

/** @typedef {import("./chat_turn.js").ChatTurn} ChatTurn */

export class ChatTurnView {
  #turn;
  #closed = new AbortController();
  /** @type {PlayerView | undefined} */
  #player;
  /** @type {import("./player.js").Player | undefined} that it shows */
  #shown;
  #speaker = make("span", { class: "nbaudio-chat-speaker" });
  #words = make("p", { class: "nbaudio-chat-words", dir: "auto" });
  #notes = make("div", { class: "nbaudio-chat-notes" });

  /** @param {ChatTurn} turn */
  constructor(turn) {
    this.#turn = turn;
    this.element = make("div", { class: "nbaudio-chat-turn", role: "article" }, this.#speaker, this.#words, this.#notes);
    turn.addEventListener("change", () => this.show(), { signal: this.#closed.signal });
    this.show();
  }

  show() {
    const { entry, arriving, player, words } = this.#turn;
    put(this.element, "data-role", entry.role);
    put(this.element, "aria-label", entry.speaker);
    put(this.element, "aria-busy", arriving ? "true" : null); // its words are read out when they are all here
    put(this.element, "data-broken", entry.broken);
    say(this.#speaker, entry.speaker);
    if (player !== this.#shown) this.#showPlayer(player);
    say(this.#words, player ? "" : words || (arriving ? "…" : ""));
    put(this.#words, "hidden", !this.#words.textContent);
    const notes = player ? [] : entry.notes; // the player shows them
    if ([...this.#notes.children].map((line) => line.textContent).join("\n") !== notes.join("\n")) {
      this.#notes.replaceChildren(...notes.map((note) => make("p", { dir: "auto" }, note)));
    }
  }

  close() {
    this.#closed.abort();
    this.#player?.close();
    this.element.remove();
  }

  /** @param {import("./player.js").Player | undefined} player */
  #showPlayer(player) {
    this.#player?.close();
    this.#player = player && new PlayerView(player);
    this.#shown = player;
    if (this.#player) this.#words.before(this.#player.element);
  }
}
