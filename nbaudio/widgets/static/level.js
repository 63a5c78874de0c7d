// How loud it is, as a meter shows it.

/** What silence is called: no level is lower. */
export const SILENT_DBFS = -90;

const HOLD_S = 1.5;
const CLOSE_TO_FULL = 0.99; // what is above it has been clipped, or is about to be

/**
 * @param {number} meanSquare  of samples from -1 to 1
 * @returns {number} dBFS, from SILENT_DBFS to 0, which a square wave of full scale has
 */
export function dbfs(meanSquare) {
  return Math.max(SILENT_DBFS, 10 * Math.log10(Math.max(meanSquare, Number.MIN_VALUE)));
}

/**
 * @param {Float32Array} samples
 * @returns {number} their root mean square, dBFS
 */
export function levelDbfs(samples) {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return dbfs(samples.length ? sum / samples.length : 0);
}

/** The highest of the last moments. Times are those of the recording, seconds. */
export class Peak {
  #since_s = 0;
  #loud_s = -Infinity;
  dbfs = SILENT_DBFS;

  /**
   * @param {number} level_dbfs
   * @param {number} now_s
   */
  follow(level_dbfs, now_s) {
    if (level_dbfs < this.dbfs && now_s >= this.#since_s && now_s - this.#since_s <= HOLD_S) return;
    this.dbfs = level_dbfs;
    this.#since_s = now_s;
  }

  /**
   * @param {Float32Array} samples
   * @param {number} now_s
   */
  hear(samples, now_s) {
    if (samples.some((sample) => Math.abs(sample) > CLOSE_TO_FULL)) this.#loud_s = now_s;
  }

  /** Whether it has come close to full scale in the last moments. @param {number} now_s */
  tooLoud(now_s) {
    return now_s - this.#loud_s < HOLD_S;
  }
}
