// What the browser keeps for this site, beyond the page.

/** @returns {Storage | undefined} a page may be without */
export function storage() {
  try {
    return localStorage;
  } catch {
    return undefined;
  }
}

/**
 * Keeps it for the next page, where there is room.
 * @param {string} name
 * @param {string} text
 */
export function remember(name, text) {
  try {
    storage()?.setItem(name, text);
  } catch {
    // It is full, or closed to this page: then the next page does without.
  }
}
