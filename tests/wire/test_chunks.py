"""Chunks of sound, read in one go: what is more than that is left to the reader that takes all there is."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbaudio.wire.answers import AnswerReader, AudioDelta
from nbaudio.wire.chunks import _SHORTEST, sound_chunk

SOUND = bytes(range(250)) * 4
CHUNK: dict[str, Any] = {
    "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-audio-1.5",
    "service_tier": "default", "system_fingerprint": "fp_1", "obfuscation": "abc", "usage": None,
    "choices": [
        {
            "index": 0, "logprobs": None, "finish_reason": None,
            "delta": {
                "role": "assistant", "content": None, "refusal": None,
                "audio": {"id": "audio_1", "data": base64.b64encode(SOUND).decode()},
            },
        }
    ],
}  # fmt: skip


def test_a_chunk_as_openai_sends_them_is_read_at_once() -> None:
    found = sound_chunk(json.dumps(CHUNK))
    assert found is not None
    assert (found.pcm16, found.audio_id, found.model) == (SOUND, "audio_1", "gpt-audio-1.5")


def changed(where: str, **more: Any) -> str:
    chunk = json.loads(json.dumps(CHUNK))
    (choice,) = chunk["choices"]
    {"chunk": chunk, "choice": choice, "delta": choice["delta"], "audio": choice["delta"]["audio"]}[where].update(more)
    return json.dumps(chunk)


@pytest.mark.parametrize(
    "text",
    [
        changed("audio", transcript="So"),
        changed("audio", expires_at=1),
        changed("audio", data=base64.b64encode(SOUND).decode().rstrip("=") + "A"),
        changed("audio", data="?" * _SHORTEST),
        changed("audio", data=1, padding="A" * _SHORTEST),
        changed("delta", content="So"),
        changed("delta", refusal="No"),
        changed("delta", tool_calls=[]),
        changed("choice", finish_reason="stop"),
        changed("chunk", usage={"prompt_tokens": 1}),
        changed("chunk", error={"message": "It failed."}),
        changed("chunk", object="error"),
        changed("chunk", choices=[]),
        changed("chunk", choices=CHUNK["choices"] * 2),
        changed("chunk", model=None),
        changed("chunk", model="\ud83d"),
        json.dumps(CHUNK)[:-1],
        "[" * 100_000,
        "[DONE]",
    ],
)
def test_what_says_more_or_something_else_is_not(text: str) -> None:
    assert sound_chunk(text) is None


@given(st.lists(st.integers(1, 1500), min_size=1, max_size=6), st.booleans())
def test_pieces_that_end_within_a_group_are_cut_as_before(sizes: list[int], padded: bool) -> None:
    """Texts of any length, of which some are read at once and others are not, are the same sound."""
    text = base64.b64encode(bytes(range(256)) * 40).decode()
    reader, heard, at = AnswerReader(), b"", 0
    for size in sizes:
        piece = (
            text[at : at + size] if not padded else base64.b64encode(base64.b64decode(text)[at : at + size]).decode()
        )
        at += size
        chunk = changed("audio", data=piece)
        for event in reader.take_chunk(reader.sound_in(chunk) or json.loads(chunk)):
            assert isinstance(event, AudioDelta)
            heard += event.pcm16
    sound = base64.b64decode(text)
    assert heard == sound[: len(heard)]
    whole = at if padded else at * 3 // 4
    assert len(heard) >= whole - 4
