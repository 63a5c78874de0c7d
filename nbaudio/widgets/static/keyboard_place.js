// Where the keyboard is in a widget while one view of it takes the place of another, as when an answer is whole.

const CONTROLS = "button, select, input, [tabindex]";

/** One for all views of a model; they are made alike. */
export class KeyboardPlace {
  #at = -1; // which of a view's controls has it

  /**
   * Follows it in a view.
   * @param {HTMLElement} view
   * @param {AbortSignal} signal  ends it
   */
  watch(view, signal) {
    const note = (/** @type {FocusEvent} */ { target }) => {
      this.#at = controls(view).findIndex((control) => control === target);
    };
    const look = () => {
      // A view that was taken off the page has lost it against the person's will.
      if (view.isConnected && !view.contains(view.ownerDocument.activeElement)) this.forget();
    };
    view.addEventListener("focusin", note, { signal });
    view.addEventListener("focusout", () => setTimeout(look), { signal });
  }

  /** Gives it to the same control of another view, where it is nowhere now. @param {HTMLElement} view */
  restore(view) {
    const { activeElement, body } = view.ownerDocument;
    if (this.#at < 0 || activeElement !== body) return;
    const all = controls(view);
    const control = [all[this.#at], all[0]].find((one) => one?.checkVisibility());
    control?.focus({ preventScroll: true });
  }

  forget() {
    this.#at = -1;
  }
}

/** @param {HTMLElement} view  @returns {HTMLElement[]} */
function controls(view) {
  return [...view.querySelectorAll(CONTROLS)].filter((one) => one instanceof HTMLElement);
}
