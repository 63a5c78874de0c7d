"""The offline voice over a port, judged by the `openai` package: every format, as it comes, with the times of words."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import jiwer
import numpy as np
import openai
import pytest
import soundfile
from openai_server.listening import UvicornThread
from ports import new_listener

from nbaudio.engine.app import create_app
from nbaudio.engine.parts import engine
from nbaudio.sound import codecs

pytestmark = pytest.mark.offline
TEXT = "The museum opens early in the morning, and closes late. Would you like to come?"
RATE = 24_000


@pytest.fixture(scope="module")
def client() -> Iterator[openai.OpenAI]:
    listener = new_listener()
    server = UvicornThread(create_app(engine()))
    server.start(listener)
    try:
        base_url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        with openai.OpenAI(base_url=base_url, api_key="none", max_retries=0) as client:
            yield client
    finally:
        server.stop()


def speak(client: openai.OpenAI, text: str = TEXT, **options: Any) -> Any:
    return client.audio.speech.create(**{"model": "offline", "voice": "marin", "input": text, **options})


def events_of(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line.removeprefix("data: ")) for line in data.decode().splitlines() if line]


@pytest.mark.parametrize(
    ("audio_format", "kind"),
    [("mp3", "mpeg"), ("opus", "ogg"), ("flac", "flac"), ("wav", "wav"), ("pcm", "pcm")],
)
def test_every_format_says_the_words(client: openai.OpenAI, audio_format: str, kind: str) -> None:
    answer = speak(client, response_format=audio_format)

    assert answer.response.headers["content-type"] == f"audio/{kind}"
    if audio_format == "pcm":
        samples, rate = codecs.pcm16_to_samples(answer.content), RATE
    else:
        samples, rate = codecs.decode(codecs.repair_wav(answer.content))
    said = engine().listener.hear(codecs.resample(samples, rate, 16_000)[:, 0])
    assert jiwer.wer(plain(TEXT), plain(said)) < 0.1
    if audio_format in ("wav", "flac", "pcm"):
        assert codecs.samples_to_pcm16(samples) == codecs.samples_to_pcm16(engine().speaker.speak(TEXT, "marin"))


def test_without_a_format_it_is_mp3(client: openai.OpenAI) -> None:
    assert soundfile.info(BytesIO(speak(client, "Hello.").content)).format == "MP3"


@pytest.mark.parametrize("audio_format", ["pcm", "wav"])
def test_bare_sound_comes_while_it_is_made(client: openai.OpenAI, audio_format: str) -> None:
    text = " ".join([TEXT] * 20)
    options: dict[str, Any] = {"model": "offline", "voice": "ash", "input": text, "response_format": audio_format}
    begun = time.perf_counter()
    with client.audio.speech.with_streaming_response.create(**options) as answer:
        pieces = answer.iter_bytes()
        first, first_s = next(pieces), time.perf_counter() - begun
        whole = first + b"".join(pieces)
    assert first_s < (time.perf_counter() - begun) / 3
    assert whole[44 * (audio_format == "wav") :] == codecs.samples_to_pcm16(engine().speaker.speak(text, "ash"))
    if audio_format == "wav":
        assert whole[4:8] == whole[40:44] == b"\xff" * 4


def test_events_are_the_protocols_with_the_times_of_words(client: openai.OpenAI) -> None:
    *deltas, done = events_of(speak(client, response_format="pcm", stream_format="sse").content)

    assert {event["type"] for event in deltas} == {"speech.audio.delta"}
    pcm16 = b"".join(base64.b64decode(event["audio"], validate=True) for event in deltas)
    assert pcm16 == codecs.samples_to_pcm16(engine().speaker.speak(TEXT, "marin"))
    seconds = len(pcm16) / 2 / RATE
    assert done["type"] == "speech.audio.done"
    assert done["usage"]["output_tokens"] == pytest.approx(20 * seconds, abs=1)
    assert done["usage"]["total_tokens"] == done["usage"]["input_tokens"] + done["usage"]["output_tokens"]
    words = [word for event in deltas for word in event.get("words", [])]
    assert [word["word"] for word in words] == TEXT.split()
    edges = [edge for word in words for edge in (word["start"], word["end"])]
    assert edges == sorted(edges)
    assert seconds - 0.7 < edges[-1] < seconds


def test_events_in_another_format(client: openai.OpenAI) -> None:
    *deltas, _ = events_of(speak(client, response_format="mp3", stream_format="sse").content)
    data = b"".join(base64.b64decode(event["audio"]) for event in deltas)
    assert soundfile.info(BytesIO(data)).format == "MP3"
    assert len(deltas[0]["words"]) == len(TEXT.split())
    assert all("words" not in event for event in deltas[1:])


@pytest.mark.parametrize("speed", [0.25, 0.5, 2.0, 4.0])
def test_speed(client: openai.OpenAI, speed: float) -> None:
    usual, other = (len(speak(client, response_format="pcm", speed=s).content) for s in (1.0, speed))
    assert other * speed / usual == pytest.approx(1, rel=0.1)


def test_voices_differ(client: openai.OpenAI) -> None:
    sounds = {voice: speak(client, "Hello.", voice=voice, response_format="pcm").content for voice in ("onyx", "nova")}
    assert sounds["onyx"] != sounds["nova"]


@pytest.mark.parametrize(
    ("options", "said", "param", "code"),
    [
        ({"model": "tts-1"}, "has one model, `offline`", "model", "model_not_found"),
        ({"input": None}, "Missing required parameter: 'input'.", "input", "missing_required_parameter"),
        ({"input": 5}, "'input' is a text", "input", "invalid_type"),
        ({"input": "x" * 4097}, "'string_too_long', 'loc': ('body', 'input')", None, None),
        ({"input": "🙂"}, "nothing in this text that the offline voice can say", "input", "invalid_value"),
        ({"input": ""}, "nothing in this text that the offline voice can say", "input", "invalid_value"),
        ({"input": "Quelle est la meilleure race de chien ?"}, "English only", "input", "unsupported_language"),
        ({"voice": None}, "Missing required parameter: 'voice'.", "voice", "missing_required_parameter"),
        ({"voice": "bob"}, "Invalid value: 'bob'. Supported values are: 'alloy'", "voice", "invalid_value"),
        ({"voice": {"id": "voice_1"}}, "Invalid value: {'id': 'voice_1'}", "voice", "invalid_value"),
        (
            {"response_format": "aac"},
            "Invalid value: 'aac'. Supported",
            "response_format",
            "invalid_value",
        ),
        ({"speed": 4.1}, "'speed' is a number from 0.25 to 4.0", "speed", "invalid_value"),
        ({"speed": True}, "'speed' is a number", "speed", "invalid_value"),
        ({"stream_format": "x"}, "Invalid value: 'x'. Supported", "stream_format", "invalid_value"),
        ({"instructions": "Calm."}, "can't follow instructions", "instructions", "unsupported_parameter"),
    ],
)
def test_what_can_not_be_done_is_refused(
    client: openai.OpenAI, options: dict[str, Any], said: str, param: str | None, code: str | None
) -> None:
    with pytest.raises(openai.APIStatusError) as refused:
        speak(client, **({"text": options["input"]} if "input" in options else options))

    assert said in refused.value.message
    assert (refused.value.param, refused.value.code) == (param, code)
    assert refused.value.status_code == (404 if "model" in options else 400)


def test_4096_code_points_are_not_too_many(client: openai.OpenAI) -> None:
    text = ("Yes 🙂 " * 1000)[:4096]
    assert len(speak(client, text, speed=4.0, response_format="pcm").content) > RATE


def test_unknown_fields_are_ignored(client: openai.OpenAI) -> None:
    assert speak(client, "Hello.", extra_body={"lang": "en"}).content


@pytest.mark.parametrize("body", [b"", b"[]", b'"x"', b"{", b"[" * 100_000])
def test_a_body_that_is_none(client: openai.OpenAI, body: bytes) -> None:
    http = client._client  # the client has no way to send such a body itself
    answer = http.post(f"{client.base_url}audio/speech", content=body)
    assert answer.status_code == 400
    assert "error" in answer.json()


def test_many_at_once_say_what_one_says(client: openai.OpenAI) -> None:
    from concurrent.futures import ThreadPoolExecutor

    texts = [f"This is number {n}." for n in range(6)]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda text: speak(client, text, response_format="pcm").content, texts))
    for text, pcm16 in zip(texts, together, strict=True):
        assert np.array_equal(np.frombuffer(pcm16, "<i2"), np.frombuffer(_pcm16(text), "<i2"))


def _pcm16(text: str) -> bytes:
    return codecs.samples_to_pcm16(engine().speaker.speak(text, "marin"))


def plain(text: str) -> str:
    return "".join(c if c.isalnum() or c.isspace() else " " for c in text.lower())
