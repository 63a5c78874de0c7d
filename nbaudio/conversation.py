"""Conversation: turns in order, and the ways to add to them."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import os
import queue
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from typing import Any, overload

from nbaudio import errors
from nbaudio.backends import loop
from nbaudio.clip import Clip
from nbaudio.exchange import Exchange, Finished
from nbaudio.settings import Backend, settings
from nbaudio.turns import Reply, Turn
from nbaudio.wire.answers import AudioDelta, TextDelta
from nbaudio.wire.requests import Options

__all__ = ["Conversation", "chat"]

Part = str | Clip | Turn | os.PathLike[str] | bytes
Event = TextDelta | AudioDelta | Finished


class Conversation:
    """A talk with a model: say something, and the answer is added to it.

    Parameters
    ----------
    voice, model, instructions : str, optional
        As in ``%config NbAudio``, whose values hold where these are left out.
    backend : Backend, optional
        Where requests go; by default where the settings say at the time of each request.
    options : Any
        Any other option of ``NbAudio`` that shapes a request: `stream`, `audio_format`,
        `max_completion_tokens`, `temperature`.

    Examples
    --------
    >>> talk = Conversation(voice="ash", instructions="You are a patient teacher.")
    >>> len(talk)
    0
    """

    def __init__(
        self,
        *,
        voice: str | None = None,
        model: str | None = None,
        instructions: str | None = None,
        backend: Backend | None = None,
        **options: Any,
    ) -> None:
        self._given = _only_known({"voice": voice, "model": model, "instructions": instructions, **options})
        self._backend = backend
        self._turns: list[Turn] = []
        self._dead_ids: set[str] = set()

    # -- saying -----------------------------------------------------------------------------------------

    def say(self, *parts: Part, aloud: bool = True, **options: Any) -> Reply:
        """The answer to words, sounds, or both.

        Parameters
        ----------
        parts : str, Clip, path, bytes, Turn
            Text is a str; a path, bytes, a `Clip` or a `Turn` with one is sound.
        aloud : bool
            Whether the answer is spoken, or words only.
        options : Any
            As in the constructor, for this answer alone.

        Raises
        ------
        NbaudioError
            In one of its kinds. Where an answer broke off, it is kept in the conversation, and the error's
            `partial` is it.
        """
        exchange, turn = self._exchange(parts, aloud, options)
        future = loop.start(exchange.run, _ignore)
        return self._settle(exchange, turn, future, lambda: loop.wait(future))

    async def asay(self, *parts: Part, aloud: bool = True, **options: Any) -> Reply:
        """As `say`, awaited."""
        exchange, turn = self._exchange(parts, aloud, options)
        future = loop.start(exchange.run, _ignore)
        try:
            reply = await asyncio.wrap_future(future)
        except errors.RequestError as error:
            self._keep(exchange, turn, error.partial)
            raise
        except asyncio.CancelledError:
            self._stop(exchange, turn, future)
            raise
        self._keep(exchange, turn, reply)
        return reply

    def stream(self, *parts: Part, aloud: bool = True, **options: Any) -> Generator[Event, None, None]:
        """The answer as it comes: `TextDelta`, `AudioDelta`, at last `Finished` with the `Reply`.

        Leaving the loop early ends the request; what had come is kept as a partial turn.
        """
        exchange, turn = self._exchange(parts, aloud, {"stream": True, **options})
        arrived: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        future = loop.start(exchange.run, arrived.put)
        future.add_done_callback(lambda _: arrived.put(None))
        try:
            while (event := _next(arrived)) is not None:
                yield event
        except GeneratorExit:
            self._stop(exchange, turn, future)
            raise
        except KeyboardInterrupt:
            raise self._interrupted(exchange, turn, future) from None
        yield Finished(self._settle(exchange, turn, future, future.result))

    async def astream(self, *parts: Part, aloud: bool = True, **options: Any) -> AsyncGenerator[Event, None]:
        """As `stream`, awaited; a cancelled task keeps what had come as a partial turn too."""
        exchange, turn = self._exchange(parts, aloud, {"stream": True, **options})
        here = asyncio.get_running_loop()
        arrived: asyncio.Queue[Event | None] = asyncio.Queue()

        def put(event: Event | None) -> None:
            with contextlib.suppress(RuntimeError):  # nobody waits any more: the loop is closed
                here.call_soon_threadsafe(arrived.put_nowait, event)

        future = loop.start(exchange.run, put)
        future.add_done_callback(lambda _: put(None))
        try:
            while (event := await arrived.get()) is not None:
                yield event
        except (GeneratorExit, asyncio.CancelledError):
            self._stop(exchange, turn, future)
            raise
        yield Finished(self._settle(exchange, turn, future, future.result))

    def _exchange(self, parts: tuple[Part, ...], aloud: bool, options: dict[str, Any]) -> tuple[Exchange, Turn]:
        turn = _turn(parts)
        chosen = settings()
        given = {**self._given, **_only_known(options)}
        backend = self._backend or chosen.resolve()
        if backend.offline:
            _fetch_weights()
        temperature = given.get("temperature", chosen.temperature)
        request = Options(
            model=given.get("model") or backend.model,
            voice=given.get("voice") or chosen.voice,
            aloud=aloud,
            stream=given.get("stream", chosen.stream),
            audio_format=given.get("audio_format", chosen.audio_format),
            instructions=given.get("instructions", chosen.instructions),
            max_completion_tokens=given.get("max_completion_tokens", chosen.max_completion_tokens),
            temperature=temperature if temperature is not None and temperature >= 0 else None,
        )
        exchange = Exchange([*self._turns, turn], backend, request, chosen)
        exchange.dead_ids = set(self._dead_ids)
        return exchange, turn

    def _settle(
        self,
        exchange: Exchange,
        turn: Turn,
        future: concurrent.futures.Future[Reply],
        result: Callable[[], Reply],
    ) -> Reply:
        try:
            reply = result()
        except errors.RequestError as error:
            self._keep(exchange, turn, error.partial)
            raise
        except (KeyboardInterrupt, concurrent.futures.CancelledError):
            raise self._interrupted(exchange, turn, future) from None
        self._keep(exchange, turn, reply)
        return reply

    def _interrupted(
        self, exchange: Exchange, turn: Turn, future: concurrent.futures.Future[Reply]
    ) -> errors.Interrupted:
        return stopped(self._stop(exchange, turn, future))

    def _stop(self, exchange: Exchange, turn: Turn, future: concurrent.futures.Future[Reply]) -> Reply | None:
        future.cancel()
        exchange.over.wait(_STOPPING_S)
        partial = exchange.partial()
        self._keep(exchange, turn, partial)
        return partial

    def _keep(self, exchange: Exchange, turn: Turn, reply: Reply | None) -> None:
        """Add both turns; without a reply nothing is added, so that asking again does not ask twice."""
        self._dead_ids |= exchange.dead_ids
        if reply is not None:
            self._turns += [turn, reply]

    # -- reading ----------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._turns)

    def __iter__(self) -> Iterator[Turn]:
        return iter(tuple(self._turns))

    @overload
    def __getitem__(self, index: int) -> Turn: ...
    @overload
    def __getitem__(self, index: slice) -> list[Turn]: ...
    def __getitem__(self, index: int | slice) -> Turn | list[Turn]:
        return self._turns[index]

    def __repr__(self) -> str:
        return f"Conversation({len(self)} turn{'' if len(self) == 1 else 's'})"


def stopped(partial: Reply | None) -> errors.Interrupted:
    """The error that tells the person of their own interrupt, and what is left of the answer."""
    if partial is None:
        return errors.Interrupted("Stopped before an answer came.", "The conversation is as it was.")
    error = errors.Interrupted("Stopped; what had come of the answer is kept.", "It is the last turn, and it plays.")
    error.partial = partial
    return error


_STOPPING_S = 0.3  # a request ends within milliseconds; whoever stops it is not kept longer than this
_chats: dict[str, Conversation] = {}


def chat(name: str = "notebook", *, new: bool = False) -> Conversation:
    """The conversation of this name, made when it is first asked for; the cells of a notebook share ``"notebook"``.

    Parameters
    ----------
    name : str
    new : bool
        Begin it afresh.

    Examples
    --------
    >>> chat("dogs") is chat("dogs")
    True
    """
    if new or name not in _chats:
        _chats[name] = Conversation()
    return _chats[name]


_SHAPING = (
    "model",
    "voice",
    "instructions",
    "stream",
    "audio_format",
    "max_completion_tokens",
    "temperature",
)


def _only_known(options: dict[str, Any]) -> dict[str, Any]:
    for name in options:
        if name not in _SHAPING:
            import difflib

            near = difflib.get_close_matches(name, [*_SHAPING, "aloud"], n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Known ones: {', '.join(_SHAPING)}."
            raise errors.CellError(f"There is no option {name!r}.", hint)
    return {name: value for name, value in options.items() if value is not None}


def _turn(parts: tuple[Part, ...]) -> Turn:
    words: list[str] = []
    clips: list[Clip] = []
    for part in parts:
        if isinstance(part, str):
            words.append(part)
        elif isinstance(part, Turn):
            if not part.clips:
                raise errors.CellError("This turn has no sound to send.", "Send its words: say(turn.text).")
            clips += part.clips
        else:
            clips.append(part if isinstance(part, Clip) else Clip(part))
    text = "\n\n".join(word.strip() for word in words if word.strip())
    if not text and not clips:
        raise errors.CellError("There is nothing to say.", "Give some words, a clip, or both.")
    return Turn("user", text, tuple(clips), time.time())


def _fetch_weights() -> None:
    """Have the offline engine's weights here, with a progress bar where they are still to come."""
    from nbaudio.engine.weights.models import MODELS, fetch, ready

    missing = [name for name in MODELS if not ready(name)]
    if missing:
        fetch(missing)


def _ignore(_: TextDelta | AudioDelta) -> None:
    """Where only the whole reply is wanted."""


def _next(arrived: queue.SimpleQueue[Event | None]) -> Event | None:
    while True:
        try:
            return arrived.get(timeout=0.2)  # in ticks, so that Ctrl-C is heard on Windows too
        except queue.Empty:
            continue
