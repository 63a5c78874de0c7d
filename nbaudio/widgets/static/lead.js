// How long to wait before a sound that is still arriving is played, so that its late pieces come in time.
//
// A piece's lateness is the time at which it was here minus the time at which it begins in the sound: the same for each
// piece of a steady stream, less and less when pieces come faster than they sound. Played from the earliest of the first
// second on plus the lead, everything is in time that is not later than that by more than the lead. So the lead is the
// one number to learn: how much the lateness of pieces varies, looked at in windows of a few seconds of sound. What
// varied like that in one window only was an accident of the page or the network, and isn't waited for.

/** With no knowledge of who sends: what loopback and a busy page take (25 ms), and a step of the sound device (5 ms). */
export const FIRST_S = 0.032;
const MOST_S = 2; // who sends slower than it sounds isn't helped by a longer silence
const SURE_S = 0.35; // no more on the word of one window
const MARGIN = 1.15; // the next may be a little later than the latest so far
const WINDOW_S = 2.5;
const WINDOWS = 12; // what is older is forgotten
const BASE_S = 1; // how much of the sound says what is in time
const SOON_S = 10; // who runs dry again within so much sound is slower than it sounds: each time it waits longer,
const LONGER_S = 0.1; // twice this, four times, ...
const GRAIN_S = 0.2; // a piece as long as this and more holds sound that came before its time

/** @typedef {object} Learned  what streams from one place teach
 * @property {number[]} windows by how many seconds pieces varied in each of the last windows
 * @property {number} window and in this one so far
 * @property {number} sound_s how much sound it has seen */

export class Lead {
  #learned;
  #base = Infinity; // lateness of the earliest piece of the first second since the stream began, or began again
  #begun_s = 0;
  #earliest = [Infinity, Infinity]; // of the last window and of this one
  #soon = 0; // how often it ran dry soon after it had begun

  /** @param {Learned} [learned] from earlier streams */
  constructor({ windows, window, sound_s } = { windows: [], window: 0, sound_s: 0 }) {
    this.#learned = { windows: [...windows], window, sound_s };
    this.seconds = this.#longEnough();
  }

  /** For the next stream from the same place. */
  get learned() {
    return this.#learned;
  }

  /** A piece is here.
   * @param {number} start_s where in the sound it begins
   * @param {number} duration_s
   * @param {number} now_s any clock that runs as the sound does */
  arrived(start_s, duration_s, now_s) {
    const learned = this.#learned;
    const lateness = now_s - start_s;
    // A stream that is far ahead may halt for long and nobody hears it: only what comes later than the first counts.
    if (lateness > this.#base) learned.window = Math.max(learned.window, lateness - Math.min(...this.#earliest));
    if (this.#base === Infinity) this.#begun_s = start_s;
    const early = lateness - Math.min(Math.max(0, duration_s - GRAIN_S), BASE_S);
    if (start_s - this.#begun_s < BASE_S) this.#base = Math.min(this.#base, early);
    this.#earliest[1] = Math.min(this.#earliest[1], early);
    learned.sound_s += duration_s;
    if (learned.sound_s >= WINDOW_S) {
      learned.windows = [...learned.windows, learned.window].slice(-WINDOWS);
      learned.window = 0;
      learned.sound_s = 0;
      this.#earliest = [this.#earliest[1], Infinity];
    }
    this.seconds = this.#longEnough();
  }

  /** The sound ran dry before this piece came, as `arrived` has been told: what was in time before is so no more.
   * @param {number} start_s
   * @param {number} now_s */
  again(start_s, now_s) {
    this.#soon = start_s - this.#begun_s < SOON_S ? this.#soon + 1 : 0;
    this.#base = now_s - start_s;
    this.#begun_s = start_s;
    this.#earliest = [Infinity, this.#base];
  }

  /** @param {number} position_s where in the sound to begin
   * @returns {number} from when on; Infinity while nothing has come */
  startAt(position_s) {
    const longer_s = this.#soon > 1 ? Math.min(MOST_S, LONGER_S * 2 ** (this.#soon - 1)) : 0;
    return this.#base + Math.max(this.seconds, longer_s) + position_s;
  }

  #longEnough() {
    const { windows, window } = this.#learned;
    const [most, second = 0] = [...windows, window].sort((one, other) => other - one);
    const varies = windows.length < 2 ? Math.min(most, SURE_S / MARGIN) : second;
    return Math.max(FIRST_S, Math.min(MOST_S, MARGIN * varies));
  }
}
