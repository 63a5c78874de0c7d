"""Doing something soon and not too often: once for many reasons, on a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

__all__ = ["Lately"]


class Lately:
    """Calls a function soon after each `soon`, with a pause between two calls.

    Parameters
    ----------
    do : callable
        Called on a thread of its own. What it returns says in how many seconds it is to be called again by itself; None
        for not before the next `soon`.
    pause_s : float
        Seconds from one call to the next, at least.

    Examples
    --------
    >>> done = threading.Event()
    >>> lately = Lately(done.set, pause_s=0.1)
    >>> lately.soon()
    >>> done.wait(5)
    True
    >>> lately.close()
    """

    def __init__(self, do: Callable[[], float | None], pause_s: float) -> None:
        self._do, self._pause_s = do, pause_s
        self._asked = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="nbaudio-lately", daemon=True)
        self._thread.start()

    def soon(self) -> None:
        """Have it called soon: at once, if the last call is long enough ago."""
        self._asked.set()

    def close(self) -> None:
        """Call it no more; a call that is under way goes on."""
        self._closed.set()
        self._asked.set()

    def _run(self) -> None:
        again_s: float | None = None
        while True:
            self._asked.wait(again_s)
            if self._closed.is_set():
                return
            self._asked.clear()
            begun_s = time.monotonic()
            try:
                again_s = self._do()
            except Exception:
                again_s = None
                logging.getLogger(__name__).exception("What was to be shown could not be.")
            self._closed.wait(max(0.0, self._pause_s - (time.monotonic() - begun_s)))
