// Ten minutes of a recording within seconds. Nobody waits ten minutes for a benchmark, and a browser's false microphone
// is no faster than a real one; so what has been recorded so far is put in place, and then the recording is stopped as
// ever. What happens after the stop is all real.
(() => {
  const PIECE_S = 0.1;
  const ALIVE_MS = 1000;
  const QUIET_MS = 500;
  const MOST_BYTES = 2_000_000; // on their way to the kernel
  let capture;
  let file;

  const Node = globalThis.AudioWorkletNode;
  globalThis.AudioWorkletNode = new Proxy(Node, {
    construct(constructor, given, target) {
      const node = Reflect.construct(constructor, given, target);
      if (given[1] === "nbaudio-capture") capture = node;
      return node;
    },
  });

  const sockets = [];
  const Socket = globalThis.WebSocket;
  globalThis.WebSocket = new Proxy(Socket, {
    construct(constructor, given, target) {
      const socket = Reflect.construct(constructor, given, target);
      sockets.push(socket);
      return socket;
    },
  });

  /**
   * nbaudio: the page gets so many pieces from its sound thread, as it gets them from a microphone, but faster. Then
   * the microphone goes on, once JupyterLab has worked off what the kernel has said meanwhile.
   */
  benchmark.prefillPieces = async (seconds) => {
    const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    while (!capture?.port.onmessage) await pause(20); // the microphone is being opened
    const { port, context } = capture;
    capture = undefined;
    const hear = port.onmessage;
    let passed_ms = performance.now();
    // A kernel that hears nothing for three seconds takes the recording for lost.
    port.onmessage = (event) => {
      if (performance.now() - passed_ms < ALIVE_MS) return;
      passed_ms = performance.now();
      hear.call(port, event);
    };
    const frames = Math.round(context.sampleRate * PIECE_S);
    for (let done = 0; done < seconds / PIECE_S; done++) {
      const samples = Float32Array.from({ length: frames }, () => 0.05 * (Math.random() - 0.5));
      hear.call(port, { data: { samples, last: false } });
      if (done % 20) continue;
      do await pause(5);
      while (sockets.some(({ bufferedAmount }) => bufferedAmount > MOST_BYTES));
    }
    let last_ms = performance.now();
    const { iopubMessage } = panel.sessionContext;
    const note = () => (last_ms = performance.now());
    iopubMessage.connect(note);
    while (performance.now() - last_ms < QUIET_MS) await pause(50);
    iopubMessage.disconnect(note);
    port.onmessage = hear;
  };

  /** gradio: the one blob that its recorder gives when it is stopped is this WebM file. */
  benchmark.prefillFile = (base64) => {
    file = new Blob([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], { type: "audio/webm" });
  };
  const { set } = Object.getOwnPropertyDescriptor(MediaRecorder.prototype, "ondataavailable");
  Object.defineProperty(MediaRecorder.prototype, "ondataavailable", {
    set(react) {
      set.call(this, (event) => react(file ? { data: file } : event));
    },
  });
})();
