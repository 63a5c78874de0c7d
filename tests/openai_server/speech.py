"""Text to speech: what the API checks in a request, and the sound that it sends, as bytes or as events."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from starlette.types import Receive, Scope, Send

from .checks import VOICES
from .faults import error_fixture
from .refusals import Refused, missing, not_among, wrong_type
from .replies import OUTPUT_TOKENS_PER_S, word_pieces
from .sounds import SAMPLE_RATE, encode, tone_sweep

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .server import OpenAIServer

SPEAKING_MODELS = ("gpt-4o-mini-tts", "gpt-4o-mini-tts-2025-12-15", "tts-1", "tts-1-hd")
LONGEST = 4096  # code points
MIME = {
    "mp3": "audio/mpeg", "opus": "audio/opus", "aac": "audio/aac", "flac": "audio/flac", "wav": "audio/wav",
    "pcm": "audio/pcm",
}  # fmt: skip
_VOICES_OF_TTS_1 = ("alloy", "ash", "coral", "echo", "fable", "onyx", "nova", "sage", "shimmer")
_FADE = 240  # samples: a voice does not begin with a click


@dataclass(frozen=True)
class SpeechAsked:
    """A request that passed."""

    text: str
    model: str
    format: str
    events: bool


def check_speech(body: Any) -> SpeechAsked:
    """What a request body asks for; `Refused`, as the API would, where it can't be done. Unknown fields are ignored."""
    if not isinstance(body, dict):
        raise wrong_type("body", "an object", body)
    for field in ("model", "input", "voice"):
        if body.get(field) is None:
            raise missing(field)
    for field in ("model", "input", "instructions", "response_format", "stream_format"):
        if body.get(field) is not None and not isinstance(body[field], str):
            raise wrong_type(field, "a string", body[field])
    model = body["model"]
    if model not in SPEAKING_MODELS:
        text = f"The model `{model}` does not exist or you do not have access to it."
        raise Refused(text, status=404, code="model_not_found")
    _check_length(body["input"])
    _check_voice(body["voice"], model)
    _check_speed(body.get("speed"))
    audio_format, stream_format = body.get("response_format") or "mp3", body.get("stream_format") or "audio"
    if audio_format not in MIME:
        raise not_among("response_format", audio_format, tuple(MIME))
    if stream_format not in ("sse", "audio"):
        raise not_among("stream_format", stream_format, ("sse", "audio"))
    if stream_format == "sse" and model.startswith("tts-1"):
        text = "Unsupported value: 'stream_format' does not support 'sse' with this model."
        raise Refused(text, param="stream_format", code="unsupported_value")
    return SpeechAsked(body["input"], model, audio_format, stream_format == "sse")


def _check_length(text: str) -> None:
    # As observed: a Python repr in the message, and no param.
    if not text:
        error = {"type": "string_too_short", "loc": ("body", "input"), "msg": "String should have at least 1 character"}
        raise Refused(str([{**error, "ctx": {"min_length": 1}}]))
    if len(text) > LONGEST:
        message = f"String should have at most {LONGEST} characters"
        error = {"type": "string_too_long", "loc": ("body", "input"), "msg": message}
        raise Refused(str([{**error, "ctx": {"max_length": LONGEST}}]))


def _check_voice(voice: Any, model: str) -> None:
    known = _VOICES_OF_TTS_1 if model.startswith("tts-1") else VOICES
    is_custom = isinstance(voice, dict) and voice.keys() == {"id"} and str(voice["id"]).startswith("voice_")
    if not is_custom and voice not in known:
        raise not_among("voice", voice, known)


def _check_speed(speed: Any) -> None:
    if speed is None:
        return
    if isinstance(speed, bool) or not isinstance(speed, (int, float)):
        raise wrong_type("speed", "a decimal", speed)
    if not 0.25 <= speed <= 4:
        text = f"Invalid 'speed': decimal outside of 0.25 to 4.0, but got {speed}."
        raise Refused(text, param="speed", code="invalid_value")


def spoken_sound(text: str, duration_s: float, silence_s: float) -> NDArray[np.float32]:
    """A tone for a text, as a voice says it: it rises and falls, between two silences. As `sounds.tone_sweep`."""
    tone = tone_sweep(text, duration_s)
    ramp = np.minimum(1, np.minimum(np.arange(len(tone)), np.arange(len(tone))[::-1]) / _FADE)[:, np.newaxis]
    voiced = np.round(tone * ramp * 32768) / 32768
    silence = np.zeros((round(silence_s * SAMPLE_RATE), 1))
    return np.concatenate([silence, voiced, silence]).astype(np.float32)


class SpeechStream:
    """An ASGI response that sends a spoken text, in pieces."""

    status_code = 200

    def __init__(self, server: OpenAIServer, asked: SpeechAsked, fault: str | None) -> None:
        kind = "text/event-stream; charset=utf-8" if asked.events else MIME[asked.format]
        self.headers: dict[str, str] = {"content-type": kind}
        if fault in ("no_done", "error_in_stream") and not asked.events:
            raise ValueError(f"{fault!r} was queued, but the request doesn't ask for events")
        if fault not in (None, "no_done", "error_in_stream", "cut_stream"):
            raise ValueError(f"{fault!r} was queued, but the request asks for speech")
        self._server, self._asked, self._fault = server, asked, fault
        self._samples = server.speech(asked.text)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        headers = [(name.encode(), value.encode()) for name, value in self.headers.items()]
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        pieces = list(self._pieces())
        if self._fault in ("cut_stream", "error_in_stream"):
            pieces = pieces[: (len(pieces) + 1) // 2]
        for piece in pieces:
            if self._server.gate is not None:
                await self._server.gate.pass_piece()
            await self._send(send, self._event({"audio": base64.b64encode(piece).decode()}, "delta", piece))
        if self._fault == "cut_stream":
            await self._server.drop(scope)
        if self._fault == "error_in_stream":
            await self._send(send, f"data: {json.dumps(error_fixture('server').body)}\n\n".encode())
        elif self._asked.events and self._fault is None:
            await self._send(send, self._event({"usage": self._usage()}, "done"))
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _pieces(self) -> Iterator[bytes]:
        audio_format = {"pcm": "pcm16"}.get(self._asked.format, self._asked.format)
        data = encode(self._samples, audio_format)
        for start in range(0, len(data), self._server.piece_bytes):
            yield data[start : start + self._server.piece_bytes]

    def _event(self, fields: dict[str, Any], kind: str, bare: bytes = b"") -> bytes:
        if not self._asked.events:
            return bare
        blank = self._server.line_end * 2
        comment = f": keep-alive{blank}" if self._server.comment_lines else ""
        return f"{comment}data: {json.dumps({'type': f'speech.audio.{kind}', **fields})}{blank}".encode()

    def _usage(self) -> dict[str, int]:
        into = len(word_pieces(self._asked.text))
        out = math.ceil(len(self._samples) / SAMPLE_RATE * OUTPUT_TOKENS_PER_S)
        return {"input_tokens": into, "output_tokens": out, "total_tokens": into + out}

    @staticmethod
    async def _send(send: Send, body: bytes) -> None:
        await send({"type": "http.response.body", "body": body, "more_body": True})
