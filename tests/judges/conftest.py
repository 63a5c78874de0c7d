"""What is judged: the command, with the real engine, on a real port."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from serving.running import TOKEN, Command

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


@pytest.fixture(scope="session")
def question() -> bytes:
    """A spoken question, as a WAV file: is a golden retriever a good family dog?"""
    return (NOTEBOOKS / "question.wav").read_bytes()


@pytest.fixture(scope="session")
def served() -> Iterator[Command]:
    """``python -m nbaudio serve``, with a token and small limits."""
    with Command("--max-request-mb", "1", "--max-audio-s", "60", NBAUDIO_SERVE_TOKEN=TOKEN) as command:
        yield command


@pytest.fixture(scope="session")
def client(served: Command) -> Iterator[openai.OpenAI]:
    """The official client of it."""
    with openai.OpenAI(base_url=f"{served.base_url}/v1", api_key=TOKEN, max_retries=0) as client:
        yield client


@pytest.fixture(scope="session")
def ways(question: bytes) -> dict[str, tuple[Any, bool]]:
    """The five ways in and out: the content of a message, and whether the answer is spoken."""
    data = base64.b64encode(question).decode()
    sound = {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}
    words = {"type": "text", "text": "Answer this."}
    return {
        "text to speech": ("Is a golden retriever a good family dog?", True),
        "speech to speech": ([sound], True),
        "speech to text": ([sound], False),
        "both to speech": ([words, sound], True),
        "both to text": ([words, sound], False),
    }


WAYS = ("text to speech", "speech to speech", "speech to text", "both to speech", "both to text")
