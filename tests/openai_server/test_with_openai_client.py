"""The five ways in and out, turns by audio id, tools, limits: whole answers, judged by the official client."""

from __future__ import annotations

import base64
import struct
from io import BytesIO
from typing import Any

import numpy as np
import openai
import pytest
import soundfile

from .asking import MODEL, SPEAK, ask, ask_streamed, sound_of, sound_part, transcript_of, user
from .replies import ToolCall
from .server import OpenAIServer

QUESTION = "Is a golden retriever a good family dog?"
ANSWER = "Yes, they are loyal and gentle."
TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}

WAYS_OUT_ALOUD = [
    pytest.param((QUESTION,), id="text"),
    pytest.param((sound_part(),), id="audio"),
    pytest.param((QUESTION, sound_part("mp3")), id="text-and-audio"),
]
WAYS_OUT_IN_TEXT = WAYS_OUT_ALOUD[1:]


@pytest.mark.parametrize("parts", WAYS_OUT_ALOUD)
def test_an_answer_aloud_has_words_and_sound(
    server: OpenAIServer, client: openai.OpenAI, parts: tuple[Any, ...]
) -> None:
    answer = ask(client, user(*parts), **SPEAK)

    message = answer.choices[0].message
    assert message.content is None
    assert message.audio is not None
    assert message.audio.transcript == ANSWER
    assert message.audio.expires_at == answer.created + 3600
    assert answer.choices[0].finish_reason == "stop"
    wav = base64.b64decode(message.audio.data, validate=True)
    assert np.array_equal(samples_of_unsized_wav(wav), server.sound(ANSWER))


@pytest.mark.parametrize("parts", WAYS_OUT_ALOUD)
def test_a_streamed_answer_aloud_has_words_and_sound(
    server: OpenAIServer, client: openai.OpenAI, parts: tuple[Any, ...]
) -> None:
    chunks = ask_streamed(client, user(*parts))

    assert transcript_of(chunks) == ANSWER
    samples = np.frombuffer(sound_of(chunks), "<i2").astype(np.float32) / 32768
    assert np.array_equal(samples[:, np.newaxis], server.sound(ANSWER))


@pytest.mark.parametrize("options", [{}, {"modalities": ["text"]}], ids=["default", "asked"])
@pytest.mark.parametrize("parts", WAYS_OUT_IN_TEXT)
def test_an_answer_in_text_has_no_sound(client: openai.OpenAI, parts: tuple[Any, ...], options: dict[str, Any]) -> None:
    answer = ask(client, user(*parts), **options)

    assert answer.choices[0].message.content == ANSWER
    assert answer.choices[0].message.audio is None
    assert answer.choices[0].finish_reason == "stop"


@pytest.mark.parametrize("parts", WAYS_OUT_IN_TEXT)
def test_a_streamed_answer_in_text_ends_with_stop(client: openai.OpenAI, parts: tuple[Any, ...]) -> None:
    chunks = ask_streamed(client, user(*parts), modalities=["text"], audio=None)

    choices = [chunk.choices[0] for chunk in chunks]
    assert (choices[0].delta.role, choices[0].delta.content) == ("assistant", "")
    assert "".join(choice.delta.content or "" for choice in choices) == ANSWER
    assert [choice.finish_reason for choice in choices] == [None] * (len(choices) - 1) + ["stop"]
    assert all(choice.delta.audio is None for choice in choices)


@pytest.mark.parametrize("audio_format", ["wav", "mp3", "flac", "opus", "pcm16"])
def test_the_sound_comes_in_the_format_asked_for(
    server: OpenAIServer, client: openai.OpenAI, audio_format: str
) -> None:
    answer = ask(client, user(QUESTION), **{**SPEAK, "audio": {"voice": "ash", "format": audio_format}})

    assert answer.choices[0].message.audio is not None
    data = base64.b64decode(answer.choices[0].message.audio.data, validate=True)
    magic = {"wav": b"RIFF", "flac": b"fLaC", "opus": b"OggS"}.get(audio_format, data[:4])
    assert data[:4] == magic
    samples, sample_rate = decoded(data, audio_format)
    expected = server.sound(ANSWER)
    assert sample_rate == 24_000
    if audio_format in ("mp3", "opus"):
        assert len(samples) == pytest.approx(len(expected), abs=2500)
        assert strongest_hz(samples) == pytest.approx(strongest_hz(expected), rel=0.1)
    else:
        assert np.array_equal(samples, expected)


def test_other_words_sound_different(server: OpenAIServer, client: openai.OpenAI) -> None:
    server.words = lambda body: f"You said: {body['messages'][-1]['content']}"

    answer = ask(client, user("Hello"), **SPEAK)

    assert answer.choices[0].message.audio is not None
    assert answer.choices[0].message.audio.transcript == "You said: Hello"
    wav = base64.b64decode(answer.choices[0].message.audio.data)
    assert np.array_equal(samples_of_unsized_wav(wav), server.sound("You said: Hello"))
    assert not np.array_equal(server.sound("You said: Hello"), server.sound("You said: Bye"))


def test_tokens_are_counted_by_text_and_by_sound(client: openai.OpenAI) -> None:
    answer = ask(client, user("Two words", sound_part(duration_s=0.5)), **SPEAK)

    used = answer.usage
    assert used is not None
    assert used.prompt_tokens_details is not None
    assert used.completion_tokens_details is not None
    assert (used.prompt_tokens_details.text_tokens, used.prompt_tokens_details.audio_tokens) == (2, 5)
    assert (used.completion_tokens_details.text_tokens, used.completion_tokens_details.audio_tokens) == (6, 10)
    assert (used.prompt_tokens, used.completion_tokens, used.total_tokens) == (7, 16, 23)


def test_a_token_limit_cuts_words_and_sound(server: OpenAIServer, client: openai.OpenAI) -> None:
    answer = ask(client, user(QUESTION), **SPEAK, max_completion_tokens=8)

    assert answer.choices[0].finish_reason == "length"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 8
    assert answer.choices[0].message.audio is not None
    assert answer.choices[0].message.audio.transcript == "Yes, they are"
    samples = samples_of_unsized_wav(base64.b64decode(answer.choices[0].message.audio.data))
    assert np.array_equal(samples, server.sound(ANSWER)[: 24_000 // 4])


def test_an_earlier_answer_is_referred_to_by_its_id(server: OpenAIServer, client: openai.OpenAI) -> None:
    first = ask(client, user(QUESTION), **SPEAK)
    assert first.choices[0].message.audio is not None
    said = {"role": "assistant", "audio": {"id": first.choices[0].message.audio.id}}

    second = ask(client, user(QUESTION), said, user("Why?"), **SPEAK)

    assert second.choices[0].message.audio is not None
    assert second.choices[0].message.audio.id != first.choices[0].message.audio.id
    assert second.usage is not None
    assert second.usage.prompt_tokens_details is not None
    assert second.usage.prompt_tokens_details.audio_tokens == 10
    assert server.requests[1].body["messages"][1] == said


def test_a_streamed_answer_is_referred_to_by_its_id(client: openai.OpenAI) -> None:
    chunks = ask_streamed(client, user(QUESTION))
    ids = {
        choice.delta.audio.id
        for chunk in chunks
        for choice in chunk.choices
        if choice.delta.audio and choice.delta.audio.id
    }
    (audio_id,) = ids
    assert audio_id.startswith("audio_")

    answer = ask(client, user(QUESTION), {"role": "assistant", "audio": {"id": audio_id}}, user("Why?"), **SPEAK)

    assert answer.choices[0].finish_reason == "stop"


def test_a_tool_is_called_and_its_result_answered(server: OpenAIServer, client: openai.OpenAI) -> None:
    server.tool_call = ToolCall("get_weather", {"city": "Paris"})

    first = ask(client, user("Weather?"), **SPEAK, tools=[TOOL])

    message = first.choices[0].message
    assert first.choices[0].finish_reason == "tool_calls"
    assert message.content is None
    assert message.audio is None
    assert message.tool_calls is not None
    (call,) = (call.to_dict() for call in message.tool_calls)
    assert call["function"] == {"name": "get_weather", "arguments": '{"city":"Paris"}'}
    result = {"role": "tool", "tool_call_id": call["id"], "content": '{"temp_c":18}'}
    calling = {"role": "assistant", "content": None, "tool_calls": [call]}
    second = ask(client, user("Weather?"), calling, result, **SPEAK, tools=[TOOL])
    assert second.choices[0].finish_reason == "stop"
    assert second.choices[0].message.audio is not None


def test_no_tool_is_called_when_none_may_be(server: OpenAIServer, client: openai.OpenAI) -> None:
    server.tool_call = ToolCall("get_weather", {"city": "Paris"})

    without = ask(client, user("Weather?"), **SPEAK)
    forbidden = ask(client, user("Weather?"), **SPEAK, tools=[TOOL], tool_choice="none")

    assert {without.choices[0].finish_reason, forbidden.choices[0].finish_reason} == {"stop"}


def test_the_models_are_listed_with_their_last_day(client: openai.OpenAI) -> None:
    models = {model.id: model.shutdown_date for model in client.models.list()}

    assert models == {MODEL: None, "gpt-audio": "2027-01-20", "gpt-audio-mini": "2027-01-20"}


def test_requests_are_recorded_and_headers_come_back(server: OpenAIServer, client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model=MODEL,
        messages=[{"role": "user", "content": QUESTION}],
        modalities=["text", "audio"],
        audio={"voice": {"id": "voice_1234"}, "format": "wav"},
        max_completion_tokens=2048,
        metadata={"notebook": "demo"},
    )

    (recorded,) = server.requests
    assert (recorded.method, recorded.path, recorded.status) == ("POST", "/v1/chat/completions", 200)
    assert recorded.headers["authorization"] == f"Bearer {server.api_key}"
    assert recorded.body["audio"]["voice"] == {"id": "voice_1234"}
    assert recorded.answered.wait(10)
    assert not recorded.broken_off.is_set()
    assert raw.headers["x-request-id"].startswith("req_")
    assert raw.headers["x-ratelimit-remaining-requests"] == "499"


def samples_of_unsized_wav(wav: bytes) -> Any:
    """Samples of a WAV as it is on the wire, with both sizes unknown."""
    assert wav[:4] + wav[8:16] == b"RIFFWAVEfmt "
    assert struct.unpack_from("<HHIIHH", wav, 20) == (1, 1, 24_000, 48_000, 2, 16)
    assert wav[36:40] == b"data"
    assert struct.unpack_from("<I", wav, 4) == struct.unpack_from("<I", wav, 40) == (0xFFFFFFFF,)
    return np.frombuffer(wav[44:], "<i2").astype(np.float32)[:, np.newaxis] / 32768


def decoded(data: bytes, audio_format: str) -> tuple[Any, int]:
    if audio_format == "wav":
        return samples_of_unsized_wav(data), 24_000
    if audio_format == "pcm16":
        return np.frombuffer(data, "<i2").astype(np.float32)[:, np.newaxis] / 32768, 24_000
    return soundfile.read(BytesIO(data), dtype="float32", always_2d=True)  # type: ignore[no-any-return]


def strongest_hz(samples: Any) -> float:
    middle = samples[4000:8000, 0] * np.hanning(4000)
    return float(np.argmax(np.abs(np.fft.rfft(middle))) * 24_000 / 4000)
