// Sound at another rate, piece by piece: for browsers that give a microphone at its own rate only (Firefox).
//
// A windowed sinc: what the new rate can't hold is left out before, or it would come back as other tones.

const CROSSINGS = 16; // of the sinc on either side: what is left out is 70 dB less
const BAND = 0.85; // of the half rate; the rest is for the filter's slope
const STEPS = 256; // of the filter's table in each input sample; between them it is a straight line

/** From one rate to another; late by half the filter's length, under a millisecond. */
export class Resampler {
  #step;
  #reach; // input samples on either side
  #filter; // one half of it, from its middle
  #kept;
  #place; // of the next output sample in what is kept and what comes

  /**
   * @param {number} from  Hz
   * @param {number} to  Hz
   */
  constructor(from, to) {
    this.#step = from / to;
    const cutoff = (BAND * Math.min(1, to / from)) / 2; // cycles in each input sample
    this.#reach = Math.ceil(CROSSINGS / (2 * cutoff));
    const middle = Array.from({ length: this.#reach * STEPS + 2 }, (_, step) => tap(step / STEPS, cutoff, this.#reach));
    this.#filter = Float64Array.from(middle);
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
      const step = Math.abs(place - index) * STEPS;
      const whole = Math.floor(step);
      const [here, next] = [this.#filter[whole], this.#filter[whole + 1]];
      sum += input[index] * (here + (step - whole) * (next - here));
    }
    return sum;
  }
}

/**
 * A sinc in Blackman's window.
 * @param {number} away  from the middle, input samples
 * @param {number} cutoff  cycles in each of them
 * @param {number} reach
 */
function tap(away, cutoff, reach) {
  if (away >= reach) return 0;
  const [turn, angle] = [(Math.PI * away) / reach, 2 * Math.PI * cutoff * away];
  const window = 0.42 + 0.5 * Math.cos(turn) + 0.08 * Math.cos(2 * turn);
  return 2 * cutoff * (angle === 0 ? 1 : Math.sin(angle) / angle) * window;
}
