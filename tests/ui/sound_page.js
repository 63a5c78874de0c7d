// In a page of its own: the sound engine, pieces that come as a test wants them, and all that reaches the loudspeaker.

const TAP = `
class Tap extends AudioWorkletProcessor {
  constructor() { super(); this.heard = []; this.port.onmessage = () => {
    this.port.postMessage(this.heard); this.heard = []; }; }
  process([input]) {
    const silent = Float32Array.from({ length: 128 }, () => 0);
    this.heard.push((input.length ? input : [silent]).map((channel) => channel.slice()));
    return true;
  }
}
registerProcessor("tap", Tap);`;

const tapUrl = URL.createObjectURL(new Blob([TAP], { type: "text/javascript" }));
if (isSecureContext) {
  const { addModule } = Worklet.prototype;
  Worklet.prototype.addModule = async function (url) {
    await addModule.call(this, tapUrl);
    await addModule.call(this, url);
  };
}

/** context -> its tap, for everything that is connected to its destination */
const taps = new Map();
const { connect } = AudioNode.prototype;
AudioNode.prototype.connect = function (target, ...more) {
  if (target instanceof AudioDestinationNode) {
    const { context } = this;
    if (!taps.has(context)) taps.set(context, new AudioWorkletNode(context, "tap", { numberOfOutputs: 0 }));
    connect.call(this, taps.get(context));
  }
  return connect.call(this, target, ...more);
};

/** What has reached the loudspeaker since it was asked the last time: one array for each channel. */
async function heard(context = [...taps.keys()].at(-1)) {
  const tap = taps.get(context);
  const told = new Promise((resolve) => (tap.port.onmessage = ({ data }) => resolve(data)));
  tap.port.postMessage("tell");
  const data = await told;
  const channels = Math.max(1, ...data.map((each) => each.length));
  const outputs = [];
  for (let channel = 0; channel < channels; channel++) {
    const output = new Float32Array(128 * data.length);
    data.forEach((each, index) => output.set(each[channel] ?? each[0], 128 * index));
    outputs.push(output);
  }
  return outputs;
}

/** Samples that no other place of the sound has, none of them zero or quiet. */
function noise(frames, seed = 1) {
  const samples = new Int16Array(frames);
  for (let index = 0; index < frames; index++) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    samples[index] = (seed & 65536 ? 1 : -1) * (1000 + (seed >>> 20));
  }
  return samples;
}

function sine(frames, hertz, rate = 24000) {
  return Int16Array.from({ length: frames }, (_, index) => 12000 * Math.sin((2 * Math.PI * hertz * index) / rate));
}

/** Where the source is found in what was heard, in runs of unchanged samples: at which frame, from which, how many. */
function runs(output, source) {
  const found = [];
  let place = 0;
  const alike = (from, at) => {
    let length = 0;
    while (from + length < source.length && at + length < output.length) {
      if (source[from + length] / 32768 !== output[at + length]) break;
      length++;
    }
    return length;
  };
  for (let at = 0; at < output.length; at++) {
    if (output[at] === 0) continue;
    let from = place;
    while (from < source.length && alike(from, at) < 8) from++;
    if (from === source.length) continue;
    const length = alike(from, at);
    found.push({ at, from, length });
    place = from + length;
    at += length - 1;
  }
  return found;
}

/** Hz, by zero crossings on the way up. */
function pitch(output, rate) {
  const up = [];
  for (let i = 1; i < output.length; i++) if (output[i - 1] < 0 && output[i] >= 0) up.push(i);
  return (rate * (up.length - 1)) / (up.at(-1) - up[0]);
}

const trimmed = (output) =>
  output.subarray(output.findIndex((value) => value), output.findLastIndex((value) => value) + 1);

/** Fulfilled once `met()`; looked at whenever the sound says something. */
const until = (sound, met, limit_ms = 20000) => new Promise((resolve, reject) => {
  const done = (settle, value) => { clearTimeout(timer); for (const name of names) sound.removeEventListener(name, look); settle(value); };
  const look = () => met() && done(resolve);
  const names = ["change", "position", "ended"];
  const timer = setTimeout(() => done(reject, new Error(`It never came: ${met}`)), limit_ms);
  for (const name of names) sound.addEventListener(name, look);
  look();
});

/** Gives a sound its pieces of 100 ms: number n comes n * every_ms + late(n) after now, behind the one before it.
 * Fulfilled with how late a busy machine made the latest of them, in ms. */
async function feed(sound, samples, { every_ms = 100, late = () => 0 } = {}) {
  const piece = (2400 * sound.sampleRate) / 24000;
  const begun = performance.now();
  let latest_ms = 0;
  for (let index = 0; index * piece < samples.length; index++) {
    const due = begun + index * every_ms + late(index);
    if (due > performance.now()) await settled(due - performance.now());
    latest_ms = Math.max(latest_ms, performance.now() - due);
    sound.append(samples.slice(index * piece, (index + 1) * piece), index, index * piece);
  }
  sound.finish(samples.length);
  return latest_ms;
}

/** Fulfilled when the sound device runs. */
const running = (context = [...nbaudio.contexts].at(-1)) => context.state === "running" ||
  new Promise((resolve) => context.addEventListener("statechange", resolve, { once: true }));

const settled = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

Object.assign(globalThis, { taps, heard, noise, sine, runs, pitch, trimmed, until, feed, running, settled });
