"""A session on its connection: what is said goes out, what the server says is taken, and what is lost comes back."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Coroutine
from typing import Any

import anyio
import anyio.to_thread

from nbaudio import errors
from nbaudio.backends.realtime import ChannelClosed
from nbaudio.events import CutShort, Finished, Noticed, ToolReturned
from nbaudio.realtime.dialogue import Dialogue
from nbaudio.realtime.line import Line
from nbaudio.realtime.said_before import recordings_of, sound_of
from nbaudio.realtime.sent_sound import SentSound
from nbaudio.realtime.setup import Setup
from nbaudio.realtime.tool_results import results_of
from nbaudio.sound.clip import Clip
from nbaudio.turns import Reply, Turn
from nbaudio.wire.realtime import events as server
from nbaudio.wire.realtime import sending
from nbaudio.wire.realtime.session import SAMPLE_RATE
from nbaudio.wire.realtime.troubles import gravity

__all__ = ["Connected"]

_PIECE_BYTES = SAMPLE_RATE * 2 // 5  # 200 ms of a recording that is sent at once
_SHORTEST_BYTES = SAMPLE_RATE * 2 // 10  # 100 ms: what is shorter is no turn, for servers either
_ENDS_S = 2.0  # that a server has to end an answer which it was told to stop
_REFUSED = (1008, 3000, 4000)  # closed for a reason that coming back does not mend: policy, no right, the dead beta
_WARN_AFTER_S = 55 * 60  # of the 60 min that a session may last


class Connected:
    """Runs on the loop of `nbaudio.backends.loop`.

    Parameters
    ----------
    setup : Setup
    """

    def __init__(self, setup: Setup) -> None:
        self._setup, self._options = setup, setup.options
        self._sent = SentSound(push_to_talk=setup.options.push_to_talk)
        known = {
            "model": setup.options.model,
            "voice": setup.options.voice if setup.options.aloud else "",
            "backend": setup.backend.name,
            "offline": setup.backend.offline,
            "aloud": setup.options.aloud,
        }
        self._dialogue = Dialogue(
            setup.talk,
            setup.playback,
            self._sent,
            known,
            setup.books.enter,
            max_tool_rounds=setup.max_tool_rounds,
        )
        self._line = Line(setup.backend, setup.settings, setup.options)
        self._listening = anyio.CancelScope()
        self._turn = asyncio.Lock()  # one after the other: who sends, and who takes
        self._saying = asyncio.Lock()  # one after the other: who waits for an answer
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: asyncio.Future[Reply] | None = None
        self._expected: list[str] = []  # by our ids of the events, answers that were asked for and have not begun
        self._numbers = itertools.count(1)
        self._quiet = asyncio.Event()  # set whenever no answer is on its way any more
        self._unsaid: bytearray | None = None  # what is said while the connection is away; None while it is there
        self._since_s = 0.0  # when the server was last heard or asked
        self._closing = False

    # -- the connection -----------------------------------------------------------------------------------

    async def open(self) -> None:
        """Connect, and set the session; what the conversation holds already goes out as words.

        Raises
        ------
        BudgetExceeded
            Before anything is sent.
        RequestError
            In one of its kinds.
        """
        self._setup.books.check()
        await self._line.open(self._setup.talk[:])

    async def run(self) -> None:
        """Take what the server says until the session is closed.

        Raises
        ------
        RequestError
            If the session is over, and can't be had again.
        """
        self._begin(self._warn_of_the_limit())
        error: BaseException = errors.CellError("This session was closed.", "nba.Realtime(...) begins another.")
        try:
            with self._listening:
                await self._listen()
        except errors.NbaudioError as raised:
            error = raised
            raise
        finally:
            for task in self._tasks:
                task.cancel()
            self._dialogue.broke_off()
            if not self._closing:
                self._keep_what_is_being_said()
            self._tell()
            self._fail(error)
            await self._setup.playback.stop()
            await self._line.aclose()

    def _keep_what_is_being_said(self) -> None:
        unsaid = self._sent.restart() if self._unsaid is None else bytes(self._unsaid)
        if len(unsaid) >= _SHORTEST_BYTES:
            self._dialogue.asked(Turn("user", clips=(Clip.from_pcm16(unsaid),), time=time.time()))
            self._dialogue.broke_off()

    async def close(self) -> None:
        """End the session; what came is in the conversation."""
        self._closing = True
        await self._setup.playback.stop()
        await self._line.aclose()
        if self._unsaid is not None:
            self._listening.cancel()  # it is coming back

    async def _listen(self) -> None:
        while True:
            try:
                await self._take_all()
            except ChannelClosed as closed:
                if self._closing:
                    return
                if closed.code in _REFUSED:
                    raise errors.ReplyCut(
                        f"{self._setup.backend.name} ended the session: {closed.reason or closed.code}.",
                        "nba.Realtime(...) begins another; what was said is in the conversation.",
                    ) from None
                async with self._turn:
                    await self._come_back(f"The connection to {self._setup.backend.name} broke off")

    async def _receive(self) -> str | bytes:
        """The next message. Who was asked something, and says nothing for too long, is told of."""
        timeout_s = self._setup.settings.timeout_s
        left_s, self._since_s = timeout_s, time.monotonic()
        while True:
            with anyio.move_on_after(left_s):
                return await self._line.receive()
            left_s = self._since_s + timeout_s - time.monotonic()
            if left_s > 0:
                continue  # it was asked meanwhile
            left_s = timeout_s
            if not (self._waiting or self._expected or self._dialogue.answering):
                continue
            error = errors.TimedOut(f"{self._setup.backend.name} has not answered for {timeout_s:g} s.", "Ask again.")
            self._tell_notice(str(error))
            self._fail(error)

    async def _take_all(self) -> None:
        while True:
            event = server.read_event(await self._receive())
            async with self._turn:
                if isinstance(event, server.Trouble):
                    if event.error.code == "session_expired":
                        await self._come_back("The server has ended the session, as it does after an hour")
                        continue
                    self._take_trouble(event.error)
                elif isinstance(event, server.SpeechStarted):
                    self._dialogue.take(event, await self._setup.playback.stop())
                else:
                    if isinstance(event, server.ResponseCreated):
                        del self._expected[:1]
                    self._dialogue.take(event)
                await self._pass_on()
                if isinstance(event, server.SpeechStopped):
                    self._setup.books.check()  # the server answers by itself: beyond a budget the session is over

    async def _come_back(self, why: str) -> None:
        """Another connection, with all that was said; the person is told. Whoever calls it has the turn."""
        self._dialogue.broke_off()  # what has come of an answer may sound to its end
        self._expected.clear()
        self._unsaid = bytearray(self._sent.restart())
        self._tell_notice(f"{why}; it is opened again.")
        await self._line.again(lambda: self._setup.talk[:], self._tell_notice)
        unsaid, self._unsaid = bytes(self._unsaid), None
        if unsaid:
            await self._append(unsaid)
        turns = self._setup.talk[:]
        if turns and turns[-1].role == "user":  # it was said, and never answered
            await self._send(sending.create_response())
        self._tell_notice("It is open again; the conversation goes on.")

    async def _warn_of_the_limit(self) -> None:
        await anyio.sleep(_WARN_AFTER_S)
        self._tell_notice("In five minutes this session is an hour old; then another takes its place, and goes on.")

    # -- saying -------------------------------------------------------------------------------------------

    async def say(self, turn: Turn) -> Reply:
        """The answer to a turn; parameters and errors as of `send`."""
        async with self._saying:
            await self._make_way()
            self._waiting = asyncio.get_running_loop().create_future()
            try:
                await self._ask(turn)
                return await self._waiting
            except asyncio.CancelledError:
                if not self._closing:
                    self._begin(self.interrupt())  # nobody wants the answer any more
                raise
            finally:
                self._waiting = None

    async def send(self, turn: Turn) -> None:
        """Send words, a recording, or both, as a turn that is over, and have it answered; it interrupts an answer.

        Raises
        ------
        BudgetExceeded
            Before it is sent.
        """
        await self._make_way()
        await self._ask(turn)

    async def _ask(self, turn: Turn) -> None:
        async with self._turn:
            self._setup.books.check()
            if turn.clips and not self._options.push_to_talk:
                # Who listens for the end of speech would answer a recording by itself: the turn is told as an item.
                self._dialogue.asked(turn)
                for item in recordings_of(turn):
                    await self._send(item)
            elif turn.clips:
                self._dialogue.asked(turn, named_later=True)
                await self._append(sound_of(turn))
                self._sent.commit()
                await self._send(sending.commit())
                if turn.text:
                    await self._send(sending.message("user", turn.text))
            else:
                self._dialogue.asked(turn)
                await self._send(sending.message("user", turn.text))
            await self._send(sending.create_response())

    async def append(self, pcm16: bytes) -> None:
        """Send a piece of an open microphone; while the connection is away it is kept for the next one."""
        if self._unsaid is not None:
            self._unsaid += pcm16
            return
        async with self._turn:
            await self._append(pcm16)

    async def forget(self) -> None:
        """What was appended and is no turn yet never will be: push to talk."""
        async with self._turn:
            self._sent.clear()
            await self._send(sending.clear())

    async def commit(self) -> None:
        """What was appended is a turn, and is to be answered: push to talk."""
        await self._make_way()
        async with self._turn:
            self._setup.books.check()
            pcm16 = self._sent.commit()
            if len(pcm16) < _SHORTEST_BYTES:
                await self._send(sending.clear())
            else:
                self._dialogue.asked(Turn("user", clips=(Clip.from_pcm16(pcm16),), time=time.time()), named_later=True)
                await self._send(sending.commit())
                await self._send(sending.create_response())

    async def interrupt(self) -> None:
        """Be silent, and have the server stop."""
        if self._unsaid is not None:  # what sounds is of a connection that is gone
            self._dialogue.interrupt(await self._setup.playback.stop())
            self._tell()
            return
        async with self._turn:
            self._dialogue.interrupt(await self._setup.playback.stop())
            if self._expected and not self._dialogue.answering:
                self._dialogue.outbox.append(sending.cancel())
            await self._pass_on()

    async def _make_way(self) -> None:
        """Who speaks on interrupts: an answer on its way has come to its end before the next question is asked."""
        if not (self._expected or self._dialogue.answering or self._dialogue.calls_run):
            return
        self._quiet.clear()
        await self.interrupt()
        with anyio.move_on_after(_ENDS_S):
            await self._quiet.wait()
        self._expected.clear()
        self._dialogue.give_up()
        self._tell()  # else whoever waits for the next answer would get this one

    async def _append(self, pcm16: bytes) -> None:
        self._sent.append(pcm16)
        for start in range(0, len(pcm16), _PIECE_BYTES):
            await self._send(sending.append(pcm16[start : start + _PIECE_BYTES]))

    async def _send(self, event: dict[str, Any]) -> None:
        if event["type"] == "response.create":
            event = {**event, "event_id": f"ask_{next(self._numbers)}"}
            self._expected.append(event["event_id"])
            self._since_s = time.monotonic()
        await self._line.send(event)

    # -- what comes of it ---------------------------------------------------------------------------------

    async def _pass_on(self) -> None:
        self._tell()
        failures, self._dialogue.failures = self._dialogue.failures, []
        for wrong in failures:
            self._take_trouble(wrong)
        outbox, self._dialogue.outbox = self._dialogue.outbox, []
        for event in outbox:
            await self._send(event)
        if (calling := self._dialogue.calling) is not None:
            self._dialogue.calling = None
            self._begin(self._call(calling))
        if not (self._expected or self._dialogue.answering):
            self._quiet.set()

    def _begin(self, going: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(going)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        """Whoever waits for an answer gets an error."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)

    async def _call(self, calling: Reply) -> None:
        """Run tools in a thread, so that the person is heard meanwhile."""
        results = await anyio.to_thread.run_sync(results_of, self._setup.toolbox, calling)
        async with self._turn:
            for result in results:
                self._setup.tell(ToolReturned(result))
            self._dialogue.results(calling, results)
            await self._pass_on()

    def _take_trouble(self, wrong: server.Wrong) -> None:
        kind = gravity(wrong)
        if wrong.event_id in self._expected:
            self._expected.remove(wrong.event_id)
        if kind == "harmless":
            return
        error = self._line.error(wrong)
        if kind == "fatal":
            raise error
        self._tell_notice(str(error))
        self._fail(error)

    def _tell(self) -> None:
        happened, self._dialogue.happened = self._dialogue.happened, []
        for event in happened:
            waiting = self._waiting if isinstance(event, (Finished, CutShort)) else None
            if waiting is not None and not waiting.done():
                waiting.set_result(event.reply)  # type: ignore[union-attr]
            self._setup.tell(event)

    def _tell_notice(self, text: str) -> None:
        self._tell()
        self._setup.tell(Noticed(text))
