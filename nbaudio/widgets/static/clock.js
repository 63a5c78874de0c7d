// Times as a person reads them, and as a screen reader says them.

/**
 * @param {number} seconds
 * @returns {string} "0:03", "12:40", "1:02:03"; whole seconds, rounded down, as clocks do
 */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds + 1e-6)); // 2.9999999 is what is left of 3 after a sum
  const two = (/** @type {number} */ part) => String(part).padStart(2, "0");
  const minutes = Math.floor(whole / 60) % 60;
  const hours = Math.floor(whole / 3600);
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/**
 * @param {number} seconds
 * @returns {string} "3 seconds", "1 minute 5 seconds", "2 hours 1 minute"
 */
export function spoken(seconds) {
  const whole = Math.max(0, Math.floor(seconds + 1e-6));
  const parts = /** @type {[number, string][]} */ ([
    [Math.floor(whole / 3600), "hour"],
    [Math.floor(whole / 60) % 60, "minute"],
    [whole % 60, "second"],
  ]).filter(([count]) => count > 0);
  return parts.map(([count, unit]) => `${count} ${unit}${count === 1 ? "" : "s"}`).join(" ") || "0 seconds";
}
