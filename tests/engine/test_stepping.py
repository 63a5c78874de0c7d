"""Work in threads, step by step: in its order, and at an end when nobody waits."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import aclosing

import anyio
import pytest

from nbaudio.engine.stepping import stepped

pytestmark = pytest.mark.offline
WAIT_S = 10.0


class Steps:
    """Counts up; each step after the first waits until it is let."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.let = threading.Semaphore(1)
        self.closed = threading.Event()
        self.threads: set[int] = set()
        self.made = 0

    def run(self) -> Generator[int, None, None]:
        try:
            while self.made < 5:
                self.begun.release()
                assert self.let.acquire(timeout=WAIT_S)
                self.threads.add(threading.get_ident())
                self.made += 1
                yield self.made
        finally:
            self.closed.set()


def test_all_steps_in_their_order_and_none_in_this_thread() -> None:
    steps = Steps()
    steps.let.release(4)

    async def all_of_them() -> list[int]:
        return [number async for number in stepped(steps.run())]

    assert anyio.run(all_of_them) == [1, 2, 3, 4, 5]
    assert threading.get_ident() not in steps.threads
    assert steps.closed.wait(WAIT_S)


def test_whoever_is_cancelled_in_a_step_has_no_other_made() -> None:
    steps = Steps()

    async def some() -> None:
        async with anyio.create_task_group() as tasks:

            async def read() -> None:
                async with aclosing(stepped(steps.run())) as numbers:
                    async for _ in numbers:
                        pass

            tasks.start_soon(read)
            for _ in range(2):  # the second step has begun, and waits
                await anyio.to_thread.run_sync(lambda: steps.begun.acquire(timeout=WAIT_S))
            tasks.cancel_scope.cancel()
            steps.let.release(4)

    anyio.run(some)
    assert steps.closed.wait(WAIT_S)
    assert steps.made == 2


def test_whoever_stops_between_steps_has_it_closed() -> None:
    steps = Steps()

    async def one() -> int:
        async with aclosing(stepped(steps.run())) as numbers:
            return await anext(numbers)

    assert anyio.run(one) == 1
    assert steps.closed.wait(WAIT_S)


def test_what_fails_in_a_step_fails_here() -> None:
    def failing() -> Generator[int, None, None]:
        yield 1
        raise RuntimeError("no more")

    async def read() -> None:
        async for _ in stepped(failing()):
            pass

    with pytest.raises(RuntimeError, match="no more"):
        anyio.run(read)
