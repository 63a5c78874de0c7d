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
from nbaudio.engine.think import ServerBrain, brain_for

pytestmark = pytest.mark.offline


class TextServer:
    """An OpenAI-compatible text server, as Ollama or llama.cpp are."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, Any], str]] = []
        self.status = 200
        listener = new_listener()
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        self._server = UvicornThread(Starlette(routes=[Route("/v1/chat/completions", self._chat, methods=["POST"])]))
        self._server.start(listener)

    async def _chat(self, request: Request) -> Response:
        self.requests.append((await request.json(), request.headers.get("authorization", "")))
        if self.status != 200:
            return JSONResponse({"error": {"message": "no such model"}}, self.status)
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
