"""What a session tells, for whoever iterates over it: in a plain loop or an awaited one, on any thread."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator

from nbaudio.events import RealtimeEvent

__all__ = ["Telling"]

_MOST = 10_000  # events that wait for somebody: twenty minutes of speech; of an hour that nobody reads the oldest go
_TICK_S = 0.2  # so that Ctrl-C is heard on Windows too


class Telling:
    """Events from one thread to others, in order; each goes to one iteration only.

    Examples
    --------
    >>> from nbaudio.events import Noticed
    >>> telling = Telling()
    >>> telling.put(Noticed("Hello."))
    >>> telling.end()
    >>> list(telling)
    [Noticed(text='Hello.')]
    """

    def __init__(self) -> None:
        self._events: deque[RealtimeEvent] = deque(maxlen=_MOST)
        self._changed = threading.Condition()
        self._wakers: list[Callable[[], None]] = []
        self._over = False
        self._error: BaseException | None = None

    def put(self, event: RealtimeEvent) -> None:
        """Tell one more."""
        with self._changed:
            self._events.append(event)
            self._wake()

    def end(self, error: BaseException | None = None) -> None:
        """There are no more; whoever iterates gets the error, where there is one."""
        with self._changed:
            if not self._over:
                self._over, self._error = True, error
            self._wake()

    def _wake(self) -> None:
        self._changed.notify_all()
        wakers, self._wakers = self._wakers, []
        for wake in wakers:
            wake()

    def _take(self) -> RealtimeEvent | None:
        """The next event, None where it is still to come; StopIteration or the error at the end."""
        if self._events:
            return self._events.popleft()
        if self._over:
            if self._error is not None:
                raise self._error
            raise StopIteration
        return None

    def __iter__(self) -> Iterator[RealtimeEvent]:
        while True:
            with self._changed:
                try:
                    while (event := self._take()) is None:
                        self._changed.wait(_TICK_S)
                except StopIteration:
                    return
            yield event

    async def __aiter__(self) -> AsyncIterator[RealtimeEvent]:
        here = asyncio.get_running_loop()
        while True:
            woken = asyncio.Event()

            def wake(woken: asyncio.Event = woken) -> None:
                with contextlib.suppress(RuntimeError):  # nobody waits any more: the loop is closed
                    here.call_soon_threadsafe(woken.set)

            with self._changed:
                try:
                    event = self._take()
                except StopIteration:
                    return
                if event is None:
                    self._wakers.append(wake)
            if event is None:
                await woken.wait()
            else:
                yield event
