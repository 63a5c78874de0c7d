// The line to the kernel: traits and messages, until the kernel is gone.

/** @typedef {import("./two_way.js").Model} Model */

/** Event: "severed". */
export class Link extends EventTarget {
  /** @type {Model} */
  #model;
  #closed = new AbortController();
  /** Nothing reaches the kernel any more. */
  severed = false;
  /** It is this page that changes traits just now, not the kernel. */
  telling = false;

  /** @param {Model} model */
  constructor(model) {
    super();
    this.#model = model;
    this.on("comm_live_update", () => this.#sever()); // ipywidgets says so when the kernel is restarted
  }

  /** A trait. @param {string} name */
  get(name) {
    return this.#model.get(name);
  }

  /** @param {Record<string, unknown>} traits  set in this order */
  tell(traits) {
    this.telling = true;
    for (const [name, value] of Object.entries(traits)) this.#model.set(name, value);
    this.telling = false;
    this.#try(() => this.#model.save_changes());
  }

  /**
   * @param {object} content
   * @param {ArrayBuffer[]} [buffers]
   */
  send(content, buffers = []) {
    this.#try(() => this.#model.send(content, undefined, buffers));
  }

  /**
   * @param {string} event  of the model
   * @param {(...given: any[]) => void} react
   */
  on(event, react) {
    this.#model.on(event, react);
    this.#closed.signal.addEventListener("abort", () => this.#model.off(event, react));
  }

  close() {
    this.#closed.abort();
  }

  /** @param {() => void} tell  throws where the kernel is dead, or was shut down */
  #try(tell) {
    if (this.severed) return;
    try {
      tell();
    } catch {
      this.#sever();
    }
  }

  #sever() {
    if (this.severed) return;
    this.severed = true;
    this.dispatchEvent(new Event("severed"));
  }
}
