"""The open session of a `VoiceChat`: its microphone, its answers and who begins to speak, between page and server.

The messages between this side and ``static/open_session.js``; sound is mono PCM16 at 24,000 Hz, little endian. The
page that begins a session gives it an id: `session` in all that comes from there, and the trait `session_id`. What
has another id is from a page that has it no more, and does nothing.

    browser -> kernel   {kind: "open"} {kind: "close", played?, sounded?}    a session is wanted; is over, see "hushed"
                        {kind: "here"}                    once a minute: the page lives, also where nobody is heard
                        {kind: "heard", index} + [PCM16]    40 ms of the microphone, from 0 for each session; what comes
                            before it is open is kept for it. ipykernel 7 may handle two on two threads, out of order.
                        {kind: "turn over", index}        push to talk: so many pieces have been sent by now
                        {kind: "interrupt", played, sounded}    the page is silent already, see "hushed"
                        {kind: "played", item, frames, sounding}    the player's clock, 5 times a second while it sounds
                        {kind: "hushed", number, played, sounded}    the answer to "hush": {item: frames heard}
    kernel -> browser   {kind: "said", item, index, frames_before} + [PCM16]    to be played behind what was given
                        {kind: "all said", item, frames}
                        {kind: "hush", number}            be silent at once; what was given before is over
                        {kind: "speech", began}           the server hears that the person begins, or has ended

Everything else is a trait of the chat.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Future
from typing import Any

from nbaudio.conversation.turnlist import Part
from nbaudio.errors import NbaudioError
from nbaudio.events import Noticed, RealtimeEvent, SpeechBegan, SpeechEnded, WrittenDown
from nbaudio.realtime.session import Realtime
from nbaudio.turns import Turn
from nbaudio.widgets.page_playback import PagePlayback, Send

__all__ = ["ChatSession", "Microphone"]

_MOST_PIECES = 7_500  # five minutes of 40 ms: a server that takes nothing for so long takes nothing more
_FARTHEST = 5  # pieces that wait for one which is missing
_NOBODY_S = 300.0  # a session of which nothing comes for so long is on no page any more
_GONE = "Nothing has come from the page for five minutes: the session is over. Begin again to talk on."


class ChatSession:
    """One session after the other, as the person begins and ends them.

    Parameters
    ----------
    send : callable
        Sends a message with its sounds to the page, from whatever thread.
    changed : callable
        Called when `state`, `notice` or `trouble` is another.
    written : callable
        Called with a question of the person's whose words are known now.
    unsent : callable
        Called with the parts of what was said to a session that came to its end before it was open.

    Attributes
    ----------
    id : str
        Of the session that there is, or was the last.
    state : {"closed", "opening", "open"}
    notice : str
        Something to know of the session; empty for nothing.
    trouble : Exception or None
        Why the last session ended, or could not begin.
    """

    def __init__(
        self,
        send: Send,
        changed: Callable[[], object],
        written: Callable[[Turn], object],
        unsent: Callable[[tuple[Part, ...]], object],
    ) -> None:
        self._send, self._changed, self._written, self._unsent = send, changed, written, unsent
        self._lock = threading.Lock()
        self._last: _Session | None = None  # all before it are over, or about to be
        self.id = ""
        self.state = "closed"
        self.notice = ""
        self.trouble: Exception | None = None

    def open(self, make: Callable[[PagePlayback], Realtime], session_id: str = "") -> None:
        """Begin a session, unless there is one; it does not wait. One that is about to end is waited for first.

        Parameters
        ----------
        make : callable
            Makes a session with that playback.
        session_id : str
            By default one that no page has.
        """
        with self._lock:
            before = self._last
            if before is not None and not before.leaves:
                return
            ended = before.over if before is not None else None
            one = self._last = _Session(session_id or uuid.uuid4().hex, self._send)
            self.id, self.state, self.notice, self.trouble = one.id, "opening", "", None
        try:
            session = make(one.playback)
        except NbaudioError as error:
            self._over(one, error)
            return
        self._changed()

        def main() -> None:
            if ended is not None:
                ended.wait()
            asyncio.run(self._run(one, session))

        # A loop of its own: the kernel's stands still while a cell runs, and that of requests may not wait for itself.
        threading.Thread(target=main, name="nbaudio-session", daemon=True).start()

    def shown(self) -> dict[str, str]:
        """The traits of the chat, all of the same moment: a page that sees its own id closed takes it for its end."""
        with self._lock:
            return {"session": self.state, "session_id": self.id, "notice": self.notice}

    def close(self) -> None:
        """End the session: what sounds is silent, and what was heard of it stays. It does not wait."""
        with self._lock:
            if self._last is not None:
                self._close(self._last)

    def _close(self, one: _Session) -> None:
        one.leaves = True
        if one.session is not None:
            one.begin(self._end(one.session))
        elif one.own is not None:
            one.own[0].call_soon_threadsafe(one.own[1].cancel)  # it is being opened

    def say(self, *parts: Part) -> bool:
        """Send words or a recording as a turn that is over, as soon as the session is open.

        Returns
        -------
        bool
            False where there is no session.
        """
        with self._lock:
            one = self._last
            if one is None or one.leaves:
                return False
            one.heard_s = time.monotonic()
            if one.session is None:
                one.unsent.append(parts)
            else:
                self._say(one, one.session, parts)
            return True

    def _say(self, one: _Session, session: Realtime, parts: tuple[Part, ...]) -> None:
        one.begin(session.asend(*parts)).add_done_callback(self._said)

    def _said(self, sent: Future[None]) -> None:
        if not sent.cancelled() and (error := sent.exception()) is not None:
            self._tell(str(error))  # it does not end the session

    def hear(self, content: dict[str, Any], buffers: list[Any]) -> None:
        """Take a message of the page other than "open"."""
        with self._lock:
            kind, one = content.get("kind"), self._last
            if one is None or one.over.is_set() or content.get("session", one.id) != one.id:
                return
            one.heard_s = time.monotonic()
        if kind == "heard":
            if buffers:
                one.microphone.put(bytes(buffers[0]), content.get("index"))
        elif kind == "turn over":
            one.microphone.put(None, content.get("index"))
        else:
            one.playback.hear(content)
            with self._lock:
                if kind == "close":
                    self._close(one)
                elif kind == "interrupt" and one.session is not None:
                    one.begin(self._interrupt(one.session))

    async def _interrupt(self, session: Realtime) -> None:
        with contextlib.suppress(NbaudioError):  # it is over: whoever listens to it says why
            await session.ainterrupt()

    async def _end(self, session: Realtime) -> None:
        await self._interrupt(session)
        await session.aclose()

    # -- a session, on a loop of its own ------------------------------------------------------------------

    async def _run(self, one: _Session, session: Realtime) -> None:
        task = asyncio.current_task()
        assert task is not None
        with self._lock:
            one.own = (asyncio.get_running_loop(), task)
            if one.leaves:
                task.cancel()
        error: Exception | None = None
        beside: list[asyncio.Task[None]] = []
        try:
            async with session:
                with self._lock:
                    if one.leaves:
                        return
                    one.session, self.state = session, "open"
                    for parts in one.unsent:
                        self._say(one, session, parts)
                    one.unsent = []
                self._changed()
                beside = [asyncio.ensure_future(self._listen(one, session)), asyncio.ensure_future(self._watch(one))]
                async for event in session:
                    self._take(event)
        except asyncio.CancelledError:
            pass  # it was ended while it was being opened
        except Exception as raised:
            error = raised
        finally:
            for other in beside:
                other.cancel()
            one.playback.close()
            self._over(one, error)

    async def _listen(self, one: _Session, session: Realtime) -> None:
        """Send on what is heard; with push to talk, turn by turn."""
        while True:
            try:
                await session.asend(one.microphone.turn())
            except NbaudioError as error:
                self._tell(str(error))
                if not session.options.push_to_talk:
                    return

    async def _watch(self, one: _Session) -> None:
        """End it when its page has gone without a word."""
        while (left_s := one.heard_s + _NOBODY_S - time.monotonic()) > 0:
            await asyncio.sleep(left_s)
        self._tell(_GONE)
        with self._lock:
            self._close(one)

    def _take(self, event: RealtimeEvent) -> None:
        if isinstance(event, SpeechBegan):
            self._send({"kind": "speech", "began": True}, [])
        elif isinstance(event, SpeechEnded):
            self._send({"kind": "speech", "began": False}, [])
        elif isinstance(event, WrittenDown):
            self._written(event.turn)
        elif isinstance(event, Noticed):
            self._tell(event.text)

    def _tell(self, notice: str) -> None:
        self.notice = notice
        self._changed()

    def _over(self, one: _Session, error: Exception | None) -> None:
        with self._lock:
            unsent = [part for parts in one.unsent for part in parts]
            one.session, one.own, one.leaves, one.unsent = None, None, True, []
            if self._last is one:
                self.state, self.trouble = "closed", error
            one.over.set()
        self._changed()
        if unsent:
            self._unsent(tuple(unsent))


class _Session:
    """What there is of one session, from when it is wanted."""

    def __init__(self, session_id: str, send: Send) -> None:
        self.id = session_id
        self.playback = PagePlayback(send)
        self.microphone = Microphone()
        self.unsent: list[tuple[Part, ...]] = []  # until it is open
        self.heard_s = time.monotonic()  # when something came the last time
        self.own: tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]] | None = None  # where it is run
        self.session: Realtime | None = None  # while it is open
        self.leaves = False  # it is to end, or over
        self.over = threading.Event()

    def begin(self, going: Coroutine[Any, Any, None]) -> Future[None]:
        assert self.own is not None  # a session that is open has a loop; and while the lock is held, it stays so
        return asyncio.run_coroutine_threadsafe(going, self.own[0])


class Microphone:
    r"""Pieces of sound from whatever thread, for one reader on a loop.

    Examples
    --------
    >>> microphone = Microphone()
    >>> microphone.put(bytes(8))
    >>> microphone.put(None)
    >>> async def said() -> list[bytes]:
    ...     return [piece async for piece in microphone.turn()]
    >>> asyncio.run(said())
    [b'\x00\x00\x00\x00\x00\x00\x00\x00']
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pieces: deque[bytes | None] = deque(maxlen=_MOST_PIECES)
        self._early: dict[int, bytes] = {}  # those before which one is missing
        self._ends: set[int] = set()  # before which pieces a turn ends
        self._next = 0
        self._waiting: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None

    def put(self, piece: bytes | None, index: object = None) -> None:
        """Give a piece; None ends a turn.

        Parameters
        ----------
        piece : bytes, optional
        index : int, optional
            Its number from 0, or how many there have been by the end of the turn; by default those so far. What comes
            out of order is put in order, unless one is missing for 200 ms.
        """
        with self._lock:
            at = index if isinstance(index, int) else self._next
            if piece is None:
                self._ends.add(at)
            elif self._next <= at < self._next + _MOST_PIECES:
                self._early[at] = piece
            self._order()
            waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting[0].call_soon_threadsafe(waiting[1].set)

    def _order(self) -> None:
        if len(self._early) > _FARTHEST:
            self._next = max(self._next, min(self._early))
        while True:
            for end in [end for end in self._ends if end <= self._next]:
                self._ends.discard(end)
                self._pieces.append(None)
            if self._next not in self._early:
                return
            self._pieces.append(self._early.pop(self._next))
            self._next += 1

    async def turn(self) -> AsyncIterator[bytes]:
        """The pieces of a turn as they come."""
        while True:
            came = asyncio.Event()
            with self._lock:
                piece = self._pieces.popleft() if self._pieces else b""
                if piece == b"":
                    self._waiting = (asyncio.get_running_loop(), came)
            if piece is None:
                return
            if piece:
                yield piece
            else:
                await came.wait()
