"""How far off captions are: where phrases are said to begin, against where the offline voice really begins them.

    python benchmarks/captions.py
    python benchmarks/captions.py --uneven

The offline voice knows how long each of its sounds lasts. What it says of some paragraphs is delivered as different
servers do: (a) of each sentence first the words, then the sound, as the offline engine does; (b) in small pieces, the
words 2 s ahead of the sound; (c) all words first; (d) in one answer. Printed are absolute errors in seconds: by order
and length of the words alone; with the pauses of the sound, which is what `reply.captions` gives; and while the answer
arrives, of each phrase at the moment when its sound has just come, which is when a live player needs it.

With --uneven each sentence has its own pace (0.8 to 1.25 times) and an own pause behind it (0.1 to 0.8 s), and there is
noise 40 dB below the speech: voices that are less regular than the offline one.
"""

from __future__ import annotations

import argparse
import base64
import random
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from nbaudio.captions.alignment import Follower
from nbaudio.captions.phrases import PhraseTimer
from nbaudio.captions.phrasing import Wording
from nbaudio.engine import speak
from nbaudio.engine.answer import Answerer, Piece, Tally
from nbaudio.engine.asked import read_request
from nbaudio.engine.parts import Engine
from nbaudio.sound import codecs
from nbaudio.turns import Reply
from nbaudio.wire.answers import AnswerReader, TextDelta

RATE = speak.SAMPLE_RATE
LEAD_S = 0.3
_LIVE, _LIVE_SOUND = "while it arrives, by the words alone", "while it arrives, with the pauses"
VOICES = ("marin", "nova", "onyx", "ballad")  # the recorded one, the quickest, the deepest, the slowest
TEXTS = (
    "Yes, a golden retriever is a good family dog. They are gentle with children, easy to train, and happy to "
    "play for hours. Just remember that they need a long walk every day, and that they lose a lot of hair in "
    "spring.",
    "The sky is blue because air scatters short waves of light more than long ones. In the evening the light has "
    "a longer way to go, so most of the blue is gone before it reaches you.",
    "To boil an egg, put it into boiling water for six minutes. Then cool it under the tap. If you want the "
    "middle to be firm, wait for nine minutes instead!",
    "Penguins live in the south, most of them on cold coasts where there is plenty of fish. Some kinds live much "
    "further north, on islands near the equator. All of them eat fish, squid and small crabs.",
    "A bicycle stays upright because the rider steers into the fall, mostly without thinking about it. The faster"
    " it goes, the smaller these corrections can be.",
    "Honestly? It depends. A cat sleeps most of the day and does not mind a small flat, as long as it has a "
    "window to look out of. A dog, on the other hand, wants to be outside, and wants you to be there too.",
    "Let me think. You could fry the rice with the spinach, push it to the side, and scramble the eggs in the "
    "same pan. A little soy sauce at the end is all that it needs.",
    "Leaves are green because of a substance that catches light. In autumn the tree takes it back into its "
    "branches, and what remains in the leaf is yellow, orange or red.",
    "The best way to learn the piano as an adult is to play a little every day rather than a lot on Sundays. "
    "Choose pieces that you love, and play them slowly. Speed comes by itself, but patience does not.",
    "When you charge a battery, you push small charged particles from one side to the other. When you use it, "
    "they travel back, and on their way they do the work for you. Over the years some of them get stuck, which is"
    " why old batteries do not last as long.",
    "Rivers carry a very small amount of salt into the sea. The water leaves again as clouds, while the salt "
    "stays behind. After a few hundred million years, that adds up.",
    "A rainbow appears when the sun is behind you and rain is in front of you. Each drop bends the light and "
    "throws it back, and each colour leaves the drop at its own angle.",
    "If the street is noisy, try a fan or some soft rain from a loudspeaker; a steady sound hides the sudden "
    "ones. Keep the room cool and dark, and leave your telephone in another room.",
    "Frogs have smooth, moist skin and long legs, and they jump. Toads have dry skin with bumps, and they prefer "
    "to walk. Neither of them will give you warts.",
    "Good morning! Your train leaves at noon from the old station. Please be there a quarter of an hour before, "
    "because the doors close early and the platform changes quite often.",
    "Sourdough needs time more than anything else. Mix flour, water and salt with your starter, let it rest until"
    " it has doubled, fold it a few times, and bake it in a very hot oven with some steam.",
    "I am not sure that I understood you. Did you ask for the opening hours of the museum, or for the way to get "
    "there? It is open until six today.",
    "The first thing that you should do is to write down what you want to know before you open the book; most "
    "people read far too much and ask far too little, and then they wonder why so little of it stays in their "
    "heads.",
    "Mountains near the sea are often green on one side and brown on the other. Wet air rises, cools, and drops "
    "its rain before it gets across. What comes down on the far side is dry and warm.",
    "No. The battery is nearly empty, the lamp in the hall is still on, and the window in the kitchen is open. "
    "Shall I turn off the lamp? I can't close the window, I'm afraid.",
)


class Timed(speak.Speaker):
    """The offline voice, which keeps in mind when each word of what it said began."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[tuple[str, dict[int, float]]] = []
        """Of each piece said: its text, and by the character where a word of it begins the second at which it does."""

    def speak(self, text: str, voice: str = "alloy", speed: float = 1.0) -> speak.Floats:
        """As the voice does."""
        [said] = self.say(text, voice, speed)
        self.words.append((text, {word.start: word.start_s for word in said.words}))
        return said.samples


class Reciter(Engine):
    """An engine that says what it is given to say."""

    def __init__(self, speaker: Timed) -> None:
        super().__init__()
        self._speaker, self.text, self.context_tokens = speaker, "", 4000

    @property
    def brain(self) -> Any:
        return self

    def stream(self, *_: Any, **__: Any) -> Iterator[str]:
        yield self.text


def said(engine: Reciter, text: str, voice: str) -> list[Piece]:
    engine.text = text
    asked = read_request(
        {
            "model": "offline",
            "modalities": ["text", "audio"],
            "audio": {"voice": voice, "format": "pcm16"},
            "stream": True,
            "messages": [{"role": "system", "content": "Recite."}, {"role": "user", "content": "Please begin."}],
        }
    )
    answerer, tally = Answerer(engine), Tally()
    return list(answerer.pieces(asked, answerer.prepare(asked, tally), tally))


def uneven(pieces: list[Piece], speaker: Timed, dice: random.Random) -> list[Piece]:
    """The same with a pace and a pause of its own for each piece, and noise."""
    noise = np.random.default_rng(0)
    made = []
    for place, piece in enumerate(pieces):
        samples = codecs.pcm16_to_samples(piece.pcm16)[:, 0]
        end = int(np.flatnonzero(samples)[-1]) + 1
        longer = dice.uniform(0.8, 1.25)
        spoken = np.interp(np.arange(int(end * longer)) / longer, np.arange(end), samples[:end])
        sound = np.concatenate([spoken, np.zeros(int(dice.uniform(0.1, 0.8) * RATE))])
        sound += noise.normal(0, speak._LEVEL / 100, len(sound))
        made.append(Piece(piece.text, codecs.samples_to_pcm16(sound.astype(np.float32)[:, None])))
        words, begins = speaker.words[place]
        speaker.words[place] = (words, {at: begin_s * longer for at, begin_s in begins.items()})
    return made


# -- the truth ----------------------------------------------------------------------------------------------


def truth(pieces: list[Piece], speaker: Timed, starts: list[int]) -> list[float | None]:
    """When the words at these characters begin; None where the voice does not say one."""
    found: list[float | None] = []
    for start in starts:
        characters = frames = 0
        for piece, (_, begins) in zip(pieces, speaker.words, strict=True):  # noqa: B007
            if characters + len(piece.text) > start:
                break
            characters, frames = characters + len(piece.text), frames + len(piece.pcm16) // 2
        white = len(piece.text) - len(piece.text.lstrip())
        begin_s = begins.get(max(0, start - characters - white))
        found.append(None if begin_s is None else frames / RATE + begin_s)
    return found


# -- deliveries ---------------------------------------------------------------------------------------------


def delta(**audio: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"audio": audio}}]}


def sound(pcm16: bytes) -> Iterator[dict[str, Any]]:
    for at in range(0, len(pcm16), 9600):
        yield delta(data=base64.b64encode(pcm16[at : at + 9600]).decode())


def as_the_engine(pieces: list[Piece]) -> Iterator[dict[str, Any]]:
    for piece in pieces:
        yield delta(transcript=piece.text)
        yield from sound(piece.pcm16)


def words_ahead(pieces: list[Piece], lead_s: float = 2.0) -> Iterator[dict[str, Any]]:
    dice = random.Random(1)
    due: list[tuple[float, str]] = []
    at_s = 0.0
    for piece in pieces:  # within a piece evenly: the server has no better idea than its tokens
        lasts_s = len(piece.pcm16) / 2 / RATE
        words = [f" {word}" for word in piece.text.split()]
        due += [(at_s + lasts_s * place / len(words) - lead_s, word) for place, word in enumerate(words)]
        at_s += lasts_s
    due[0] = (due[0][0], due[0][1].lstrip())
    pcm16 = b"".join(piece.pcm16 for piece in pieces)
    frame = 0
    while frame < len(pcm16) // 2:
        while due and due[0][0] <= frame / RATE:
            few = dice.randint(1, 3)
            yield delta(transcript="".join(word for _, word in due[:few]))
            del due[:few]
        frames = round(dice.uniform(0.1, 0.3) * RATE)
        yield from sound(pcm16[2 * frame : 2 * (frame + frames)])
        frame += frames
    for _, word in due:
        yield delta(transcript=word)


def words_first(pieces: list[Piece]) -> Iterator[dict[str, Any]]:
    yield delta(transcript="".join(piece.text for piece in pieces))
    yield from sound(b"".join(piece.pcm16 for piece in pieces))


def whole(pieces: list[Piece]) -> dict[str, Any]:
    data = base64.b64encode(b"".join(piece.pcm16 for piece in pieces)).decode()
    audio = {"transcript": "".join(piece.text for piece in pieces), "data": data, "id": "audio_1"}
    return {"choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "audio": audio}}]}


WAYS = {
    "(a) as the offline engine, exact": (as_the_engine, True),
    "(a) the same, of an unknown server": (as_the_engine, False),
    "(b) words 2 s ahead, small pieces": (words_ahead, False),
    "(c) all words first": (words_first, False),
    "(d) not streamed": (None, False),
}


def reply_to(pieces: list[Piece], way: Any, exact: bool) -> Reply:
    reader = AnswerReader("pcm16")
    if way is None:
        reader.take_whole(whole(pieces))
    else:
        for chunk in way(pieces):
            reader.take_chunk(chunk)
        reader.ended = True
    return Reply.from_answer(reader.answer(), aloud=True, whole=True, offline=exact)


def while_arriving(
    pieces: list[Piece], way: Any, follow: Follower | PhraseTimer, starts: list[int], true_s: list[float | None]
) -> list[float]:
    """Of each phrase how far off it is when a player that is behind by `LEAD_S` begins to play it."""
    reader, off, heard_s, text = AnswerReader(), [], 0.0, ""
    waiting = {start: true for start, true in zip(starts, true_s, strict=True) if true is not None}
    for chunk in [*way(pieces), {}]:
        for event in reader.take_chunk(chunk):
            if isinstance(event, TextDelta):
                follow.words(event.text)
                text += event.text
            else:
                follow.sound(event.pcm16 if isinstance(follow, Follower) else len(event.pcm16) // 2)
                heard_s += len(event.pcm16) / 2 / RATE
        due = [start for start, true in waiting.items() if true + LEAD_S <= heard_s or not chunk]
        now = (
            dict(zip((phrase.start for phrase in wording(text).phrases()), follow.phrases(), strict=True))
            if due
            else {}
        )
        for start in due:
            if start in now:
                off.append(abs(now[start].start_s - waiting.pop(start)))
    return off


def errors(starts_s: list[float], true_s: list[float | None]) -> list[float]:
    return [abs(start_s - true) for start_s, true in zip(starts_s, true_s, strict=True) if true is not None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=len(TEXTS), help="how many (%(default)s)")
    parser.add_argument("--uneven", action="store_true", help="voices that are less regular")
    parser.add_argument("--worst", action="store_true", help="print the phrases that are furthest off")
    chosen = parser.parse_args()
    speaker, dice = Timed(), random.Random(0)
    engine = Reciter(speaker)
    tables: dict[str, dict[str, list[float]]] = {}
    worst: list[tuple[float, str, str, str]] = []
    phrases = unknown = 0
    sound_s = taken_s = 0.0
    for voice in VOICES:
        for text in TEXTS[: chosen.texts]:
            speaker.words = []
            pieces = said(engine, text, voice)
            if chosen.uneven:
                pieces = uneven(pieces, speaker, dice)
            starts = [phrase.start for phrase in wording(text).phrases()]
            true_s = truth(pieces, speaker, starts)
            phrases += len(true_s)
            unknown += true_s.count(None)
            for name, (way, exact) in WAYS.items():
                reply = reply_to(pieces, way, exact)
                assert reply.clip is not None
                timer = PhraseTimer(RATE, exact=exact)
                timer.take(reply.text, reply.marks or [(len(reply.text), 0), (len(reply.text), reply.clip.frames)])
                begun = time.perf_counter()
                captions = reply.captions
                taken_s += time.perf_counter() - begun
                sound_s += reply.clip.duration_s
                found: dict[str, list[float]] = {
                    "by the words alone": errors([phrase.start_s for phrase in timer.phrases(over=True)], true_s),
                    "with the pauses of the sound": errors([phrase.start_s for phrase in captions], true_s),
                }
                if way is not None:
                    for table, follow in (
                        (_LIVE, PhraseTimer(RATE, exact=exact)),
                        (_LIVE_SOUND, Follower(RATE, exact=exact)),
                    ):
                        found[table] = while_arriving(pieces, way, follow, starts, true_s)
                for table, off in found.items():
                    tables.setdefault(table, {}).setdefault(name, []).extend(off)
                known = [phrase.text for phrase, true in zip(captions, true_s, strict=True) if true is not None]
                worst += [
                    (off, name, voice, words)
                    for off, words in zip(found["with the pauses of the sound"], known, strict=True)
                ]
    print(f"{phrases - unknown} phrases of {chosen.texts} texts in {len(VOICES)} voices")
    print(f"{'seconds off':37} median   95 %  most")
    for table, results in tables.items():
        print(table)
        for name, off in results.items():
            if off:
                print(f"  {name:36} {np.median(off):5.3f}  {np.percentile(off, 95):5.3f}  {max(off):4.2f}")
    print(f"finding the pauses takes {taken_s / sound_s * 60:.3f} s for a minute of sound")
    for off, name, voice, words in sorted(worst, reverse=True)[: 25 if chosen.worst else 0]:
        print(f"  {off:.2f} s  {name[:3]} {voice:8} {words}")


def wording(text: str) -> Wording:
    words = Wording()
    words.add(text)
    return words


if __name__ == "__main__":
    main()
