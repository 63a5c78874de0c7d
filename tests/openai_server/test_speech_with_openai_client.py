"""Text to speech of the loopback server, judged by the official client."""

from __future__ import annotations

import base64
import json
from io import BytesIO
from typing import Any

import numpy as np
import openai
import pytest
import soundfile

from .gate import Gate
from .server import OpenAIServer
from .speech import LONGEST, MIME

TEXT = "Hello from a notebook."


def speak(client: openai.OpenAI, **options: Any) -> Any:
    return client.audio.speech.create(**{"model": "gpt-4o-mini-tts", "voice": "coral", "input": TEXT, **options})


def events_of(data: bytes) -> list[dict[str, Any]]:
    lines = data.decode().splitlines()
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


@pytest.mark.parametrize("audio_format", ["mp3", "opus", "flac", "wav", "pcm"])
def test_every_format(server: OpenAIServer, client: openai.OpenAI, audio_format: str) -> None:
    answer = speak(client, response_format=audio_format)

    assert answer.response.headers["content-type"] == MIME[audio_format]
    expected = server.speech(TEXT)
    if audio_format == "pcm":
        samples = np.frombuffer(answer.content, "<i2").astype(np.float32)[:, np.newaxis] / 32768
    elif audio_format == "wav":
        assert answer.content[4:8] == answer.content[40:44] == b"\xff" * 4
        samples = np.frombuffer(answer.content[44:], "<i2").astype(np.float32)[:, np.newaxis] / 32768
    else:
        samples, rate = soundfile.read(BytesIO(answer.content), dtype="float32", always_2d=True)
        assert rate == 24_000
    if audio_format in ("mp3", "opus"):
        assert len(samples) == pytest.approx(len(expected), abs=2500)
    else:
        assert np.array_equal(samples, expected)


def test_without_a_format_it_is_mp3(client: openai.OpenAI) -> None:
    assert speak(client).response.headers["content-type"] == "audio/mpeg"


def test_sound_comes_while_it_is_made(server: OpenAIServer, client: openai.OpenAI) -> None:
    server.gate = Gate(1)
    options: dict[str, Any] = {"model": "tts-1", "voice": "nova", "input": TEXT, "response_format": "pcm"}
    with client.audio.speech.with_streaming_response.create(**options) as answer:
        pieces = answer.iter_bytes()
        first = next(pieces)
        server.gate.wait_until_held()
        server.gate.open()
        assert first + b"".join(pieces) == np.round(server.speech(TEXT) * 32768).astype("<i2").tobytes()


def test_events_bring_the_sound_and_the_tokens(server: OpenAIServer, client: openai.OpenAI) -> None:
    answer = speak(client, response_format="pcm", stream_format="sse")

    *deltas, done = events_of(answer.content)
    assert {event["type"] for event in deltas} == {"speech.audio.delta"}
    pcm16 = b"".join(base64.b64decode(event["audio"], validate=True) for event in deltas)
    assert pcm16 == np.round(server.speech(TEXT) * 32768).astype("<i2").tobytes()
    assert done == {
        "type": "speech.audio.done",
        "usage": {"input_tokens": 4, "output_tokens": 14, "total_tokens": 18},
    }


@pytest.mark.parametrize(
    ("options", "said", "param"),
    [
        ({"model": "gpt-9"}, "The model `gpt-9` does not exist", None),
        ({"voice": "bob"}, "Invalid value: 'bob'. Supported values are: 'alloy', 'echo'", "voice"),
        ({"voice": "marin", "model": "tts-1"}, "Invalid value: 'marin'. Supported values are: 'alloy', 'ash'", "voice"),
        ({"input": ""}, "string_too_short", None),
        ({"input": "x" * (LONGEST + 1)}, "'String should have at most 4096 characters'", None),
        ({"speed": 5}, "Invalid 'speed'", "speed"),
        ({"speed": "fast"}, "Invalid type for 'speed'", "speed"),
        ({"response_format": "ape"}, "Invalid value: 'ape'", "response_format"),
        ({"stream_format": "x"}, "Invalid value: 'x'", "stream_format"),
        ({"stream_format": "sse", "model": "tts-1"}, "does not support 'sse'", "stream_format"),
    ],
)
def test_what_the_api_refuses(client: openai.OpenAI, options: dict[str, Any], said: str, param: str | None) -> None:
    with pytest.raises(openai.APIStatusError) as refused:
        speak(client, **options)

    assert said in refused.value.message
    assert refused.value.param == param
    assert refused.value.status_code == (404 if "model" in options and options["model"] == "gpt-9" else 400)


def test_what_the_api_takes(client: openai.OpenAI) -> None:
    assert speak(client, input="é" * LONGEST, speed=0.25, instructions="Calm.", voice={"id": "voice_1"}).content
    assert speak(client, extra_body={"words": True}).content  # unknown fields are ignored


def test_a_server_without_speech(server: OpenAIServer, client: openai.OpenAI) -> None:
    server.has_speech = False

    with pytest.raises(openai.NotFoundError, match=r"Invalid URL \(POST /v1/audio/speech\)"):
        speak(client)


def test_faults_show_in_the_middle(server: OpenAIServer, client: openai.OpenAI) -> None:
    server.fail_next("cut_stream")
    with pytest.raises(openai.APIConnectionError):
        speak(client, response_format="pcm")
    server.fail_next("error_in_stream")
    assert "error" in events_of(speak(client, stream_format="sse").content)[-1]
    server.fail_next("no_done")
    assert events_of(speak(client, stream_format="sse").content)[-1]["type"] == "speech.audio.delta"
    server.fail_next("rate_limited")
    with pytest.raises(openai.RateLimitError):
        speak(client)
