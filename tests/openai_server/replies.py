"""What the server answers: words, sound, tool calls and the tokens they cost, and the body they make."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from .checks import Asked

OUTPUT_TOKENS_PER_S = 20


@dataclass(frozen=True)
class ToolCall:
    """A call that the model makes: the function's name, and its arguments as a dict or as raw text."""

    name: str
    arguments: dict[str, Any] | str
    id: str = "call_Fx01"

    @property
    def arguments_text(self) -> str:
        """The arguments as they stand on the wire: JSON as text."""
        if isinstance(self.arguments, str):
            return self.arguments
        return json.dumps(self.arguments, separators=(",", ":"))


@dataclass(frozen=True)
class Spoken:
    """A spoken answer: the bytes in the requested format, and what is said in them."""

    id: str
    data: bytes | None
    transcript: str
    expires_at: int


@dataclass(frozen=True)
class Reply:
    """Everything in one answer, before it takes the shape of a body or of a stream."""

    id: str
    model: str
    created: int
    usage: dict[str, Any]
    finish_reason: str
    content: str | None = None
    refusal: str | None = None
    tool_calls: Sequence[ToolCall] = ()
    spoken: Spoken | None = None

    def to_body(self) -> dict[str, Any]:
        """The body of an answer that is not streamed."""
        choice = {
            "index": 0,
            "message": self._message(),
            "logprobs": None,
            "finish_reason": self.finish_reason,
        }
        return {**self.envelope("chat.completion"), "choices": [choice], "usage": self.usage}

    def envelope(self, kind: str) -> dict[str, Any]:
        """The fields around the choices."""
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "service_tier": "default",
            "system_fingerprint": "fp_0000000000",
        }

    def _message(self) -> dict[str, Any]:
        message: dict[str, Any] = {
            "role": "assistant",
            "content": self.content,
            "refusal": self.refusal,
            "annotations": [],
        }
        if self.tool_calls:
            message["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments_text},
                }
                for call in self.tool_calls
            ]
        if self.spoken is not None:
            message["audio"] = {
                "id": self.spoken.id,
                "expires_at": self.spoken.expires_at,
                "transcript": self.spoken.transcript,
            }
            if self.spoken.data is not None:
                message["audio"]["data"] = base64.b64encode(self.spoken.data).decode()
        return message


@dataclass(frozen=True)
class Measure:
    """What of an answer fits the limit: words, tokens of text and of sound, and why it ends."""

    words: str
    text_tokens: int
    audio_tokens: int
    finish_reason: str


def measure(words: str, duration_s: float, token_limit: int | None) -> Measure:
    """What `token_limit` leaves of an answer: a token a word, and 20 a second of sound.

    Words and sound are cut at the same place, as both come at the pace of speech; the sound is cut mid-word.
    """
    pieces = word_pieces(words) if words.strip() else []
    audio_tokens = math.ceil(duration_s * OUTPUT_TOKENS_PER_S)
    total = len(pieces) + audio_tokens
    if token_limit is None or total <= token_limit:
        return Measure(words, len(pieces), audio_tokens, "stop")
    kept = len(pieces) * token_limit // total
    return Measure("".join(pieces[:kept]).rstrip(), kept, min(audio_tokens, token_limit - kept), "length")


def word_pieces(words: str) -> list[str]:
    """The words one by one, each with the space around it: joined, they are `words` again."""
    return re.findall(r"\s*\S+\s*", words) or [words]


def usage(asked: Asked, text_tokens: int, audio_tokens: int) -> dict[str, Any]:
    """The usage object, with its details by text and by sound."""
    prompt_tokens = asked.text_tokens + asked.audio_tokens
    completion_tokens = text_tokens + audio_tokens
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "prompt_tokens_details": {
            "cached_tokens": 0,
            "audio_tokens": asked.audio_tokens,
            "text_tokens": asked.text_tokens,
            "image_tokens": 0,
        },
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": audio_tokens,
            "text_tokens": text_tokens,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def new_id(prefix: str) -> str:
    """An id unlike any other, such as ``audio_4f0c...``."""
    return prefix + uuid4().hex
