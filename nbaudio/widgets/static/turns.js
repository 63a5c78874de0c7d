// One sound at a time on a page, in order of arrival.

/** @typedef {object} Speaker
 * @property {() => void} begin its turn has come
 * @property {() => void} giveWay another one begins now: be silent, and ask again to go on */

/** @type {Speaker | null} */
let current = null;
/** @type {Speaker[]} */
const queue = [];
let hushes = 0;

/** Begins when those before it are over.
 * @param {Speaker} speaker */
export function join(speaker) {
  if (current === speaker || queue.includes(speaker)) return;
  queue.push(speaker);
  next();
}

/** Begins at once; what has its turn gives way.
 * @param {Speaker} speaker */
export function take(speaker) {
  const before = current;
  remove(speaker);
  current = speaker;
  if (before && before !== speaker) before.giveWay();
  speaker.begin();
}

/** It is over, paused or gone: the next one's turn comes.
 * @param {Speaker} speaker */
export function leave(speaker) {
  remove(speaker);
  if (current !== speaker) return;
  current = null;
  next();
}

/** @param {Speaker} speaker
 * @returns {boolean} whether others are before it */
export function queues(speaker) {
  return queue.includes(speaker);
}

/** What sounds gives way, and nothing begins by itself, while somebody records.
 * @returns {() => void} ends it; more than one call does nothing */
export function hush() {
  hushes++;
  const before = current;
  current = null;
  before?.giveWay();
  let ended = false;
  return () => {
    if (ended) return;
    ended = true;
    hushes--;
    next();
  };
}

/** @returns {boolean} whether nothing may begin by itself now */
export function hushed() {
  return hushes > 0;
}

function next() {
  if (current || hushes) return;
  current = queue.shift() ?? null;
  current?.begin();
}

/** @param {Speaker} speaker */
function remove(speaker) {
  const place = queue.indexOf(speaker);
  if (place >= 0) queue.splice(place, 1);
}
