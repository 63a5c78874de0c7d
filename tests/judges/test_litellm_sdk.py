"""The served engine, judged by `litellm` as an SDK."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from serving.running import TOKEN, Command

from nbaudio import Captions, Clip

from .children import Child
from .conftest import WAYS
from .environments import program

pytestmark = pytest.mark.offline


class LiteLlm:
    """`litellm` in a process of its own."""

    def __init__(self, child: Child, base_url: str) -> None:
        self._child, self._base_url = child, base_url

    def call(self, call: str, **options: Any) -> Any:
        """The answer as plain JSON, or the error."""
        given = {"model": "openai/offline", "api_base": f"{self._base_url}/v1", "api_key": TOKEN, "num_retries": 0}
        return json.loads(self._child.ask(json.dumps({"call": call, "options": {**given, **options}})))

    def __call__(self, call: str, **options: Any) -> Any:
        """The answer; an AssertionError where there is none."""
        said = self.call(call, **options)
        assert "answer" in said, said
        return said["answer"]


@pytest.fixture(scope="module")
def litellm(served: Command) -> Iterator[LiteLlm]:
    script = str(Path(__file__).with_name("litellm_asks.py"))
    child = Child([program("litellm"), script], {"LITELLM_LOCAL_MODEL_COST_MAP": "True"})  # else it fetches one
    try:
        yield LiteLlm(child, served.base_url)
    finally:
        child.close()


def request(content: Any, aloud: bool, audio_format: str) -> dict[str, Any]:
    asked: dict[str, Any] = {"messages": [{"role": "user", "content": content}]}
    if aloud:
        asked |= {"modalities": ["text", "audio"], "audio": {"voice": "nova", "format": audio_format}}
    return asked


@pytest.mark.parametrize("way", WAYS)
def test_whole_answers(litellm: LiteLlm, ways: dict[str, tuple[Any, bool]], way: str) -> None:
    content, aloud = ways[way]
    answer = litellm("completion", **request(content, aloud, "mp3"))

    choice = answer["choices"][0]
    assert choice["finish_reason"] == "stop"
    assert answer["usage"]["total_tokens"] > 0
    if aloud:
        audio = choice["message"]["audio"]
        assert audio["id"].startswith("audio_")
        assert len(audio["transcript"].split()) >= 3
        assert Clip(base64.b64decode(audio["data"])).duration_s > 1
    else:
        assert len(choice["message"]["content"].split()) >= 3


@pytest.mark.parametrize("way", WAYS)
def test_streamed_answers(litellm: LiteLlm, ways: dict[str, tuple[Any, bool]], way: str) -> None:
    content, aloud = ways[way]
    chunks = litellm("completion", **request(content, aloud, "pcm16"), stream=True)

    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert choices[-1]["finish_reason"] == "stop"
    audio = [choice["delta"].get("audio") or {} for choice in choices]
    words = "".join(piece.get("transcript") or "" for piece in audio)
    words += "".join(choice["delta"].get("content") or "" for choice in choices)
    assert len(words.split()) >= 3
    pcm16 = b"".join(base64.b64decode(piece["data"]) for piece in audio if piece.get("data"))
    assert (len(pcm16) > 48_000) is aloud
    assert any(piece.get("expires_at") for piece in audio) is aloud


def test_an_earlier_answer_is_known_by_its_id(litellm: LiteLlm) -> None:
    first = litellm("completion", **request("Name one animal.", True, "wav"))
    audio = first["choices"][0]["message"]["audio"]
    history = [
        {"role": "user", "content": "Name one animal."},
        {"role": "assistant", "audio": {"id": audio["id"]}},
        {"role": "user", "content": "What does it eat?"},
    ]
    by_id = litellm("completion", **{**request("", True, "wav"), "messages": history})
    history[1] = {"role": "assistant", "content": audio["transcript"]}
    by_words = litellm("completion", **{**request("", True, "wav"), "messages": history})

    said = [answer["choices"][0]["message"]["audio"]["transcript"] for answer in (by_id, by_words)]
    assert said[0] == said[1]


def test_a_transcription(litellm: LiteLlm, question: bytes) -> None:
    file = ("question.wav", base64.b64encode(question).decode())
    assert "golden retriever" in litellm("transcription", file=file, response_format="json")["text"].lower()


@pytest.mark.parametrize("form", ["text", "srt", "vtt", "verbose_json"])
def test_transcriptions_in_other_forms(litellm: LiteLlm, question: bytes, form: str) -> None:
    file = ("question.wav", base64.b64encode(question).decode())
    found = litellm("transcription", file=file, response_format=form)
    text = found["text"]  # where the answer is no JSON it is all here
    assert "golden retriever" in text.lower()
    if form in ("srt", "vtt"):
        (cue, *_) = (Captions.from_srt if form == "srt" else Captions.from_vtt)(text)
        assert 0 <= cue.start_s < cue.end_s <= Clip(question).duration_s
    if form == "verbose_json":
        assert found["segments"][-1]["end"] <= found["duration"]


def test_speech(litellm: LiteLlm) -> None:
    data = base64.b64decode(litellm("speech", input="Good morning.", voice="nova", response_format="mp3"))
    assert 0.5 < Clip(data).duration_s < 2.5


@pytest.mark.parametrize(
    ("options", "error", "status", "says"),
    [
        ({"api_key": "wrong"}, "AuthenticationError", 401, "Incorrect API key"),
        ({"model": "openai/gpt-audio-1.5"}, "NotFoundError", 404, "does not exist"),
        ({"audio": {"voice": "bob", "format": "wav"}}, "BadRequestError", 400, "Supported values are"),
        ({"n": 2}, "BadRequestError", 400, "'n' must be 1"),
    ],
    ids=["key", "model", "voice", "n"],
)
def test_errors_are_its_exceptions(
    litellm: LiteLlm, options: dict[str, Any], error: str, status: int, says: str
) -> None:
    said = litellm.call("completion", **{**request("Hello", True, "wav"), **options})

    assert (said["error"], said["status"]) == (error, status)
    assert says in said["message"]
