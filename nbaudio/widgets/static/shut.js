// Why a browser gives no microphone, in words for the person who wants to speak: what happened, and what to do about it.

/** The microphone's door is shut. `lasting`: trying again on this page leads nowhere. */
export class Shut extends Error {
  /**
   * @param {string} words
   * @param {boolean} [lasting]
   */
  constructor(words, lasting = false) {
    super(words);
    this.lasting = lasting;
  }
}

const INSECURE =
  "This page came over plain http, and browsers give such a page no microphone. Open Jupyter over https, or as localhost.";
const NO_CAPTURE = "This browser or front end gives its pages no microphone.";
const NOT_HERE = "This front end does not let its notebooks use the microphone.";
const NO_WORKLET = "This browser is too old to record: it has no AudioWorklet.";
const DENIED =
  "The browser was told not to let this page use the microphone. Allow it beside the page's address, then try again.";
const DENIED_BY_SYSTEM =
  "The system does not let this browser use the microphone. Allow it in the system's privacy settings, then try again.";
const UNANSWERED = "The browser's question about the microphone was closed without an answer. Try again, and allow it.";
const NONE = "No microphone was found. Plug one in, or allow it in the system's settings, then try again.";
const CHOSEN_GONE = "The chosen microphone is not there any more. Try again with another one.";
const BUSY = "Another program holds the microphone, or the system keeps it back. Close that program, then try again.";

/**
 * Why no microphone can be had on this page whatever a person does.
 * @returns {Shut | undefined} undefined where one may be had
 */
export function shutForGood() {
  if (!window.isSecureContext) return new Shut(INSECURE, true);
  if (!navigator.mediaDevices?.getUserMedia) return new Shut(NO_CAPTURE, true);
  if (!("AudioWorkletNode" in window)) return new Shut(NO_WORKLET, true);
  const policy = /** @type {{featurePolicy?: {allowsFeature(name: string): boolean}}} */ (document).featurePolicy;
  return policy && !policy.allowsFeature("microphone") ? new Shut(NOT_HERE, true) : undefined;
}

/**
 * What the browser says about this page's permission, before anyone asks for the microphone.
 * @param {PermissionState | undefined} state
 * @returns {Shut | undefined}
 */
export function shutByPermission(state) {
  return state === "denied" ? new Shut(DENIED) : undefined;
}

/**
 * Why asking for the microphone failed.
 * @param {unknown} error  what getUserMedia rejected with
 * @param {boolean} chosen  whether a certain microphone was asked for
 * @returns {Shut}
 */
export function shutBy(error, chosen) {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  if (name === "NotAllowedError" || name === "SecurityError") {
    // Chromium tells these three apart by the message alone.
    return new Shut(/dismiss/i.test(message) ? UNANSWERED : /system/i.test(message) ? DENIED_BY_SYSTEM : DENIED);
  }
  if (name === "OverconstrainedError" || (name === "NotFoundError" && chosen)) return new Shut(CHOSEN_GONE);
  if (name === "NotFoundError") return new Shut(NONE);
  if (name === "NotReadableError" || name === "AbortError") return new Shut(BUSY);
  return new Shut(`The microphone can't be used: ${message || name}.`);
}
