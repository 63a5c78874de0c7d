"""A loop for tools that are async functions, where the caller is not: in a thread of its own, and always the same one.

A notebook's own loop is busy while a cell runs. The loop of requests is not lent: a tool that blocks would hold up the
answers. It stays the same so that what a tool keeps, such as an HTTP client, is at home on it.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import queue
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["next_of", "start", "wait"]

T = TypeVar("T")
_TICK_S = 0.2
_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None
_process = 0


def start(coroutine: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
    """Begin a coroutine, with the context of the caller; cancelling the future cancels it."""
    return asyncio.run_coroutine_threadsafe(coroutine, _running())


def wait(future: concurrent.futures.Future[T]) -> T:
    """The result of something started; an interrupt cancels it."""
    done: queue.SimpleQueue[concurrent.futures.Future[T]] = queue.SimpleQueue()
    future.add_done_callback(done.put)
    try:
        return next_of(done).result()
    except BaseException:
        future.cancel()
        raise


def next_of(done: queue.SimpleQueue[T]) -> T:
    """What comes next, waited for in short ticks: Windows hears no Ctrl-C while it waits without a limit."""
    while True:
        try:
            return done.get(timeout=_TICK_S)
        except queue.Empty:
            continue


def _running() -> asyncio.AbstractEventLoop:
    global _loop, _process
    with _lock:
        if _loop is None or _process != os.getpid():  # a fork has the object but not the thread
            _loop, _process = asyncio.new_event_loop(), os.getpid()
            threading.Thread(target=_loop.run_forever, name="nbaudio-tools", daemon=True).start()
        return _loop
