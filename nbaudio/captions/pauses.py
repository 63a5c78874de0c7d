"""Where somebody speaks in a sound, and where they pause."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["SHORTEST_PAUSE_S", "Loudness", "Speech"]

SHORTEST_PAUSE_S = 0.08
"""Seconds; shorter silences are mostly the closures of p, t and k."""

_STEP_S = 0.01
_SOFT_STEPS = 5
_BELOW_SPEECH_DB, _ABOVE_FLOOR_DB = 30.0, 8.0  # what is softer than speech by this, or hardly above the floor, is none


class Speech(NamedTuple):
    """Where in a sound somebody speaks: seconds; `pauses` has shape (pauses, 2), their starts and their ends."""

    start_s: float
    end_s: float
    pauses: npt.NDArray[np.float64]


class Loudness:
    """The course of a sound's power, every 10 ms, gathered while it comes.

    Parameters
    ----------
    sample_rate : int
        Hz.

    Examples
    --------
    >>> tone, hush = np.sin(np.arange(24_000) / 9), np.zeros(12_000)
    >>> loudness = Loudness(24_000)
    >>> for samples in (hush, tone, hush, tone, hush):
    ...     loudness.add(samples)
    >>> speech = loudness.speech()
    >>> speech.start_s, speech.end_s, speech.pauses.tolist()
    (0.5, 3.0, [[1.5, 2.0]])
    """

    def __init__(self, sample_rate: int) -> None:
        self._step = max(1, round(_STEP_S * sample_rate))
        self._step_s = self._step / sample_rate
        self._rest = np.zeros(0, np.float32)
        self._power = np.zeros(256)
        self._steps = 0

    def add(self, samples: npt.NDArray[Any]) -> None:
        """Take more of the sound: mono samples of any level and numeric type, shape (frames,)."""
        joined = np.concatenate([self._rest, np.asarray(samples, np.float32)])
        steps = len(joined) // self._step
        blocks = joined[: steps * self._step].reshape(steps, self._step)
        while self._steps + steps > len(self._power):
            self._power = np.concatenate([self._power, np.zeros_like(self._power)])
        self._power[self._steps : self._steps + steps] = np.square(blocks).mean(axis=1, dtype=np.float64)
        self._steps += steps
        self._rest = joined[steps * self._step :]

    def speech(
        self, start_s: float = 0.0, end_s: float = math.inf, *, pauses_at_its_end: bool = False
    ) -> Speech | None:
        """Where somebody speaks between two times, and pauses for more than 80 ms; None where all is silent.

        `pauses_at_its_end` counts the silence behind the last speech as a pause, for a sound that is to go on.
        """
        first = round(start_s / self._step_s)
        power = self._power[first : self._steps if end_s == math.inf else min(self._steps, round(end_s / self._step_s))]
        if not power.any():
            return None
        level = 10 * np.log10(np.maximum(power, power.max() * 1e-9))
        loud = 10 * math.log10(power[power > power.max() / 1000].mean())
        floor = float(np.percentile(level, 5))
        threshold = max(loud - _BELOW_SPEECH_DB, min(floor + _ABOVE_FLOOR_DB, loud - _BELOW_SPEECH_DB / 2))
        edges = np.flatnonzero(np.diff(np.concatenate([[0], level > threshold, [0]])))
        starts_s, ends_s = (first + edges[::2]) * self._step_s, (first + edges[1::2]) * self._step_s
        goes_on = [(first + len(power)) * self._step_s] if pauses_at_its_end else []
        pauses = np.stack([ends_s[: None if goes_on else -1], [*starts_s[1:], *goes_on]], axis=1)
        long = pauses[:, 1] - pauses[:, 0] > SHORTEST_PAUSE_S
        return Speech(float(starts_s[0]), float(ends_s[-1]), pauses[long])

    def softest(self, start_s: float, end_s: float, *, middle_db: float = 0.0) -> float:
        """The second, between two times, at which the sound is softest for 50 ms.

        The middle between them may be louder by `middle_db` than the ends are, and is taken all the same.
        """
        first, last = round(start_s / self._step_s), min(self._steps, round(end_s / self._step_s))
        if last <= first:
            return start_s
        power = np.convolve(self._power[first:last], np.ones(_SOFT_STEPS), "valid")
        level = 10 * np.log10(np.maximum(power, 1e-20)) + middle_db * np.abs(np.linspace(-1, 1, len(power)))
        at = int(np.argmin(level))
        return (first + at + _SOFT_STEPS / 2) * self._step_s
