"""Work that goes on in a thread while its results are sent, one by one, and that ends when nobody wants more."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Generator
from typing import TypeVar

from starlette.concurrency import run_in_threadpool

__all__ = ["stepwise"]

T = TypeVar("T")


async def stepwise(work: Generator[T, None, None]) -> AsyncGenerator[T, None]:
    """What a generator gives, each step of it in a thread; the generator is closed in the end, however that comes."""
    busy = threading.Lock()
    over = object()

    def step() -> T | object:
        with busy:
            return next(work, over)

    def close() -> None:
        with busy:
            work.close()

    try:
        while (found := await run_in_threadpool(step)) is not over:
            yield found  # type: ignore[misc]
    finally:
        # A client that has gone cancels this while a step may still be running in its thread, and a generator that
        # runs can't be closed: so it is closed after that step, by somebody who can wait for it.
        threading.Thread(target=close, name="nbaudio-close", daemon=True).start()
