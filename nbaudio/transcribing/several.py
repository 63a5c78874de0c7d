"""Several recordings at once: those of a conversation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import TypeVar

import anyio

from nbaudio import errors
from nbaudio.backends import loop
from nbaudio.servers.backend import ears
from nbaudio.settings import Backend, settings
from nbaudio.sound.clip import Clip
from nbaudio.spending.ledger import Ledger
from nbaudio.transcribing.calls import words, works_for

__all__ = ["start_each"]

K = TypeVar("K")


def start_each(
    recordings: Mapping[K, Sequence[Clip]],
    came: Callable[[K, str], None],
    *,
    backend: Backend | None = None,
    ledger: Ledger | None = None,
) -> Future[None]:
    """Have several recordings written down, a few at a time; `came` gets the words of each, on the loop of requests.

    Parameters
    ----------
    recordings : mapping
        Each in one or several parts.
    came : callable
    backend, ledger
        As in `nbaudio.transcribing.calls.start`.

    Raises
    ------
    NbaudioError
        By the future's ``result()``: the first that comes. Requests that are still on their way are given up.
    """
    backend = ears(backend or settings().resolve())
    works = {key: works_for(clips, backend=backend, ledger=ledger) for key, clips in recordings.items()}
    at_once = backend.dialect.transcriptions_at_once

    async def all_of_them() -> None:
        free, failures = anyio.CapacityLimiter(at_once), []

        async def one(key: K) -> None:
            async with free:
                try:
                    came(key, await words(works[key]))
                except errors.NbaudioError as error:  # caught here: the group would raise it in a group of exceptions
                    failures.append(error)
                    group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            for key in works:
                group.start_soon(one, key)
        if failures:
            raise failures[0]

    return loop.start(all_of_them)
