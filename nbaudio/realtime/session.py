"""``Realtime``: speak with a model over one open connection, be answered at once, and interrupt."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, TypeAlias

from nbaudio import errors
from nbaudio.backends import loop
from nbaudio.conversation.options import Given
from nbaudio.conversation.talk import Conversation
from nbaudio.conversation.turnlist import Part, turn_of
from nbaudio.events import RealtimeEvent
from nbaudio.realtime.books import Books
from nbaudio.realtime.connected import Connected
from nbaudio.realtime.playback import Playback, RealTimePlayback
from nbaudio.realtime.said_before import as_heard
from nbaudio.realtime.setup import Setup
from nbaudio.realtime.telling import Telling
from nbaudio.settings import Backend, settings
from nbaudio.sound.clip import Clip
from nbaudio.turns import Reply, Turn
from nbaudio.wire.realtime.session import RealtimeOptions, TurnDetection, turn_detection_of

__all__ = ["Realtime"]

Piece: TypeAlias = "Clip | bytes"
"""Of an open microphone: a clip, or PCM16, mono at 24,000 Hz."""
_CLOSING_S = 2.0


class Realtime:
    """A session in which both sides may speak at any time.

    A context manager, plain or awaited; inside it is open, and iterating over it gives what happens: `TextDelta` and
    `AudioDelta` of answers, `SpeechBegan`, `SpeechEnded` and `WrittenDown` of the person, `ToolCalled` and
    `ToolReturned`, `Finished` and `CutShort` with a reply, `Noticed`, and events that nbaudio does not know. All of it
    is in `conversation`, and in the journal, as it happens.

    Parameters
    ----------
    chat : Conversation, optional
        Where turns go, and what has been said already; by default a new one.
    turn_detection : {"server_vad", "semantic_vad", "push_to_talk"} or dict
        Who says that the person's turn is over, see `nbaudio.wire.realtime.session.turn_detection_of`.
    aloud : bool
        Whether answers are spoken.
    transcription_model : str, optional
        The model that writes down what the person says, by default the server's; empty for none. It is paid apart.
    language : str, optional
        What the person speaks, such as ``"en"``.
    noise_reduction : {"near_field", "far_field"}, optional
    speed : float
        0.25 to 1.5.
    playback : Playback, optional
        Who plays, and so knows how much of an answer was heard when it is interrupted; by default answers are taken to
        be heard in real time.
    backend : Backend, optional
        As in `Conversation`.
    options : Any
        Options of `Conversation`: `voice`, `model`, `instructions`, `tools`, `approve`, `max_tool_rounds`, `budget`.

    Raises
    ------
    CellError
        If there is no such option, or a value that can't be.

    Examples
    --------
    >>> with Realtime(turn_detection="push_to_talk") as session:  # doctest: +SKIP
    ...     session.say("Is a golden retriever a good family dog?").text
    """

    def __init__(
        self,
        chat: Conversation | None = None,
        *,
        turn_detection: TurnDetection = "server_vad",
        aloud: bool = True,
        transcription_model: str | None = None,
        language: str = "",
        noise_reduction: Any = "",
        speed: float = 1.0,
        playback: Playback | None = None,
        backend: Backend | None = None,
        **options: Any,
    ) -> None:
        self.conversation = chat if chat is not None else Conversation(backend=backend, **options)
        """What was said, by both sides."""
        given = Given.of(self.conversation.options).over(options)
        chosen = settings()
        backend = backend or self.conversation.backend or chosen.resolve()
        # A conversation's own model is one for requests; few can do both.
        model = options.get("model") or backend.dialect.realtime_model or given.get("model")
        if not model:
            raise errors.CellError(
                f"{backend.dialect.title or backend.name} has no Realtime sessions.",
                "Name a model that has, with model=; docs/realtime.md says which servers do.",
            )
        toolbox = given.toolbox()
        toolbox.check_choice(given.get("tool_choice", ""))
        self.options = RealtimeOptions(
            model=model,
            voice=given.get("voice") or backend.voice or chosen.voice,
            instructions=given.get("instructions", chosen.instructions),
            aloud=aloud,
            turn_detection=turn_detection_of(turn_detection),
            transcription_model=backend.dialect.transcription_model
            if transcription_model is None
            else transcription_model,
            language=language,
            noise_reduction=noise_reduction,
            speed=speed,
            tools=toolbox.schemas,
            tool_choice=given.get("tool_choice", ""),
        )
        self._telling = Telling()
        self._setup = Setup(
            talk=self.conversation,
            backend=backend,
            settings=chosen,
            options=self.options,
            toolbox=toolbox,
            max_tool_rounds=given.max_tool_rounds,
            playback=playback or RealTimePlayback(),
            books=Books(self.conversation.ledger(), backend, model),
            tell=self._telling.put,
        )
        self._connected: Connected | None = None
        self._running: Future[None] | None = None

    # -- open and shut ------------------------------------------------------------------------------------

    def __enter__(self) -> Realtime:
        opening = self._open()
        try:
            self._go_on(loop.wait(opening))
        except KeyboardInterrupt:
            opening.cancel()
            raise
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.close()

    async def __aenter__(self) -> Realtime:
        self._go_on(await asyncio.wrap_future(self._open()))
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        await self.aclose()

    def close(self) -> None:
        """End the session; what came is in the conversation. Nothing, where it is over."""
        if self._connected is not None:
            loop.wait(loop.start(self._shut, self._connected))

    async def aclose(self) -> None:
        """As `close`, awaited."""
        if self._connected is not None:
            await asyncio.wrap_future(loop.start(self._shut, self._connected))

    def _open(self) -> Future[Connected]:
        if self._connected is not None:
            raise errors.CellError("This session was opened before.", "nba.Realtime(...) begins another.")
        return loop.start(self._begin)

    async def _begin(self) -> Connected:
        connected = Connected(self._setup)
        await connected.open()
        return connected

    def _go_on(self, connected: Connected) -> None:
        self._connected = connected
        self._running = loop.start(self._run, connected)

    async def _run(self, connected: Connected) -> None:
        try:
            await connected.run()
        except BaseException as error:
            self._telling.end(error if isinstance(error, errors.NbaudioError) else None)
            raise
        self._telling.end()

    async def _shut(self, connected: Connected) -> None:
        await connected.close()
        if self._running is not None:
            await asyncio.wait([asyncio.wrap_future(self._running)], timeout=_CLOSING_S)
        self._telling.end()

    # -- saying -------------------------------------------------------------------------------------------

    def say(self, *parts: Part) -> Reply:
        """The answer to words, a recording, or both, as of `Conversation.say`; it may be one that was cut short.

        Raises
        ------
        NbaudioError
            In one of its kinds.
        """
        saying: Future[Reply] = self._start("say", turn_of(parts))
        try:
            return loop.wait(saying)
        except KeyboardInterrupt:
            saying.cancel()
            raise errors.Interrupted(
                "Stopped; the session goes on.", "What had been heard of the answer is in the conversation."
            ) from None

    async def asay(self, *parts: Part) -> Reply:
        """As `say`, awaited."""
        reply: Reply = await asyncio.wrap_future(self._start("say", turn_of(parts)))
        return reply

    def send(self, *parts: Part | Iterable[Piece]) -> None:
        """Send words, a recording, or pieces of an open microphone; what comes of it is told by iterating.

        Words and recordings are turns that are over, and are answered. Pieces go out as they come: with
        ``"push_to_talk"`` their end is the end of the turn, else whoever listens says when it is.
        """
        if (pieces := _pieces(parts)) is not None:
            with self._whole_turn():
                for piece in pieces:
                    loop.wait(self._start("append", _pcm16(piece)))
                self._end_of_pieces()
        else:
            loop.wait(self._start("send", turn_of(parts)))  # type: ignore[arg-type]

    async def asend(self, *parts: Part | Iterable[Piece] | AsyncIterable[Piece]) -> None:
        """As `send`, awaited; pieces may come awaited too."""
        given = parts[0] if len(parts) == 1 and isinstance(parts[0], AsyncIterable) else _pieces(parts)
        if given is None:
            await asyncio.wrap_future(self._start("send", turn_of(parts)))  # type: ignore[arg-type]
            return
        with self._whole_turn():
            if isinstance(given, AsyncIterable):
                async for piece in given:
                    await asyncio.wrap_future(self._start("append", _pcm16(piece)))
            else:
                for piece in given:
                    await asyncio.wrap_future(self._start("append", _pcm16(piece)))
            if self.options.push_to_talk:
                await asyncio.wrap_future(self._start("commit"))

    @contextmanager
    def _whole_turn(self) -> Iterator[None]:
        """With push to talk, what was sent of a turn that comes to no end is none: the next does not begin with it."""
        try:
            yield
        except BaseException:
            if self.options.push_to_talk:
                with suppress(errors.NbaudioError):  # the session is over
                    self._start("forget")
            raise

    def _end_of_pieces(self) -> None:
        if self.options.push_to_talk:
            loop.wait(self._start("commit"))

    def interrupt(self) -> None:
        """Be silent, and have the server stop: the conversation holds what was heard."""
        loop.wait(self._start("interrupt"))

    async def ainterrupt(self) -> None:
        """As `interrupt`, awaited."""
        await asyncio.wrap_future(self._start("interrupt"))

    def _start(self, what: str, *arguments: Any) -> Future[Any]:
        if self._connected is None:
            raise errors.CellError("This session is not open.", "Use it in a with: with nba.Realtime() as session: ...")
        if self._running is not None and self._running.done():
            if (error := self._running.exception()) is not None:
                raise error
            raise errors.CellError("This session is over.", "nba.Realtime(...) begins another.")
        return loop.start(getattr(self._connected, what), *arguments)

    # -- listening ----------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[RealtimeEvent]:
        return iter(self._telling)

    def __aiter__(self) -> AsyncIterator[RealtimeEvent]:
        return aiter(self._telling)

    def __repr__(self) -> str:
        state = "not open" if self._connected is None else "over" if self._running and self._running.done() else "open"
        return f"<Realtime session with {self.options.model} on {self._setup.backend.name}, {state}>"


def _pieces(parts: tuple[Any, ...]) -> Iterable[Piece] | None:
    """What is iterated over; None where the parts are a turn that is over."""
    one = parts[0] if len(parts) == 1 else None
    known = (str, bytes, Clip, Turn)
    return one if isinstance(one, Iterable) and not isinstance(one, known) and not hasattr(one, "__fspath__") else None


def _pcm16(piece: Piece) -> bytes:
    return piece if isinstance(piece, bytes) else as_heard(piece)
