// What the browser keeps for this site, beyond the page.

/** @returns {Storage | undefined} a page may be without */
export function storage() {
  try {
    return localStorage;
  } catch {
    return undefined;
  }
}
