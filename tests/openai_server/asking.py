"""Requests for the tests of the server, sent with the official client and judged by its types."""

from __future__ import annotations

import base64
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import openai
import soundfile
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from .sdk_types import validated

MODEL = "gpt-audio-1.5"
SPEAK = {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}}
SPEAK_STREAMED = {
    "modalities": ["text", "audio"],
    "audio": {"voice": "alloy", "format": "pcm16"},
    "stream": True,
}


def sound_part(audio_format: str = "wav", duration_s: float = 0.5, sample_rate: int = 16_000) -> dict[str, Any]:
    """A tone as an `input_audio` part."""
    seconds = np.arange(round(duration_s * sample_rate)) / sample_rate
    file = BytesIO()
    soundfile.write(file, 0.3 * np.sin(2 * np.pi * 440 * seconds), sample_rate, format=audio_format.upper())
    data = base64.b64encode(file.getvalue()).decode()
    return {"type": "input_audio", "input_audio": {"data": data, "format": audio_format}}


def user(*parts: str | dict[str, Any]) -> dict[str, Any]:
    """A user's message: one text, or several parts."""
    if len(parts) == 1 and isinstance(parts[0], str):
        return {"role": "user", "content": parts[0]}
    content = [{"type": "text", "text": part} if isinstance(part, str) else part for part in parts]
    return {"role": "user", "content": content}


def ask(client: openai.OpenAI, *messages: dict[str, Any], **options: Any) -> ChatCompletion:
    """A whole answer, every field of which the SDK knows."""
    raw = client.chat.completions.with_raw_response.create(**_request(messages, options))
    checked: ChatCompletion = validated(ChatCompletion, raw.http_response.json())
    assert raw.parse() == checked
    return checked


def ask_streamed(client: openai.OpenAI, *messages: dict[str, Any], **options: Any) -> list[ChatCompletionChunk]:
    """All chunks of a streamed answer, every field of which the SDK knows."""
    with client.chat.completions.create(**_request(messages, {**SPEAK_STREAMED, **options})) as stream:
        return [validated(ChatCompletionChunk, chunk.to_dict(mode="python")) for chunk in stream]


def chunks_before_failure(
    client: openai.OpenAI,
    *messages: dict[str, Any],
    on_sound: Callable[[], None] = lambda: None,
) -> tuple[list[ChatCompletionChunk], openai.APIError]:
    """What came of a stream that fails, and the failure; `on_sound` is called with each piece of sound."""
    received = []
    with client.chat.completions.create(**_request(messages, SPEAK_STREAMED)) as stream:
        try:
            for chunk in stream:
                received.append(chunk)
                if sound_strings([chunk]):
                    on_sound()
        except openai.APIError as failure:
            return received, failure
    raise AssertionError(f"the stream ended well after {len(received)} chunks")


def _request(messages: tuple[dict[str, Any], ...], options: dict[str, Any]) -> Any:
    return {"model": MODEL, "messages": list(messages), **options}


def deltas(chunks: list[ChatCompletionChunk]) -> list[Any]:
    """The deltas of all chunks that have one."""
    return [choice.delta for chunk in chunks for choice in chunk.choices]


def sound_of(chunks: list[ChatCompletionChunk]) -> bytes:
    """The sound of a stream: each piece decoded on its own, joined as bytes."""
    return b"".join(base64.b64decode(data, validate=True) for data in sound_strings(chunks))


def sound_strings(chunks: list[ChatCompletionChunk]) -> list[str]:
    """The base64 pieces of a stream."""
    return [delta.audio.data for delta in deltas(chunks) if delta.audio and delta.audio.data]


def transcript_of(chunks: list[ChatCompletionChunk]) -> str:
    """The transcript of a stream."""
    return "".join(delta.audio.transcript or "" for delta in deltas(chunks) if delta.audio)


def finish_reasons(chunks: list[ChatCompletionChunk]) -> list[str]:
    """The finish reasons that are not null."""
    return [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason]
