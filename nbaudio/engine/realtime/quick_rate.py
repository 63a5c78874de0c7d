"""Sound at the rate of the ears, at once: soxr's stream is 36 ms behind at 24,000 Hz, and 115 ms at 8,000.

Whoever listens for a person to begin can't wait so long, and needs no more quality than this: a windowed sinc of 2 ms.
What is written down is resampled by soxr.
"""

from __future__ import annotations

from math import gcd

import numpy as np
from numpy.typing import NDArray

__all__ = ["QuickRate"]

_HALF_S = 0.001  # of the filter, by which what comes out is late
_PASSED = 0.92  # of the band that both rates have


class QuickRate:
    """Brings sound to another rate while it comes.

    Parameters
    ----------
    from_rate, to_rate : int
        Hz.

    Examples
    --------
    >>> rate = QuickRate(24_000, 16_000)
    >>> [len(rate.take(np.zeros(480, np.float32))) for _ in range(3)]
    [320, 320, 320]
    """

    def __init__(self, from_rate: int, to_rate: int) -> None:
        shared = gcd(from_rate, to_rate)
        self._up, self._down = to_rate // shared, from_rate // shared
        high_rate = from_rate * self._up
        half = round(_HALF_S * high_rate)
        cutoff = _PASSED * min(from_rate, to_rate) / high_rate  # of the half of the high rate
        at = np.arange(-half, half + 1)
        self._filter = (self._up * cutoff * np.sinc(cutoff * at) * np.hamming(2 * half + 1)).astype(np.float32)
        self._before = np.zeros(2 * half, np.float32)  # the end of what has gone through the filter
        self._waiting = np.zeros(0, np.float32)

    def take(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """What can be given of float32, shape (frames,): all but a frame or two."""
        sound = np.concatenate([self._waiting, samples])
        whole = len(sound) - len(sound) % self._down
        self._waiting = sound[whole:]
        if not whole:
            return np.zeros(0, np.float32)
        spread = np.zeros(whole * self._up, np.float32)
        spread[:: self._up] = sound[:whole]
        spread = np.concatenate([self._before, spread])
        self._before = spread[len(spread) - len(self._before) :]
        passed: NDArray[np.float32] = np.convolve(spread, self._filter, "valid")[:: self._down]
        return passed.astype(np.float32)
