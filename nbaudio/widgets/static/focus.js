// Where the keyboard is: a recorder that appears takes it only where nobody is typing, and gives it back at its end.

/**
 * Whether an output that appears may take the keyboard: the person is in this notebook, and not in the middle of a text.
 * @param {HTMLElement} element
 * @returns {boolean}
 */
export function mayTakeFocus(element) {
  const page = element.ownerDocument;
  const focused = page.activeElement;
  if (!page.hasFocus()) return false; // another window, or another frame of this one
  if (!focused || focused === page.body) return true;
  const notebook = element.closest(".jp-Notebook");
  if (notebook && !notebook.contains(focused)) return false; // a terminal, a menu, a dialog
  if (focused.matches("input, textarea, select")) return false;
  if (!(focused instanceof HTMLElement && focused.isContentEditable)) return true;
  // Running a cell leaves the cursor in it, or in the empty one that it has made below.
  return Boolean(element.closest(".jp-Cell")?.contains(focused)) || !focused.textContent?.trim();
}

/** Gives the keyboard back to whatever had it before it came into an element. */
export class FocusBefore {
  #element;
  /** @type {EventTarget | null} */
  #before = null;

  /**
   * @param {HTMLElement} element
   * @param {AbortSignal} signal
   */
  constructor(element, signal) {
    this.#element = element;
    const note = (/** @type {FocusEvent} */ event) => {
      const from = event.relatedTarget;
      if (!(from instanceof Node && element.contains(from))) this.#before = from;
    };
    element.addEventListener("focusin", note, { signal });
  }

  /** Whether the keyboard is in the element. */
  get inside() {
    return this.#element.contains(this.#element.ownerDocument.activeElement);
  }

  giveBack() {
    const before = this.#before;
    const notebook = /** @type {HTMLElement | null} */ (this.#element.closest(".jp-Notebook"));
    if (before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true });
    else notebook?.focus({ preventScroll: true });
  }
}
