// A widget in the place of the static output that stands for it.
//
// What a cell shows, and what is saved, is static HTML: JupyterLab shows a saved widget only where its kernel still
// lives, else "model not found" in the place of all that was saved beside it. In a living page the widget looks for the
// figure of its key, wherever and however often it is drawn, hides it, and shows itself there; where the figure goes,
// that view goes. Without the widget the figure is what it is.

/** @typedef {(place: HTMLElement) => () => void} Mount  shows it there; gives what takes it away again */
/** @typedef {{figures: HTMLCollectionOf<Element>, mount: Mount, shown: Map<HTMLElement, () => void>}} Looked */

/** @type {Set<Looked>} */
const looked_for = new Set();
/** @type {MutationObserver | undefined} */
let observer;

/**
 * @param {string} key  of the model
 * @param {Mount} mount
 * @returns {() => void} take it away everywhere, and look no more
 */
export function showInPlace(key, mount) {
  // A living collection: asking for its length costs next to nothing as long as no such class comes or goes.
  const looked = { figures: document.getElementsByClassName(`nbaudio-live-${key}`), mount, shown: new Map() };
  looked_for.add(looked);
  if (!observer) {
    observer = new MutationObserver(() => looked_for.forEach(look));
    observer.observe(document.body, { childList: true, subtree: true });
  }
  look(looked);
  return () => {
    looked_for.delete(looked);
    for (const take_away of looked.shown.values()) take_away();
    looked.shown.clear();
    if (looked_for.size) return;
    observer?.disconnect();
    observer = undefined;
  };
}

/** @param {Looked} looked */
function look({ figures, mount, shown }) {
  for (const [figure, take_away] of shown) {
    if (figure.isConnected) continue;
    shown.delete(figure);
    take_away();
  }
  if (figures.length === shown.size) return;
  for (const figure of figures) {
    if (figure instanceof HTMLElement && !shown.has(figure)) shown.set(figure, cover(figure, mount));
  }
}

/**
 * @param {HTMLElement} figure
 * @param {Mount} mount
 */
function cover(figure, mount) {
  const place = document.createElement("div");
  const { display } = figure.style;
  figure.style.display = "none";
  figure.before(place);
  const unmount = mount(place);
  return () => {
    unmount();
    place.remove();
    figure.style.display = display;
  };
}
