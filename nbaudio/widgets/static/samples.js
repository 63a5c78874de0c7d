// The samples of one sound as far as they are here: 16 bit, in blocks, so that an hour grows without being copied.

const BLOCK_FRAMES = 16384;

export class Samples {
  /** @type {Int16Array[]} */ #blocks = [];

  /** @param {number} channels */
  constructor(channels) {
    this.channels = channels;
    this.frames = 0;
  }

  /** Behind what is there.
   * @param {Int16Array} interleaved nobody changes it any more: whole blocks of it are not copied */
  append(interleaved) {
    const { channels } = this;
    const frames = Math.floor(interleaved.length / channels);
    for (let done = 0; done < frames; ) {
      const inside = this.frames % BLOCK_FRAMES;
      const count = Math.min(frames - done, BLOCK_FRAMES - inside);
      const part = interleaved.subarray(done * channels, (done + count) * channels);
      if (count === BLOCK_FRAMES) this.#blocks.push(part);
      else {
        if (inside === 0) this.#blocks.push(new Int16Array(BLOCK_FRAMES * channels));
        this.#blocks[this.#blocks.length - 1].set(part, inside * channels);
      }
      this.frames += count;
      done += count;
    }
  }

  /** One channel from frame `from` on; zeros where there is nothing, before the first frame too.
   * @param {number} channel
   * @param {number} from whole frames, may be negative
   * @param {Float32Array} into
   * @param {number} [at] where in `into` to begin
   * @param {number} [count] how many */
  read(channel, from, into, at = 0, count = into.length - at) {
    const { channels } = this;
    let frame = from;
    const end = from + count;
    for (; frame < end && frame < 0; frame++) into[at++] = 0;
    while (frame < end && frame < this.frames) {
      const block = this.#blocks[Math.floor(frame / BLOCK_FRAMES)];
      const first = frame % BLOCK_FRAMES;
      const last = Math.min(BLOCK_FRAMES, first + Math.min(end, this.frames) - frame);
      for (let inside = first; inside < last; inside++) into[at++] = block[inside * channels + channel] / 32768;
      frame += last - first;
    }
    for (; frame < end; frame++) into[at++] = 0;
  }

  /** Frames `from` to `to` in order, in parts that share memory with this object.
   * @param {number} from
   * @param {number} to
   * @param {(interleaved: Int16Array) => void} visit */
  each(from, to, visit) {
    const end = Math.min(to, this.frames);
    for (let frame = from; frame < end; ) {
      const first = frame % BLOCK_FRAMES;
      const last = Math.min(BLOCK_FRAMES, first + end - frame);
      const block = this.#blocks[Math.floor(frame / BLOCK_FRAMES)];
      visit(block.subarray(first * this.channels, last * this.channels));
      frame += last - first;
    }
  }
}
