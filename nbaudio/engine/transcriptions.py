"""Speech to text over HTTP: the protocol's ``/v1/audio/transcriptions``, by the engine's ears.

A file is read in blocks from where the form has put it, on disk if it is large, and what is said is written down
stretch by stretch: no more than half a minute of sound is in memory. What these ears can't do they refuse.
"""

from __future__ import annotations

import hashlib
import json
import math
import threading
from collections.abc import AsyncIterator, Generator
from contextlib import closing
from typing import IO, Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from nbaudio.captions.subtitles import srt, vtt
from nbaudio.engine.answer import Answerer
from nbaudio.engine.asked import Refusal
from nbaudio.engine.hear import SAMPLE_RATE, Listener, Passage
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
    streams = False
    try:
        asked = read_form(form)
        hearing = await run_in_threadpool(_Hearing, answerer, asked, _file(form))
        if not asked.stream:
            return await run_in_threadpool(hearing.answer)
        streams = True
        return StreamingResponse(_events(hearing), media_type="text/event-stream")
    finally:
        if not streams:
            await form.close()


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
        try:
            self._reader = BlockReader(file, SAMPLE_RATE, most_s=answerer.engine.most_audio_s)
        except SoundTooLong as error:
            raise Refusal(str(error), status=413, param="file", code="audio_too_long") from None
        except ClipError as error:
            raise _unreadable(error) from None

    @property
    def _listener(self) -> Listener:
        return self._answerer.engine.listener

    def answer(self) -> Response:
        """All of it in one."""
        passages, text, duration_s = self._all()
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

    def _all(self) -> tuple[list[Passage], str, float]:
        """Every passage, the words, and the length in seconds; no passages where the words are known already."""
        known = self._answerer.heard_before(self._digest)
        if known is not None:
            return [], *known
        with closing(self._passages()) as coming:
            passages = list(coming)
        text, duration_s = " ".join(passage.text for passage in passages), self._reader.position / SAMPLE_RATE
        if self._digest:
            self._answerer.keep_heard(self._digest, text, duration_s)
        return passages, text, duration_s

    def events(self) -> Generator[dict[str, Any], None, None]:
        """All of it as events: the words of each stretch, when it has been heard."""
        said: list[str] = []
        tokens: list[dict[str, Any]] = []
        with closing(self._passages()) as passages:
            for passage in passages:
                event: dict[str, Any] = {"type": "transcript.text.delta", "delta": " " * bool(said) + passage.text}
                if self._asked.log_probabilities:
                    event["logprobs"] = log_probabilities(passage, self._listener)
                    tokens += event["logprobs"]
                said.append(passage.text)
                yield event
        # Of the end of a stream the protocol knows only a count of tokens, and these ears have none to bill.
        yield {"type": "transcript.text.done", "text": " ".join(said), **({"logprobs": tokens} if tokens else {})}

    def _passages(self) -> Generator[Passage, None, None]:
        asked = self._asked
        try:
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

    def close(self) -> None:
        """Let go of the file."""
        self._reader.close()
        self._file.close()


def _digest(file: IO[bytes]) -> str:
    hashed = hashlib.sha256()
    while block := file.read(1 << 20):
        hashed.update(block)
    file.seek(0)
    return hashed.hexdigest()


def _unreadable(error: ClipError) -> Refusal:
    return Refusal(f"Audio file might be corrupted or unsupported: {error}", param="file", code="invalid_value")


async def _events(hearing: _Hearing) -> AsyncIterator[bytes]:
    """Server-sent events; what breaks after the start is told inside the stream, as the protocol does."""
    events, busy = hearing.events(), threading.Lock()

    def step() -> dict[str, Any] | None:
        with busy:
            return next(events, None)

    def close() -> None:
        with busy:
            events.close()
            hearing.close()

    try:
        while (event := await run_in_threadpool(step)) is not None:
            yield _event(json.dumps(event, separators=(",", ":")))
        yield _event("[DONE]")
    except Refusal as refusal:
        yield _event(json.dumps(refusal.body()))
    except Exception as error:
        yield _event(json.dumps(Refusal(f"The offline engine failed: {error}", status=500).body()))
    finally:
        # As in `nbaudio.engine.app`: a step may still be running in its thread, and so somebody who can wait closes.
        threading.Thread(target=close, name="nbaudio-close", daemon=True).start()


def _event(data: str) -> bytes:
    return f"data: {data}\n\n".encode()
