"""How many seconds of sound a part has worked on."""

from __future__ import annotations

import threading

__all__ = ["Meter"]


class Meter:
    """A sum of seconds that several threads add to.

    Examples
    --------
    >>> meter = Meter()
    >>> meter.add(0.5)
    >>> meter.add(2.0)
    >>> meter.seconds
    2.5
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds = 0.0

    @property
    def seconds(self) -> float:
        """The sum."""
        return self._seconds

    def add(self, seconds: float) -> None:
        """Add to the sum."""
        with self._lock:
            self._seconds += seconds
