"""Having a text spoken as it stands: `speak`, `aspeak`, and what they do piece by piece."""

from __future__ import annotations

import asyncio
import contextlib
import queue
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import CancelledError, Future
from typing import Any, TypeAlias

from nbaudio import errors
from nbaudio.backends import loop
from nbaudio.legible import without_halves
from nbaudio.settings import Backend, settings
from nbaudio.speakable import speakable
from nbaudio.speaking.passage import Order, Piece
from nbaudio.speaking.progress import Bar, Progress
from nbaudio.speaking.recital import Recital
from nbaudio.speaking.speech import Speech
from nbaudio.spending.budget import Budget
from nbaudio.wire.speech import FORMATS

__all__ = ["Event", "aspeak", "astream", "speak", "stream"]

Event: TypeAlias = "Piece | Speech"
_Arrived: TypeAlias = "Piece | Progress | None"
_PLAYED = tuple(format for format in FORMATS if format != "aac")
_STOPPING_S = 0.3  # requests end within milliseconds; whoever stops them is not kept longer than this
_TICK_S = 0.2


def speak(
    text: str,
    *,
    voice: str | None = None,
    model: str | None = None,
    instructions: str | None = None,
    speed: float | None = None,
    format: str | None = None,
    stream: bool | None = None,
    as_is: bool = False,
    budget: Budget | float | None = None,
    backend: Backend | None = None,
) -> Speech:
    """A text, spoken word for word: a clip that has its words.

    Markdown, code and tables become words worth saying. A text that is longer than the server takes is cut at the ends
    of sentences, requested in parts side by side, and joined.

    Parameters
    ----------
    text : str
    voice : str, optional
        By default ``NbAudio.voice``.
    model : str, optional
        By default ``NbAudio.speech_model``, else the server's own. Where it is the chat model, or a Realtime model,
        that reads the text.
    instructions : str, optional
        The manner of speaking, for models that can be told.
    speed : float, optional
        0.25 to 4; by default ``NbAudio.speed``.
    format : str, optional
        What the server is to send: ``"pcm"``, which plays while it comes and is the default of a stream, ``"wav"``,
        ``"mp3"``, ``"opus"`` or ``"flac"``. A text of one request keeps the file as it came.
    stream : bool, optional
        Whether to ask for it piece by piece; by default ``NbAudio.stream``.
    as_is : bool, optional
        Say the text as it is written, with all its marks.
    budget : Budget or float, optional
        Beyond which nothing is sent; a number is in dollars.
    backend : Backend, optional
        By default where the settings say.

    Returns
    -------
    Speech

    Raises
    ------
    NbaudioError
        In one of its kinds. Where the speech broke off, the error's `partial` is what had come; passages of a long text
        that were finished are kept, and not requested again when it is spoken again.
    """
    recital = _recital(
        text,
        voice=voice,
        model=model,
        instructions=instructions,
        speed=speed,
        format=format,
        stream=stream,
        as_is=as_is,
        budget=budget,
        backend=backend,
    )
    for event in _streamed(recital, Bar()):
        last = event
    assert isinstance(last, Speech)  # a stream that raises nothing ends with it
    return last


async def aspeak(text: str, **options: Any) -> Speech:
    """As `speak`, with the same options, awaited."""
    async for event in _astreamed(_recital(text, **options), Bar()):
        last = event
    assert isinstance(last, Speech)  # a stream that raises nothing ends with it
    return last


def stream(text: str, *, bar: Bar | None = None, **options: Any) -> Generator[Event, None, None]:
    """As `Speech.stream`; `bar` shows how far it is."""
    return _streamed(_recital(text, **{"stream": True, **options}), bar or Bar())


def astream(text: str, *, bar: Bar | None = None, **options: Any) -> AsyncGenerator[Event, None]:
    """As `Speech.astream`; `bar` shows how far it is."""
    return _astreamed(_recital(text, **{"stream": True, **options}), bar or Bar())


def _streamed(recital: Recital, bar: Bar) -> Generator[Event, None, None]:
    arrived: queue.SimpleQueue[_Arrived] = queue.SimpleQueue()
    with bar, _Stopping(recital) as stopping:
        future = stopping.start(arrived.put)
        future.add_done_callback(lambda _: arrived.put(None))
        while (event := _next(arrived)) is not None:
            if isinstance(event, Progress):
                bar.show(event)
            else:
                yield event
        speech = future.result()
    yield speech


async def _astreamed(recital: Recital, bar: Bar) -> AsyncGenerator[Event, None]:
    arrived: asyncio.Queue[_Arrived] = asyncio.Queue()
    here = asyncio.get_running_loop()

    def put(event: _Arrived) -> None:
        with contextlib.suppress(RuntimeError):  # nobody waits any more: the loop is closed
            here.call_soon_threadsafe(arrived.put_nowait, event)

    with bar, _Stopping(recital) as stopping:
        future = stopping.start(put)
        future.add_done_callback(lambda _: put(None))
        while (event := await arrived.get()) is not None:
            if isinstance(event, Progress):
                bar.show(event)
            else:
                yield event
        speech = future.result()
    yield speech


def _recital(
    text: str,
    *,
    voice: str | None = None,
    model: str | None = None,
    instructions: str | None = None,
    speed: float | None = None,
    format: str | None = None,
    stream: bool | None = None,
    as_is: bool = False,
    budget: Budget | float | None = None,
    backend: Backend | None = None,
) -> Recital:
    if not isinstance(text, str):
        raise errors.CellError(f"A {type(text).__name__} can't be spoken.", "Give the words as a str.")
    said = without_halves(text).strip() if as_is else speakable(without_halves(text))
    if not any(map(str.isalnum, said)):
        raise errors.CellError("There are no words in this text: there is nothing to say.", "Write some.")
    chosen = settings()
    streams = chosen.stream if stream is None else stream
    speed = chosen.speed if speed is None else speed
    if isinstance(speed, bool) or not isinstance(speed, (int, float)) or not 0.25 <= speed <= 4:
        raise errors.CellError(f"The speed can't be {speed!r}.", "Give 0.25 to 4; 1 is the voice's own.")
    if format == "aac":
        raise errors.CellError("AAC can't be played here.", f"Choose one of {', '.join(_PLAYED)}.")
    if format is not None and format not in _PLAYED:
        raise errors.CellError(f"There is no format {format!r}.", f"Choose one of {', '.join(_PLAYED)}.")
    order = Order(
        voice=voice or chosen.voice,
        model=model or "",
        instructions=instructions or "",
        speed=float(speed),
        format=format or ("pcm" if streams else "wav"),
        stream=streams,
    )
    of_settings = Budget.of_settings(chosen)
    budgets = [Budget.of(budget)] if budget is not None else []
    budgets += [of_settings] if of_settings is not None else []
    return Recital(text, said, order, backend or chosen.resolve(), chosen, budgets)


class _Stopping:
    """A context in which a text is spoken: left early, it ends the requests, and an interrupt tells what came."""

    def __init__(self, recital: Recital) -> None:
        self._recital = recital
        self._future: Future[Speech] | None = None

    def start(self, put: Callable[[Piece | Progress], None]) -> Future[Speech]:
        """Begin; `put` gets what comes, on the loop of requests."""
        self._future = loop.start(self._recital.run, put)
        return self._future

    def __enter__(self) -> _Stopping:
        return self

    def __exit__(self, _: Any, error: BaseException | None, __: Any) -> None:
        if isinstance(error, (KeyboardInterrupt, CancelledError)):
            raise _stopped(self._stop()) from None
        if error is not None:
            self._stop()

    def _stop(self) -> Speech | None:
        if self._future is None:
            return None
        if self._future.done():  # all is here, and was being shown
            return None if self._future.cancelled() or self._future.exception() else self._future.result()
        self._future.cancel()
        self._recital.over.wait(_STOPPING_S)
        return self._recital.partial()


def _stopped(partial: Speech | None) -> errors.Interrupted:
    if partial is None:
        return errors.Interrupted("Stopped before anything was spoken.", "Run it again to hear it.")
    error = errors.Interrupted("Stopped; what had been spoken is kept.", "It is the error's partial, and it plays.")
    error.partial = partial
    return error


def _next(arrived: queue.SimpleQueue[_Arrived]) -> _Arrived:
    while True:
        try:
            return arrived.get(timeout=_TICK_S)  # in ticks, so that Ctrl-C is heard on Windows too
        except queue.Empty:
            continue
