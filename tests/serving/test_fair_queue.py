"""Turns, without a server: who is next, who has to go, and that no turn is ever lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbaudio.serving.fair_queue import Closing, FairQueue, Full

pytestmark = pytest.mark.offline


class Clients:
    """Requests of clients in one queue, each of which ends when the test says so."""

    def __init__(self, queue: FairQueue) -> None:
        self.queue = queue
        self.began: list[str] = []
        self.refused: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self._ends: dict[str, asyncio.Event] = {}

    async def ask(self, request: str) -> None:
        """Send a request; its client is its first letter."""
        self._ends[request] = asyncio.Event()
        self.tasks[request] = asyncio.create_task(self._run(request))
        await settle()

    async def _run(self, request: str) -> None:
        try:
            async with self.queue.turn(request[0]):
                self.began.append(request)
                await self._ends[request].wait()
        except (Full, Closing):
            self.refused.append(request)

    async def end(self, request: str) -> None:
        self._ends[request].set()
        await settle()

    async def give_up(self, request: str) -> None:
        self.tasks[request].cancel()
        await asyncio.gather(self.tasks[request], return_exceptions=True)
        await settle()

    async def end_all(self) -> None:
        while any(not task.done() for task in self.tasks.values()):
            for end in self._ends.values():
                end.set()
            await settle()


async def settle() -> None:
    """Let every task go on until it waits for something."""
    for _ in range(5):
        await asyncio.sleep(0)


def in_a_loop(places: int, length: int, play: Callable[[Clients], Awaitable[None]], clock: Any = None) -> Clients:
    async def run() -> Clients:
        clients = Clients(FairQueue(places, length, clock or (lambda: 0.0)))
        await play(clients)
        await clients.end_all()
        return clients

    return asyncio.run(run())


def test_clients_take_turns_and_not_requests() -> None:
    async def play(clients: Clients) -> None:
        for request in ("a1", "a2", "a3", "a4", "b1", "c1", "c2"):
            await clients.ask(request)
        while len(clients.began) < 7:
            await clients.end(clients.began[-1])

    clients = in_a_loop(1, 10, play)

    assert clients.began == ["a1", "a2", "b1", "c1", "a3", "c2", "a4"]
    assert clients.refused == []


def test_as_many_run_at_once_as_there_are_places() -> None:
    async def play(clients: Clients) -> None:
        for request in ("a1", "b1", "c1", "d1"):
            await clients.ask(request)
        assert clients.began == ["a1", "b1"]
        assert (clients.queue.running, clients.queue.waiting) == (2, 2)
        await clients.end("b1")
        assert clients.began == ["a1", "b1", "c1"]

    in_a_loop(2, 10, play)


def test_who_comes_when_all_places_are_taken_is_sent_away() -> None:
    async def play(clients: Clients) -> None:
        for request in ("a1", "b1", "c1", "d1"):
            await clients.ask(request)

    assert in_a_loop(1, 2, play).refused == ["d1"]


def test_the_greedy_give_up_their_newest_for_who_has_none() -> None:
    async def play(clients: Clients) -> None:
        for request in ("a1", "a2", "a3", "a4"):
            await clients.ask(request)
        await clients.ask("b1")
        assert clients.refused == ["a4"]
        await clients.ask("c1")
        assert clients.refused == ["a4", "a3"]
        await clients.ask("d1")  # now nobody has more than one
        assert clients.refused == ["a4", "a3", "d1"]
        await clients.ask("b2")  # nor gets anybody a second place
        assert clients.refused[-1] == "b2"

    in_a_loop(1, 3, play)


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


async def sent_away(queue: FairQueue, client: str) -> float:
    """Seconds until it may come back."""
    with pytest.raises(Full) as full:
        async with queue.turn(client):
            pass
    return full.value.retry_after_s


def test_who_is_sent_away_is_told_when_to_come_back_and_not_all_at_once() -> None:
    clock = Clock()

    async def play(clients: Clients) -> None:
        for request in ("a1", "b1"):
            await clients.ask(request)
        # One answer takes 1 s, and one place to wait is taken by b.
        assert [await sent_away(clients.queue, client) for client in "cdef"] == [1, 2, 3, 4]
        clock.now_s = 20.0  # all of them should have been back long ago
        assert await sent_away(clients.queue, "g") == 1

    in_a_loop(1, 1, play, clock)


def test_who_comes_back_when_told_is_let_in_and_nobody_is_before() -> None:
    clock = Clock()

    async def play(clients: Clients) -> None:
        for request in ("a1", "b1"):
            await clients.ask(request)
        assert await sent_away(clients.queue, "c") == 1
        await clients.end("a1")  # b has its turn, and the place to wait is free; but it is promised
        assert await sent_away(clients.queue, "a") == pytest.approx(1, abs=0.2)
        clock.now_s = 1.0
        await clients.ask("c1")
        await clients.ask("a2")  # told the same, and let in as well, although there is one place
        assert (clients.refused, clients.queue.waiting) == ([], 2)
        await clients.end("b1")
        await clients.end("c1")
        assert clients.began == ["a1", "b1", "c1", "a2"]

    in_a_loop(1, 1, play, clock)


def test_a_promise_does_not_hold_for_ever() -> None:
    clock = Clock()

    async def play(clients: Clients) -> None:
        for request in ("a1", "b1"):
            await clients.ask(request)
        assert await sent_away(clients.queue, "c") == 1
        await clients.end("a1")
        clock.now_s = 12.0
        await clients.ask("d1")
        assert clients.queue.waiting == 1

    in_a_loop(1, 1, play, clock)


def test_how_long_to_wait_follows_how_long_answers_take() -> None:
    clock = Clock()

    async def play(clients: Clients) -> None:
        for number in range(60):
            await clients.ask(f"a{number}")
            clock.now_s += 8.0
            await clients.end(f"a{number}")
        await clients.ask("b1")
        assert await sent_away(clients.queue, "c") == pytest.approx(8, abs=0.1)

    in_a_loop(1, 0, play, clock)


def test_who_keeps_asking_does_not_keep_others_away() -> None:
    async def play(clients: Clients) -> None:
        await clients.ask("a1")
        await clients.ask("a2")
        waits = [await sent_away(clients.queue, "b") for _ in range(500)]
        assert waits[:4] == [1, 2, 3, 4]
        assert max(waits) == 5
        assert await sent_away(clients.queue, "c") == 2

    in_a_loop(1, 1, play)


def test_a_closed_queue_sends_away_who_waits_and_lets_end_who_runs() -> None:
    async def play(clients: Clients) -> None:
        for request in ("a1", "b1", "c1"):
            await clients.ask(request)
        clients.queue.close()
        idle = asyncio.create_task(clients.queue.idle())
        await clients.ask("d1")
        assert clients.refused == ["b1", "c1", "d1"]
        assert not idle.done()
        await clients.end("a1")
        assert idle.done()

    in_a_loop(1, 10, play)


REQUESTS = [f"{client}{number}" for client in "abc" for number in range(4)]
STEPS = st.lists(st.tuples(st.sampled_from(["ask", "end", "give up", "both"]), st.sampled_from(REQUESTS)), max_size=60)


@given(steps=STEPS, places=st.integers(1, 3), length=st.integers(0, 5))
def test_no_turn_is_lost_whoever_gives_up_when(steps: list[tuple[str, str]], places: int, length: int) -> None:
    clock = Clock()

    async def play(clients: Clients) -> None:
        for what, request in steps:
            clock.now_s += 0.5
            task = clients.tasks.get(request)
            if what == "ask" and task is None:
                await clients.ask(request)
            elif what == "end" and request in clients.began:
                await clients.end(request)
            elif what == "give up" and task is not None:
                await clients.give_up(request)
            elif what == "both" and clients.began and task is not None:
                clients._ends[clients.began[-1]].set()  # a turn becomes free in the moment in which somebody goes
                await asyncio.sleep(0)
                await clients.give_up(request)
            assert 0 <= clients.queue.running <= places
            assert clients.queue.waiting <= 2 * length
            assert clients.queue.waiting == 0 or clients.queue.running == places

    clients = in_a_loop(places, length, play, clock)

    assert clients.queue.running == clients.queue.waiting == 0
