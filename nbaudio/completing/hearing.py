"""The words of a recording, from whoever hears for a server that does not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

import anyio.to_thread

from nbaudio.backends.transcribing import begin
from nbaudio.servers.backend import Backend
from nbaudio.sound.clip import Clip

__all__ = ["Ears", "TranscribingEars"]


class Ears(Protocol):
    """Who hears."""

    async def hear(self, clips: Sequence[Clip]) -> str:
        """The words of a recording in one or several pieces; may raise RequestError."""
        ...


class TranscribingEars:
    """The speech-to-text endpoint of a backend."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def hear(self, clips: Sequence[Clip]) -> str:
        """The words of a recording; cancelled, the request is given up."""
        # In a thread: it is begun from outside of the loop that it then runs on, which is this one.
        future = await anyio.to_thread.run_sync(begin, clips, self._backend)
        return await asyncio.wrap_future(future)
