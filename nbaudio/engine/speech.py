"""Text to speech over HTTP: the protocol's ``/v1/audio/speech``, by the engine's voice.

The sound goes out while it is made: as bare PCM, as a WAV of unknown size, or in events. The other formats can only be
written when all of it is there. Events have one field more than the protocol's: ``words``, with the times at which each
word of the sound that follows begins and ends, in seconds from the beginning of all.
"""

from __future__ import annotations

import base64
import json
import math
import struct
from collections.abc import AsyncIterator, Generator, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from nbaudio.engine.asked import Refusal, check_model, check_voice, failure, read_json
from nbaudio.engine.language import other_language
from nbaudio.engine.parts import Engine
from nbaudio.engine.speak import FASTEST, SAMPLE_RATE, SLOWEST, Said
from nbaudio.engine.stepping import stepped
from nbaudio.sound import codecs

__all__ = ["spoken"]

LONGEST = 4096
"""Most code points of a text, as of OpenAI's."""

_MIME = {"mp3": "audio/mpeg", "wav": "audio/wav", "pcm": "audio/pcm", "flac": "audio/flac", "opus": "audio/ogg"}
_PIECE_BYTES = 9_600  # 200 ms of PCM16, as in chat
_TOKENS_SPOKEN, _CHARACTERS_PER_TOKEN = 20, 3.2  # as in chat


@dataclass(frozen=True)
class _Asked:
    """A request that can be done."""

    text: str
    voice: str
    format: str
    speed: float
    events: bool


async def spoken(engine: Engine, request: Request) -> Response:
    """The text of a request, as sound.

    Raises
    ------
    Refusal
        With the protocol's own status, code and parameter.
    """
    asked = _read(read_json(await request.body()))
    making = _Making(engine, asked)
    # The first piece before the answer begins: what can't be said at all is refused with an error's status.
    if not await run_in_threadpool(making.begin):
        raise Refusal(
            "There is nothing in this text that the offline voice can say.", param="input", code="invalid_value"
        )
    if asked.events:
        return StreamingResponse(_events(making), media_type="text/event-stream")
    if asked.format in ("pcm", "wav"):
        return StreamingResponse(_bare(making), media_type=_MIME[asked.format])
    return Response(await run_in_threadpool(making.file), media_type=_MIME[asked.format])


def _read(body: Any) -> _Asked:
    if not isinstance(body, Mapping):
        raise Refusal("The body of the request is not a JSON object.")
    check_model(body.get("model"))
    text = body.get("input")
    if text is None:
        raise Refusal("Missing required parameter: 'input'.", param="input", code="missing_required_parameter")
    if not isinstance(text, str):
        raise Refusal("'input' is a text.", param="input", code="invalid_type")
    if len(text) > LONGEST:  # OpenAI's own words: it says so with a Python repr, and without a param
        limit = {"max_length": LONGEST}
        message = f"String should have at most {LONGEST} characters"
        raise Refusal(str([{"type": "string_too_long", "loc": ("body", "input"), "msg": message, "ctx": limit}]))
    voice = check_voice(body.get("voice"), "voice")
    if body.get("instructions"):
        raise Refusal(
            "The offline engine can't follow instructions: each of its voices has one manner. "
            "Leave out 'instructions', or use a server that can.",
            param="instructions",
            code="unsupported_parameter",
        )
    if language := other_language(text):
        raise Refusal(
            f"The offline engine knows English only, and this is in {language}. "
            "Write in English, or set OPENAI_API_KEY or OPENAI_BASE_URL for another model.",
            param="input",
            code="unsupported_language",
        )
    return _Asked(
        text=text,
        voice=voice,
        format=_among(body, "response_format", "mp3", tuple(_MIME)),
        speed=_speed(body),
        events=_among(body, "stream_format", "audio", ("sse", "audio")) == "sse",
    )


def _among(body: Mapping[str, Any], name: str, default: str, supported: tuple[str, ...]) -> str:
    value = body.get(name)
    if value is None:
        return default
    if value not in supported:
        known = ", ".join(f"'{one}'" for one in supported)
        raise Refusal(f"Invalid value: {value!r}. Supported values are: {known}.", param=name, code="invalid_value")
    return str(value)


def _speed(body: Mapping[str, Any]) -> float:
    speed = body.get("speed")
    if speed is None:
        return 1.0
    if isinstance(speed, bool) or not isinstance(speed, (int, float)) or not SLOWEST <= speed <= FASTEST:
        raise Refusal(f"'speed' is a number from {SLOWEST} to {FASTEST}.", param="speed", code="invalid_value")
    return float(speed)


@dataclass
class _Making:
    """A text while it is being spoken."""

    engine: Engine
    asked: _Asked
    frames: int = 0
    _first: Said | None = None
    _rest: Iterator[Said] = field(default_factory=lambda: iter(()))

    def begin(self) -> bool:
        """Make the first piece; gives whether there is one."""
        self._rest = self.engine.speaker.say(self.asked.text, self.asked.voice, self.asked.speed)
        self._first = next(self._rest, None)
        return self._first is not None

    def pieces(self) -> Generator[tuple[bytes, list[dict[str, Any]]], None, None]:
        """The sound as PCM16, piece by piece, each with its words."""
        said = self._first
        while said is not None:
            start_s = self.frames / SAMPLE_RATE
            words = [
                {
                    "word": self.asked.text[word.start : word.end],
                    "start": round(start_s + word.start_s, 3),
                    "end": round(start_s + word.end_s, 3),
                }
                for word in said.words
            ]
            self.frames += len(said.samples)
            yield codecs.samples_to_pcm16(said.samples), words
            said = next(self._rest, None)

    def file(self) -> bytes:
        """All of it in a format that is written at once."""
        pcm16 = b"".join(sound for sound, _ in self.pieces())
        return codecs.encode(codecs.pcm16_to_samples(pcm16), SAMPLE_RATE, self.asked.format)

    def events(self) -> Generator[dict[str, Any], None, None]:
        """All of it as events."""
        if self.asked.format in ("pcm", "wav"):
            head = _head(self.asked.format)
            for pcm16, words in self.pieces():
                yield from _deltas(head + pcm16, words)
                head = b""
        else:
            words_of_all: list[dict[str, Any]] = []
            sound = bytearray()
            for pcm16, words in self.pieces():
                sound += pcm16
                words_of_all += words
            samples = codecs.pcm16_to_samples(bytes(sound))
            yield from _deltas(codecs.encode(samples, SAMPLE_RATE, self.asked.format), words_of_all)
        into = math.ceil(len(self.asked.text) / _CHARACTERS_PER_TOKEN)
        out = math.ceil(self.frames / SAMPLE_RATE * _TOKENS_SPOKEN)
        usage = {"input_tokens": into, "output_tokens": out, "total_tokens": into + out}
        yield {"type": "speech.audio.done", "usage": usage}


def _head(format: str) -> bytes:
    """What stands before the first sample: of a WAV a header with unknown sizes, as OpenAI's."""
    if format != "wav":
        return b""
    head = bytearray(codecs.wav_header(0, SAMPLE_RATE))
    for at in (4, len(head) - 4):
        struct.pack_into("<I", head, at, 0xFFFFFFFF)
    return bytes(head)


def _deltas(sound: bytes, words: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for start in range(0, len(sound), _PIECE_BYTES):
        audio = base64.b64encode(sound[start : start + _PIECE_BYTES]).decode("ascii")
        yield {"type": "speech.audio.delta", "audio": audio, **({"words": words} if words and not start else {})}


async def _bare(making: _Making) -> AsyncIterator[bytes]:
    # What breaks off here breaks the connection: there is no other way to tell of it in the middle of a sound.
    yield _head(making.asked.format)
    async with aclosing(stepped(making.pieces())) as pieces:
        async for pcm16, _ in pieces:
            yield pcm16


async def _events(making: _Making) -> AsyncIterator[bytes]:
    try:
        async with aclosing(stepped(making.events())) as events:
            async for event in events:
                yield f"data: {json.dumps(event, separators=(',', ':'))}\n\n".encode()
    except Exception as error:
        yield f"data: {json.dumps(failure(error).body())}\n\n".encode()
