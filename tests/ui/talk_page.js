// On a page before its own scripts: a microphone that says what a test gives it, when the test says so.

(() => {
  const RATE = 24000;
  /** @type {{context: AudioContext, out: MediaStreamAudioDestinationNode, track: MediaStreamTrack}[]} */
  const microphones = [];

  globalThis.microphones = () => microphones.filter(({ track }) => track.readyState === "live").length;

  /** Says PCM16 in base64 into every open microphone; fulfilled with when that began and ended, by the page's clock. */
  globalThis.speak = async (base64) => {
    const letters = atob(base64), bytes = Uint8Array.from(letters, (letter) => letter.charCodeAt(0));
    const samples = Float32Array.from(new Int16Array(bytes.buffer), (sample) => sample / 32768);
    const began_ms = performance.now();
    await Promise.all(
      microphones.filter(({ track }) => track.readyState === "live").map(async ({ context, out }) => {
        await context.resume();
        const buffer = new AudioBuffer({ length: samples.length, sampleRate: RATE });
        buffer.copyToChannel(samples, 0);
        const source = new AudioBufferSourceNode(context, { buffer });
        source.connect(out);
        const ended = new Promise((resolve) => source.addEventListener("ended", resolve, { once: true }));
        source.start();
        await ended;
        source.disconnect();
      }),
    );
    return { began_ms, ended_ms: performance.now() };
  };

  if (!navigator.mediaDevices) return;
  navigator.mediaDevices.getUserMedia = async () => {
    const context = new AudioContext({ sampleRate: RATE }), out = new MediaStreamAudioDestinationNode(context);
    // A stream without a source gives nothing at all: a microphone in a still room gives silence.
    const silence = new ConstantSourceNode(context, { offset: 0 });
    silence.connect(out);
    silence.start();
    const [track] = out.stream.getTracks(), stop = track.stop.bind(track);
    track.stop = () => {
      stop();
      if (context.state !== "closed") void context.close();
    };
    microphones.push({ context, out, track });
    return out.stream;
  };
})();
