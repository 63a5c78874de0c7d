"""nbaudio as a client, judged by `@copilotkit/aimock`: somebody else's server, which knows text and no sound."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from nodejs import install, node

import nbaudio as nba
from nbaudio import errors
from nbaudio.turns import Reply

from .children import Child

FOLDER = Path(__file__).parent / "aimock"
KEY = "Vh3Pz7Tq9Bm1Yc5Ls8Rd"
QUESTION = nba.Clip([0.0, 0.3, 0.0, -0.3] * 1000, sample_rate=8000)  # its journal keeps bodies up to 64 KB only


class AiMock:
    """The server; what it answers is told to it, and what it was asked it tells."""

    def __init__(self, url: str) -> None:
        self.url = url

    def answer(self, *fixtures: dict[str, Any]) -> None:
        """Have it answer so; see its documentation for what a fixture may say."""
        self._ask("POST", "fixtures", json={"fixtures": list(fixtures)})

    def requests(self) -> list[dict[str, Any]]:
        """What it was asked, and how it answered."""
        journal: list[dict[str, Any]] = self._ask("GET", "journal").json()
        return journal

    def reset(self) -> None:
        self._ask("POST", "reset")

    def _ask(self, method: str, what: str, **options: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {KEY}"}
        url = f"{self.url}/__aimock/{what}"
        return httpx.request(method, url, headers=headers, trust_env=False, **options).raise_for_status()


@pytest.fixture(scope="module")
def running() -> Iterator[AiMock]:
    install(FOLDER)
    program = str(FOLDER / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js")
    options = ["--port", "0", "--fixtures", str(FOLDER / "none.json")]
    child = Child([*node(), program, *options], {"AIMOCK_API_KEYS": KEY})
    try:
        (url,) = re.findall(r"http://127\.0\.0\.1:\d+", child.wait_for("listening on"))
        yield AiMock(url)
    finally:
        child.close()


@pytest.fixture
def aimock(running: AiMock, monkeypatch: pytest.MonkeyPatch) -> AiMock:
    """The server, with nothing to answer yet, which requests go to."""
    running.reset()
    monkeypatch.setenv("OPENAI_BASE_URL", f"{running.url}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("NBAUDIO_MODEL", "gpt-audio-1.5")
    monkeypatch.setenv("NBAUDIO_TRANSCRIPTION_MODEL", "gpt-transcribe")
    return running


def asked(words: str, **more: Any) -> dict[str, Any]:
    return {"endpoint": "chat", "userMessage": words, **more}


def ask(words: str = "What is asked?", **options: Any) -> Reply:
    return nba.Conversation().say(words, QUESTION, aloud=False, **options)


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
class TestAnswers:
    def test_words_and_what_they_cost(self, aimock: AiMock, stream: bool) -> None:
        usage = {"prompt_tokens": 40, "completion_tokens": 9, "total_tokens": 49}
        aimock.answer({"match": asked("What is asked"), "response": {"content": "Whether it is. é 🐕", "usage": usage}})

        reply = ask(stream=stream)

        assert reply.text == "Whether it is. é 🐕"
        assert reply.finish_reason == "stop"
        assert (reply.usage.input_tokens, reply.usage.output_tokens) == (40, 9)
        assert reply.clip is None
        (request,) = aimock.requests()
        sound = request["body"]["messages"][-1]["content"][-1]
        assert sound["type"] == "input_audio"
        assert request["body"].get("stream", False) is stream

    def test_a_conversation(self, aimock: AiMock, stream: bool) -> None:
        aimock.answer(
            {"match": asked("again", turnIndex=1), "response": {"content": "The second."}},
            {"match": asked("What is asked"), "response": {"content": "The first."}},
        )
        chat = nba.Conversation()
        chat.say("What is asked?", QUESTION, aloud=False, stream=stream)

        assert chat.say("And again?", aloud=False, stream=stream).text == "The second."
        assert aimock.requests()[1]["body"]["messages"][1]["content"] == "The first."

    def test_tools(self, aimock: AiMock, stream: bool) -> None:
        called: list[str] = []

        def weather(city: str) -> str:
            """The weather in a city."""
            called.append(city)
            return f"It rains in {city}."

        calls = [
            {"name": "weather", "arguments": '{"city": "Oslo"}', "id": "call_1"},
            {"name": "weather", "arguments": '{"city": "Rome"}', "id": "call_2"},
        ]
        aimock.answer(
            {"match": asked("weather", hasToolResult=False), "response": {"toolCalls": calls}},
            {"match": asked("weather", toolResultContains="Rome"), "response": {"content": "Rain in both."}},
        )

        reply = nba.Conversation(tools=[weather]).say("What is the weather?", QUESTION, aloud=False, stream=stream)

        assert reply.text == "Rain in both."
        assert sorted(called) == ["Oslo", "Rome"]
        results = [message for message in aimock.requests()[1]["body"]["messages"] if message["role"] == "tool"]
        assert [(result["tool_call_id"], result["content"]) for result in results] == [
            ("call_1", "It rains in Oslo."),
            ("call_2", "It rains in Rome."),
        ]

    def test_a_limit_of_requests_is_waited_for(self, aimock: AiMock, stream: bool) -> None:
        limit = {"error": {"message": "Rate limit reached", "type": "requests", "code": "rate_limit_exceeded"}}
        aimock.answer(
            {"match": asked("What", sequenceIndex=0), "response": {**limit, "status": 429, "retryAfter": 2}},
            {"match": asked("What"), "response": {"content": "Now."}},
        )

        assert ask(stream=stream).text == "Now."

        first, second = aimock.requests()
        assert (first["response"]["status"], second["response"]["status"]) == (429, 200)
        assert 2.0 <= (second["timestamp"] - first["timestamp"]) / 1000 < 4.0  # its retry-after, which is in seconds

    def test_a_fault_that_passes(self, aimock: AiMock, stream: bool) -> None:
        aimock.answer(
            {"match": asked("What", sequenceIndex=0), "response": {"error": {"message": "Oops"}, "status": 503}},
            {"match": asked("What"), "response": {"content": "Now."}},
        )

        assert ask(stream=stream).text == "Now."
        assert len(aimock.requests()) == 2


ERRORS: list[tuple[int, dict[str, Any], type[errors.ServerRefused], int]] = [
    (400, {"message": "No.", "type": "invalid_request_error", "param": "stop", "code": "invalid_value"},
     errors.BadRequest, 1),
    (400, {"message": "Invalid value: 'bob'.", "param": "audio.voice", "code": "invalid_value"},
     errors.UnknownVoice, 1),
    (401, {"message": "Incorrect API key provided: sk-a***b.", "code": "invalid_api_key"},
     errors.AuthenticationFailed, 1),
    (404, {"message": "The model `x` does not exist.", "code": "model_not_found", "param": "model"},
     errors.UnknownModel, 1),
    (413, {"message": "Maximum content size limit (26214400) exceeded"}, errors.BadRequest, 1),
    (429, {"message": "You exceeded your quota.", "type": "insufficient_quota", "code": "insufficient_quota"},
     errors.QuotaExceeded, 1),
    (500, {"message": "The server had an error.", "type": "server_error"}, errors.ServerFailed, 2),
]  # fmt: skip


@pytest.mark.parametrize(("status", "error", "kind", "requests"), ERRORS, ids=lambda value: str(value)[:20])
def test_errors(
    aimock: AiMock,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    error: dict[str, Any],
    kind: type[errors.ServerRefused],
    requests: int,
) -> None:
    monkeypatch.setenv("NBAUDIO_RETRIES", "1")
    aimock.answer({"match": asked("What"), "response": {"error": error, "status": status}})

    with pytest.raises(kind) as refused:
        ask()

    assert type(refused.value) is kind
    assert refused.value.status == status
    assert refused.value.code == error.get("code")
    assert refused.value.param == error.get("param")
    assert "sk-a" not in str(refused.value)
    assert len(aimock.requests()) == requests


def test_a_limit_that_lasts_is_told_with_its_time(aimock: AiMock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBAUDIO_RETRIES", "0")
    limit = {"message": "Rate limit reached", "type": "tokens", "code": "rate_limit_exceeded"}
    aimock.answer({"match": asked("What"), "response": {"error": limit, "status": 429}})

    with pytest.raises(errors.RateLimited) as refused:
        ask()

    # Its headers: no requests left for 1 s, no tokens for 6m0s.
    assert refused.value.next_step == "Wait 6 minutes and run the cell again."


def test_a_wait_that_nobody_has_is_not_waited(aimock: AiMock) -> None:
    limit = {"message": "Rate limit reached", "type": "requests", "code": "rate_limit_exceeded"}
    aimock.answer({"match": asked("What"), "response": {"error": limit, "status": 429, "retryAfter": 7200}})

    with pytest.raises(errors.RateLimited) as refused:
        ask()

    assert refused.value.next_step == "Wait 2 hours and run the cell again."
    assert len(aimock.requests()) == 1


def test_a_stream_that_breaks_off_keeps_what_came(aimock: AiMock) -> None:
    aimock.answer(
        {
            "match": asked("What"),
            "response": {"content": "It begins and does not end."},
            "chunkSize": 9,
            "latency": 50,  # else the connection is gone before anything has left
            "truncateAfterChunks": 3,
        }
    )

    with pytest.raises(errors.ReplyCut) as cut:
        ask()

    assert cut.value.partial is not None
    assert "It begins and does not end.".startswith(cut.value.partial.text)
    assert len(aimock.requests()) == 1  # what has begun is not asked for twice


def test_sound_it_can_not_give_and_says_so(aimock: AiMock) -> None:
    aimock.answer({"match": asked("Say it"), "response": {"audio": "AAAA"}})

    with pytest.raises(errors.RequestError) as refused:
        nba.Conversation().say("Say it.", stream=False)
    assert "audio" in str(refused.value).lower()


def test_a_key_it_does_not_know(aimock: AiMock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "Mw2Fx6Jk0Ng4Ra8Ue3Iy")
    with pytest.raises(errors.AuthenticationFailed) as refused:
        ask()
    assert "Mw2Fx6" not in str(refused.value)


def test_what_was_said_is_written_down(aimock: AiMock) -> None:
    aimock.answer(
        {"match": asked("What"), "response": {"content": "Whether it is."}},
        {
            "match": {"endpoint": "transcription"},
            "response": {"transcription": {"text": "Is it a good dog?", "usage": {"type": "duration", "seconds": 3}}},
        },
    )
    chat = nba.Conversation()
    chat.say("What is asked?", QUESTION, aloud=False)

    assert chat.transcribe() == 1

    assert chat[0].transcript == "Is it a good dog?"
    (request,) = [request for request in aimock.requests() if request["path"] == "/v1/audio/transcriptions"]
    assert request["body"]["model"] == "gpt-transcribe"


def test_a_transcription_that_fails(aimock: AiMock) -> None:
    aimock.answer(
        {"match": asked("What"), "response": {"content": "Whether it is."}},
        {
            "match": {"endpoint": "transcription"},
            "response": {"error": {"message": "Audio file might be corrupted", "param": "file"}, "status": 400},
        },
    )
    chat = nba.Conversation()
    chat.say("What is asked?", QUESTION, aloud=False)

    with pytest.raises(errors.BadRequest, match="might be corrupted"):
        chat.transcribe()


def test_a_text_is_spoken(aimock: AiMock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBAUDIO_SPEECH_MODEL", "gpt-4o-mini-tts")
    tone = QUESTION.resample(24_000)
    data = base64.b64encode(tone.encode("pcm16")).decode()
    aimock.answer({"match": {"endpoint": "speech"}, "response": {"audio": data, "format": "pcm"}})

    speech = nba.speak("Good morning.", voice="coral", instructions="Warm.", speed=1.25)

    assert speech.encode("pcm16") == tone.encode("pcm16")
    (request,) = [request for request in aimock.requests() if request["path"] == "/v1/audio/speech"]
    assert "gpt-4o-mini-tts" in str(request["body"])


def test_a_text_that_can_not_be_spoken(aimock: AiMock) -> None:
    error = {"message": "Invalid value: 'coral'.", "param": "voice", "code": "invalid_value"}
    aimock.answer({"match": {"endpoint": "speech"}, "response": {"error": error, "status": 400}})

    with pytest.raises(errors.UnknownVoice):
        nba.speak("Good morning.", voice="coral")


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_a_recording_is_written_down(aimock: AiMock, stream: bool) -> None:
    aimock.answer(
        {
            "match": {"endpoint": "transcription"},
            "response": {"transcription": {"text": "Is it a good dog?", "usage": {"type": "duration", "seconds": 3}}},
        }
    )

    if stream:
        *_, last = nba.transcribe(QUESTION, language="en", stream=True)
        assert isinstance(last, nba.Transcribed)
        found = last.transcript
    else:
        found = nba.transcribe(QUESTION, language="en")

    assert found.text == "Is it a good dog?"


@pytest.fixture
def realtime(aimock: AiMock, monkeypatch: pytest.MonkeyPatch) -> AiMock:
    monkeypatch.setenv("NBAUDIO_DIALECT", "openai")
    return aimock


def test_realtime_words_and_tools(realtime: AiMock) -> None:
    def weather(city: str) -> str:
        """The weather now."""
        return f"Rain in {city}."

    call = {"name": "weather", "arguments": '{"city": "Bern"}', "id": "call_1"}
    realtime.answer(
        {"match": {"userMessage": "weather", "sequenceIndex": 0}, "response": {"toolCalls": [call]}},
        {"match": {"userMessage": "weather"}, "response": {"content": "It rains."}},
        {"match": {"userMessage": "Hello"}, "response": {"content": "Hello, Ada."}},
    )

    with nba.Realtime(aloud=False, model="gpt-realtime-2.1", tools=[weather]) as session:
        assert session.say("Hello.").text == "Hello, Ada."
        assert session.say("How is the weather?").text == "It rains."

    assert [turn.role for turn in session.conversation] == [
        "user",
        "assistant",
        "user",
        "assistant",
        "tool",
        "assistant",
    ]
    assert session.conversation[4].text == "Rain in Bern."


def test_realtime_errors(realtime: AiMock, monkeypatch: pytest.MonkeyPatch) -> None:
    error = {"message": "The server had an error.", "type": "server_error"}
    realtime.answer({"match": {"userMessage": "Hello"}, "response": {"error": error, "status": 500}})

    session = nba.Realtime(aloud=False, model="gpt-realtime-2.1")
    with session, pytest.raises(errors.ServerFailed, match="The server had an error"):
        session.say("Hello.")

    monkeypatch.setenv("OPENAI_API_KEY", "Mw2Fx6Jk0Ng4Ra8Ue3Iy")
    with pytest.raises(errors.RequestError), nba.Realtime(model="gpt-realtime-2.1"):
        pass
