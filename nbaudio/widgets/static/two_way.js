// The traits that both the kernel and the person set: playing, position_s, speed, volume. None comes back as an echo.

/**
 * What plays. Events: "change", "position".
 * @typedef {EventTarget & {
 *   sound: {playing: boolean, speed: number, volume: number}, position_s: number, arriving: boolean,
 *   play: () => unknown, pause: () => void, seek: (seconds: number) => void,
 * }} Playing
 */
/**
 * What anywidget gives: the browser's half of the widget.
 * @typedef {object} Model
 * @property {(name: string) => any} get
 * @property {(name: string, value: unknown) => void} set
 * @property {() => void} save_changes
 * @property {(content: object, callbacks?: undefined, buffers?: ArrayBuffer[]) => void} send
 * @property {(event: string, callback: (...given: any[]) => void) => void} on
 * @property {(event: string, callback: (...given: any[]) => void) => void} off
 * @property {{kernel?: {clientId?: string, interrupt?: () => Promise<void>} | null} | undefined} widget_manager
 */

const PAUSE_MS = 250; // at most four positions a second go to the kernel,
const ARRIVING_PAUSE_MS = 1000; // and one while pieces come: the kernel answers each with messages of its own
const SAME_S = 1e-3; // a seek lands on a frame, not exactly where it was told to

export class TwoWay {
  /** @type {Model} */
  #model;
  /** @type {Playing} */
  #player;
  /** @type {number} the position that both sides know */
  #known_s;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #pause;
  #ended = new AbortController();

  /**
   * @param {Model} model
   * @param {Playing} player
   */
  constructor(model, player) {
    this.#model = model;
    this.#player = player;
    const { sound } = player;
    sound.speed = Number(model.get("speed"));
    sound.volume = Number(model.get("volume"));
    this.#known_s = Number(model.get("position_s"));

    const on = (/** @type {string} */ name, /** @type {() => void} */ react) => {
      model.on(`change:${name}`, react);
      this.#ended.signal.addEventListener("abort", () => model.off(`change:${name}`, react));
    };
    on("speed", () => (sound.speed = Number(model.get("speed"))));
    on("volume", () => (sound.volume = Number(model.get("volume"))));
    on("playing", () => {
      if (model.get("playing") === sound.playing) return;
      if (model.get("playing")) player.play();
      else player.pause();
    });
    on("position_s", () => {
      const position_s = Number(model.get("position_s"));
      if (position_s === this.#known_s) return;
      this.#known_s = position_s;
      player.seek(position_s);
    });

    const { signal } = this.#ended;
    player.addEventListener("change", () => this.#tell(), { signal });
    player.addEventListener("position", () => this.#tellPosition(), { signal });
  }

  /** Both sides go their own ways from here. */
  close() {
    clearTimeout(this.#pause);
    this.#ended.abort();
  }

  #tell() {
    const { playing, speed, volume } = this.#player.sound;
    const paused = !playing && this.#model.get("playing");
    this.#set({ playing, speed, volume, ...(paused ? this.#position() : {}) });
  }

  #tellPosition() {
    if (this.#pause !== undefined) return; // the timer tells
    const position = this.#position();
    if (!("position_s" in position)) return;
    this.#set(position);
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      this.#tellPosition();
    }, this.#player.arriving ? ARRIVING_PAUSE_MS : PAUSE_MS);
  }

  /** Where it is, if the kernel does not know; now it does. */
  #position() {
    const { position_s } = this.#player;
    if (Math.abs(position_s - this.#known_s) < SAME_S) return {};
    this.#known_s = position_s;
    return { position_s };
  }

  /** @param {Record<string, unknown>} traits */
  #set(traits) {
    const changed = Object.entries(traits).filter(([name, value]) => this.#model.get(name) !== value);
    for (const [name, value] of changed) this.#model.set(name, value);
    if (changed.length) this.#model.save_changes();
  }
}
