"""A request as each server takes it: sounds, fields, and when it has to be a stream."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from nbaudio.wire.dialects import dialect_of_row
from nbaudio.wire.fitting import fitted_body, fitted_message, fitted_options
from nbaudio.wire.requests import Inline, Message, Options, request_body, serialized

WAV, MP3 = b"RIFF-some-wav", b"ID3-some-mp3!"
MESSAGE = Message("user", "Listen:", ((WAV, "wav"), (MP3, "mp3")))


def sent(body: Any) -> Any:
    """What stands in the bytes that go out."""
    length, parts = serialized(body)
    text = b"".join(b"".join(part.pieces()) if isinstance(part, Inline) else part for part in parts)
    assert len(text) == length
    return json.loads(text)


@pytest.mark.parametrize(
    ("form", "first", "second"),
    [
        ("input_audio", {"type": "input_audio", "input_audio": {"data": "WAV", "format": "wav"}},
         {"type": "input_audio", "input_audio": {"data": "MP3", "format": "mp3"}}),
        ("data_url", {"type": "input_audio", "input_audio": {"data": "data:audio/wav;base64,WAV", "format": "wav"}},
         {"type": "input_audio", "input_audio": {"data": "data:audio/mpeg;base64,MP3", "format": "mp3"}}),
        ("string", {"type": "input_audio", "input_audio": "WAV"}, {"type": "input_audio", "input_audio": "MP3"}),
        ("audio_url", {"type": "audio_url", "audio_url": {"url": "data:audio/wav;base64,WAV"}},
         {"type": "audio_url", "audio_url": {"url": "data:audio/mpeg;base64,MP3"}}),
    ],
)  # fmt: skip
def test_the_form_of_sounds(form: str, first: Any, second: Any) -> None:
    dialect = dialect_of_row({"name": "mine", "sound_in": form})
    content = sent(fitted_message(MESSAGE, dialect).to_wire())["content"]
    expected = json.dumps([{"type": "text", "text": "Listen:"}, first, second])
    for mark, data in (("WAV", WAV), ("MP3", MP3)):
        expected = expected.replace(mark, base64.b64encode(data).decode())

    assert content == json.loads(expected)


def test_messages_without_sound_are_themselves() -> None:
    dialect = dialect_of_row({"name": "mine", "sound_in": "string"})
    message = Message("user", "Hello.")

    assert fitted_message(message, dialect) is message
    assert fitted_message(MESSAGE, dialect_of_row({"name": "mine"})) is MESSAGE


@pytest.mark.parametrize(
    ("streams", "stream", "aloud", "expected"),
    [
        ("as asked", False, True, False), ("as asked", True, True, True), ("aloud", False, True, True),
        ("aloud", False, False, False), ("always", False, False, True),
    ],
)  # fmt: skip
def test_when_it_has_to_be_a_stream(streams: str, stream: bool, aloud: bool, expected: bool) -> None:
    dialect = dialect_of_row({"name": "mine", "streams": streams, "stream_format": "wav"})
    options = fitted_options(Options("m", "v", stream=stream, aloud=aloud), dialect)
    body = fitted_body(request_body([MESSAGE], options), dialect)

    assert options.stream is expected
    assert body.get("stream", False) is expected
    assert body.get("audio", {}).get("format") == ("wav" if aloud else None)


def test_a_format_that_it_lacks_gives_way_to_its_first() -> None:
    dialect = dialect_of_row({"name": "mine", "audio_formats": ["wav", "mp3"]})

    assert fitted_options(Options("m", "v", audio_format="flac"), dialect).audio_format == "wav"
    assert fitted_options(Options("m", "v", audio_format="mp3"), dialect).audio_format == "mp3"


def test_fields_that_go_that_are_renamed_and_that_come() -> None:
    dialect = dialect_of_row(
        {
            "name": "mine",
            "leaves_out": ["modalities", "stream_options.include_obfuscation", "absent.too", "nothing"],
            "renames": {"max_completion_tokens": "max_tokens"},
            "extra_body": {"speech_model": "kokoro", "model": "never over what was asked for"},
        }
    )
    body = fitted_body(request_body([Message("user", "Hello.")], Options("m", "v", aloud=False)), dialect)

    assert body == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hello."}],
        "max_tokens": 2048,
        "stream": True,
        "stream_options": {"include_usage": True},
        "speech_model": "kokoro",
    }
