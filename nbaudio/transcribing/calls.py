"""`transcribe` and `atranscribe`: a recording in, its transcript out, at once or as it comes."""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import queue
from collections.abc import AsyncGenerator, Coroutine, Generator, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, overload

from nbaudio import errors
from nbaudio.backends import loop
from nbaudio.backends.transcribing import ready
from nbaudio.servers.backend import ears
from nbaudio.settings import Backend, NbAudio, settings
from nbaudio.spending.budget import Budget
from nbaudio.spending.ledger import Ledger
from nbaudio.transcribing.books import NAME, Books
from nbaudio.transcribing.recording import Recording
from nbaudio.transcribing.transcript import Transcript
from nbaudio.transcribing.wanted import KNOWN, wanted
from nbaudio.transcribing.working import Put, Work
from nbaudio.wire.answers import TextDelta
from nbaudio.wire.transcripts import Event as Came
from nbaudio.wire.transcripts import Segment

__all__ = ["Event", "Transcribed", "atranscribe", "start", "transcribe", "words", "words_of", "works_for"]

_STOPPING_S = 0.3  # a request ends within milliseconds; whoever stops it is not kept longer than this
_OPTIONS = (*KNOWN, "progress", "backend", "budget")


@dataclass(frozen=True)
class Transcribed:
    """All is written down."""

    transcript: Transcript


Event: TypeAlias = TextDelta | Segment | Transcribed


@overload
def transcribe(
    sound: Any,
    *,
    stream: Literal[False] = False,
    language: str | Sequence[str] | None = None,
    prompt: str = "",
    keywords: Sequence[str] = (),
    temperature: float | None = None,
    model: str | None = None,
    timestamps: Literal["word", "segment"] | None = None,
    diarize: bool = False,
    speakers: Mapping[str, Any] | None = None,
    confidence: bool = False,
    translate: bool = False,
    response_format: str | None = None,
    chunking: str | Mapping[str, Any] | None = None,
    progress: bool | None = None,
    backend: Backend | None = None,
    budget: Budget | float | None = None,
) -> Transcript: ...
@overload
def transcribe(sound: Any, *, stream: Literal[True], **options: Any) -> Generator[Event, None, None]: ...
def transcribe(sound: Any, *, stream: bool = False, **options: Any) -> Transcript | Generator[Event, None, None]:
    """What is said in a recording of any length.

    One that is longer than the server takes is cut in pauses, and its pieces are sent side by side. What is done is
    kept: after a failure or an interrupt the same call goes on where it was. See ``docs/transcripts.md``.

    Parameters
    ----------
    sound : path, Clip, Turn, Transcript, or what `Clip` takes
        A file is read in blocks, and never held whole when it is large. M4A, MP4 and WebM go to servers as they are.
    stream : bool
        Give an iterator instead: `TextDelta` and `Segment` as they come, in order, at last `Transcribed`. Leaving it
        early ends the requests.
    language : str, or sequence of str, optional
        ISO 639-1 codes, where it is known what is spoken.
    prompt : str
        A text that the transcript follows in style and in the spelling of names.
    keywords : sequence of str
        Words that are likely to be said.
    temperature : float, optional
        0 to 1; 0 takes the likeliest word.
    model : str, optional
        By default ``NbAudio.transcription_model``, else the server's usual one, or another one of its models where that
        can't do what is asked; then `Transcript.note` says so.
    timestamps : {"word", "segment"}, optional
        Which times are wanted. Those of segments are estimated from the pauses where the model gives none.
    diarize : bool
        Tell speakers apart.
    speakers : mapping of str to Clip, optional
        Who may speak, at most 4: names, and 2 to 10 s of each voice. Speakers are then told apart.
    confidence : bool
        Say how sure the model is.
    translate : bool
        Write it down in English, whatever is spoken.
    response_format : str, optional
        The form of the server's answer, where another one than the fitting one is to be asked for.
    chunking : str or mapping, optional
        The server's ``chunking_strategy``: ``"auto"``, or a ``server_vad`` object.
    progress : bool, optional
        Whether a bar is shown; by default for recordings in several pieces.
    backend : Backend, optional
        By default the one that the settings say.
    budget : Budget, or a number of dollars, optional
        Beyond which nothing is sent; the settings' holds too.

    Raises
    ------
    CellError
        For an option that there is not, or that the model can't do; it says which can.
    ClipError
        If there is no sound that can be read.
    BudgetExceeded
        Before anything is sent.
    RequestError
        In one of its kinds. `partial` is then what has come, a `Transcript`, or None.
    Interrupted
        By the person; `partial` as above.
    """
    job = _Job(sound, stream, options)
    return _streamed(job) if stream else _waited(job)


@overload
def atranscribe(sound: Any, *, stream: Literal[False] = False, **options: Any) -> Coroutine[Any, Any, Transcript]: ...
@overload
def atranscribe(sound: Any, *, stream: Literal[True], **options: Any) -> AsyncGenerator[Event, None]: ...
def atranscribe(
    sound: Any, *, stream: bool = False, **options: Any
) -> Coroutine[Any, Any, Transcript] | AsyncGenerator[Event, None]:
    """As `transcribe`, awaited; with ``stream=True`` for ``async for``."""
    return _astreamed(sound, options) if stream else _awaited(sound, options)


def start(sounds: Sequence[Any], *, backend: Backend | None = None, ledger: Ledger | None = None) -> Future[str]:
    """Have the words of a recording in one or several parts written down, while something else goes on.

    Parameters
    ----------
    sounds : sequence
        As `transcribe` takes each.
    backend : Backend, optional
        By default the one that the settings say.
    ledger : Ledger, optional
        Of the conversation that they belong to; without one, the settings' budget holds.

    Raises
    ------
    NbaudioError
        By the future's ``result()``, in one of its kinds.
    """
    return loop.start(words, works_for(sounds, backend=backend, ledger=ledger))


def words_of(sounds: Sequence[Any], backend: Backend | None = None) -> str:
    """The words of a recording that belongs to no conversation; parameters and errors as in `start`."""
    return loop.wait(start(sounds, backend=backend))


def works_for(sounds: Sequence[Any], *, backend: Backend | None = None, ledger: Ledger | None = None) -> list[Work]:
    """What is to be done for `words`; parameters as in `start`.

    Raises
    ------
    NbaudioError
        If one of them is no sound, or there is nobody to ask.
    """
    options, ledger = {"backend": backend, "progress": False}, ledger or _own_ledger(settings())
    return [_Job(sound, False, options, ledger).work for sound in sounds]


async def words(works: Sequence[Work]) -> str:
    """The words of a recording in several parts; runs on the loop of requests."""
    said = [(await work.run(_ignore)).text for work in works]
    return " ".join(filter(None, said))


class _Job:
    """One call: its options looked through, and the work that comes of it."""

    def __init__(
        self,
        sound: Any,
        stream: bool,
        options: Mapping[str, Any],
        ledger: Ledger | None = None,
    ) -> None:
        for option in options:
            if option not in _OPTIONS:
                near = difflib.get_close_matches(option, [*_OPTIONS, "stream"], n=1)
                hint = f"Did you mean {near[0]}?" if near else f"Known ones: {', '.join(_OPTIONS)}."
                raise errors.CellError(f"There is no option {option!r}.", hint)
        chosen = settings()
        backend = ears(options.get("backend") or chosen.resolve())
        given = {key: value for key, value in options.items() if key in KNOWN and value is not None}
        asked = wanted(backend, chosen, **given, stream=stream)
        recording = Recording.of(sound)
        books = Books(backend, asked, ledger or _own_ledger(chosen, options.get("budget")))
        self.work = Work(recording, asked, ready(backend), chosen, books, progress=options.get("progress"))
        self._future: Future[Transcript] | None = None

    def start(self, put: Put) -> Future[Transcript]:
        """Begin; `put` gets what comes, on the loop of requests."""
        self._future = loop.start(self.work.run, put)
        return self._future

    def stop(self) -> Transcript | None:
        """End it; gives what has come."""
        if self._future is not None and not self._future.done():
            self._future.cancel()
            self.work.over.wait(_STOPPING_S)
        return self.work.partial()

    def stopped(self) -> errors.Interrupted:
        """The error that tells the person of their own interrupt, and what is left of the transcript."""
        found = self.stop()
        done, count = self.work.pieces_done
        if found is None:
            return errors.Interrupted("Stopped before anything was written down.", "Run it again.")
        if count > 1:
            kept = f"Stopped; {done} of {count} pieces are written down, and kept."
            error = errors.Interrupted(kept, "Run the same again: it goes on with the rest.")
        else:
            error = errors.Interrupted(
                "Stopped; what had come of the transcript is kept.", "It is the error's partial."
            )
        error.partial = found
        return error


def _own_ledger(chosen: NbAudio, given: Budget | float | None = None) -> Ledger:
    """Of recordings that belong to no conversation."""
    budgets = [Budget.of_settings(chosen), None if given is None else Budget.of(given)]
    return Ledger(NAME, budgets=[budget for budget in budgets if budget is not None])


def _waited(job: _Job) -> Transcript:
    try:
        return loop.wait(job.start(_ignore))
    except (KeyboardInterrupt, CancelledError):
        raise job.stopped() from None


def _streamed(job: _Job) -> Generator[Event, None, None]:
    arrived: queue.SimpleQueue[Came | None] = queue.SimpleQueue()
    try:
        future = job.start(arrived.put)
        future.add_done_callback(lambda _: arrived.put(None))
        while (event := _next(arrived)) is not None:
            yield event
        yield Transcribed(future.result())
    except (KeyboardInterrupt, CancelledError):
        raise job.stopped() from None
    finally:
        job.stop()


async def _awaited(sound: Any, options: Mapping[str, Any]) -> Transcript:
    job = await asyncio.to_thread(_Job, sound, False, options)
    try:
        return await asyncio.wrap_future(job.start(_ignore))
    finally:
        job.stop()


async def _astreamed(sound: Any, options: Mapping[str, Any]) -> AsyncGenerator[Event, None]:
    job = await asyncio.to_thread(_Job, sound, True, options)
    here, arrived = asyncio.get_running_loop(), asyncio.Queue[Came | None]()

    def put(event: Came | None) -> None:
        with contextlib.suppress(RuntimeError):  # nobody waits any more: the loop is closed
            here.call_soon_threadsafe(arrived.put_nowait, event)

    try:
        future = job.start(put)
        future.add_done_callback(lambda _: put(None))
        while (event := await arrived.get()) is not None:
            yield event
        yield Transcribed(future.result())
    finally:
        job.stop()


def _next(arrived: queue.SimpleQueue[Came | None]) -> Came | None:
    while True:
        try:
            return arrived.get(timeout=0.2)  # in ticks, so that Ctrl-C is heard on Windows too
        except queue.Empty:
            continue


def _ignore(_: Came) -> None:
    """Where only the whole transcript is wanted."""
