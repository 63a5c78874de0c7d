"""Two engines behind one address on a Ray cluster of this machine, one of which is killed while it answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

import nbaudio as nba
from nbaudio import errors
from nbaudio.serving.on_ray import application

from .brain_server import BrainServer
from .running import TOKEN

pytestmark = pytest.mark.offline
AT_ONCE = 8


class Cluster:
    """The process of `ray_cluster`."""

    def __init__(self, **options: Any) -> None:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "RAY_"))},
            "NBAUDIO_SERVE_TOKEN": TOKEN,
            "RAY_AUTH_MODE": "disabled",  # else Ray writes a token of its own into the home folder
            "RAY_USAGE_STATS_ENABLED": "0",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("ray_cluster.py")), json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self._errors: list[str] = []
        self._reading = threading.Thread(target=self._read_errors, daemon=True)
        self._reading.start()
        self.base_url = str(self._answer()["base_url"])

    def ask(self, what: str) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        status = self._process.wait(60)
        self._reading.join(10)
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()
        assert status == 0, "".join(self._errors)

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        self._reading.join(10)
        raise AssertionError("".join(self._errors))

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        self._errors.extend(self._process.stderr)


@pytest.fixture(scope="module")
def brain() -> Iterator[BrainServer]:
    with BrainServer() as brain:
        yield brain


@pytest.fixture(scope="module")
def cluster(brain: BrainServer) -> Iterator[Cluster]:
    cluster = Cluster(replicas=2, workers=AT_ONCE, brain=brain.brain, stop_s=5)
    try:
        yield cluster
    finally:
        cluster.close()


def test_one_of_two_is_killed_while_it_answers_and_no_question_is_lost(
    cluster: Cluster, brain: BrainServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", f"{cluster.base_url}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", TOKEN)
    monkeypatch.setenv("NBAUDIO_DIALECT", "offline")
    questions = [f"Is number {number} good?" for number in range(AT_ONCE)]

    def ask(question: str) -> nba.Reply:
        return nba.Conversation().say(question)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        replies = [pool.submit(ask, question) for question in questions]
        try:
            asked = [brain.next_asked() for _ in questions]  # all of them are on their way, in one replica or the other
            before = cluster.ask("replicas")["replicas"]
            killed = cluster.ask("kill")["killed"]
            again = [brain.next_asked()]  # what the killed one was at is asked again
        finally:
            brain.open()
        answers = [reply.result(timeout=60) for reply in replies]
    while not brain.asked.empty():
        again.append(brain.next_asked())

    assert sorted(asked) == sorted(questions)
    assert len(before) == 2
    assert killed in before
    assert set(again) <= set(questions)
    for question, answer in zip(questions, answers, strict=True):
        assert answer.text == f"You said: {question}. That is all."
        assert answer.clip is not None
        assert answer.clip.duration_s > 1


def test_the_token_is_asked_for_here_too(cluster: Cluster) -> None:
    with (
        openai.OpenAI(base_url=f"{cluster.base_url}/v1", api_key="wrong", max_retries=0) as client,
        pytest.raises(openai.AuthenticationError),
    ):
        client.models.list()
    assert httpx.get(f"{cluster.base_url}/healthz", trust_env=False).json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("options", "says"),
    [({"wokers": 2}, "There is no option 'wokers'. There are replicas, cpus, brain, workers"),
     ({"workers": "many"}, "workers is 'many', which is no number. The usual is 3.")],
)  # fmt: skip
def test_options_that_can_not_be(options: dict[str, Any], says: str) -> None:
    with pytest.raises(errors.CellError, match=says):
        application(options)
