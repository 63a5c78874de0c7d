"""Pieces of an answer on their way from the loop of requests to whoever waits for them."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Sequence
from typing import Any

from nbaudio.conversation.keeping import Piece
from nbaudio.wire.answers import AudioDelta

__all__ = ["Crossing", "putting_here"]

_LET_S = 0.002  # an idle thread begins to run within a tenth of this


class Crossing:
    """Pieces that are waited for in this thread.

    A loop that reads an answer as fast as it comes keeps Python's lock for 5 ms (`sys.getswitchinterval`) before others
    run at all. So with the first sound the loop lets go of it, if somebody is waiting, until that one has it.
    """

    def __init__(self) -> None:
        self._arrived: queue.SimpleQueue[Sequence[Piece] | None] = queue.SimpleQueue()
        self._waits = self._sounds = self._hands_over = False
        self._taken = threading.Lock()
        self._taken.acquire()

    def put(self, pieces: Sequence[Piece] | None) -> None:
        """Hand pieces over; None is the end."""
        first = not self._sounds and any(isinstance(piece, AudioDelta) for piece in pieces or ())
        self._sounds = self._sounds or first
        self._hands_over = first and self._waits
        self._arrived.put(pieces)
        if self._hands_over:
            self._taken.acquire(timeout=_LET_S)

    def next(self) -> Sequence[Piece] | None:
        """The next pieces; None at the end."""
        self._waits = True
        while True:
            try:
                pieces = self._arrived.get(timeout=0.2)  # in ticks, so that Ctrl-C is heard on Windows too
                break
            except queue.Empty:
                continue
        self._waits = False
        if self._hands_over:
            self._hands_over = False
            self._taken.release()
        return pieces


def putting_here(arrived: asyncio.Queue[Sequence[Piece] | None]) -> Any:
    """What puts pieces into a queue of the loop that runs here, from any thread."""
    here = asyncio.get_running_loop()

    def put(pieces: Sequence[Piece] | None) -> None:
        with contextlib.suppress(RuntimeError):  # nobody waits any more: the loop is closed
            here.call_soon_threadsafe(arrived.put_nowait, pieces)

    return put
