"""What is said in the speaking part, when each piece of it is sent, and how the kernel keeps to that."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

__all__ = ["AT_ONCE", "JITTERY", "PACES", "REAL_TIME", "SAMPLE_RATE", "SMALL", "Pace", "Sound", "sound_of"]

SAMPLE_RATE = 24_000
TONE_HZ = 441.7  # no piece is like the one before it: some players take that for no change
AMPLITUDE = 0.25
NOISE = 1e-4  # for the same reason pauses are not digital silence; nor are a microphone's
JITTER_S = 0.15


@dataclass(frozen=True)
class Sound:
    """Phrases of a tone with pauses between them, as speech has them.

    Within a phrase the tone is never silent for longer than 0.1 ms, so that every silence at the output which is no
    pause of the sound is one that the player put in.

    Attributes
    ----------
    phrases_s, pauses_s : tuple of float
        Lengths; a pause stands after each phrase but the last.
    """

    phrases_s: tuple[float, ...]
    pauses_s: tuple[float, ...]

    @property
    def duration_s(self) -> float:
        return sum(self.phrases_s) + sum(self.pauses_s)

    def samples(self) -> np.ndarray:
        """float32 at `SAMPLE_RATE`."""
        parts = []
        for phrase_s, pause_s in zip(self.phrases_s, (*self.pauses_s, 0.0), strict=True):
            at_s = np.arange(round(phrase_s * SAMPLE_RATE)) / SAMPLE_RATE
            # From its first sample on it is loud enough to be noticed.
            parts += [AMPLITUDE * np.sin(2 * np.pi * TONE_HZ * at_s + 0.3), np.zeros(round(pause_s * SAMPLE_RATE))]
        tone = np.concatenate(parts)
        return (tone + NOISE * np.random.default_rng(5).standard_normal(tone.size)).astype(np.float32)


def sound_of(duration_s: float) -> Sound:
    """Phrases of 1 to 4 s with pauses of 0.15 to 0.4 s, always the same for a length."""
    dice = random.Random(3)
    phrases, pauses, left_s = [], [], duration_s
    while left_s > 6:
        phrases.append(round(dice.uniform(1, 4), 2))
        pauses.append(round(dice.uniform(0.15, 0.4), 2))
        left_s -= phrases[-1] + pauses[-1]
    return Sound((*phrases, round(left_s, 2)), tuple(pauses))


@dataclass(frozen=True)
class Pace:
    """When pieces are sent.

    Attributes
    ----------
    name : str
    speed : float
        1 is real time; infinity sends all at once.
    jitter_s : float
        How much earlier or later than its time a piece may come; none overtakes another.
    piece_s : float
        How long a piece is.
    """

    name: str
    speed: float = 1.0
    jitter_s: float = 0.0
    piece_s: float = 0.1

    @property
    def piece_bytes(self) -> int:
        """Of PCM16."""
        return 2 * round(self.piece_s * SAMPLE_RATE)

    def sends(self, sound: Sound) -> Iterator[tuple[float, bytes]]:
        """Each piece of a sound, PCM16, with the seconds to wait for its time, which begins with the first call."""
        pcm16 = (sound.samples() * 32767).round().astype("<i2").tobytes()
        starts = range(0, len(pcm16), self.piece_bytes)
        begun_s = time.perf_counter()
        for at_s, start in zip(self._times(len(starts)), starts, strict=True):
            yield max(0.0, begun_s + at_s - time.perf_counter()), pcm16[start : start + self.piece_bytes]

    def _times(self, count: int) -> Iterator[float]:
        """Seconds after the beginning; the same at every call."""
        dice, latest_s = random.Random(7), 0.0
        for index in range(count):
            late_s = self.jitter_s + dice.uniform(-self.jitter_s, self.jitter_s)
            latest_s = max(latest_s, index * self.piece_s / self.speed + late_s)
            yield latest_s


PACES = (
    Pace("real time"),
    Pace("all at once", speed=float("inf")),
    Pace("±150 ms", jitter_s=JITTER_S),
    Pace("20 ms pieces", piece_s=0.02),
)
REAL_TIME, AT_ONCE, JITTERY, SMALL = range(4)
