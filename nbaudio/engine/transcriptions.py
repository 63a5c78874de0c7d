"""Speech to text over HTTP: the protocol's ``/v1/audio/transcriptions``, by the engine's ears.

A file is read in blocks from where the form has put it, on disk if it is large, and what is said is written down
stretch by stretch: no more than half a minute of sound is in memory. What these ears can't do they refuse.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import AsyncIterator, Generator
from contextlib import aclosing, closing
from typing import IO, Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from nbaudio.captions.subtitles import srt, vtt
from nbaudio.engine.answer import Answerer
from nbaudio.engine.asked import Refusal, failure
from nbaudio.engine.hear import SAMPLE_RATE, Listener, Passage
from nbaudio.engine.stepping import stepped
from nbaudio.engine.transcription_form import TranscriptionAsked, read_form, refuse_translation
from nbaudio.engine.written import cues, log_probabilities, segments, words
from nbaudio.errors import ClipError
from nbaudio.sound.blocks import BlockReader
from nbaudio.sound.codecs import SoundTooLong

__all__ = ["transcribed", "translated"]

_MOST_BYTES = 25 * 1024 * 1024  # of the whole form, as OpenAI counts it


async def transcribed(answerer: Answerer, request: Request) -> Response:
    """What is said in the form's file, as it is asked for.

    Raises
    ------
    Refusal
        With the protocol's own status, code and parameter.
    """
    _check_size(request)
    try:
        form = await request.form()
    except HTTPException as error:
        raise Refusal(f"We could not read the form of your request: {error.detail}.") from None
    try:
        asked = read_form(form)
        hearing = await run_in_threadpool(_Hearing, answerer, asked, _file(form))
    except BaseException:
        await form.close()
        raise
    if asked.stream:
        return StreamingResponse(_events(hearing), media_type="text/event-stream")
    # One stretch is one step: whoever goes away, or waits for too long, has only the one heard that was begun.
    async with aclosing(stepped(hearing.passages())) as coming:
        passages = [passage async for passage in coming]
    return await run_in_threadpool(hearing.answer, passages)


async def translated(request: Request) -> Response:
    """Never: these ears hear English only.

    Raises
    ------
    Refusal
    """
    raise refuse_translation()


def _check_size(request: Request) -> None:
    size = request.headers.get("content-length", "")
    if size.isdecimal() and int(size) > _MOST_BYTES:
        raise _too_large(int(size))


def _file(form: FormData) -> IO[bytes]:
    file = form.get("file")
    if not isinstance(file, UploadFile) or not file.size:
        raise Refusal("Missing required parameter: 'file'.", param="file", code="missing_required_parameter")
    if file.size > _MOST_BYTES:  # of a form that came without its length
        raise _too_large(file.size)
    return file.file


def _too_large(size: int) -> Refusal:
    return Refusal(f"Maximum content size limit ({_MOST_BYTES}) exceeded ({size} bytes read)", status=413)


class _Hearing:
    """One file that is being written down; one that was heard in a talk is not listened to again for its words."""

    def __init__(self, answerer: Answerer, asked: TranscriptionAsked, file: IO[bytes]) -> None:
        self._asked, self._answerer, self._file = asked, answerer, file
        self._digest = _digest(file) if asked.plain else ""
        self._known = answerer.heard_before(self._digest)
        try:
            self._reader = BlockReader(file, SAMPLE_RATE, most_s=answerer.engine.most_audio_s)
        except ClipError as error:
            raise _unreadable(error) from None

    @property
    def _listener(self) -> Listener:
        return self._answerer.engine.listener

    def answer(self, passages: list[Passage]) -> Response:
        """All of it in one."""
        text, duration_s = self._heard(passages)
        form = self._asked.form
        if form == "text":
            return PlainTextResponse(f"{text}\n")
        if form in ("srt", "vtt"):
            return PlainTextResponse((srt if form == "srt" else vtt)(cues(passages)))
        body: dict[str, Any] = {"text": text, "usage": {"type": "duration", "seconds": math.ceil(duration_s)}}
        if self._asked.log_probabilities:
            body["logprobs"] = [one for passage in passages for one in log_probabilities(passage, self._listener)]
        if form == "verbose_json":
            body |= {"duration": round(duration_s, 3), "language": "english"}
            if "segment" in self._asked.granularities:
                body["segments"] = segments(passages, self._listener)
            if "word" in self._asked.granularities:
                body["words"] = words(passages)
        return JSONResponse(body)

    def _heard(self, passages: list[Passage]) -> tuple[str, float]:
        """The words, and the length in seconds."""
        if self._known is not None:
            return self._known
        text, duration_s = " ".join(passage.text for passage in passages), self._reader.position / SAMPLE_RATE
        if self._digest:
            self._answerer.keep_heard(self._digest, text, duration_s)
        return text, duration_s

    def events(self) -> Generator[dict[str, Any], None, None]:
        """All of it as events: the words of each stretch, when it has been heard."""
        said: list[str] = []
        tokens: list[dict[str, Any]] = []
        with closing(self.passages()) as passages:
            for passage in passages:
                event: dict[str, Any] = {"type": "transcript.text.delta", "delta": " " * bool(said) + passage.text}
                if self._asked.log_probabilities:
                    event["logprobs"] = log_probabilities(passage, self._listener)
                    tokens += event["logprobs"]
                said.append(passage.text)
                yield event
        # Of the end of a stream the protocol knows only a count of tokens, and these ears have none to bill.
        yield {"type": "transcript.text.done", "text": " ".join(said), **({"logprobs": tokens} if tokens else {})}

    def passages(self) -> Generator[Passage, None, None]:
        """What is said, stretch by stretch; none where its words are known. At the end the file is let go of."""
        asked = self._asked
        try:
            if self._known is None:
                yield from self._listener.passages(
                    self._reader.blocks(),
                    prompt=asked.prompt,
                    temperature=asked.temperature,
                    timed=asked.timed or asked.log_probabilities,
                )
        except ClipError as error:
            raise _unreadable(error) from None
        finally:
            self._reader.close()
            self._file.close()


def _digest(file: IO[bytes]) -> str:
    hashed = hashlib.sha256()
    while block := file.read(1 << 20):
        hashed.update(block)
    file.seek(0)
    return hashed.hexdigest()


def _unreadable(error: ClipError) -> Refusal:
    if isinstance(error, SoundTooLong):
        return Refusal(str(error), status=413, param="file", code="audio_too_long")
    return Refusal(f"Audio file might be corrupted or unsupported: {error}", param="file", code="invalid_value")


async def _events(hearing: _Hearing) -> AsyncIterator[bytes]:
    """Server-sent events; what breaks after the start is told inside the stream, as the protocol does."""
    try:
        async with aclosing(stepped(hearing.events())) as events:
            async for event in events:
                yield _event(json.dumps(event, separators=(",", ":")))
        yield _event("[DONE]")
    except Refusal as refusal:
        yield _event(json.dumps(refusal.body()))
    except Exception as error:
        yield _event(json.dumps(failure(error).body()))


def _event(data: str) -> bytes:
    return f"data: {data}\n\n".encode()
