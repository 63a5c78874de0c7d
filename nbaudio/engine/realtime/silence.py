"""The silence after a response: where it lasts, the engine speaks again."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable

from nbaudio.engine.realtime.incoming import Incoming

__all__ = ["Silence"]


class Silence:
    """Waits for the person to say something, and has them prompted once if they don't.

    Parameters
    ----------
    incoming : Incoming
        Keeps what comes meanwhile.
    prompt : callable
        Does so; takes the millisecond of the input in which the silence began.
    """

    def __init__(self, incoming: Incoming, prompt: Callable[[float], Awaitable[None]]) -> None:
        self._incoming, self._prompt = incoming, prompt
        self._waiting: asyncio.Task[None] | None = None
        self._prompted = False

    def begin(self, sounds_s: float, idle_s: float) -> None:
        """Wait so long, beginning when what sounds for so long yet has been heard."""
        if not self._prompted and not self._incoming.speaking:
            self.wait_no_more()
            self._waiting = asyncio.create_task(self._wait(sounds_s, idle_s))

    def broken(self) -> None:
        """The person does something."""
        self._prompted = False
        self.wait_no_more()

    def wait_no_more(self) -> None:
        """Wait no more."""
        self._incoming.wanted_from_ms = math.inf
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    async def _wait(self, sounds_s: float, idle_s: float) -> None:
        await asyncio.sleep(max(0.0, sounds_s))
        start_ms = self._incoming.wanted_from_ms = self._incoming.written_ms
        await asyncio.sleep(idle_s)
        self._waiting, self._prompted = None, True
        await self._prompt(start_ms)
        self._incoming.wanted_from_ms = math.inf
