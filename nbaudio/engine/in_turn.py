"""A lock for which those who wait are served in the order in which they came."""

from __future__ import annotations

import threading
from collections import deque

__all__ = ["InTurn"]


class InTurn:
    """As `threading.Lock` in a ``with`` block, but first come, first served.

    Who lets go of a common lock and takes it again at once gets it again: others, who wait, are still asleep.

    Examples
    --------
    >>> ears = InTurn()
    >>> with ears:
    ...     ears.waiting
    0
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken = False
        self._places: deque[threading.Lock] = deque()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._places)

    def __enter__(self) -> None:
        with self._lock:
            if not self._taken:
                self._taken = True
                return
            place = threading.Lock()
            place.acquire()
            self._places.append(place)
        try:
            place.acquire()
        except BaseException:  # an interrupt, in the main thread: the place must not be given a turn that nobody takes
            with self._lock:
                if place in self._places:
                    self._places.remove(place)
                else:
                    self._next()
            raise

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._next()

    def _next(self) -> None:
        if self._places:
            self._places.popleft().release()
        else:
            self._taken = False
