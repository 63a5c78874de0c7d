"""When a person has stopped speaking, told from how loud the sound was: ``static/silence.js`` for the kernel's side.

The level of each 20 ms is compared with the room's own noise, which is what the quietest tenth of the last ten seconds
stays below. Speech is what stands out of that for a while, and goes up and down as syllables do. Until something
counted as speech, nothing counts as silence. The numbers are the browser's, which says where they come from.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Iterable, Sequence

import numpy as np

from nbaudio.sound.codecs import Samples

__all__ = ["SILENT_DBFS", "Silence", "level_dbfs"]

SILENT_DBFS = -90.0
"""What silence is called: no level is lower."""

_FRAME_S = 0.02
_NOISE_FRAMES = 500
_RECENT_FRAMES = 30
_NOISE_SHARE = 0.1
_ABOVE_NOISE_DB = 8.0
_FAINTEST_DBFS = -58.0
_FIRST_FRAMES = 12
_FURTHER_FRAMES = 6
_UNBROKEN_FRAMES = 4
_SWING_DB = 5.0
_HIGH_PASS_HZ = 120


def level_dbfs(samples: Samples) -> float:
    """Root mean square of samples in dBFS, from `SILENT_DBFS` to 0.

    Examples
    --------
    >>> level_dbfs(np.full((2400, 1), 0.1, np.float32))
    -20.0
    """
    return round(_decibel(float(np.mean(np.square(samples, dtype=np.float64)))), 2) if len(samples) else SILENT_DBFS


class Silence:
    """Follows a recording and tells when its speaker has been silent for long enough.

    Parameters
    ----------
    sample_rate : int
        Hz.
    silence_s : float
        How long a silence ends the recording; 0: none does.

    Attributes
    ----------
    heard : bool
        Whether anything was said so far.
    """

    def __init__(self, sample_rate: int, silence_s: float) -> None:
        self._frames = round(sample_rate * _FRAME_S)
        self._filter = 1 / (1 + 2 * math.pi * _HIGH_PASS_HZ / sample_rate)
        self._silence_s = silence_s
        self._levels: deque[float] = deque(maxlen=_NOISE_FRAMES)
        self._sum = self._last = self._passed = self._now_s = self._spoke_s = 0.0
        self._count = 0
        self.heard = False

    @property
    def silent_s(self) -> float:
        """Seconds since something was said; where nothing was, since the beginning."""
        return self._now_s - self._spoke_s

    @property
    def over(self) -> bool:
        """Whether the recording is over: something was said, and then nothing for long enough."""
        return self._silence_s > 0 and self.heard and self.silent_s >= self._silence_s - _FRAME_S / 2

    def add(self, samples: Samples) -> None:
        """Take the next samples, shape ``(frames, 1)``, any number of them."""
        for sample in samples[:, 0].tolist():
            self._passed = self._filter * (self._passed + sample - self._last)
            self._last = sample
            self._sum += self._passed * self._passed
            self._count += 1
            if self._count == self._frames:
                self._levels.append(_decibel(self._sum / self._frames))
                self._sum, self._count = 0.0, 0
                self._now_s += _FRAME_S
        if self._levels:
            self._listen()

    def _listen(self) -> None:
        threshold = max(_FAINTEST_DBFS, _quantile(self._levels, _NOISE_SHARE) + _ABOVE_NOISE_DB)
        recent = list(self._levels)[-_RECENT_FRAMES:]
        above = [level > threshold for level in recent]
        voiced = list(itertools.compress(recent, above))
        if len(voiced) < (_FURTHER_FRAMES if self.heard else _FIRST_FRAMES):
            return
        if _longest_run(above) < _UNBROKEN_FRAMES or _quantile(voiced, 0.9) - _quantile(voiced, 0.1) < _SWING_DB:
            return
        self.heard = True
        self._spoke_s = max(self._spoke_s, self._now_s - above[::-1].index(True) * _FRAME_S)


def _decibel(mean_square: float) -> float:
    return max(SILENT_DBFS, 10 * math.log10(mean_square)) if mean_square > 0 else SILENT_DBFS


def _quantile(values: Iterable[float], share: float) -> float:
    ranked = sorted(values)
    return ranked[math.floor(share * (len(ranked) - 1))]


def _longest_run(above: Sequence[bool]) -> int:
    return max((sum(1 for _ in run) for is_above, run in itertools.groupby(above) if is_above), default=0)
