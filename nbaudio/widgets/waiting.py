"""Waiting for a widget's message inside a running cell.

A kernel runs one request of its shell channel after the other, and what widgets send comes by the same channel. So a
cell that waits for a widget would wait for ever, and what ipykernel does about it has changed from version to version:
6.x queues every message behind the cell; 7.0 to 7.3 do so too unless the page sends them to a subshell, a thread of its
own; 7.4 handles them at once while the cell awaits, but does not report that they are done, on which ipywidgets in the
page waits before it sends a second change of a trait (``throttle`` in @jupyter-widgets/base).

`widgets_heard` therefore takes widgets' messages off the channel before the kernel queues them, and handles them on the
loop that the cell waits on, in order, each reported as done. Requests to run cells are not touched.
"""

from __future__ import annotations

import asyncio
import contextvars
import math
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, TypeVar

__all__ = ["Bell", "Home", "widgets_heard"]

T = TypeVar("T")
_TURN_S = 0.2
_WIDGETS = ("comm_open", "comm_msg", "comm_close")


class Bell:
    """Wakes those who wait, rung from any thread.

    Examples
    --------
    >>> async def wait() -> str:
    ...     bell, found = Bell(), []
    ...     threading.Timer(0.01, lambda: (found.append("here"), bell.ring())).start()
    ...     return await bell.until(lambda: found[0] if found else None)
    >>> asyncio.run(wait())
    'here'
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = set()

    def ring(self) -> None:
        """Have everybody look again."""
        with self._lock:
            waiting, self._waiting = self._waiting, set()
        for loop, future in waiting:
            if not loop.is_closed():
                loop.call_soon_threadsafe(_wake, future)

    async def until(self, find: Callable[[], T | None], limit_s: float = math.inf) -> T:
        """What `find` gives, as soon as that is not None; it is called at once and after each ring.

        Raises
        ------
        TimeoutError
            If it takes longer than `limit_s` seconds. (Not by ``asyncio.wait_for``: before Python 3.12 that loses an
            interrupt which comes in the same turn of the loop as what is waited for, python/cpython#86296.)
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + limit_s
        timer = loop.call_at(end, self.ring) if limit_s < math.inf else None
        try:
            while True:
                place = (loop, loop.create_future())
                with self._lock:  # before looking: a ring in between must not be lost
                    self._waiting.add(place)
                try:
                    found = find()
                    if found is not None:
                        return found
                    if timer is not None and loop.time() >= end:
                        raise TimeoutError(f"not within {limit_s:g} s")
                    await place[1]
                finally:
                    with self._lock:
                        self._waiting.discard(place)
        finally:
            if timer is not None:
                timer.cancel()


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class Home:
    """Where things are done that other threads and timers ask for: a loop, and the cell that they belong to.

    Where no loop runs there is no page and nothing to wait for: then `do` uses a thread, and `later` does nothing.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._context = contextvars.copy_context()
        with suppress(RuntimeError):
            self.follow()

    def follow(self) -> None:
        """Be at home in the loop and the cell that run now.

        Raises
        ------
        RuntimeError
            If no loop runs.
        """
        self._loop, self._context = asyncio.get_running_loop(), contextvars.copy_context()

    def leave(self) -> None:
        """Be at home nowhere."""
        self._loop = None

    def do(self, call: Callable[..., object], *arguments: object) -> None:
        """Have it called soon, with the context that tells a kernel whose outputs come."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(partial(call, *arguments), context=self._context.copy())
        else:
            threading.Thread(target=call, args=arguments, daemon=True).start()

    def later(self, delay_s: float, call: Callable[..., object], *arguments: object) -> None:
        """Have it called in so many seconds."""
        loop = self._loop
        if loop is not None:
            self.do(lambda: loop.call_later(delay_s, partial(call, *arguments), context=self._context.copy()))


@asynccontextmanager
async def widgets_heard() -> AsyncIterator[None]:
    """While it lasts, what widgets send is heard although a cell is running.

    Only where that needs doing: in an ipykernel, on the loop that its cells run on. Begin it before a widget is shown,
    for what was queued before on ipykernel 7 stays there.
    """
    ears = _ears()
    if ears is None:
        yield
        return
    turning = asyncio.ensure_future(_keep_turning())
    try:
        await ears.begin()
        yield
    finally:
        ears.end()
        turning.cancel()


async def _keep_turning() -> None:
    """Have the loop turn now and then, so that it hears of an interrupt.

    The kernel's handler of SIGINT leaves a note for its loop (``IPythonKernel._cancel_on_sigint``), but a note from
    the loop's own thread wakes no loop that sleeps (tornado 6, ``add_callback``), nor does Ctrl-C on Windows.
    """
    while True:
        await asyncio.sleep(_TURN_S)


_current: _Ears | None = None


def _ears() -> _Ears | None:
    """Those of this kernel, which all who wait share; None where there is nothing to do."""
    global _current
    from IPython import get_ipython

    kernel: Any = getattr(get_ipython(), "kernel", None)
    stream, loop = getattr(kernel, "shell_stream", None), getattr(kernel, "io_loop", None)
    if stream is None or getattr(loop, "asyncio_loop", None) is not asyncio.get_running_loop():
        return None  # no kernel, one of another make, or a cell in a subshell, which keeps nobody waiting
    if _current is None or _current.kernel is not kernel:
        if hasattr(kernel, "shell_channel_thread_main") and kernel.shell_channel_thread is not None:
            _current = _ThreadEars(kernel)
        elif hasattr(kernel, "schedule_dispatch"):
            _current = _Ears(kernel)
    return _current


class _Ears:
    """ipykernel 6: the shell stream is read by the loop that cells run on, and queued (``Kernel.start``)."""

    def __init__(self, kernel: Any) -> None:
        self.kernel = kernel
        self._users = 0

    async def begin(self) -> None:
        self._users += 1
        if self._users == 1:
            self._queue = partial(self.kernel.schedule_dispatch, self.kernel.dispatch_shell)
            self.kernel.shell_stream.on_recv(self._hear, copy=False)
            self._look_through_queue()

    def end(self) -> None:
        self._users -= 1
        if self._users == 0 and not self.kernel.shell_stream.closed():
            self.kernel.shell_stream.on_recv(self._queue, copy=False)

    def _hear(self, frames: list[Any]) -> None:
        if self._is_widgets(frames):
            self._handle(frames)
        else:
            self._queue(frames)

    def _look_through_queue(self) -> None:
        """Handle what came before; the rest goes back in its order."""
        queue = self.kernel.msg_queue
        for _ in range(queue.qsize()):
            item = queue.get_nowait()
            _, dispatch, arguments = item
            if dispatch == self.kernel.dispatch_shell and self._is_widgets(*arguments):
                self._handle(*arguments)
            else:
                queue.put_nowait(item)

    def _is_widgets(self, frames: list[Any]) -> bool:
        session = self.kernel.session
        try:
            _, parts = session.feed_identities(frames, copy=False)
            # Without its content a message is only looked at, and may be read again: a signature counts once.
            return session.deserialize(parts, content=False, copy=False)["msg_type"] in _WIDGETS
        except Exception:  # whatever is wrong with it is the kernel's to tell
            return False

    def _handle(self, frames: list[Any]) -> None:
        """Do what ``Kernel.dispatch_shell`` does, but leave the cell its parent and its way of being interrupted."""
        kernel = self.kernel
        identities, parts = kernel.session.feed_identities(frames, copy=False)
        message = kernel.session.deserialize(parts, content=True, copy=False)
        before = kernel.get_parent("shell"), kernel._parent_ident["shell"]
        _flush()  # what the cell has printed is the cell's
        kernel.set_parent(identities, message, channel="shell")
        self._report("busy", message)
        try:
            kernel.shell_handlers[message["msg_type"]](kernel.shell_stream, identities, message)
        except Exception:
            kernel.log.exception("Exception in message handler:")
        finally:
            _flush()
            self._report("idle", message)
            kernel.set_parent(before[1], before[0], channel="shell")

    def _report(self, state: str, message: dict[str, Any]) -> None:
        kernel = self.kernel
        content = {"execution_state": state}
        kernel.session.send(kernel.iopub_socket, "status", content, parent=message, ident=kernel._topic("status"))


class _ThreadEars(_Ears):
    """ipykernel 7: a thread reads the shell stream and passes messages on to the main thread and to subshells."""

    async def begin(self) -> None:
        self._users += 1
        self._context = contextvars.copy_context()  # which says whose outputs come now
        if self._users == 1:
            self._loop = asyncio.get_running_loop()
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._swap(self._hear_there), self._there))

    def end(self) -> None:
        self._users -= 1
        if self._users == 0:
            asyncio.run_coroutine_threadsafe(self._swap(self.kernel.shell_channel_thread_main), self._there)

    @property
    def _there(self) -> asyncio.AbstractEventLoop:
        loop: asyncio.AbstractEventLoop = self.kernel.shell_channel_thread.io_loop.asyncio_loop
        return loop

    async def _swap(self, receive: Callable[[list[Any]], Any]) -> None:
        if not self.kernel.shell_stream.closed():
            self.kernel.shell_stream.on_recv(receive, copy=False)

    async def _hear_there(self, frames: list[Any]) -> None:
        if self._is_widgets(frames):
            self._loop.call_soon_threadsafe(self._handle, frames, context=self._context.copy())
        else:
            await self.kernel.shell_channel_thread_main(frames)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
