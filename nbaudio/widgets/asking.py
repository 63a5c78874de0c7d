"""Asking without keeping anybody waiting: a thread for each question, and one question at a time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from nbaudio.conversation.turnlist import Part
from nbaudio.errors import Interrupted, NbaudioError, mask
from nbaudio.sound.clip import Clip

__all__ = ["Asked", "Asking", "told"]

Ask = Callable[[], Coroutine[Any, Any, object]]
Over = Callable[["BaseException | None"], None]


@dataclass(eq=False)
class Asked:
    """What was asked: parts to say, or the last question once more.

    `by_page` says that a person did so at a page, not a program; `kept` that it is in the conversation.
    """

    parts: tuple[Part, ...] = ()
    by_page: bool = False
    kept: bool = False

    @property
    def typed(self) -> str:
        """The words of it."""
        return "\n\n".join(part for part in self.parts if isinstance(part, str))

    @property
    def recorded_s(self) -> float:
        """How long its recordings are, in seconds."""
        return sum(part.duration_s for part in self.parts if isinstance(part, Clip))


class Asking:
    """Runs coroutines one after the other, each on a thread and a loop of its own.

    A kernel's own loop stands still while a cell runs, and the loop of requests must not be kept by what else there is
    to do, such as a tool of the user's.

    Examples
    --------
    >>> asking, over = Asking(), threading.Event()
    >>> async def answer() -> None: ...
    >>> asking.begin(answer, lambda error: over.set())
    >>> over.wait(5)
    True
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._run: _Run | None = None
        self._thread = threading.local()  # `here` is True on the threads of this one

    def begin(self, ask: Ask, over: Over) -> None:
        """Run a coroutine function. What runs still is stopped first, and is not waited for by the caller.

        Parameters
        ----------
        ask : callable
        over : callable
            Called once on that thread when it is over: with None, the error, or `asyncio.CancelledError` if stopped.
        """
        with self._lock:
            before, self._run = self._run, _Run(ask, over, self._thread)
            self._run.start(before)

    def stop(self) -> None:
        """Stop what runs, if anything does."""
        with self._lock:
            if self._run is not None:
                self._run.stop()

    def is_here(self) -> bool:
        """Whether the caller runs by this."""
        return getattr(self._thread, "here", False)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for what runs; tells whether nothing does any more."""
        with self._lock:
            run = self._run
        if run is not None:
            run.thread.join(timeout_s)
        return run is None or not run.thread.is_alive()


class _Run:
    def __init__(self, ask: Ask, over: Over, here: threading.local) -> None:
        self._ask, self._over, self._here = ask, over, here
        self._lock = threading.Lock()
        self._stopped = False
        self._task: tuple[asyncio.AbstractEventLoop, asyncio.Task[object]] | None = None
        self._before: _Run | None = None
        self.thread = threading.Thread(target=self._main, name="nbaudio-asking", daemon=True)

    def start(self, before: _Run | None) -> None:
        if before is not None:
            before.stop()
        self._before = before
        self.thread.start()

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            if self._task is not None:
                loop, task = self._task
                loop.call_soon_threadsafe(task.cancel)

    def _main(self) -> None:
        self._here.here = True
        if self._before is not None:
            self._before.thread.join()
            self._before = None  # else every question would keep all before it
        error: BaseException | None = None
        try:
            asyncio.run(self._on_loop())
        except BaseException as raised:  # an interrupt that the person did not mean for this thread too
            error = raised
        self._over(error)

    async def _on_loop(self) -> None:
        task = asyncio.ensure_future(self._ask())
        with self._lock:
            self._task = (asyncio.get_running_loop(), task)
            if self._stopped:
                task.cancel()
        try:
            await task
        finally:
            with self._lock:
                self._task = None


def told(error: BaseException) -> str:
    """What went wrong and what to do, in words for a person."""
    if isinstance(error, asyncio.CancelledError):
        return "Stopped before an answer came."
    if isinstance(error, (NbaudioError, Interrupted)):
        return mask(f"{error.cause} {error.next_step}".strip())
    return mask(f"{type(error).__name__}: {error}")
