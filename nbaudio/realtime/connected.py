"""A session on its connection: what is said goes out, what the server says is taken, and what is lost comes back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import anyio
import anyio.to_thread

from nbaudio import errors
from nbaudio.backends.realtime import Channel, ChannelClosed, open_channel
from nbaudio.conversation.talk import Conversation
from nbaudio.events import CutShort, Finished, Noticed, RealtimeEvent, ToolReturned
from nbaudio.realtime.books import Books
from nbaudio.realtime.dialogue import Dialogue
from nbaudio.realtime.playback import Playback
from nbaudio.realtime.sent_sound import SentSound
from nbaudio.settings import Backend, NbAudio
from nbaudio.sound.clip import Clip
from nbaudio.tools.toolbox import Toolbox
from nbaudio.turns import Reply, ToolResult, Turn
from nbaudio.wire.realtime import events as server
from nbaudio.wire.realtime import sending
from nbaudio.wire.realtime.session import SAMPLE_RATE, RealtimeOptions
from nbaudio.wire.realtime.troubles import error_of, gravity

__all__ = ["Connected", "Setup", "as_heard"]

_PIECE_BYTES = SAMPLE_RATE * 2 // 5  # 200 ms of a recording that is sent at once
_AGAIN_S = (0.5, 1.0, 2.0, 4.0, 8.0)  # between the tries to come back
_PASSING = (errors.ConnectionFailed, errors.TimedOut, errors.ServerFailed, errors.RateLimited)
_REFUSED = (1008, 3000, 4000)  # closed for a reason that coming back does not mend: policy, no right, the dead beta
_WARN_AFTER_S = 55 * 60  # of the 60 min that a session may last


@dataclass(frozen=True)
class Setup:
    """All that a session is made of."""

    talk: Conversation
    backend: Backend
    settings: NbAudio
    options: RealtimeOptions
    toolbox: Toolbox
    max_tool_rounds: int
    playback: Playback
    books: Books
    tell: Callable[[RealtimeEvent], None]


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
        self._channel: Channel | None = None
        self._turn = asyncio.Lock()  # one after the other: who sends, and who takes
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: list[asyncio.Future[Reply]] = []
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
        await self._connect()

    async def run(self) -> None:
        """Take what the server says until the session is closed.

        Raises
        ------
        RequestError
            If the session is over, and can't be had again.
        """
        self._begin(self._warn_of_the_limit())
        try:
            await self._listen()
        finally:
            for task in self._tasks:
                task.cancel()
            self._dialogue.broke_off()
            self._tell()
            for waiting in self._waiting:
                waiting.cancel()
            await self._setup.playback.stop()
            if self._channel is not None:
                await self._channel.aclose()

    async def close(self) -> None:
        """End the session; what came is in the conversation."""
        self._closing = True
        await self._setup.playback.stop()
        if self._channel is not None:
            await self._channel.aclose()

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
                await self._come_back(f"The connection to {self._setup.backend.name} broke off")

    async def _take_all(self) -> None:
        while True:
            assert self._channel is not None
            event = server.read_event(await self._channel.receive())
            async with self._turn:
                if isinstance(event, server.Trouble):
                    if event.error.code == "session_expired":
                        await self._come_back("The server has ended the session, as it does after an hour")
                        continue
                    self._take_trouble(event.error)
                elif isinstance(event, server.SpeechStarted):
                    self._dialogue.take(event, await self._setup.playback.stop())
                else:
                    self._dialogue.take(event)
                await self._pass_on()
                if isinstance(event, server.SpeechStopped):
                    self._setup.books.check()  # the server answers by itself: beyond a budget the session is over

    async def _connect(self) -> None:
        setup = self._setup
        channel = await open_channel(setup.backend, setup.settings, self._options.model)
        try:
            with anyio.fail_after(setup.settings.timeout_s):
                await channel.send(sending.update(self._options))
                while not isinstance(event := server.read_event(await channel.receive()), server.SessionUpdated):
                    if isinstance(event, server.Trouble) and gravity(event.error) != "harmless":
                        raise self._error(event.error)
                for said in _as_items(setup.talk[:]):
                    await channel.send(said)
        except ChannelClosed as closed:
            raise errors.ConnectionFailed(
                f"{setup.backend.name} closed the connection at once: {closed.reason or closed.code}.",
                "Does it speak the Realtime protocol? docs/servers.md says which servers do.",
            ) from None
        except TimeoutError:
            await channel.aclose()
            raise errors.TimedOut(f"{setup.backend.name} does not answer.", "Try again later.") from None
        except BaseException:
            await channel.aclose()
            raise
        self._channel = channel

    async def _come_back(self, why: str) -> None:
        """Another connection, with all that was said; the person is told."""
        self._dialogue.broke_off()  # what has come of an answer may sound to its end
        unsaid = self._sent.restart()
        self._tell_notice(f"{why}; it is opened again.")
        for wait_s in (*_AGAIN_S, None):
            try:
                await self._connect()
                break
            except _PASSING as error:
                if wait_s is None:
                    raise
                self._tell_notice(f"{error.cause} Trying again in {wait_s:g} s.")
                await anyio.sleep(wait_s)
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
        waiting: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        try:
            await self.send(turn)
            return await waiting
        finally:
            if waiting in self._waiting:
                self._waiting.remove(waiting)

    async def send(self, turn: Turn) -> None:
        """Send words, a recording, or both, as a turn that is over, and have it answered.

        Raises
        ------
        BudgetExceeded
            Before it is sent.
        """
        async with self._turn:
            self._setup.books.check()
            if turn.clips and not self._options.push_to_talk:
                # Who listens for the end of speech would answer a recording by itself: the turn is told as an item.
                self._dialogue.asked(turn)
                await self._send(sending.recording(turn.text, _pcm16(turn)))
            elif turn.clips:
                self._dialogue.asked(turn, named_later=True)
                await self._append(_pcm16(turn))
                self._sent.commit()
                await self._send(sending.commit())
                if turn.text:
                    await self._send(sending.message("user", turn.text))
            else:
                self._dialogue.asked(turn)
                await self._send(sending.message("user", turn.text))
            await self._send(sending.create_response())

    async def append(self, pcm16: bytes) -> None:
        """Send a piece of an open microphone."""
        async with self._turn:
            await self._append(pcm16)

    async def commit(self) -> None:
        """What was appended is a turn, and is to be answered: push to talk."""
        async with self._turn:
            self._setup.books.check()
            if pcm16 := self._sent.commit():
                self._dialogue.asked(Turn("user", clips=(Clip.from_pcm16(pcm16),), time=time.time()), named_later=True)
                await self._send(sending.commit())
                await self._send(sending.create_response())

    async def interrupt(self) -> None:
        """Be silent, and have the server stop."""
        async with self._turn:
            self._dialogue.interrupt(await self._setup.playback.stop())
            await self._pass_on()

    async def _append(self, pcm16: bytes) -> None:
        self._sent.append(pcm16)
        for start in range(0, len(pcm16), _PIECE_BYTES):
            await self._send(sending.append(pcm16[start : start + _PIECE_BYTES]))

    async def _send(self, event: dict[str, Any]) -> None:
        try:
            assert self._channel is not None
            await self._channel.send(event)
        except ChannelClosed:
            pass  # whoever listens finds out too, and what was said goes out on the next connection

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
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_exception(error)

    async def _call(self, calling: Reply) -> None:
        """Run tools in a thread, so that the person is heard meanwhile."""
        results = await anyio.to_thread.run_sync(self._run, calling)
        async with self._turn:
            for result in results:
                self._setup.tell(ToolReturned(result))
            self._dialogue.results(results)
            await self._pass_on()

    def _run(self, calling: Reply) -> list[ToolResult]:
        calls = calling.tool_calls
        return [
            ToolResult(
                text=outcome.text,
                time=time.time(),
                name=calls[at].name,
                call_id=calls[at].id,
                failed=outcome.failed,
            )
            for at, outcome in self._setup.toolbox.run(calls)
        ]

    def _take_trouble(self, wrong: server.Wrong) -> None:
        kind = gravity(wrong)
        if kind == "harmless":
            return
        error = self._error(wrong)
        if kind == "fatal":
            raise error
        self._tell_notice(str(error))
        self._fail(error)

    def _error(self, wrong: server.Wrong) -> errors.ServerRefused:
        backend = self._setup.backend
        return error_of(wrong, server=backend.name, key_from=backend.key_from, key_env=backend.key_env)

    def _tell(self) -> None:
        happened, self._dialogue.happened = self._dialogue.happened, []
        for event in happened:
            if isinstance(event, (Finished, CutShort)):
                for waiting in self._waiting:
                    if not waiting.done():
                        waiting.set_result(event.reply)
            self._setup.tell(event)

    def _tell_notice(self, text: str) -> None:
        self._tell()
        self._setup.tell(Noticed(text))


def as_heard(clip: Clip) -> bytes:
    """A clip as it goes out: PCM16, mono at 24,000 Hz."""
    return clip.mono().resample(SAMPLE_RATE).encode("pcm16")


def _pcm16(turn: Turn) -> bytes:
    return b"".join(map(as_heard, turn.clips))


def _as_items(turns: list[Turn]) -> list[dict[str, Any]]:
    """A conversation as the items of a new session: words; a recording that nobody has written down as sound."""
    items = []
    for turn in turns:
        if turn.role == "tool":
            continue  # what was made of it stands in the answer behind it
        if turn.words.strip():
            items.append(sending.message(turn.role, turn.words))
        elif turn.role == "user" and turn.clips:
            items.append(sending.recording("", _pcm16(turn)))
    return items
