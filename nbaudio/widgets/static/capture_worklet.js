// In the audio thread: gathers what the microphone gives into pieces, and posts each to the page as it fills.
//
// Page to here: anything, once: hand over what is gathered and end. Here to page: `{samples, last}`.

class Capture extends AudioWorkletProcessor {
  #over = false;
  #gathered;
  #count = 0;

  /** @param {{processorOptions?: any}} options  `pieceFrames`: how many frames a piece has */
  constructor({ processorOptions }) {
    super();
    this.#gathered = new Float32Array(processorOptions.pieceFrames);
    this.port.onmessage = () => this.#hand(true);
  }

  /** @param {Float32Array[][]} inputs one input, which the node has mixed down to one channel
   * @returns {boolean} whether to be called again; browsers call again after `false` too while an input is connected */
  process([channels]) {
    let samples = channels?.[0] ?? new Float32Array(0); // no channel: nothing is connected yet, or any more
    while (!this.#over && samples.length) {
      const part = samples.subarray(0, this.#gathered.length - this.#count);
      this.#gathered.set(part, this.#count);
      this.#count += part.length;
      samples = samples.subarray(part.length);
      if (this.#count === this.#gathered.length) this.#hand(false);
    }
    return !this.#over;
  }

  /** @param {boolean} last */
  #hand(last) {
    if (this.#over) return;
    this.#over = last;
    const samples = this.#gathered.slice(0, this.#count);
    this.#count = 0;
    this.port.postMessage({ samples, last }, [samples.buffer]);
  }
}

registerProcessor("nbaudio-capture", Capture);
