// Listens at the output of every AudioContext of a page, and counts what comes to it from its server.
//
// Everything that is connected to a destination goes to a bus instead, which is connected to the destination and to a
// worklet; the worklet notes the frame at which silence (1 ms below the threshold) begins and ends. Media elements are
// led through an AudioContext of this file, because nothing else tells when an element's samples leave.
(() => {
  const LEAST_S = 0.001;
  const THRESHOLD = 0.01; // the tone's amplitude is 0.25
  const SETTLED_MS = 300; // a context that has just begun has no steady clock
  const worklet = `
    class Tap extends AudioWorkletProcessor {
      sounds = false;
      loudFrame = -1;
      process([channels]) {
        const count = channels.length ? channels[0].length : 128;
        for (let i = 0; i < count; i++) {
          let loud = false;
          for (const channel of channels) if (Math.abs(channel[i]) > ${THRESHOLD}) loud = true;
          const frame = currentFrame + i;
          if (loud) {
            if (!this.sounds) this.port.postMessage({ sounds: true, frame });
            this.sounds = true;
            this.loudFrame = frame;
          } else if (this.sounds && frame - this.loudFrame > ${LEAST_S} * sampleRate) {
            this.sounds = false;
            this.port.postMessage({ sounds: false, frame: this.loudFrame + 1 });
          }
        }
        return true;
      }
    }
    registerProcessor("benchmark-tap", Tap);`;
  const address = URL.createObjectURL(new Blob([worklet], { type: "text/javascript" }));
  const { connect } = AudioNode.prototype;
  /** What was noted since the last `take`. */
  const noted = { changes: [], messages: [], requests: [], outputs: [], clicked_s: 0 };
  const buses = new WeakMap();

  // Date.now() has whole milliseconds: the largest of many differences is right to some hundredths.
  let offset_ms = -Infinity;
  for (let i = 0; i < 20_000; i++) offset_ms = Math.max(offset_ms, Date.now() - performance.now());

  /** Seconds since 1970 at which a frame leaves the loudspeaker. */
  function heard_s(context, frame) {
    const { contextTime, performanceTime } = context.getOutputTimestamp();
    return (performanceTime + 1000 * (frame / context.sampleRate - contextTime) + offset_ms) / 1000;
  }

  function tap(context) {
    const bus = new GainNode(context);
    buses.set(context, bus);
    connect.call(bus, context.destination);
    context.audioWorklet?.addModule(address).then(() => {
      const node = new AudioWorkletNode(context, "benchmark-tap", { numberOfOutputs: 0 });
      connect.call(bus, node);
      node.port.onmessage = ({ data: { sounds, frame } }) => {
        const change = { sounds, frame_s: frame / context.sampleRate, at_s: heard_s(context, frame) };
        noted.changes.push(change);
        setTimeout(() => {
          if (context.state !== "running") return;
          change.at_s = heard_s(context, frame);
          const { sampleRate, baseLatency, outputLatency } = context;
          noted.outputs.push({ sampleRate, baseLatency, outputLatency });
        }, SETTLED_MS);
      };
    });
    return bus;
  }

  AudioNode.prototype.connect = function (target, ...rest) {
    const bus = target instanceof AudioDestinationNode && buses.get(target.context);
    if (!bus || this === bus) return connect.call(this, target, ...rest);
    connect.call(this, bus, ...rest);
    return target;
  };

  const Context = globalThis.AudioContext;
  globalThis.AudioContext = new Proxy(Context, {
    construct(constructor, given, target) {
      const context = Reflect.construct(constructor, given, target);
      tap(context); // at once, so that it listens before anything can sound
      return context;
    },
  });

  let elements;
  const led = new WeakSet();
  function lead(element) {
    if (!(element instanceof HTMLMediaElement) || led.has(element)) return;
    led.add(element);
    elements ??= new AudioContext({ latencyHint: "interactive" });
    elements.createMediaElementSource(element).connect(elements.destination);
  }
  document.addEventListener("loadstart", ({ target }) => lead(target), true);
  const { play } = HTMLMediaElement.prototype;
  HTMLMediaElement.prototype.play = function () {
    lead(this);
    return play.call(this);
  };

  globalThis.WebSocket = new Proxy(WebSocket, {
    construct(constructor, given, target) {
      const socket = Reflect.construct(constructor, given, target);
      socket.addEventListener("message", () => noted.messages.push((performance.now() + offset_ms) / 1000));
      return socket;
    },
  });

  new PerformanceObserver((list) => {
    for (const { responseEnd } of list.getEntries()) noted.requests.push((responseEnd + offset_ms) / 1000);
  }).observe({ type: "resource" });
  addEventListener("click", ({ timeStamp }) => (noted.clicked_s = (timeStamp + offset_ms) / 1000), true);

  globalThis.benchmark = {
    noted,
    now_s: () => (performance.now() + offset_ms) / 1000,
    take: () => ({
      changes: noted.changes.splice(0),
      messages: noted.messages.splice(0),
      requests: noted.requests.splice(0),
      output: noted.outputs.splice(0).pop() ?? null,
    }),
    /** Whether so much of a tone has been heard, or nothing more for so long. */
    over: ([tone_s, patience_s]) => {
      const last = noted.changes.at(-1);
      if (!last || last.sounds) return false;
      let heard_s = 0;
      noted.changes.forEach(({ sounds, frame_s }) => (heard_s += sounds ? -frame_s : frame_s));
      const silent_s = benchmark.now_s() - last.at_s;
      return silent_s > patience_s || (heard_s > tone_s && silent_s > 1);
    },
  };
})();
