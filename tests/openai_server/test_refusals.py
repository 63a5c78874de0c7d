"""What the server refuses, with which status, code and param, and as which exception it arrives."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import openai
import pytest

from .asking import MODEL, SPEAK, SPEAK_STREAMED, ask, sound_part, user
from .faults import error_fixture
from .server import OpenAIServer

EARLIER_ID = "audio_6a0f00000000819000000000000000a1"
QUESTION = user("Hello")
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def spoken(**options: Any) -> dict[str, Any]:
    return {"messages": [QUESTION], **SPEAK, **options}


def function(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}


def with_voice(voice: Any) -> dict[str, Any]:
    return spoken(audio={"voice": voice, "format": "wav"})


def with_message(*messages: Any) -> dict[str, Any]:
    return spoken(messages=list(messages))


def with_sound(data: str, audio_format: str = "wav") -> dict[str, Any]:
    part = {"type": "input_audio", "input_audio": {"data": data, "format": audio_format}}
    return with_message(user("Hear", part))


WAV = sound_part()["input_audio"]["data"]
MP3 = sound_part("mp3")["input_audio"]["data"]
DATA = "messages[0].content[1].input_audio.data"
FORMAT = "messages[0].content[1].input_audio.format"

REFUSED = [
    ("unknown field", spoken(voice="alloy"), "unknown_parameter", "voice"),
    ("no messages", {**SPEAK}, "missing_required_parameter", "messages"),
    ("empty messages", with_message(), "empty_array", "messages"),
    ("stream as text", spoken(stream="yes"), "invalid_type", "stream"),
    ("audio without voice", spoken(audio={"format": "wav"}), "missing_required_parameter", "audio.voice"),
    ("audio without format", spoken(audio={"voice": "ash"}), "missing_required_parameter", "audio.format"),
    ("no audio object", spoken(audio=None), "missing_required_parameter", "audio"),
    ("speed in audio", spoken(audio={**SPEAK["audio"], "speed": 2}), "unknown_parameter", "audio.speed"),  # type: ignore[dict-item]
    ("unknown voice", with_voice("definitely fuzzy"), "invalid_value", "audio.voice"),
    ("voice of no id", with_voice({"id": "alloy"}), "invalid_value", "audio.voice"),
    ("aac", spoken(audio={"voice": "ash", "format": "aac"}), "invalid_value", "audio.format"),
    ("stream of wav", spoken(stream=True), "unsupported_value", "audio.format"),
    ("video", spoken(modalities=["text", "video"]), "invalid_value", "modalities[1]"),
    ("audio alone", spoken(modalities=["audio"]), "invalid_value", "modalities"),
    ("no audio at all", {"messages": [QUESTION]}, "invalid_value", "model"),
    ("hot", spoken(temperature=2.5), "decimal_above_max_value", "temperature"),
    ("no tokens", spoken(max_completion_tokens=0), "integer_below_min_value", "max_completion_tokens"),
    ("many tokens", spoken(max_completion_tokens=16_385), "invalid_value", "max_completion_tokens"),
    ("two answers", spoken(n=2), "unsupported_value", "n"),
    ("json schema", spoken(response_format={"type": "json_schema", "json_schema": {"name": "a"}}), None, None),
    ("options of no stream", spoken(stream_options={"include_usage": True}), None, "stream_options"),
    ("choice of no tool", spoken(tool_choice="auto"), None, "tool_choice"),
    ("tool of bad name", spoken(tools=[function("get weather")]), "invalid_value", "tools[0].function.name"),
    ("tool not in a function", spoken(tools=[{"type": "function", "name": "f"}]), "invalid_type", "tools[0].function"),
    ("unknown choice", spoken(tools=[function("f")], tool_choice="any"), "invalid_value", "tool_choice"),
    (
        "usage as text",
        {**spoken(), **SPEAK_STREAMED, "stream_options": {"include_usage": "yes"}},
        "invalid_type",
        "stream_options.include_usage",
    ),
    (
        "arguments as an object",
        with_message({"role": "assistant", "tool_calls": [{**CALL, "function": {"name": "f", "arguments": {}}}]}),
        "invalid_type",
        "messages[0].tool_calls[0].function.arguments",
    ),
    ("ogg sent", with_sound(WAV, "ogg"), "invalid_value", FORMAT),
    ("data url", with_sound(f"data:audio/wav;base64,{WAV}"), "invalid_value", DATA),
    ("broken base64", with_sound(WAV[:-1]), "invalid_value", DATA),
    ("not a sound", with_sound(base64.b64encode(b"hello" * 99).decode()), "invalid_value", DATA),
    ("wav header only", with_sound(base64.b64encode(b"RIFF\0\0\0\0WAVE").decode()), "invalid_value", DATA),
    ("mp3 called wav", with_sound(MP3, "wav"), "invalid_value", DATA),
    ("wav called mp3", with_sound(WAV, "mp3"), "invalid_value", DATA),
    ("role of old", with_message({"role": "model", "content": "x"}), "invalid_value", "messages[0].role"),
    ("field of ours", with_message({**QUESTION, "at": 1}), "unknown_parameter", "messages[0].at"),
    ("no content", with_message({"role": "user"}), None, "messages.[0].content"),
    (
        "sound in a system message",
        with_message({"role": "system", "content": [sound_part()]}),
        "invalid_value",
        "messages[0].content[0].type",
    ),
    (
        "sound in an assistant message",
        with_message(QUESTION, {"role": "assistant", "content": [sound_part()]}),
        "invalid_value",
        "messages[1].content[0].type",
    ),
    (
        "transcript beside an id",
        with_message({"role": "assistant", "audio": {"id": EARLIER_ID, "transcript": "Yes."}}),
        "unknown_parameter",
        "messages[0].audio.transcript",
    ),
    (
        "data in the place of an id",
        with_message({"role": "assistant", "audio": {"data": WAV}}),
        "unknown_parameter",
        "messages[0].audio.data",
    ),
    (
        "unknown id",
        with_message(QUESTION, {"role": "assistant", "audio": {"id": EARLIER_ID}}),
        "audio_not_found",
        "content.messages[1].audio.id",
    ),
    (
        "result of no call",
        with_message({"role": "tool", "tool_call_id": "call_1", "content": "1"}),
        None,
        "messages.[0].role",
    ),
    (
        "call of no result",
        with_message(QUESTION, {"role": "assistant", "tool_calls": [CALL]}, QUESTION),
        None,
        "messages.[2].role",
    ),
]


@pytest.mark.parametrize(("request_body", "code", "param"), [pytest.param(*row, id=name) for name, *row in REFUSED])
def test_a_bad_request_is_refused_with_its_reason(
    client: openai.OpenAI, request_body: dict[str, Any], code: str | None, param: str | None
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.post("/chat/completions", body={"model": MODEL, **request_body}, cast_to=object)

    error = refused.value
    assert (error.code, error.param, error.type) == (code, param, "invalid_request_error")
    assert error.request_id is not None
    assert set(error.body) == {"message", "type", "param", "code"}  # type: ignore[call-overload]
    assert error.response.headers["content-type"] == "application/json"


SAME_AS_FIXTURE = [
    ("audio_id_not_found", with_message(QUESTION, {"role": "assistant", "audio": {"id": EARLIER_ID}})),
    ("json_schema_unsupported", spoken(response_format={"type": "json_schema"})),
    ("missing_voice", spoken(audio={"format": "wav"})),
    ("model_not_found", spoken(model="gpt-4o-audio-preview")),
    ("stream_needs_pcm16", spoken(stream=True)),
    ("text_only_request", {"messages": [QUESTION]}),
    ("unknown_voice", with_voice("definitely fuzzy")),
]


@pytest.mark.parametrize(("name", "request_body"), SAME_AS_FIXTURE, ids=[name for name, _ in SAME_AS_FIXTURE])
def test_a_refusal_is_word_for_word_the_fixture(client: openai.OpenAI, name: str, request_body: dict[str, Any]) -> None:
    expected = error_fixture(name)

    with pytest.raises(openai.APIStatusError) as refused:
        client.post("/chat/completions", body={"model": MODEL, **request_body}, cast_to=object)

    assert refused.value.status_code == expected.status
    assert refused.value.response.json() == expected.body


def test_an_unknown_model_is_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        ask(client, QUESTION, **SPEAK, model="gpt-4o-audio-preview")

    assert refused.value.code == "model_not_found"


def test_a_wrong_key_is_refused_with_an_echo_of_it(server: OpenAIServer, client: openai.OpenAI) -> None:
    with pytest.raises(openai.AuthenticationError) as refused:
        ask(client.with_options(api_key="sk-proj-wrong-key-9876"), QUESTION, **SPEAK)

    assert refused.value.code == "invalid_api_key"
    assert "sk-proj-****9876" in refused.value.message
    assert refused.value.response.headers["content-type"] == "text/plain"
    assert server.requests[0].status == 401


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer"}], ids=["none", "empty"])
def test_a_missing_key_is_refused(server: OpenAIServer, headers: dict[str, str]) -> None:
    answer = post(server, b"{}", headers)

    assert answer.status_code == 401
    assert answer.headers["content-type"] == "text/plain"
    assert answer.json()["error"]["message"].startswith("You didn't provide an API key.")


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"model=gpt-audio"])
def test_a_body_that_is_not_json_is_refused(server: OpenAIServer, body: bytes) -> None:
    answer = post(server, body, {"Authorization": f"Bearer {server.api_key}"})

    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith("We could not parse the JSON body of your request.")


def test_an_unknown_address_is_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match=r"Invalid URL \(POST /v1/responses\)"):
        client.post("/responses", body={}, cast_to=object)


def test_an_expired_id_is_not_found(server: OpenAIServer, client: openai.OpenAI) -> None:
    now = [1_795_371_654.0]
    server.clock = lambda: now[0]
    first = ask(client, QUESTION, **SPEAK)
    assert first.choices[0].message.audio is not None
    audio_id = first.choices[0].message.audio.id
    history = (QUESTION, {"role": "assistant", "audio": {"id": audio_id}}, user("Why?"))

    now[0] += 3599
    assert ask(client, *history, **SPEAK).choices[0].finish_reason == "stop"
    now[0] += 1
    with pytest.raises(openai.BadRequestError) as refused:
        ask(client, *history, **SPEAK)

    assert (refused.value.code, refused.value.param) == ("audio_not_found", "content.messages[1].audio.id")
    assert f"Assistant audio {audio_id} not found." in refused.value.message


def test_an_id_belongs_to_its_model(client: openai.OpenAI) -> None:
    first = ask(client, QUESTION, **SPEAK)
    assert first.choices[0].message.audio is not None
    said = {"role": "assistant", "audio": {"id": first.choices[0].message.audio.id}}

    with pytest.raises(openai.BadRequestError) as refused:
        ask(client, QUESTION, said, user("Why?"), **SPEAK, model="gpt-audio-mini")

    assert refused.value.code == "audio_not_found"


def test_a_refusal_in_the_place_of_a_stream_is_no_stream(client: openai.OpenAI) -> None:
    options = {**SPEAK_STREAMED, "audio": {"voice": "nobody", "format": "pcm16"}}

    with pytest.raises(openai.BadRequestError) as refused:
        client.post("/chat/completions", body={"model": MODEL, "messages": [QUESTION], **options}, cast_to=object)

    assert refused.value.response.headers["content-type"] == "application/json"


def post(server: OpenAIServer, body: bytes, headers: dict[str, str]) -> httpx.Response:
    with httpx.Client(trust_env=False, verify=False) as http:
        return http.post(f"{server.base_url}/chat/completions", content=body, headers=headers)
