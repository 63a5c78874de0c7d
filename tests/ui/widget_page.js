// A page whose widgets' kernel is the test: models as anywidget gives them, and what is to be known of the page.

class Model {
  sent = []; // custom messages to the kernel
  saved = []; // traits to the kernel
  interrupts = 0;
  widget_manager = { kernel: { clientId: "this page", interrupt: async () => void this.interrupts++ } };
  #traits;
  #unsaved = {};
  #listeners = [];

  constructor(traits) {
    this.#traits = traits;
  }
  get(name) {
    return this.#traits[name];
  }
  set(name, value) {
    this.#unsaved[name] = value;
    this.fromKernel({ [name]: value });
  }
  save_changes() {
    this.saved.push(this.#unsaved);
    this.#unsaved = {};
  }
  send(content) {
    this.sent.push(content);
  }
  on(event, react) {
    this.#listeners.push({ event, react });
  }
  off(event, react) {
    this.#listeners = this.#listeners.filter((one) => one.event !== event || one.react !== react);
  }
  get listeners() {
    return this.#listeners.length;
  }

  // The kernel's side.
  fromKernel(traits) {
    for (const [name, value] of Object.entries(traits)) {
      if (this.#traits[name] === value) continue;
      this.#traits[name] = value;
      this.#emit(`change:${name}`);
    }
  }
  // Those of one message, as front ends take them: all are there before any is told of.
  fromKernelAtOnce(traits) {
    const changed = Object.keys(traits).filter((name) => this.#traits[name] !== traits[name]);
    Object.assign(this.#traits, traits);
    for (const name of changed) this.#emit(`change:${name}`);
  }
  message(content, base64) {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    this.#emit("msg:custom", content, [new DataView(bytes.buffer)]);
  }
  sever() {
    this.#emit("comm_live_update");
  }
  #emit(event, ...given) {
    for (const { react } of this.#listeners.filter((one) => one.event === event)) react(...given);
  }
}

const widgets = [];

async function addWidget(text, traits) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  const definition = (await import(address)).default; // once for each model, as anywidget does
  const model = new Model(traits);
  widgets.push({ model, definition, views: [], close: await definition.initialize({ model }) });
  return widgets.length - 1;
}

async function addView(number, parent) {
  const { model, definition, views } = widgets[number];
  const el = document.querySelector(parent).appendChild(document.createElement("div"));
  const remove = await definition.render({ model, el });
  views.push(() => (remove(), el.remove()));
  return views.length - 1;
}

// Every listener and observer that this page holds. One on an element that is nowhere counts too.
const held = new Set();
const { addEventListener, removeEventListener } = EventTarget.prototype;
EventTarget.prototype.addEventListener = function (type, react, options) {
  const once = { target: this, type, react };
  const signal = options?.signal;
  if (signal?.aborted) return;
  if (!(this instanceof AbortSignal)) {
    held.add(once);
    if (signal) addEventListener.call(signal, "abort", () => held.delete(once));
    if (options?.once) addEventListener.call(this, type, () => held.delete(once));
  }
  addEventListener.call(this, type, react, options);
};
EventTarget.prototype.removeEventListener = function (type, react, options) {
  for (const one of held) if (one.target === this && one.type === type && one.react === react) held.delete(one);
  removeEventListener.call(this, type, react, options);
};
for (const name of ["ResizeObserver", "IntersectionObserver", "MutationObserver"]) {
  window[name] = class extends window[name] {
    observe(...given) {
      held.add(this);
      super.observe(...given);
    }
    disconnect() {
      held.delete(this);
      super.disconnect();
    }
  };
}
// Of these, what would outlive a model: an AudioContext and its nodes go with their listeners.
const heldByPage = () =>
  [...held].filter(({ target }) => !target || target === window || target instanceof Node || "media" in target);

// Keys that reach the page, as they would reach a notebook's shortcuts.
const leaked = [];
addEventListener.call(document, "keydown", (event) => leaked.push(event.key));

// What a canvas shows: how many of its columns of pixels have a colour, to a tolerance.
function columnsOf(canvas, css) {
  const probe = document.body.appendChild(document.createElement("i"));
  probe.style.color = css;
  const dot = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  dot.fillStyle = getComputedStyle(probe).color;
  dot.fillRect(0, 0, 1, 1);
  const wanted = dot.getImageData(0, 0, 1, 1).data;
  probe.remove();
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  let found = 0;
  for (let x = 0; x < width; x++) {
    for (let y = 0; y < height; y++) {
      const at = 4 * (y * width + x);
      if ([0, 1, 2, 3].every((part) => Math.abs(data[at + part] - wanted[part]) < 6)) {
        found++;
        break;
      }
    }
  }
  return found / width;
}
