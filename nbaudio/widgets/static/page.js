// What tests and benchmarks read of a page: globalThis.nbaudio.

/** @typedef {object} Page
 * @property {Map<string, import("./sound.js").Sound>} players by the key of their model
 * @property {Set<AudioContext>} contexts that are open */

/** @returns {Page} */
export function page() {
  const all = /** @type {{nbaudio?: Partial<Page>}} */ (globalThis);
  const own = (all.nbaudio ??= {});
  own.players ??= new Map();
  own.contexts ??= new Set();
  return /** @type {Page} */ (own);
}
