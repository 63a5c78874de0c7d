// A file of the person's as samples: whatever the browser can decode, mixed down to mono, at the rate that is asked for.

const PIECE_BYTES = 480_000; // ten seconds at 24 kHz; one message is lost beyond 10 MB
const LARGEST_BYTES = 1 << 30; // a decoder holds file and samples in memory; beyond it tabs die instead of failing

const PIECE_FRAMES = PIECE_BYTES / Int16Array.BYTES_PER_ELEMENT;
const PAUSE_MS = 20; // for everybody else's messages, and the page

/** What can't be recorded from, in words for a person. */
export class NoSound extends Error {}

/**
 * @param {File} file  a sound, or a film with sound
 * @param {number} sampleRate
 * @returns {Promise<Float32Array>} mono, full scale -1 to 1; rejects with `NoSound`
 */
export async function decoded(file, sampleRate) {
  const name = file.name || "This file";
  if (file.size === 0) throw new NoSound(`${name} is empty.`);
  if (file.size > LARGEST_BYTES) {
    throw new NoSound(`${name} is larger than 1 GB, too large for a browser. Name it in the cell instead.`);
  }
  let bytes;
  try {
    bytes = await file.arrayBuffer();
  } catch {
    throw new NoSound(`${name} can't be read: a folder, or it was moved or changed meanwhile.`);
  }
  try {
    // An offline context resamples while it decodes, and needs neither a click nor a page over https.
    const sound = await new OfflineAudioContext(1, 1, sampleRate).decodeAudioData(bytes);
    return mono(sound);
  } catch {
    throw new NoSound(`${name} holds no sound that this browser can read. WAV, MP3, M4A, Ogg and FLAC files mostly do.`);
  }
}

/**
 * @param {AudioBuffer} sound
 * @returns {Float32Array} the mean of its channels
 */
function mono(sound) {
  const mixed = sound.getChannelData(0);
  for (let channel = 1; channel < sound.numberOfChannels; channel++) {
    const samples = sound.getChannelData(channel);
    for (let frame = 0; frame < mixed.length; frame++) mixed[frame] += samples[frame];
  }
  if (sound.numberOfChannels > 1) for (let frame = 0; frame < mixed.length; frame++) mixed[frame] /= sound.numberOfChannels;
  return mixed;
}

/**
 * What is sent at a time, with a pause after each.
 * @param {Float32Array} samples
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<Float32Array, void, void>} throws the reason of `signal`
 */
export async function* parts(samples, signal) {
  for (let first = 0; first < samples.length; first += PIECE_FRAMES) {
    yield samples.subarray(first, first + PIECE_FRAMES);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    signal.throwIfAborted();
  }
}
