"""Turns: who is worked on next, when more ask than can be worked on at once.

Clients take turns, not requests: who sends twenty waits with nineteen of them while each of the others gets one. Within
a client the first comes first. Where all places to wait are taken, the client that takes most of them gives up its
newest for one who takes at least two fewer (the rule of longest-queue drop); else the one who came is sent away.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

__all__ = ["Closing", "FairQueue", "Full"]

_FIRST_GUESS_S = 1.0  # how long an answer takes, before one has been given
_NEWEST = 0.1  # the weight of the newest answer in what an answer takes
_LONGEST_WAIT_S = 60.0  # clients that are told more than two minutes give up (docs/protocol.md)


class Full(Exception):
    """No place is left to wait in; `retry_after_s` is when there will be one, in seconds from now."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(retry_after_s)
        self.retry_after_s = retry_after_s


class Closing(Exception):
    """Nobody gets a turn any more."""


class FairQueue:
    """Hands out turns; belongs to one event loop.

    Parameters
    ----------
    places : int
        How many have their turn at once.
    length : int
        How many may wait.
    clock : callable
        Seconds that only grow.
    """

    def __init__(self, places: int, length: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._places, self._length, self._clock = places, length, clock
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()  # the next client comes first
        self._promised: dict[str, deque[float]] = {}  # when those who were sent away will be back
        self._takes_s = _FIRST_GUESS_S
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False
        self.running = 0
        """How many have their turn."""

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(map(len, self._waiting.values()))

    @asynccontextmanager
    async def turn(self, client: str) -> AsyncIterator[None]:
        """Wait for a turn of this client, and have it for as long as the context lasts.

        Raises
        ------
        Full
            If there is no place to wait in, or it had to be given up for somebody with fewer.
        Closing
            If the queue was closed.
        """
        if self._closed:
            raise Closing
        if self.running >= self._places:
            await self._wait(client)
        else:
            self._begin()
        began = self._clock()
        try:
            yield
        finally:
            self._takes_s += _NEWEST * (self._clock() - began - self._takes_s)
            self._end()

    def close(self) -> None:
        """Send away all who wait, and all who come."""
        self._closed = True
        for turns in self._waiting.values():
            for turn in turns:
                _fail(turn, Closing())
        self._waiting.clear()

    async def idle(self) -> None:
        """Return when nobody has a turn."""
        await self._idle.wait()

    async def _wait(self, client: str) -> None:
        if self.waiting >= self._length:
            self._make_room(client)
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            self._leave(client, turn)
            if not turn.cancelled() and turn.exception() is None:  # the turn came in the same moment
                self._end()
            raise

    def _make_room(self, client: str) -> None:
        if self._waiting:
            greedy = max(self._waiting, key=lambda name: len(self._waiting[name]))
            if len(self._waiting[greedy]) >= len(self._waiting.get(client, ())) + 2:
                newest = self._waiting[greedy][-1]
                self._leave(greedy, newest)
                _fail(newest, Full(self._retry_after_s(greedy)))
                return
        raise Full(self._retry_after_s(client))

    def _leave(self, client: str, turn: asyncio.Future[None]) -> None:
        turns = self._waiting.get(client, deque())
        if turn in turns:
            turns.remove(turn)
            if not turns:
                del self._waiting[client]

    def _begin(self) -> None:
        self.running += 1
        self._idle.clear()

    def _end(self) -> None:
        self.running -= 1
        while self._waiting and self.running < self._places:
            client, turns = self._waiting.popitem(last=False)
            turn = turns.popleft()
            if turns:
                self._waiting[client] = turns  # behind the others
            if not turn.done():  # else who waited has gone in this moment
                self._begin()
                turn.set_result(None)
        if not self.running:
            self._idle.set()

    def _retry_after_s(self, client: str) -> float:
        """When its turn would come if it were behind all who wait and all who were sent away before.

        So those who are sent away together do not come back together. Of another client one counts, however many were
        sent away: else who keeps asking would keep everybody else out.
        """
        now = self._clock()
        for name, times in list(self._promised.items()):
            while times and times[0] <= now:
                times.popleft()
            if not times:
                del self._promised[name]
        promised = self._promised.setdefault(client, deque())
        before = self.waiting + len(promised) + len(self._promised) - 1
        wait_s = min(_LONGEST_WAIT_S, max(1.0, math.ceil(self._takes_s * (before + 1) / self._places)))
        promised.append(now + wait_s)
        return wait_s


def _fail(turn: asyncio.Future[None], error: Exception) -> None:
    if not turn.done():
        turn.set_exception(error)
