"""Work that is done step by step in threads, and that ends soon after nobody waits for it any more."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Generator
from typing import TypeVar

from starlette.concurrency import run_in_threadpool

__all__ = ["finished", "stepped"]

T = TypeVar("T")


def finished(steps: Generator[object, None, T]) -> T:
    """What a generator returns, when all its steps have been made here.

    Examples
    --------
    >>> def halves():
    ...     yield "first"
    ...     yield "second"
    ...     return "whole"
    >>> finished(halves())
    'whole'
    """
    while True:
        try:
            next(steps)
        except StopIteration as end:
            returned: T = end.value
            return returned


async def stepped(steps: Generator[T, None, None]) -> AsyncGenerator[T, None]:
    """What a generator gives, each step of it made in a thread.

    A thread can't be stopped, and a generator that runs can't be closed. So when the one who waits is cancelled, or
    closes this, the step that is running comes to its end, and no other follows.

    Parameters
    ----------
    steps : generator
        Closed at the end, whatever the end was.
    """
    busy = threading.Lock()
    over = object()

    def step() -> object:
        with busy:
            return next(steps, over)

    def close() -> None:
        with busy:
            steps.close()

    try:
        while (made := await run_in_threadpool(step)) is not over:
            yield made  # type: ignore[misc]
    finally:
        # Nothing may be awaited here while a task is being cancelled, and the step may still be running in its thread:
        # so the generator is closed after it by somebody who can wait for it.
        threading.Thread(target=close, name="nbaudio-close", daemon=True).start()
