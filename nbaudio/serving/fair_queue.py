"""Turns: who is worked on next, when more ask than can be worked on at once.

Clients take turns, not requests: who sends twenty waits with nineteen of them while each of the others gets one. Within
a client the first comes first.

Where all places to wait are taken, the client that takes most of them gives up its newest for one who takes at least
two fewer (the rule of longest-queue drop); else the one who came is sent away, and told when to come back. That is a
promise: whoever comes back then is let in, and until then nobody who comes later takes the place. Without it the places
would go to those who have just been answered, for they are the first to know, and who was sent away once would be sent
away again.
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
_SHORTEST_WAIT_S = 0.5
_MOST_PROMISES = 4  # to one client
_EARLY_S, _LATE_S = 0.1, 10.0  # how far from its time a promise holds


class Full(Exception):
    """No place is left to wait in; `retry_after_s` is when there is one for this client, in seconds from now."""

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
        How many may wait; up to twice as many where that keeps promises.
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
            self._keep_promise(client)
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
                if not turn.done():
                    turn.set_exception(Closing())
        self._waiting.clear()

    async def idle(self) -> None:
        """Return when nobody has a turn."""
        await self._idle.wait()

    async def _wait(self, client: str) -> None:
        self._admit(client)
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            self._leave(client, turn)
            if not turn.cancelled() and turn.exception() is None:  # the turn came in the same moment
                self._end()
            raise

    def _admit(self, client: str) -> None:
        """Return if it may wait."""
        now = self._clock()
        self._forget_promises(now)
        promised = self._promised.get(client, (math.inf,))[0]
        as_told = promised <= now + _EARLY_S and self.waiting < 2 * self._length
        if as_told or self.waiting + self._others_promised(client) < self._length:
            self._keep_promise(client)
        elif (greedy := self._greedy(client)) is not None:
            newest = self._waiting[greedy][-1]
            self._leave(greedy, newest)
            if not newest.done():
                newest.set_exception(Full(self._promise(greedy, now)))
        else:
            raise Full(self._promise(client, now))

    def _greedy(self, client: str) -> str | None:
        """Who has to give up a place for this client."""
        if not self._waiting:
            return None
        most = max(self._waiting, key=lambda name: len(self._waiting[name]))
        return most if len(self._waiting[most]) >= len(self._waiting.get(client, ())) + 2 else None

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

    def _promise(self, client: str, now: float) -> float:
        """Seconds until there is a place for who is sent away now, behind all who were promised one before.

        So those who are sent away together do not come back together. Of another client one promise counts, however
        many it has: else who keeps asking would keep everybody else out.
        """
        mine = self._promised.get(client, deque())
        before = self.waiting + self._others_promised(client) + len(mine)
        wait_s = self._takes_s * max(1, before + 1 - self._length) / self._places
        wait_s = min(_LONGEST_WAIT_S, max(_SHORTEST_WAIT_S, wait_s))
        if len(mine) < _MOST_PROMISES:
            mine.append(now + wait_s)
            self._promised[client] = mine
        return wait_s

    def _others_promised(self, client: str) -> int:
        return len(self._promised) - (client in self._promised)

    def _keep_promise(self, client: str) -> None:
        if mine := self._promised.get(client):
            mine.popleft()
            if not mine:
                del self._promised[client]

    def _forget_promises(self, now: float) -> None:
        for client, times in list(self._promised.items()):
            while times and times[0] + _LATE_S < now:
                times.popleft()
            if not times:
                del self._promised[client]
