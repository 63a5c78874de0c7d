"""The sounds of one session that are being heard or wait for it: few at once, and not without end.

The engine has one pair of ears, and who waits for them holds a thread. So a session has few of these, and all sessions
together fewer than the process has: else who sends much sound would leave none to anybody else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar

from nbaudio.engine.asked import Refusal
from nbaudio.engine.realtime.sound_formats import Sound

__all__ = ["Hearings"]

_AT_ONCE, _AT_ONCE_OF_ALL = 2, 8
_MOST_WAITING, _MOST_WAITING_BYTES = 256, 64 * 1024 * 1024

_places: RunVar[CapacityLimiter] = RunVar("nbaudio_sounds_heard_at_once")


class Hearings:
    """Hears sounds.

    Parameters
    ----------
    words_of : callable
        Gives the words of a sound; takes its time, in a thread.
    """

    def __init__(self, words_of: Callable[[Sound], str]) -> None:
        self._words_of = words_of
        self._own = CapacityLimiter(_AT_ONCE)
        self._waiting: dict[asyncio.Task[str], int] = {}

    def check_room(self) -> None:
        """Nothing, where one more sound may wait.

        Raises
        ------
        Refusal
            Else.
        """
        waiting = list(self._waiting.values())  # also asked from threads
        if len(waiting) >= _MOST_WAITING or sum(waiting) >= _MOST_WAITING_BYTES:
            message = f"{len(waiting)} sounds of this session wait to be heard. Send more when their words are there."
            raise Refusal(message, status=429, code="rate_limit_exceeded")

    def begin(self, sound: Sound) -> asyncio.Task[str]:
        """The words of a sound, as soon as they are known."""
        task = asyncio.create_task(self._hear(sound))
        self._waiting[task] = len(sound.data)
        task.add_done_callback(self._waiting.pop)
        return task

    async def close(self) -> None:
        """Nobody needs any words any more."""
        tasks = list(self._waiting)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _hear(self, sound: Sound) -> str:
        async with self._own:
            # A thread can't be stopped: who does not need its words any more does not wait for them. But its place is
            # free at its end and not before, or who comes and goes would leave one thread after the other behind.
            places, place = _places_of_all(), object()
            await places.acquire_on_behalf_of(place)
            hearing = asyncio.create_task(to_thread.run_sync(self._words_of, sound, abandon_on_cancel=True))
            hearing.add_done_callback(lambda _: places.release_on_behalf_of(place))
            return await asyncio.shield(hearing)


def _places_of_all() -> CapacityLimiter:
    """Of all sessions on this loop."""
    try:
        return _places.get()
    except LookupError:
        _places.set(CapacityLimiter(_AT_ONCE_OF_ALL))
        return _places.get()
