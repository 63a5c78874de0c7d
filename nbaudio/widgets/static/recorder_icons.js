// The signs on the recorder's controls: SVG paths on 24 by 24 units.

const HEAD = "M12 3.5a3 3 0 0 0-3 3v5a3 3 0 0 0 6 0v-5a3 3 0 0 0-3-3z";
const STAND = "M6.8 10.7h1.5v.9a3.7 3.7 0 0 0 7.4 0v-.9h1.5v.9a5.2 5.2 0 0 1-4.45 5.15V20h-1.5v-3.25A5.2 5.2 0 0 1 6.8 11.6z";

export const MICROPHONE = HEAD + STAND;
export const STOP = "M7 8a1 1 0 0 1 1-1h8a1 1 0 0 1 1 1v8a1 1 0 0 1-1 1H8a1 1 0 0 1-1-1z";
export const DONE = "M9.3 17.2l-4.7-4.7 1.3-1.3 3.4 3.4 8.8-8.8 1.3 1.3z";
export const CANCELLED = "M6.9 5.6L12 10.7l5.1-5.1 1.3 1.3-5.1 5.1 5.1 5.1-1.3 1.3-5.1-5.1-5.1 5.1-1.3-1.3 5.1-5.1-5.1-5.1z";
export const FILE = "M6 4.5a1 1 0 0 1 1-1h6.5V8a1 1 0 0 0 1 1H19v10.5a1 1 0 0 1-1 1H7a1 1 0 0 1-1-1zM15 3.9L18.6 7.5H15z";
export const LOST =
  "M12 4.2a1 1 0 0 1 .87.5l7.6 13.2a1 1 0 0 1-.87 1.5H4.4a1 1 0 0 1-.87-1.5l7.6-13.2a1 1 0 0 1 .87-.5z" +
  "M12 6.5L5.3 18h13.4zM11.2 10h1.6v4h-1.6zM11.2 15h1.6v1.6h-1.6z";
