// Answers whose pieces come up to 150 ms early or late, played by the sound thread's own code on a clock of its own:
// how many run dry, of a server that the browser does not know yet and of the same one after that.
//
//     node benchmarks/live/uneven.mjs        # two seconds
//
// 40 servers, three answers of a minute each: phrases of 1 to 4 s with pauses of 0.15 to 0.4 s, PCM16 at 24 kHz, in
// pieces of 100 ms; none overtakes another. `lead_s` and `first_s` are the largest of each turn: the lead at its end,
// and from the first piece to the first sound.

import { Playback } from "../../nbaudio/widgets/static/playback.js";

const RATE = 24000;
const QUANTUM = 128;
const PIECE = 2400;
const MINUTE_S = 60;
const JITTER_S = 0.15;
const SERVERS = 40;
const TURNS = 3;

const dice = (seed) => () => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return seed / 2 ** 32;
};

function speech(draw) {
  const samples = new Int16Array(MINUTE_S * RATE);
  for (let start = 0; start < samples.length; ) {
    const end = start + Math.round((1 + 3 * draw()) * RATE);
    for (let at = start; at < Math.min(end, samples.length); at++) samples[at] = at % 2 ? 8000 : -8000;
    start = end + Math.round((0.15 + 0.25 * draw()) * RATE);
  }
  return samples;
}

function play(draw, learned) {
  const samples = speech(draw);
  const pieces = [];
  for (let start = 0, last_s = 0; start < samples.length; start += PIECE) {
    last_s = Math.max(last_s, start / RATE + 2 * JITTER_S * draw());
    pieces.push([last_s, samples.subarray(start, start + PIECE)]);
  }
  const playback = new Playback(RATE, 1, { learned });
  const [first_piece_s] = pieces[0];
  let first_s;
  playback.play();
  for (let now_s = 0; playback.state !== "over"; now_s += QUANTUM / RATE) {
    while (pieces.length && pieces[0][0] <= now_s) playback.add(pieces.shift()[1], now_s);
    if (!pieces.length) playback.end();
    playback.render([new Float32Array(QUANTUM)], now_s);
    if (playback.state === "playing") first_s ??= now_s - first_piece_s;
  }
  return { dry: playback.underruns, first_s, lead_s: playback.lead.seconds, learned: playback.lead.learned };
}

const turns = Array.from({ length: TURNS }, () => ({ ranDry: 0, most: 0, lead_s: 0, first_s: 0 }));
for (let server = 1; server <= SERVERS; server++) {
  const draw = dice(server * 7919);
  let learned;
  for (const turn of turns) {
    const played = play(draw, learned);
    learned = played.learned;
    turn.ranDry += Number(played.dry > 0);
    turn.most = Math.max(turn.most, played.dry);
    turn.lead_s = Math.max(turn.lead_s, played.lead_s);
    turn.first_s = Math.max(turn.first_s, played.first_s);
  }
}
for (const [index, { ranDry, most, lead_s, first_s }] of turns.entries()) {
  const figures = `lead_s ${lead_s.toFixed(3)}, first_s ${first_s.toFixed(3)}`;
  console.log(`answer ${index + 1}: ${ranDry} of ${SERVERS} ran dry, ${most} times at most; ${figures}`);
}
