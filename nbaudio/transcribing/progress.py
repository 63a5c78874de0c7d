"""How far a long recording is written down: a bar on standard error, by tqdm."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["Bar"]


_LINE = "{desc}: {percentage:3.0f}%|{bar}| {n:.1f} of {total:.1f} min [{elapsed}<{remaining}]"


class Bar:
    """A bar over minutes of sound; none where `shown` is false.

    Parameters
    ----------
    sound_s : float
        How long the recording is.
    pieces : int
        In how many pieces it goes.
    shown : bool
    """

    def __init__(self, sound_s: float, pieces: int, *, shown: bool) -> None:
        self._drawn: Any = None
        self._pieces, self._done = pieces, 0
        if shown:
            from tqdm import tqdm

            self._drawn = tqdm(desc=self._said, total=sound_s / 60, bar_format=_LINE, file=sys.stderr)

    @property
    def _said(self) -> str:
        return f"Writing down, {self._done} of {self._pieces} pieces"

    def did(self, sound_s: float) -> None:
        """One more piece is done, of so many seconds."""
        self._done += 1
        if self._drawn is not None:
            self._drawn.set_description_str(self._said, refresh=False)
            # Sums of rounded parts may come out a little above the whole, which tqdm warns of.
            self._drawn.update(min(sound_s / 60, self._drawn.total - self._drawn.n))

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self._drawn is not None:
            self._drawn.close()
