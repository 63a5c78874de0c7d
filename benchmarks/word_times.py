"""How far off the times of words are that the offline voice gives along, and against what.

    python benchmarks/word_times.py
    python benchmarks/word_times.py --speeds 0.5 1 2

Two judges of when a word begins, neither of which knows how long the voice's model counts its sounds to be. The sound:
a word behind a pause begins where it gets louder than -40 dBFS. (Where a sentence begins, and where a word before a
pause ends, is taken from there, so it can't be judged by it.) The ears: Whisper tiny.en's own times of words, by
cross-attention, of words that it understood. They come in steps of 20 ms, and are themselves tens of milliseconds off;
they are for words in the middle of speech, where the sound alone tells nothing.

Printed are seconds off (said minus judged): the median, and between which values 90 % lie.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Any

import numpy as np
from captions import TEXTS

from nbaudio.engine.parts import engine
from nbaudio.engine.speak import SAMPLE_RATE, Said, Speaker
from nbaudio.sound import codecs

VOICES = ("marin", "nova", "onyx", "ballad")  # the recorded one, the quickest, the deepest, the slowest
_STEP = 120  # samples, 5 ms
_LOUD = 0.01  # -40 dBFS
_PAUSE_S = 0.06  # at speed 1; softer moments that are shorter are consonants
_NEAR_S = 0.2


def loud(said: Said) -> np.ndarray[Any, Any]:
    """In which of its steps a sound is loud."""
    steps = len(said.samples) // _STEP
    return np.sqrt(np.square(said.samples[: steps * _STEP]).reshape(steps, _STEP).mean(axis=1)) > _LOUD


def against_the_sound(text: str, said: Said, speed: float) -> Iterator[float]:
    """Of words behind pauses how far off their beginnings are."""
    edges = np.flatnonzero(np.diff(np.concatenate([[1], loud(said), [1]]).astype(int)))
    silences = edges.reshape(-1, 2) * _STEP / SAMPLE_RATE
    for word, following in pairwise(said.words):
        if text[word.end - 1] not in ",;:":
            continue
        middle_s = (word.end_s + following.start_s) / 2
        near = [silence for silence in silences if abs(silence.mean() - middle_s) < _NEAR_S / speed]
        begins_s, ends_s = max(near, key=lambda silence: silence[1] - silence[0], default=(0.0, 0.0))
        if ends_s - begins_s > _PAUSE_S / speed:
            yield following.start_s - ends_s


def against_the_ears(text: str, pieces: list[Said]) -> Iterator[float]:
    """Of words that the recogniser understood how far off their beginnings are."""
    samples = np.concatenate([said.samples for said in pieces])
    heard = codecs.resample(samples[:, np.newaxis], SAMPLE_RATE, 16_000)[:, 0]
    model = engine().listener._whisper
    segments, _ = model.transcribe(heard, language="en", word_timestamps=True, beam_size=1, without_timestamps=False)
    found = [(plain(word.word), word.start) for segment in segments for word in segment.words or []]
    starts, offset_s = [], 0.0
    for said in pieces:
        starts += [(plain(text[word.start : word.end]), offset_s + word.start_s) for word in said.words]
        offset_s += len(said.samples) / SAMPLE_RATE
    same = SequenceMatcher(None, [word for word, _ in starts], [word for word, _ in found], autojunk=False)
    for left, right, count in same.get_matching_blocks():
        for place in range(count):
            yield starts[left + place][1] - found[right + place][1]


def plain(word: str) -> str:
    return re.sub(r"[^\w']", "", word.lower())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speeds", type=float, nargs="+", default=[0.5, 1.0, 2.0])
    parser.add_argument("--texts", type=int, default=len(TEXTS), help="how many (%(default)s)")
    chosen = parser.parse_args()
    speaker = Speaker()
    print(f"{'seconds off':48} words  median   90 % between")
    for speed in chosen.speeds:
        off: dict[str, list[float]] = {}
        for voice in VOICES:
            for text in TEXTS[: chosen.texts]:
                pieces = list(speaker.say(text, voice, speed))
                for said in pieces:
                    off.setdefault("the sound, of words behind a pause", []).extend(
                        against_the_sound(text, said, speed)
                    )
                if speed == 1.0:
                    off.setdefault("the ears, of any word", []).extend(against_the_ears(text, pieces))
        for kind, seconds in sorted(off.items()):
            low, high = np.percentile(seconds, [5, 95])
            print(f"speed {speed:g}, {kind:36} {len(seconds):5}  {np.median(seconds):+.3f}  {low:+.3f} {high:+.3f}")


if __name__ == "__main__":
    main()
