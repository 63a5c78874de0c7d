// One take on its way to the kernel: sent in numbered pieces while it grows, kept in the page only for a replay.

import { toPcm16, wavHeader } from "./pcm16.js";

/** @typedef {{send(content: object, buffers?: ArrayBuffer[]): void}} Link */

export class Take {
  /** @type {Link} */
  #link;
  /** @type {Int16Array[] | undefined} */
  #kept;
  id = uuid();
  pieces = 0;
  frames = 0;

  /**
   * @param {Link} link
   * @param {object} about
   * @param {"microphone" | "file"} about.door
   * @param {number} about.sampleRate
   * @param {string} [about.name]  of the file
   * @param {boolean} about.keep  for a replay: 170 MB an hour
   */
  constructor(link, { door, sampleRate, name, keep }) {
    this.#link = link;
    this.#kept = keep ? [] : undefined;
    this.sampleRate = sampleRate;
    link.send({ kind: "begin", take: this.id, sample_rate: sampleRate, channels: 1, door, ...(name ? { name } : {}) });
  }

  get duration_s() {
    return this.frames / this.sampleRate;
  }

  /** The next samples: they are sent at once. @param {Float32Array} samples */
  add(samples) {
    const pcm = toPcm16(samples);
    this.frames += pcm.length;
    this.#kept?.push(pcm);
    this.#link.send({ kind: "piece", take: this.id, index: this.pieces++ }, [/** @type {ArrayBuffer} */ (pcm.buffer)]);
  }

  /** @param {"stopped" | "silence" | "longest" | "file" | "device lost"} reason */
  end(reason) {
    this.#link.send({ kind: "end", take: this.id, pieces: this.pieces, frames: this.frames, reason });
  }

  /** Nobody wants to hear it again. */
  forget() {
    this.#kept = undefined;
  }

  /** What was kept, as a WAV file. @returns {Blob | undefined} */
  wav() {
    if (!this.#kept) return undefined;
    return new Blob([wavHeader(this.frames, this.sampleRate, 1), ...(/** @type {BlobPart[]} */ (this.#kept))], { type: "audio/wav" });
  }
}

/** A random one; pages over plain http have no `crypto.randomUUID`. @returns {string} */
export function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40; // version 4, RFC 9562 section 5.4
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const digits = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
