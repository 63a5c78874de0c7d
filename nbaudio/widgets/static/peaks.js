// Lowest and highest sample of equal stretches of a sound, for a waveform that fills in while the sound arrives.

const BIN_FRAMES = 256; // an hour at 24 kHz is 337,500 of them: looking at all takes a millisecond

export class Peaks {
  #samples;
  #bins = new Int16Array(2 * 1024); // low, high
  #frames = 0;

  /** @param {import("./samples.js").Samples} samples */
  constructor(samples) {
    this.#samples = samples;
  }

  /** @param {number} count how many stretches
   * @param {number} from frame
   * @param {number} to frame; may lie behind what is here, where all is 0
   * @returns {Float32Array} low, high, low, high, ... of ±1; the channels are looked at together */
  of(count, from, to) {
    this.#update();
    const pairs = new Float32Array(2 * count);
    const step = (to - from) / count;
    for (let index = 0; index < count; index++) {
      const begin = Math.max(0, Math.floor(from + index * step));
      const end = Math.min(this.#frames, Math.max(begin + 1, Math.floor(from + (index + 1) * step)));
      if (end <= begin) continue;
      const [low, high] = step < 4 * BIN_FRAMES ? this.#look(begin, end) : this.#overview(begin, end);
      pairs[2 * index] = low / 32768;
      pairs[2 * index + 1] = high / 32768;
    }
    return pairs;
  }

  #update() {
    const { frames } = this.#samples;
    // The last bin may have been looked at while it was half full.
    for (let bin = Math.floor(this.#frames / BIN_FRAMES); bin * BIN_FRAMES < frames; bin++) {
      if (2 * bin + 2 > this.#bins.length) {
        const more = new Int16Array(2 * this.#bins.length);
        more.set(this.#bins);
        this.#bins = more;
      }
      const pair = this.#look(bin * BIN_FRAMES, Math.min(frames, (bin + 1) * BIN_FRAMES));
      this.#bins.set(pair, 2 * bin);
    }
    this.#frames = frames;
  }

  /** Of whole bins, so a little more than asked for.
   * @param {number} begin
   * @param {number} end */
  #overview(begin, end) {
    let low = 32767;
    let high = -32768;
    for (let bin = Math.floor(begin / BIN_FRAMES); bin * BIN_FRAMES < end; bin++) {
      low = Math.min(low, this.#bins[2 * bin]);
      high = Math.max(high, this.#bins[2 * bin + 1]);
    }
    return [low, high];
  }

  /** Sample by sample.
   * @param {number} begin
   * @param {number} end */
  #look(begin, end) {
    let low = 32767;
    let high = -32768;
    this.#samples.each(begin, end, (part) => {
      for (let index = 0; index < part.length; index++) {
        const sample = part[index]; // for ... of takes three times as long
        if (sample < low) low = sample;
        if (sample > high) high = sample;
      }
    });
    return [low, high];
  }
}
