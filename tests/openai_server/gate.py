"""A gate across a stream, so that a test can stop it in the middle and go on without sleeping."""

from __future__ import annotations

import asyncio
import threading


class Gate:
    """Lets a number of pieces through, then holds the stream until told to go on.

    A piece is a chunk with sound in it or, in a stream without sound, one with words or tool arguments. The
    chunks before and between are not held.

    Parameters
    ----------
    pieces : int
        How many pass at once. With 0 the first one is already held.

    Attributes
    ----------
    held : threading.Event
        Set while a stream stands at the gate.
    """

    def __init__(self, pieces: int = 0) -> None:
        self.held = threading.Event()
        self._lock = threading.Lock()
        self._allowed = pieces
        self._open = False
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    def wait_until_held(self, timeout_s: float = 10.0) -> None:
        """Return as soon as a stream stands at the gate; AssertionError if none does in time."""
        assert self.held.wait(timeout_s), f"no stream came to the gate within {timeout_s} s"

    def allow(self, pieces: int = 1) -> None:
        """Let so many more pieces through."""
        with self._lock:
            self._allowed += pieces
            self._wake()

    def open(self) -> None:
        """Let everything through from now on."""
        with self._lock:
            self._open = True
            self._wake()

    @property
    def is_open(self) -> bool:
        """Whether everything passes."""
        return self._open

    def _wake(self) -> None:
        self.held.clear()
        for loop, woken in self._waiting:
            loop.call_soon_threadsafe(woken.set)
        self._waiting.clear()

    async def pass_piece(self) -> None:
        """Wait, on the server's side, until one piece may go."""
        while True:
            with self._lock:
                if self._open:
                    return
                if self._allowed > 0:
                    self._allowed -= 1
                    return
                woken = asyncio.Event()
                self._waiting.append((asyncio.get_running_loop(), woken))
                self.held.set()
            await woken.wait()
