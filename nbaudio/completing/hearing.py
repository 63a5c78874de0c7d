"""The words of a recording, from whoever hears for a server that does not."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Protocol

import anyio.to_thread

from nbaudio.servers.backend import Backend
from nbaudio.sound.clip import Clip
from nbaudio.spending.ledger import Ledger
from nbaudio.transcribing.calls import words, works_for

__all__ = ["Ears", "TranscribingEars"]


class Ears(Protocol):
    """Who hears."""

    async def hear(self, clips: Sequence[Clip]) -> str:
        """The words of a recording in one or several pieces; may raise RequestError."""
        ...


class TranscribingEars:
    """The speech-to-text endpoint of a backend.

    Parameters
    ----------
    backend : Backend
    ledger : Ledger, optional
        Of the conversation that the recordings belong to; without one, the settings' budget holds.
    """

    def __init__(self, backend: Backend, ledger: Ledger | None = None) -> None:
        self._backend, self._ledger = backend, ledger

    async def hear(self, clips: Sequence[Clip]) -> str:
        """The words of a recording; cancelled, the request is given up; may raise BudgetExceeded."""
        # In a thread: where weights have to be fetched, other requests on this loop go on.
        works = await anyio.to_thread.run_sync(partial(works_for, clips, backend=self._backend, ledger=self._ledger))
        return await words(works)
