// Sound at another rate, piece by piece: for browsers that give a microphone at its own rate only (Firefox).
//
// A windowed sinc: what the new rate can't hold is left out before, or it would come back as other tones.

const CROSSINGS = 12; // of the sinc on either side: 80 dB less of what is left out
const BAND = 0.92; // of the half rate, the rest is for the filter's slope

/** From one rate to another; late by the filter's half length, about half a millisecond. */
export class Resampler {
  #step;
  #reach; // input samples on either side
  #cutoff; // cycles in each input sample
  #kept;
  #place; // of the next output sample in what is kept and what comes

  /**
   * @param {number} from  Hz
   * @param {number} to  Hz
   */
  constructor(from, to) {
    this.#step = from / to;
    this.#cutoff = (BAND * Math.min(1, to / from)) / 2;
    this.#reach = Math.ceil(CROSSINGS / (2 * this.#cutoff));
    this.#kept = new Float32Array(2 * this.#reach); // silence was before it
    this.#place = this.#reach;
  }

  /**
   * The next samples.
   * @param {Float32Array} samples
   * @returns {Float32Array}  as long as they are, in seconds; over several, to the sample
   */
  add(samples) {
    const input = new Float32Array(this.#kept.length + samples.length);
    input.set(this.#kept);
    input.set(samples, this.#kept.length);
    const last = input.length - this.#reach; // before it, all that a sample needs is here
    const count = Math.max(0, Math.ceil((last - this.#place) / this.#step - 1e-9));
    const output = Float32Array.from({ length: count }, (_, index) => this.#at(input, this.#place + index * this.#step));
    this.#place += count * this.#step - samples.length;
    this.#kept = input.slice(samples.length);
    return output;
  }

  /**
   * @param {Float32Array} input
   * @param {number} place
   */
  #at(input, place) {
    let sum = 0;
    const first = Math.max(0, Math.ceil(place - this.#reach));
    const last = Math.min(input.length - 1, Math.floor(place + this.#reach));
    for (let index = first; index <= last; index++) {
      const away = place - index;
      const window = 0.42 + 0.5 * Math.cos((Math.PI * away) / this.#reach) + 0.08 * Math.cos((2 * Math.PI * away) / this.#reach);
      const angle = 2 * Math.PI * this.#cutoff * away;
      sum += input[index] * 2 * this.#cutoff * (angle === 0 ? 1 : Math.sin(angle) / angle) * window;
    }
    return sum;
  }
}
