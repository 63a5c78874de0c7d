// The samples of a whole sound, from a file or from raw ones.

import { samplesOf, toPcm16 } from "./pcm16.js";

/** @typedef {{channels: number, sampleRate: number, samples: Int16Array}} Decoded  interleaved */

/** @param {ArrayBuffer | DataView} bytes a file that the browser can decode, or PCM16 (little endian, interleaved)
 * @param {string} mime "audio/pcm;rate=24000", with ";channels=2" for stereo, for the latter
 * @param {number} sampleRate Hz that a file is converted to, and of PCM16 that says nothing of its own
 * @returns {Promise<Decoded>} of one or two channels; rejects with an Error in plain words for what is no sound */
export async function decoded(bytes, mime, sampleRate) {
  const view = bytes instanceof DataView ? bytes : new DataView(bytes);
  if (/^audio\/(pcm|l16)\b/i.test(mime)) {
    const said = (/** @type {string} */ name) => Number(new RegExp(`;\\s*${name}=(\\d+)`, "i").exec(mime)?.[1]);
    return { channels: said("channels") || 1, sampleRate: said("rate") || sampleRate, samples: samplesOf(view) };
  }
  // Decoding takes the buffer away from whoever has it: it gets one of its own.
  const own = /** @type {ArrayBuffer} */ (view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
  let audio;
  try {
    audio = await new OfflineAudioContext(1, 1, sampleRate).decodeAudioData(own);
  } catch {
    throw new Error("This browser can't decode this kind of sound file. Save the clip as WAV, and play that.");
  }
  const channels = Math.min(2, audio.numberOfChannels);
  const samples = new Int16Array(audio.length * channels);
  for (let channel = 0; channel < channels; channel++) {
    toPcm16(audio.getChannelData(channel)).forEach((sample, frame) => (samples[frame * channels + channel] = sample));
  }
  return { channels, sampleRate, samples };
}
