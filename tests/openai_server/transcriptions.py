"""Speech to text: the answer in every form, whole or as a stream."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from .faults import error_fixture
from .refusals import Refused
from .transcription_form import Asked, check_form

if TYPE_CHECKING:
    from .server import OpenAIServer

_GAP_S = 0.7  # of silence, which parts two segments
_LOG_PROBABILITY = -0.05


class Said(NamedTuple):
    """A word that the server hears, and by whom."""

    word: str
    start_s: float
    end_s: float
    speaker: str = "A"


def transcription(
    server: OpenAIServer, form: dict[str, Any], size: int, fault: str | None, *, translates: bool
) -> Response | TranscriptStream:
    """The answer to a form; `Refused` where the API would refuse it."""
    asked = check_form(form, size, translates=translates)
    heard = server.heard(form) if callable(server.heard) else server.heard
    said = _spread(heard, asked.duration_s) if isinstance(heard, str) else list(heard)
    if asked.stream and server.streams_transcripts:
        return TranscriptStream(server, asked, said, fault)
    if asked.form == "text":
        return _plain(text_of(said) + "\n")
    if asked.form in ("srt", "vtt"):
        return _plain(_subtitles(said, asked.form))
    body = json.dumps(_body(asked, said), ensure_ascii=False)
    return Response(body, media_type="application/json")


def text_of(said: list[Said]) -> str:
    """The words in a row."""
    return " ".join(one.word for one in said)


def _plain(text: str) -> Response:
    return Response(text, media_type="text/plain")


def _spread(text: str, duration_s: float) -> list[Said]:
    """Words that nobody has timed, evenly over the sound."""
    words = text.split()
    step_s = duration_s / max(1, len(words))
    return [Said(word, round(at * step_s, 3), round((at + 1) * step_s, 3)) for at, word in enumerate(words)]


def _body(asked: Asked, said: list[Said]) -> dict[str, Any]:
    body: dict[str, Any] = {"text": text_of(said)}
    if asked.form == "diarized_json":
        body |= {"task": "transcribe", "duration": asked.duration_s, "segments": _diarized(asked, said)}
    elif asked.form == "verbose_json":
        body |= {"duration": asked.duration_s, "language": "english"}
        if asked.granularities in ((), ("segment",)) or "segment" in asked.granularities:
            body["segments"] = [_verbose(number, part) for number, part in enumerate(_parts(said))]
        if "word" in asked.granularities:
            body["words"] = [{"word": one.word, "start": one.start_s, "end": one.end_s} for one in said]
    elif asked.model.keywords:
        body["languages"] = [{"code": "en"}]
    if asked.translates:
        return body
    if asked.log_probabilities:
        body["logprobs"] = _tokens(said)
    return {**body, "usage": _usage(asked, said)}


def _usage(asked: Asked, said: list[Said]) -> dict[str, Any]:
    if not asked.model.counts_tokens:
        return {"type": "duration", "seconds": math.ceil(asked.duration_s)}
    heard, written = math.ceil(10 * asked.duration_s), len(said)
    details = {"audio_tokens": heard, "text_tokens": 0}
    counts = {"input_tokens": heard, "output_tokens": written, "total_tokens": heard + written}
    return {"type": "tokens", **counts, "input_token_details": details}


def _tokens(said: list[Said]) -> list[dict[str, Any]]:
    texts = [f"{' ' * bool(at)}{one.word}" for at, one in enumerate(said)]
    return [{"token": text, "bytes": list(text.encode()), "logprob": _LOG_PROBABILITY} for text in texts]


def _parts(said: list[Said]) -> Iterator[list[Said]]:
    """Words in a row by one speaker, without a long gap."""
    part: list[Said] = []
    for one in said:
        if part and (one.speaker != part[-1].speaker or one.start_s - part[-1].end_s > _GAP_S):
            yield part
            part = []
        part.append(one)
    if part:
        yield part


def _verbose(number: int, part: list[Said]) -> dict[str, Any]:
    return {
        "id": number,
        "seek": 0,
        "start": part[0].start_s,
        "end": part[-1].end_s,
        "text": f" {text_of(part)}",
        "tokens": [50364],
        "temperature": 0.0,
        "avg_logprob": _LOG_PROBABILITY,
        "compression_ratio": 0.9,
        "no_speech_prob": 0.01,
    }


def _diarized(asked: Asked, said: list[Said]) -> list[dict[str, Any]]:
    """Segments by speaker: known ones by their names, strangers by letters in the order in which they begin."""
    letters: dict[str, str] = {}
    segments = []
    for number, part in enumerate(_parts(said), 1):
        who = part[0].speaker
        name = next((known for known in asked.known_speakers if known in (who, f"speaker-{who}")), None)
        if name is None:
            name = letters.setdefault(who, chr(ord("A") + len(letters)))
        segments.append(
            {
                "id": f"seg_{number:03}",
                "type": "transcript.text.segment",
                "start": part[0].start_s,
                "end": part[-1].end_s,
                "speaker": name,
                "text": text_of(part),
            }
        )
    return segments


def _subtitles(said: list[Said], form: str) -> str:
    blocks = []
    for number, part in enumerate(_parts(said), 1):
        times = f"{_clock(part[0].start_s, form)} --> {_clock(part[-1].end_s, form)}"
        blocks.append((f"{number}\n" if form == "srt" else "") + f"{times}\n{text_of(part)}\n")
    return "\n".join((["WEBVTT\n"] if form == "vtt" else []) + blocks)


def _clock(time_s: float, form: str) -> str:
    ms = round(time_s * 1000)
    point = "," if form == "srt" else "."
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}{point}{ms % 1000:03}"


class TranscriptStream:
    """An ASGI response that sends a transcript word by word; held at the server's gate, cut or broken as scripted."""

    status_code = 200

    def __init__(self, server: OpenAIServer, asked: Asked, said: list[Said], fault: str | None) -> None:
        self.headers: dict[str, str] = {"content-type": "text/event-stream; charset=utf-8"}
        self._server, self._asked, self._said, self._fault = server, asked, said, fault
        if fault in ("no_done", "cut_stream", "error_in_stream") and not said:
            raise Refused("a fault was queued, but the transcript has no word to break off after")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream."""
        headers = [(name.encode(), value.encode()) for name, value in self.headers.items()]
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        deltas = list(self._deltas())
        half = (len(deltas) + 1) // 2 if self._fault in ("cut_stream", "error_in_stream") else len(deltas)
        for event in deltas[:half]:
            if self._server.gate is not None:
                await self._server.gate.pass_piece()
            await self._event(send, event)
        if self._fault == "cut_stream":
            await self._server.drop(scope)
        if self._fault == "error_in_stream":
            await self._event(send, error_fixture("server").body)
        elif self._fault != "no_done":
            for event in self._end():
                await self._event(send, event)
            await self._event(send, None)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _deltas(self) -> Iterator[dict[str, Any]]:
        texts = [f"{' ' * bool(at)}{one.word}" for at, one in enumerate(self._said)]
        if self._server.streams_transcripts == "chunks":  # as vLLM does
            for text in texts:
                yield self._chunk({"delta": {"content": text}, "finish_reason": None})
        elif self._asked.form == "diarized_json":
            for segment in _diarized(self._asked, self._said):
                delta = {"type": "transcript.text.delta", "delta": segment["text"], "segment_id": segment["id"]}
                yield delta
                yield segment
        else:
            tokens = _tokens(self._said)
            for text, token in zip(texts, tokens, strict=True):
                more = {"logprobs": [token]} if self._asked.log_probabilities else {}
                yield {"type": "transcript.text.delta", "delta": text, **more}

    def _end(self) -> Iterator[dict[str, Any]]:
        if self._server.streams_transcripts == "chunks":
            yield self._chunk({"delta": {"content": ""}, "finish_reason": "stop"})
            return
        done: dict[str, Any] = {"type": "transcript.text.done", "text": text_of(self._said)}
        if self._asked.log_probabilities:
            done["logprobs"] = _tokens(self._said)
        if self._asked.model.counts_tokens:
            done["usage"] = _usage(self._asked, self._said)
        yield done

    def _chunk(self, choice: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": "trsc-1", "object": "transcription.chunk", "created": 1_790_000_000, "model": "whisper",
            "choices": [choice],
        }  # fmt: skip

    async def _event(self, send: Send, event: dict[str, Any] | None) -> None:
        text = "[DONE]" if event is None else json.dumps(event, ensure_ascii=False, separators=(",", ":"))
        data = f"data: {text}{self._server.line_end * 2}".encode()
        await send({"type": "http.response.body", "body": data, "more_body": True})
