"""What a person sees of a fetch: a line where something is worth saying, and a bar while bytes come.

Both go to standard error. The bar is tqdm's; where tqdm isn't installed, a line with the size stands for it.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from nbaudio.engine.weights.manifest import megabytes

__all__ = ["Bar", "Progress"]

_REDRAW_S = 0.5
_log = logging.getLogger("nbaudio.engine")


class Progress:
    """Lines and bars on standard error, or none of them.

    Parameters
    ----------
    shown : bool
        If False, lines go to the ``nbaudio.engine`` logger instead, and there are no bars.
    """

    def __init__(self, shown: bool) -> None:
        self.shown = shown

    def say(self, line: str) -> None:
        """Tell how it goes."""
        self._line(line, logging.INFO)

    def warn(self, line: str) -> None:
        """Tell what the person must know, such as a file that was not the file."""
        self._line(line, logging.WARNING)

    @contextmanager
    def bar(self, label: str, total_bytes: int) -> Iterator[Bar]:
        """A bar for the block, drawn when the first bytes are there."""
        bar = Bar(self, label, total_bytes)
        try:
            yield bar
        finally:
            bar.close()

    def _line(self, line: str, level: int) -> None:
        if self.shown:
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()
        else:
            _log.log(level, line)


class Bar:
    """How many bytes of a known number have come."""

    def __init__(self, progress: Progress, label: str, total_bytes: int) -> None:
        self._progress = progress
        self._label = label
        self._total_bytes = total_bytes
        self._drawn: Any = None
        self._started = False

    def at(self, done_bytes: int) -> None:
        """Draw the bar at this many bytes since the beginning; it may also go back."""
        if not self._started:
            self._started = True
            self._start(done_bytes)
        if self._drawn is not None:
            # update() with the difference keeps tqdm's own sense of speed, and its limit on redraws.
            self._drawn.update(done_bytes - self._drawn.n)

    def wait(self) -> None:
        """Draw the bar again, so that its clock shows that something goes on although no bytes came."""
        if self._drawn is not None:
            self._drawn.refresh()

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self._drawn is not None:
            self._drawn.close()

    def _start(self, done_bytes: int) -> None:
        if not self._progress.shown:
            return
        try:
            from tqdm import tqdm
        except ModuleNotFoundError:
            self._progress.say(f"{self._label}: {megabytes(self._total_bytes)} to come")
            return
        self._drawn = tqdm(
            desc=self._label,
            total=self._total_bytes,
            initial=done_bytes,
            unit="B",
            unit_scale=True,
            mininterval=_REDRAW_S,
            file=sys.stderr,
        )
