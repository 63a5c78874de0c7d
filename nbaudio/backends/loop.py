"""The one event loop that all requests run on, in a daemon thread of its own.

A notebook's kernel has a loop already, which is busy while a cell runs; a script has none. With a loop of our own
the plain calls and the awaited ones share one client, and an interrupted cell can cancel what runs there.
"""

from __future__ import annotations

import concurrent.futures
import os
import threading
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anyio
from anyio.from_thread import BlockingPortal

__all__ = ["count", "start", "wait"]

T = TypeVar("T")
_lock = threading.Lock()
_portal: BlockingPortal | None = None
_process = 0
_count = 0
_TICK_S = 0.2


def start(function: Callable[..., Awaitable[T]], *arguments: Any) -> concurrent.futures.Future[T]:
    """Begin a coroutine function on the loop; cancelling the future cancels it there."""
    return _running_portal().start_task_soon(function, *arguments)


def wait(future: concurrent.futures.Future[T]) -> T:
    """The result of something started, interruptible by the person; an interrupt does not cancel it by itself."""
    while True:
        try:
            # In short ticks: on Windows a lock waited for without a limit can't be interrupted by Ctrl-C.
            return future.result(timeout=_TICK_S)
        except concurrent.futures.TimeoutError:
            if future.done():
                return future.result()


def count() -> int:
    """How many loops there have been, with the one that runs: a connection of one is none on the next."""
    _running_portal()
    return _count


def _running_portal() -> BlockingPortal:
    global _portal, _process, _count
    with _lock:
        if _portal is None or _process != os.getpid():  # a fork has the object but not the thread
            ready: concurrent.futures.Future[BlockingPortal] = concurrent.futures.Future()
            thread = threading.Thread(target=anyio.run, args=(_serve, ready), name="nbaudio-loop", daemon=True)
            thread.start()
            _portal, _process = ready.result(), os.getpid()
            _count += 1
        return _portal


async def _serve(ready: concurrent.futures.Future[BlockingPortal]) -> None:
    async with BlockingPortal() as portal:
        ready.set_result(portal)
        try:
            await portal.sleep_until_stopped()
        finally:
            _forget(portal)


def _forget(portal: BlockingPortal) -> None:
    """Have the next request begin another: a task that raises SystemExit ends the loop."""
    global _portal
    with _lock:
        if _portal is portal:
            _portal = None
