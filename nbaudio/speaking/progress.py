"""How far a long text is: a bar on standard error, of as many passages as there are."""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

__all__ = ["Bar", "Progress"]


class Progress(NamedTuple):
    """How many passages are done, of how many."""

    done: int
    passages: int


class Bar:
    """A context in which the progress of a text is shown, where it has more than one passage.

    The bar is tqdm's; where tqdm is not installed, a line says how many passages there are.
    """

    def __init__(self) -> None:
        self._drawn: Any = None
        self._told = False

    def show(self, progress: Progress) -> None:
        """Draw it anew."""
        if progress.passages < 2:
            return
        if not self._told:
            self._told = True
            self._draw(progress.passages)
        if self._drawn is not None:
            self._drawn.update(progress.done - self._drawn.n)

    def close(self) -> None:
        """Take it away."""
        if self._drawn is not None:
            self._drawn.close()

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _draw(self, passages: int) -> None:
        try:
            from tqdm import tqdm
        except ModuleNotFoundError:
            sys.stderr.write(f"Speaking {passages} passages ...\n")
            sys.stderr.flush()
            return
        self._drawn = tqdm(desc="Speaking", total=passages, unit=" passages", file=sys.stderr, leave=False)
