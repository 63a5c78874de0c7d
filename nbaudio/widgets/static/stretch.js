// Faster or slower at the same pitch, by waveform similarity overlap-add (WSOLA; Verhelst and Roelands, ICASSP 1993).
//
// The sound is made of hops. Each fades from what would naturally follow the last hop to a stretch of the source near
// the place where the speed wants it, chosen so that the two look alike: then no period of the voice is broken. Where
// that stretch is the natural continuation itself, what comes out is the source, sample by sample.

const HOP_S = 0.015; // with the next it makes a window of 30 ms: two periods of a deep voice
const SEARCH_S = 0.008; // to either side, so that one whole period of 62 Hz and higher is within reach
const COARSE_HZ = 12_000; // voiced sound has its shape below half of this; the last step looks at every sample

export class Stretch {
  #search;
  #stride;
  #up;
  #continued;
  #near;
  #nominal = 0; // where the speed has come to
  #natural = 0; // what would follow the last hop

  /** @param {number} sampleRate Hz
   * @param {number} channels */
  constructor(sampleRate, channels) {
    this.channels = channels;
    this.hop = Math.round(HOP_S * sampleRate);
    this.#search = Math.round(SEARCH_S * sampleRate);
    this.#stride = Math.max(1, Math.round(sampleRate / COARSE_HZ));
    this.#up = Float32Array.from({ length: this.hop }, (_, i) => 0.5 - 0.5 * Math.cos((Math.PI * (i + 0.5)) / this.hop));
    this.#continued = new Float32Array(this.hop);
    this.#near = new Float32Array(this.hop + 2 * this.#search);
  }

  /** What comes next follows the source's frame before this one without a seam.
   * @param {number} frame */
  begin(frame) {
    this.#nominal = frame;
    this.#natural = frame;
  }

  /** The source's frame that the next output begins with. */
  get position() {
    return Math.max(0, this.#nominal);
  }

  /** The frame from which the source alone goes on without a seam. */
  get natural() {
    return this.#natural;
  }

  /** How many frames of the source must be there for the next hop to be chosen freely. */
  get needed() {
    return Math.max(Math.round(this.#nominal) + this.#search, this.#natural) + this.hop;
  }

  /** Fills `hop` frames of each channel, at `speed` times the pace of the source.
   * @param {import("./samples.js").Samples} source
   * @param {number} speed
   * @param {Float32Array[]} outputs one for each channel */
  next(source, speed, outputs) {
    const { hop } = this;
    const chosen = this.#nominal === this.#natural ? this.#natural : this.#alike(source);
    for (let channel = 0; channel < this.channels; channel++) {
      const output = outputs[channel];
      source.read(channel, this.#natural, output, 0, hop);
      if (chosen === this.#natural) continue;
      source.read(channel, chosen, this.#continued, 0, hop);
      for (let i = 0; i < hop; i++) output[i] += this.#up[i] * (this.#continued[i] - output[i]);
    }
    this.#natural = chosen + hop;
    this.#nominal += hop * speed;
  }

  /** As `next`, but nothing is chosen: the source goes on, and the speed is made up for later.
   * @param {import("./samples.js").Samples} source
   * @param {Float32Array[]} outputs one for each channel */
  follow(source, outputs) {
    this.begin(this.#natural);
    this.next(source, 1, outputs);
  }

  /** @param {import("./samples.js").Samples} source
   * @returns {number} the frame near the nominal one from where the source looks most like its natural continuation */
  #alike(source) {
    const first = Math.round(this.#nominal) - this.#search;
    this.#mix(source, this.#natural, this.#continued);
    this.#mix(source, first, this.#near);
    const middle = this.#search;
    const coarse = this.#best(middle, this.#search, this.#stride);
    return first + (this.#stride > 1 ? this.#best(coarse, this.#stride - 1, 1) : coarse);
  }

  /** @param {number} middle in `#near`
   * @param {number} reach to either side
   * @param {number} stride
   * @returns {number} the shift with the highest normalised correlation; the middle where all is silent */
  #best(middle, reach, stride) {
    let best = middle;
    let most = this.#likeness(middle, stride);
    for (let off = stride; off <= reach; off += stride) {
      for (const shift of [middle - off, middle + off]) {
        if (shift < 0 || shift > 2 * this.#search) continue;
        const likeness = this.#likeness(shift, stride);
        if (likeness > most) {
          most = likeness;
          best = shift;
        }
      }
    }
    return best;
  }

  /** @param {number} shift
   * @param {number} stride */
  #likeness(shift, stride) {
    const continued = this.#continued;
    const near = this.#near;
    let product = 0;
    let energy = 1e-9;
    for (let i = 0; i < this.hop; i += stride) {
      const sample = near[shift + i];
      product += sample * continued[i];
      energy += sample * sample;
    }
    return product / Math.sqrt(energy);
  }

  /** The channels together.
   * @param {import("./samples.js").Samples} source
   * @param {number} from
   * @param {Float32Array} into */
  #mix(source, from, into) {
    source.read(0, from, into);
    for (let channel = 1; channel < this.channels; channel++) {
      const other = new Float32Array(into.length);
      source.read(channel, from, other);
      for (let i = 0; i < into.length; i++) into[i] += other[i];
    }
  }
}
