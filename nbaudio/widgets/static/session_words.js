// What an open session says about itself, in words: apart from its looks, so that they can be read and tested.

/** @typedef {Pick<import("./open_session.js").OpenSession, "state" | "live" | "hears" | "asking" | "muted" | "held"
 *   | "holdToTalk" | "speech" | "sounding" | "blocked">} Situation */

/**
 * Who speaks now; a screen reader says it when it changes. Empty where none is open.
 * @param {Situation} now
 * @returns {string}
 */
export function sessionStatus(now) {
  if (now.state === "elsewhere") return "Somebody talks in another tab, or did before this page was loaded again. Begin talking to go on here.";
  if (now.state === "closing") return "Ending …";
  if (!now.live) return "";
  if (now.asking) return "Opening … The browser may ask whether this page may use the microphone.";
  if (now.state === "opening") return "Opening … You can speak already.";
  if (now.blocked) return "The browser wants a click on this page before it sounds.";
  if (now.held) return "You are speaking";
  if (now.sounding) return "The model is speaking"; // whoever interrupts it silences it first
  if (now.speech && !now.muted) return "You are speaking";
  if (!now.hears) return "Nobody hears you: the microphone is shut. You can type.";
  if (now.muted) return "Muted";
  return now.holdToTalk ? "Hold the button, or Space, to speak" : "Listening";
}

/**
 * What the button is called that is held to speak.
 * @param {boolean} held  by now, or by a tap
 * @param {boolean} down
 * @returns {string}
 */
export function holdLabel(held, down) {
  if (!held) return "Hold to talk";
  return down ? "Release to send" : "Press to send";
}
