"""Pieces of an answer on their way from the loop of requests to whoever waits for them."""

from __future__ import annotations

import asyncio
import contextlib
import queue
from collections.abc import Sequence
from typing import Any

from nbaudio.conversation.keeping import Piece

__all__ = ["next_of", "putting_here"]


def next_of(arrived: queue.SimpleQueue[Sequence[Piece] | None]) -> Sequence[Piece] | None:
    """The next pieces, waited for in this thread; None at the end."""
    while True:
        try:
            return arrived.get(timeout=0.2)  # in ticks, so that Ctrl-C is heard on Windows too
        except queue.Empty:
            continue


def putting_here(arrived: asyncio.Queue[Sequence[Piece] | None]) -> Any:
    """What puts pieces into a queue of the loop that runs here, from any thread."""
    here = asyncio.get_running_loop()

    def put(pieces: Sequence[Piece] | None) -> None:
        with contextlib.suppress(RuntimeError):  # nobody waits any more: the loop is closed
            here.call_soon_threadsafe(arrived.put_nowait, pieces)

    return put
