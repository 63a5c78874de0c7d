"""Words as beeps: a sound whose words and their times are known, and ears that find them in any sound file.

Each word has a pitch of its own, so that a server which listens to what it is really sent can say which words are in a
piece, and when.
"""

from __future__ import annotations

import io
import random
from functools import cache

import numpy as np
import soundfile
from numpy.typing import NDArray
from openai_server import Said

WORDS = (
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
)  # fmt: skip
RATE = 16_000

_LOWEST_HZ, _APART_HZ = 300, 100
_BEEP_S = 0.4
_STEP_S = 0.01
Samples = NDArray[np.float32]


def spoken(duration_s: float, *, seed: int = 0, speakers: str = "A") -> tuple[Samples, list[Said]]:
    """A recording of about this length, at `RATE`, and what is said in it; speakers take turns of some words."""
    chosen = random.Random(seed)
    parts: list[Samples] = [np.zeros(RATE // 2, np.float32)]
    said: list[Said] = []
    at = len(parts[0])
    who = 0
    while at < duration_s * RATE:
        if chosen.random() < 0.2:
            who += 1
        word = chosen.randrange(len(WORDS))
        beep = _tone(word)
        said.append(Said(WORDS[word], at / RATE, (at + len(beep)) / RATE, speakers[who % len(speakers)]))
        pause = np.zeros(int(chosen.choice([0.12, 0.2, 0.3, 0.9]) * RATE), np.float32)
        parts += [beep, pause]
        at += len(beep) + len(pause)
    return np.concatenate(parts), said


def heard(data: bytes) -> list[Said]:
    """The words in a sound file, with their times in it."""
    samples, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    mono = samples[:, 0]
    step = int(_STEP_S * rate)
    loud = np.abs(mono[: len(mono) // step * step]).reshape(-1, step).max(axis=1) > 0.05
    edges = np.flatnonzero(np.diff(np.concatenate([[0], loud, [0]])))
    found = []
    for start, end in zip(edges[::2] * step, edges[1::2] * step, strict=True):
        if end - start < _BEEP_S * rate / 3:
            continue
        inside = mono[start:end] * np.hanning(end - start)
        hertz = float(np.argmax(np.abs(np.fft.rfft(inside)))) * rate / (end - start)
        word = round((hertz - _LOWEST_HZ) / _APART_HZ)
        found.append(Said(WORDS[word], round(start / rate, 3), round(end / rate, 3)))
    return found


def beep(word: str) -> Samples:
    """A word of `WORDS` as it sounds."""
    return _tone(WORDS.index(word))


@cache
def _tone(word: int) -> Samples:
    time_s = np.arange(int(_BEEP_S * RATE)) / RATE
    edge = np.minimum(1, np.minimum(time_s, time_s[::-1]) / 0.01)
    wave = 0.4 * np.sin(2 * np.pi * (_LOWEST_HZ + _APART_HZ * word) * time_s) * edge
    return wave.astype(np.float32)
