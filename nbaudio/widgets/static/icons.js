// The signs on the player's controls: SVG paths on 24 by 24 units.

const bar = (/** @type {number} */ x) => `M${x} 5.5a1 1 0 0 1 1-1h2a1 1 0 0 1 1 1v13a1 1 0 0 1-1 1h-2a1 1 0 0 1-1-1z`;
const SPEAKER = "M3.5 9.5A.5.5 0 0 0 3 10v4a.5.5 0 0 0 .5.5H7l4.1 4.1a.5.5 0 0 0 .9-.35V5.75a.5.5 0 0 0-.9-.35L7 9.5z";
const NEAR = "M14.2 8.6a.8.8 0 0 1 1.1.2 5.5 5.5 0 0 1 0 6.4.8.8 0 0 1-1.3-.9 3.9 3.9 0 0 0 0-4.6.8.8 0 0 1 .2-1.1z";
const FAR = "M16.8 6.1a.8.8 0 0 1 1.1.1 9 9 0 0 1 0 11.6.8.8 0 0 1-1.2-1 7.4 7.4 0 0 0 0-9.6.8.8 0 0 1 .1-1.1z";
const CROSS = "M15.1 9.7l1.1-1.1 2.3 2.3 2.3-2.3 1.1 1.1-2.3 2.3 2.3 2.3-1.1 1.1-2.3-2.3-2.3 2.3-1.1-1.1 2.3-2.3z";

export const PLAY = "M8 5.5v13a.8.8 0 0 0 1.22.68l10.4-6.5a.8.8 0 0 0 0-1.36l-10.4-6.5A.8.8 0 0 0 8 5.5z";
export const PAUSE = bar(6.5) + bar(13.5);
export const STOP = "M7 8a1 1 0 0 1 1-1h8a1 1 0 0 1 1 1v8a1 1 0 0 1-1 1H8a1 1 0 0 1-1-1z";
export const MUTED = SPEAKER + CROSS;
export const QUIET = SPEAKER + NEAR;
export const LOUD = SPEAKER + NEAR + FAR;
const ARROW = "M11.2 4.5h1.6v8.1l2.9-2.9 1.1 1.1-4.8 4.8-4.8-4.8 1.1-1.1 2.9 2.9z";
const TRAY = "M4.5 16h1.6v2.4h11.8V16h1.6v4h-15z";
export const DOWNLOAD = ARROW + TRAY;
export const DOWN = "M7 9.5h10l-5 6z";
