"""The offline engine over a port, judged by the `openai` package."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import numpy as np
import openai
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai_server.listening import UvicornThread
from openai_server.sdk_types import validated
from ports import new_listener
from starlette.applications import Starlette

from nbaudio import Clip
from nbaudio.engine import answer
from nbaudio.engine.app import create_app
from nbaudio.engine.hear import Passage
from nbaudio.engine.parts import Engine, engine
from nbaudio.engine.speak import Said
from nbaudio.errors import register_secret

pytestmark = pytest.mark.offline
QUESTION = (Path(__file__).parents[2] / "notebooks" / "question.wav").read_bytes()
TEXT = "Is a golden retriever a good family dog?"


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


def recording(data: bytes = QUESTION, format: str = "wav") -> dict[str, Any]:
    return {"type": "input_audio", "input_audio": {"data": base64.b64encode(data).decode(), "format": format}}


def ask(client: openai.OpenAI, content: Any = TEXT, *, aloud: bool = True, **options: Any) -> Any:
    request: dict[str, Any] = {"model": "offline", "messages": [{"role": "user", "content": content}]}
    if aloud:
        audio_format = "pcm16" if options.get("stream") else "wav"
        request |= {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": audio_format}}
    return client.chat.completions.create(**{**request, **options})


WAYS = {
    "text to speech": (TEXT, True),
    "speech to speech": ([recording()], True),
    "speech to text": ([recording()], False),
    "both to speech": ([{"type": "text", "text": "Answer this."}, recording()], True),
    "both to text": ([{"type": "text", "text": "Answer this."}, recording()], False),
}


@pytest.mark.parametrize("way", WAYS)
def test_whole_answers_are_the_protocols(client: openai.OpenAI, way: str) -> None:
    content, aloud = WAYS[way]
    raw = client.chat.completions.with_raw_response.create(
        model="offline",
        messages=[{"role": "user", "content": content}],  # type: ignore[misc,list-item]
        modalities=["text", "audio"] if aloud else ["text"],
        **({"audio": {"voice": "nova", "format": "wav"}} if aloud else {}),  # type: ignore[arg-type]
    )
    completion = validated(ChatCompletion, raw.http_response.json())
    message = completion.choices[0].message
    assert completion.choices[0].finish_reason == "stop"
    if aloud:
        assert message.content is None
        assert message.audio.transcript
        assert time.time() + 3500 < message.audio.expires_at < time.time() + 3700
        assert Clip(base64.b64decode(message.audio.data)).duration_s > 1
        spoken = completion.usage.completion_tokens_details.audio_tokens
        assert spoken == pytest.approx(20 * Clip(base64.b64decode(message.audio.data)).duration_s, abs=5)
    else:
        assert message.content
        assert message.audio is None
    assert (completion.usage.prompt_tokens_details.audio_tokens > 0) is isinstance(content, list)


@pytest.mark.parametrize("way", WAYS)
def test_streams_are_the_protocols(client: openai.OpenAI, way: str) -> None:
    content, aloud = WAYS[way]
    chunks = list(ask(client, content, aloud=aloud, stream=True, stream_options={"include_usage": True}))
    for chunk in chunks:
        validated(ChatCompletionChunk, chunk.to_dict())
    assert chunks[-1].choices == []
    assert chunks[-1].usage.total_tokens > 0
    deltas = [chunk.choices[0].delta for chunk in chunks[:-1]]
    assert chunks[-2].choices[0].finish_reason == "stop"
    if aloud:
        audio = [delta.audio for delta in deltas if getattr(delta, "audio", None)]
        assert audio[0].id.startswith("audio_")
        assert "expires_at" in audio[-1].to_dict()
        assert len(b"".join(base64.b64decode(piece.data) for piece in audio if piece.data)) > 48_000
    else:
        assert "".join(delta.content or "" for delta in deltas)


@pytest.mark.parametrize("audio_format", ["wav", "mp3", "flac", "opus", "pcm16"])
def test_every_format(client: openai.OpenAI, audio_format: str) -> None:
    completion = ask(client, audio={"voice": "ash", "format": audio_format})
    data = base64.b64decode(completion.choices[0].message.audio.data)
    clip = Clip.from_pcm16(data) if audio_format == "pcm16" else Clip(data)
    assert clip.sample_rate == 24_000 or audio_format == "opus"
    assert -26 < clip.level_dbfs < -15


def test_an_mp3_is_heard_as_well(client: openai.OpenAI) -> None:
    mp3 = Clip(QUESTION).encode("mp3")
    assert ask(client, [recording(mp3, "mp3")], aloud=False).choices[0].message.content


def test_an_earlier_answer_is_known_by_its_id(client: openai.OpenAI) -> None:
    first = ask(client, "Name one animal.").choices[0].message.audio
    history = [
        {"role": "user", "content": "Name one animal."},
        {"role": "assistant", "audio": {"id": first.id}},
        {"role": "user", "content": "What does it eat?"},
    ]
    by_id = ask(client, messages=history)
    by_words = ask(client, messages=[history[0], {"role": "assistant", "content": first.transcript}, history[2]])
    assert by_id.choices[0].message.audio.transcript == by_words.choices[0].message.audio.transcript
    assert by_id.usage.prompt_tokens == by_words.usage.prompt_tokens


def test_an_id_lives_for_an_hour(client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    first = ask(client, "Name one animal.").choices[0].message.audio
    history = [{"role": "assistant", "audio": {"id": first.id}}, {"role": "user", "content": "Why?"}]
    assert ask(client, messages=history)
    now = time.time()
    monkeypatch.setattr(answer.time, "time", lambda: now + 3700)
    with pytest.raises(openai.BadRequestError, match="not found") as caught:
        ask(client, messages=history)
    assert caught.value.code == "audio_not_found"
    assert caught.value.param == "content.messages[0].audio.id"


def test_a_cut_at_the_token_limit(client: openai.OpenAI) -> None:
    completion = ask(client, max_completion_tokens=40)
    assert completion.choices[0].finish_reason == "length"
    assert completion.usage.completion_tokens <= 41
    whole = ask(client).choices[0].message.audio
    cut = completion.choices[0].message.audio
    assert whole.transcript.startswith(cut.transcript)
    assert 0.5 < Clip(base64.b64decode(cut.data)).duration_s < 2
    chunks = list(ask(client, aloud=True, stream=True, max_completion_tokens=40))
    assert chunks[-1].choices[0].finish_reason == "length"


def test_instructions_are_followed(client: openai.OpenAI) -> None:
    def said(role: str, instructions: str) -> str:
        messages = [{"role": role, "content": instructions}, {"role": "user", "content": "Who are you?"}]
        answer = ask(client, messages=messages, max_completion_tokens=80)
        return str(answer.choices[0].message.audio.transcript)

    assert "Olaf" in said("system", "You are a sailor. Your name is Olaf.")
    assert "Olaf" in said("developer", "You are a sailor. Your name is Olaf.")


@pytest.mark.parametrize("aloud", [True, False])
def test_silence_is_answered_honestly(client: openai.OpenAI, aloud: bool) -> None:
    silence = Clip.from_pcm16(bytes(48_000)).encode("wav")
    message = ask(client, [recording(silence)], aloud=aloud).choices[0].message
    assert (message.audio.transcript if aloud else message.content) == answer.NOTHING_HEARD


NOT_DONE: list[tuple[dict[str, Any], type[openai.APIStatusError], str | None, str]] = [
    ({"model": "gpt-audio-1.5"}, openai.NotFoundError, "model_not_found", "has one model, `offline`"),
    ({"audio": {"voice": "bob", "format": "wav"}}, openai.BadRequestError, "invalid_value", "'alloy'"),
    ({"audio": {"format": "wav"}}, openai.BadRequestError, "missing_required_parameter", "audio.voice"),
    ({"audio": {"voice": "alloy", "format": "aac"}}, openai.BadRequestError, "invalid_value", "'pcm16'"),
    (
        {"stream": True, "audio": {"voice": "alloy", "format": "wav"}},
        openai.BadRequestError,
        "unsupported_value",
        "pcm16",
    ),
    (
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]},
        openai.BadRequestError,
        "unsupported_parameter",
        "can't call tools",
    ),
    ({"response_format": {"type": "json_object"}}, openai.BadRequestError, "unsupported_parameter", "JSON"),
    ({"n": 2}, openai.BadRequestError, "unsupported_value", "'n' must be 1"),
    ({"modalities": ["text"]}, openai.BadRequestError, "invalid_value", "contain audio"),
    ({"modalities": ["video"]}, openai.BadRequestError, "invalid_value", "'modalities'"),
    ({"modalities": [{}]}, openai.BadRequestError, "invalid_value", "'modalities'"),
    ({"messages": []}, openai.BadRequestError, "invalid_type", "messages"),
    ({"temperature": 9}, openai.BadRequestError, "invalid_value", "temperature"),
    ({"max_completion_tokens": 0}, openai.BadRequestError, "invalid_value", "max_completion_tokens"),
    (
        {"messages": [{"role": "user", "content": "Quelle est la meilleure race de chien pour ma famille ?"}]},
        openai.BadRequestError,
        "unsupported_language",
        "English only",
    ),
    (
        {"messages": [{"role": "user", "content": "word " * 9000}]},
        openai.BadRequestError,
        "context_length_exceeded",
        "long",
    ),
    (
        {"messages": [{"role": "user", "content": "1234567 " * 1000}]},  # each digit is a token
        openai.BadRequestError,
        "context_length_exceeded",
        "long",
    ),
    ({"messages": [{"role": "user", "content": [recording(b"no sound")]}]}, openai.BadRequestError, None, "corrupted"),
    (
        {"messages": [{"role": "user", "content": [recording(QUESTION, "ogg")]}]},
        openai.BadRequestError,
        None,
        "wav or mp3",
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x"}}]}]},
        openai.BadRequestError,
        None,
        "'image_url'",
    ),
]


@pytest.mark.parametrize(
    ("options", "kind", "code", "says"), NOT_DONE, ids=lambda value: "" if not isinstance(value, str) else value[:20]
)
def test_what_it_cannot_do_it_refuses_in_the_protocols_words(
    client: openai.OpenAI, options: dict[str, Any], kind: type[openai.APIStatusError], code: str | None, says: str
) -> None:
    with pytest.raises(kind) as caught:
        ask(client, **options)
    assert set(caught.value.response.json()["error"]) == {"message", "type", "param", "code"}
    assert caught.value.code == code
    assert says in caught.value.message


def test_a_body_that_is_no_json(client: openai.OpenAI) -> None:
    response = client._client.post("chat/completions", content=b"{", headers={"content-type": "application/json"})
    assert response.status_code == 400
    assert "parse the JSON" in response.json()["error"]["message"]


def test_models_are_listed(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["offline"]


def answer_of(app: Starlette, path: str, **request: Any) -> httpx.Response:
    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://engine/v1/") as http:
            return await http.post(path, **request)

    return anyio.run(asked)


class BrokenPart:
    """Brain, voice or ears that fail with a key in what they say."""

    context_tokens = 4096

    def stream(self, *_: Any, **__: Any) -> Generator[Any, None, None]:
        raise RuntimeError("Received API Key = brain-3f9a77c1d2e8, which is invalid")
        yield

    def say(self, *_: Any) -> Iterator[Said]:
        yield Said("Hello", np.zeros(2400, np.float32))
        yield from self.stream()

    passages = stream


SPEECH = {"model": "offline", "voice": "alloy", "input": "Hello.", "response_format": "pcm", "stream_format": "sse"}
CHAT = {
    "model": "offline",
    "modalities": ["text", "audio"],
    "audio": {"voice": "alloy", "format": "pcm16"},
    "messages": [{"role": "user", "content": TEXT}],
}
FAILING: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("chat/completions", {"json": CHAT}),
    "speech": ("audio/speech", {"json": SPEECH}),
    "transcription": ("audio/transcriptions", {"data": {"model": "offline"}}),
    "streamed transcription": ("audio/transcriptions", {"data": {"model": "offline", "stream": "true"}}),
}


@pytest.mark.parametrize("name", FAILING)
def test_what_breaks_tells_no_key(name: str) -> None:
    register_secret("brain-3f9a77c1d2e8")
    parts, (path, request) = Engine(), FAILING[name]
    parts._brain = parts._speaker = parts._listener = BrokenPart()  # type: ignore[assignment]
    if path == "audio/transcriptions":
        request = {**request, "files": {"file": ("a.wav", QUESTION)}}
    answered = answer_of(create_app(parts), path, **request)
    assert "The offline engine failed: Received API Key = [key], which is invalid" in answered.text
    assert "3f9a77c1d2e8" not in answered.text


class EndlessEars:
    """Hear one stretch after the other, each when they are let."""

    def __init__(self) -> None:
        self.begun, self.let, self.closed = threading.Semaphore(0), threading.Semaphore(0), threading.Event()
        self.made = 0

    def passages(self, *_: Any) -> Iterator[Passage]:
        try:
            while True:
                self.begun.release()
                assert self.let.acquire(timeout=10)
                self.made += 1
                yield Passage("Again.", 0.0, 1.0)
        finally:
            self.closed.set()


@pytest.mark.parametrize("stream", [False, True])
def test_who_goes_away_has_no_more_of_their_recording_heard(stream: bool) -> None:
    parts, ears = Engine(), EndlessEars()
    parts._listener = ears  # type: ignore[assignment]
    body = {**CHAT, "stream": stream, "messages": [{"role": "user", "content": [recording()]}]}

    async def leave_in_the_second_stretch() -> None:
        transport = httpx.ASGITransport(create_app(parts))
        async with httpx.AsyncClient(transport=transport, base_url="http://engine/v1/") as http:
            asking = asyncio.create_task(http.post("chat/completions", json=body))
            ears.let.release()
            for _ in range(2):
                assert await asyncio.to_thread(ears.begun.acquire, timeout=10)
            asking.cancel()
            ears.let.release(5)
            with pytest.raises(asyncio.CancelledError):
                await asking

    asyncio.run(leave_in_the_second_stretch())
    assert ears.closed.wait(10)
    assert ears.made == 2


HALVES = {
    "model": ({**CHAT, "model": "off\ud83d"}, 404),
    "audio id": (
        {**CHAT, "messages": [{"role": "assistant", "audio": {"id": "audio_\ud83d"}}, *CHAT["messages"]]},  # type: ignore[misc]
        400,
    ),
    "text": ({**CHAT, "messages": [{"role": "user", "content": f"{TEXT} \ud83d"}]}, 200),
}


@pytest.mark.parametrize("name", HALVES)
def test_half_a_character_breaks_nothing(name: str) -> None:
    body, status = HALVES[name]
    answered = answer_of(create_app(engine()), "chat/completions", content=json.dumps(body))
    assert answered.status_code == status
    assert "choices" in answered.json() or "\ufffd" in answered.json()["error"]["message"]
