"""The brain: the small model in process, and any text server in its place."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai_server.listening import UvicornThread
from ports import new_listener
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

import nbaudio as nba
from nbaudio import errors
from nbaudio.engine.think import ServerBrain, TooLongForBrain, brain_for

pytestmark = pytest.mark.offline


class TextServer:
    """An OpenAI-compatible text server, as Ollama or llama.cpp are."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, Any], str]] = []
        self.status = 200
        self.refusal: dict[str, Any] = {"message": "no such model"}
        self.body = ""
        """What is sent in the place of an answer."""
        listener = new_listener()
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        self._server = UvicornThread(Starlette(routes=[Route("/v1/chat/completions", self._chat, methods=["POST"])]))
        self._server.start(listener)

    async def _chat(self, request: Request) -> Response:
        self.requests.append((await request.json(), request.headers.get("authorization", "")))
        if self.status != 200:
            return JSONResponse({"error": self.refusal}, self.status)
        if self.body:
            return Response(self.body, media_type="text/event-stream")
        chunks = [{"choices": [{"delta": {"content": word}}]} for word in ("The moon ", "is not ", "made of cheese.")]
        lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
        return StreamingResponse(iter([*lines, "data: [DONE]\n\n"]), media_type="text/event-stream")

    def stop(self) -> None:
        self._server.stop()


@pytest.fixture
def server() -> Iterator[TextServer]:
    running = TextServer()
    try:
        yield running
    finally:
        running.stop()


def test_a_text_server_hears_and_speaks_through_the_engine(server: TextServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBAUDIO_BACKEND", "offline")
    monkeypatch.setenv("NBAUDIO_BRAIN", f"{server.url}#llama3.2")
    monkeypatch.setenv("NBAUDIO_BRAIN_KEY", "brain-key")
    question = Path(__file__).parents[2] / "notebooks" / "question.wav"
    reply = nba.Conversation().say(question)
    assert reply.text == "The moon is not made of cheese."
    assert reply.clip is not None
    assert reply.clip.duration_s > 1
    body, authorization = server.requests[0]
    assert body["model"] == "llama3.2"
    assert "golden retriever" in body["messages"][-1]["content"].lower()
    assert authorization == "Bearer brain-key"


def test_a_text_server_that_refuses_is_told_of(server: TextServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBAUDIO_BACKEND", "offline")
    monkeypatch.setenv("NBAUDIO_BRAIN", f"{server.url}#nothing")
    server.status = 404
    with pytest.raises(errors.RequestError, match="no such model"):
        nba.Conversation().say("Hello")


FIRST = 'data: {"choices": [{"delta": {"content": "The moon "}}]}\n\n'
ERROR = 'data: {"error": {"message": "CUDA out of memory", "code": 500}}\n\n'


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (ERROR, "CUDA out of memory"),
        (FIRST + ERROR, "CUDA out of memory"),
        (FIRST, "broke off"),
        ('{"choices": [{"message": {"content": "Whole."}}]}', "sent no stream of events"),
        ("data: The moon\n\n", "sent no stream of events"),
    ],
)
def test_an_answer_that_breaks_off_is_no_answer(server: TextServer, body: str, says: str) -> None:
    server.body = body
    brain = ServerBrain(server.url, "llama3.2")
    with pytest.raises(RuntimeError, match=says):
        list(brain.stream([{"role": "user", "content": "Hello"}], most_tokens=9, temperature=0, seed=1))


@pytest.mark.parametrize(
    "body",
    [
        FIRST + 'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\n',
        FIRST + 'data: {"choices": [{"delta": {}, "finish_reason": "length"}], "error": null}',
        FIRST + "data: [DONE]",
    ],
)
def test_an_answer_may_end_in_several_ways(server: TextServer, body: str) -> None:
    server.body = body
    brain = ServerBrain(server.url, "llama3.2")
    said = brain.stream([{"role": "user", "content": "Hello"}], most_tokens=9, temperature=0, seed=1)
    assert list(said) == ["The moon "]


@pytest.mark.parametrize("status", [401, 200])
def test_the_key_of_a_text_server_is_told_to_nobody(server: TextServer, status: int) -> None:
    server.status, key = status, "brain-3f9a77c1d2e8"
    server.refusal = {"message": f"Received API Key = {key}, which is invalid"}
    server.body = f"data: {json.dumps({'error': server.refusal})}\n\n"
    brain = ServerBrain(server.url, "m", key)
    with pytest.raises(RuntimeError, match="which is invalid") as raised:
        list(brain.stream([{"role": "user", "content": "Hello"}], most_tokens=9, temperature=0, seed=1))
    assert key not in str(raised.value)
    assert errors.mask(key) == "[key]"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("context_length_exceeded", "This model's maximum context length is 4096 tokens."),  # OpenAI, vLLM
        (400, "the request exceeds the available context size (exceed_context_size_error)"),  # llama.cpp
    ],
)
def test_a_text_server_says_that_a_text_is_too_long_for_it(server: TextServer, code: Any, message: str) -> None:
    server.status, server.refusal = 400, {"code": code, "message": message}
    with pytest.raises(TooLongForBrain):
        list(ServerBrain(server.url, "m").stream([], most_tokens=9, temperature=0, seed=1))


@pytest.mark.parametrize("text", ["1234567 " * 1000, "🐕" * 2500], ids=["digits", "emoji"])
def test_the_small_model_says_that_a_text_is_too_long_for_it(text: str) -> None:
    with pytest.raises(TooLongForBrain):
        list(brain_for("").stream([{"role": "user", "content": text}], most_tokens=9, temperature=0, seed=1))


def test_a_text_server_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    monkeypatch.setenv("NBAUDIO_BACKEND", "offline")
    monkeypatch.setenv("NBAUDIO_BRAIN", f"{url}#llama3.2")
    with pytest.raises(errors.RequestError, match="does not answer"):
        nba.Conversation().say("Hello")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("http://localhost:11434/v1", "does not say which model"),
        ("/nowhere/brain.gguf", "is not there"),
        (__file__, "can't be loaded"),
    ],
)
def test_a_brain_that_is_none(name: str, says: str) -> None:
    with pytest.raises(errors.SetupError, match=says):
        brain_for(name)


def test_a_wrong_brain_says_so_in_the_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBAUDIO_BACKEND", "offline")
    monkeypatch.setenv("NBAUDIO_BRAIN", "/nowhere/brain.gguf")
    with pytest.raises(errors.BadRequest, match=r"/nowhere/brain\.gguf' is not there"):
        nba.Conversation().say("Hello")


def test_the_same_question_gets_the_same_answer() -> None:
    brain = brain_for("")
    messages = [{"role": "user", "content": "Name three colours."}]
    first, second = ("".join(brain.stream(messages, most_tokens=30, temperature=0.7, seed=5)) for _ in range(2))
    assert first == second
    assert first.strip()


def test_closing_stops_the_model() -> None:
    brain = brain_for("")
    thinking = brain.stream(
        [{"role": "user", "content": "Count to a hundred."}], most_tokens=2000, temperature=0, seed=1
    )
    next(thinking)
    thinking.close()
    assert brain._running == set()  # type: ignore[attr-defined]


def test_a_server_brain_is_what_an_address_makes() -> None:
    assert isinstance(brain_for("http://127.0.0.1:1/v1#m"), ServerBrain)
