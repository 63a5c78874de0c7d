"""Requests: each shape that the protocol knows, judged by the types of the ``openai`` package and by the fixtures."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat.completion_create_params import CompletionCreateParams
from openai_server.sdk_types import validated

from nbaudio.wire.requests import Inline, Message, Options, request_body, serialized

REQUESTS = Path(__file__).parents[1] / "fixtures" / "wire" / "chat" / "requests"
ALOUD = Options("gpt-audio-1.5", "alloy")
SAY = [Message("user", "Is a golden retriever a good family dog?")]


def fixture(name: str) -> Any:
    return json.loads((REQUESTS / f"{name}.json").read_text())


def sounds(body: Any) -> list[tuple[bytes, str]]:
    """The sounds in a request, as `Message` takes them."""
    parts = [part for message in body["messages"] for part in message.get("content") or [] if isinstance(part, dict)]
    heard = [part["input_audio"] for part in parts if part["type"] == "input_audio"]
    return [(base64.b64decode(sound["data"]), sound["format"]) for sound in heard]


def as_sent(body: dict[str, Any]) -> Any:
    """What a server reads of a request."""
    length, parts = serialized(body)
    data = b"".join(b"".join(part.pieces()) if isinstance(part, Inline) else part for part in parts)
    assert len(data) == length
    return json.loads(data)


def test_text_in_and_sound_out() -> None:
    expected = fixture("text_to_audio")
    body = request_body(
        [Message(m["role"], m["content"]) for m in expected["messages"]],
        Options(expected["model"], expected["audio"]["voice"], stream=False, audio_format=expected["audio"]["format"]),
    )

    same = set(expected) & set(body) - {"max_completion_tokens"}
    assert {"model", "modalities", "audio", "messages"} <= same
    assert {name: body[name] for name in same} == {name: expected[name] for name in same}


def test_sound_in_and_text_out() -> None:
    expected = fixture("audio_to_text")
    texts = [part["text"] for part in expected["messages"][-1]["content"] if part["type"] == "text"]

    body = request_body(
        [Message("user", texts[0] if texts else "", tuple(sounds(expected)))],
        Options(expected["model"], "alloy", aloud=False, stream=False),
    )

    assert as_sent(body)["messages"][-1] == expected["messages"][-1]
    assert body["modalities"] == ["text"]
    assert "audio" not in body


def test_an_earlier_answer_goes_back_as_its_id_alone() -> None:
    expected = fixture("multi_turn_by_audio_id")
    (earlier,) = [message for message in expected["messages"] if message["role"] == "assistant"]

    assert Message("assistant", "its words", audio_id=earlier["audio"]["id"]).to_wire() == earlier


def test_or_as_its_words() -> None:
    expected = fixture("multi_turn_expired_fallback")
    (earlier,) = [message for message in expected["messages"] if message["role"] == "assistant"]

    assert Message("assistant", earlier["content"]).to_wire() == earlier


def test_a_custom_voice_is_an_object() -> None:
    expected = fixture("custom_voice")

    body = request_body(SAY, Options(expected["model"], expected["audio"]["voice"]["id"]))

    assert body["audio"]["voice"] == expected["audio"]["voice"]


def test_a_stream_is_always_pcm16_and_says_its_usage() -> None:
    body = request_body(SAY, Options("gpt-audio-1.5", "alloy", audio_format="mp3"))

    assert body["stream"] is True
    assert body["audio"]["format"] == "pcm16"
    assert body["stream_options"] == {"include_usage": True, "include_obfuscation": False}


def test_a_whole_answer_has_the_format_that_was_asked_for() -> None:
    body = request_body(SAY, Options("gpt-audio-1.5", "alloy", stream=False, audio_format="mp3"))

    assert body["audio"]["format"] == "mp3"
    assert "stream" not in body
    assert "stream_options" not in body


def test_instructions_come_first_and_only_where_there_are_some() -> None:
    told = request_body(SAY, Options("m", "v", instructions="Be brief."))["messages"]

    assert told[0] == {"role": "system", "content": "Be brief."}
    assert request_body(SAY, ALOUD)["messages"] == told[1:]


@pytest.mark.parametrize(
    ("temperature", "sent"), [(None, {}), (0.0, {"temperature": 0.0}), (1.2, {"temperature": 1.2})]
)
def test_a_temperature_is_sent_where_there_is_one(temperature: float | None, sent: dict[str, float]) -> None:
    body = request_body(SAY, Options("m", "v", temperature=temperature))

    assert {name: value for name, value in body.items() if name == "temperature"} == sent


MESSAGES = st.one_of(
    st.builds(Message, st.just("user"), st.text(max_size=20)),
    st.builds(
        Message,
        st.just("user"),
        st.text(max_size=20),
        st.lists(st.tuples(st.binary(max_size=30), st.sampled_from(["wav", "mp3"])), min_size=1, max_size=3).map(tuple),
    ),
    st.builds(Message, st.just("assistant"), st.text(min_size=1, max_size=20)),
    st.builds(Message, st.just("assistant"), st.just(""), st.just(()), st.text(min_size=1, max_size=20)),
)
OPTIONS = st.builds(
    Options,
    model=st.text(min_size=1, max_size=10),
    voice=st.text(min_size=1, max_size=10) | st.just("voice_123"),
    aloud=st.booleans(),
    stream=st.booleans(),
    audio_format=st.sampled_from(["wav", "mp3", "flac", "opus", "pcm16"]),
    instructions=st.text(max_size=10),
    max_completion_tokens=st.integers(1, 16_384),
    temperature=st.none() | st.floats(0, 2),
)


@given(st.lists(MESSAGES, min_size=1, max_size=4), OPTIONS)
def test_every_request_is_one_that_the_official_client_sends(messages: list[Message], options: Options) -> None:
    body = as_sent(request_body(messages, options))

    validated(CompletionCreateParams, body)
    assert sounds(body) == [sound for message in messages if not message.audio_id for sound in message.sounds]
    assert ("audio" in body) is options.aloud


def test_long_sound_is_the_base64_of_the_whole_whatever_its_pieces_are() -> None:
    sound = bytes(range(256)) * 8_000 + b"!"  # over two pieces, and no multiple of three
    body = request_body([Message("user", "", ((sound, "wav"),))], ALOUD)

    assert sounds(as_sent(body)) == [(sound, "wav")]
    assert len(list(Inline(sound).pieces())) == 3


def test_a_sound_that_lies_somewhere_is_read_while_it_is_sent() -> None:
    class Lying:
        read: ClassVar[list[int]] = []

        def __len__(self) -> int:
            return 2_000_001

        def blocks(self, size: int) -> Iterator[bytes]:
            for start in range(0, len(self), size):
                self.read.append(start)
                yield b"s" * min(size, len(self) - start)

    lying = Lying()
    body = request_body([Message("user", "", ((lying, "wav"),))], ALOUD)
    length, parts = serialized(body)
    assert lying.read == []
    inline = next(part for part in parts if isinstance(part, Inline))
    pieces = inline.pieces()
    next(pieces)
    assert lying.read == [0]
    assert len(list(pieces)) == 2
    assert sounds(as_sent(body)) == [(b"s" * 2_000_001, "wav")]
    assert length > 2_000_001
