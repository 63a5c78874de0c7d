// 16-bit samples, as messages and WAV files carry them, and the floats of ±1 that the browser computes with.

const FULL_SCALE = 32768;
const WAV_HEADER = 44;
// A DataView reads little endian on every machine; an Int16Array does so on all that have a browser today, and faster.
const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** The samples of a message's buffer, in memory of their own.
 * @param {Int16Array | DataView} pcm16 little endian; an odd last byte is left out
 * @returns {Int16Array} */
export function samplesOf(pcm16) {
  if (pcm16 instanceof Int16Array) return pcm16.slice();
  const count = pcm16.byteLength >> 1;
  if (LITTLE_ENDIAN) {
    const { byteOffset } = pcm16;
    return new Int16Array(pcm16.buffer.slice(byteOffset, byteOffset + 2 * count));
  }
  return Int16Array.from({ length: count }, (_, index) => pcm16.getInt16(2 * index, true));
}

/** Exact: each of the 65,536 values has its own float.
 * @param {Int16Array | DataView} pcm16
 * @returns {Float32Array} -1 to 1 - 1/32768 */
export function toFloat32(pcm16) {
  const samples = pcm16 instanceof Int16Array ? pcm16 : samplesOf(pcm16);
  const floats = new Float32Array(samples.length);
  for (let index = 0; index < samples.length; index++) floats[index] = samples[index] / FULL_SCALE;
  return floats;
}

/** Rounded to the nearest; what is louder than full scale is clipped.
 * @param {Float32Array} floats
 * @returns {Int16Array} */
export function toPcm16(floats) {
  const samples = new Int16Array(floats.length);
  for (let index = 0; index < floats.length; index++) {
    samples[index] = Math.max(-FULL_SCALE, Math.min(FULL_SCALE - 1, Math.round(floats[index] * FULL_SCALE)));
  }
  return samples;
}

/** A WAV file's 44 bytes before its samples (RIFF, format 1, 16 bit).
 * @param {number} frames
 * @param {number} sampleRate Hz
 * @param {number} channels
 * @returns {ArrayBuffer} */
export function wavHeader(frames, sampleRate, channels) {
  const size = 2 * channels * frames;
  const view = new DataView(new ArrayBuffer(WAV_HEADER));
  const name = (/** @type {number} */ at, /** @type {string} */ letters) => {
    for (let index = 0; index < 4; index++) view.setUint8(at + index, letters.charCodeAt(index));
  };
  name(0, "RIFF");
  view.setUint32(4, WAV_HEADER - 8 + size, true);
  name(8, "WAVE");
  name(12, "fmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, channels, true);
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, 2 * channels * sampleRate, true);
  view.setUint16(32, 2 * channels, true);
  view.setUint16(34, 16, true);
  name(36, "data");
  view.setUint32(40, size, true);
  return view.buffer;
}
