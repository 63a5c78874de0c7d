"""kill -9 at any moment loses nothing that was handed over, and two kernels write at once without harm."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai_server import OpenAIServer, ToolCall, serve

from nbaudio.conversation.again import Again
from nbaudio.journal import reading
from nbaudio.journal.loading import chat_turns
from nbaudio.journal.store import Store
from nbaudio.sound.parts import is_named
from nbaudio.turns import Reply, ToolResult, Turn

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the talker forks")

KILLS = 200
CALLS = 2  # of a tool, for each question of those who have one
LONGEST_S = 0.12  # within which a talker begins, or within which it gets a few answers
SHORT_S, LONG_S = 0.5, 6.0  # of the second sort the journal keeps what came, and writes no sound anew


class Talkers:
    """The process that forks talkers, and what they say."""

    def __init__(self, server: OpenAIServer, journal: Path, *arguments: str) -> None:
        self.server, self.journal = server, journal
        environment = {
            **os.environ,
            "OPENAI_BASE_URL": server.base_url,
            "OPENAI_API_KEY": server.api_key,
            "NBAUDIO_DIALECT": "openai",
            "NBAUDIO_JOURNAL": str(journal),
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).parent / "talker.py"), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.said: list[dict[str, Any]] = []
        self._unheard: list[dict[str, Any]] = []
        assert self.hear("ready")

    def say(self, **told: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(told) + "\n")
        self._process.stdin.flush()

    def start(self, name: str, count: int, *, tools: bool = False) -> int:
        self.say(name=name, count=count, tools=tools)
        return int(self.hear("process")["process"])

    def hear(self, kind: str) -> dict[str, Any]:
        """The next of a kind; of those who talk at once nobody knows who is heard first."""
        assert self._process.stdout is not None
        for known in self._unheard:
            if kind in known:
                self._unheard.remove(known)
                return known
        for line in self._process.stdout:
            heard: dict[str, Any] = json.loads(line)
            self.said.append(heard)
            assert "failed" not in heard, heard
            if kind in heard:
                return heard
            if "of" not in heard and "answered" not in heard:
                self._unheard.append(heard)
        raise AssertionError(f"it ended before it said {kind}")

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def loopback() -> Iterator[OpenAIServer]:
    with serve() as server:
        server.duration_s = SHORT_S
        server.words = lambda body: f"This is the answer to {_words(_question(body))}."
        server.tool_call = [ToolCall("look", {"at": at}, id=f"call_{at}") for at in range(CALLS)]
        yield server


def _question(body: dict[str, Any]) -> dict[str, Any]:
    return [message for message in body["messages"] if message["role"] == "user"][-1]


def _words(message: dict[str, Any]) -> str:
    return str(next(part["text"] for part in message["content"] if part["type"] == "text"))


def _sound(message: dict[str, Any]) -> bytes:
    (data,) = [part["input_audio"]["data"] for part in message["content"] if part["type"] == "input_audio"]
    return base64.b64decode(data)


class Opened:
    """The journal as it is found by somebody who opens it now."""

    def __init__(self, path: Path) -> None:
        self.store = Store(path)
        assert self.store.connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]

    def question(self, words: str) -> tuple[int, str, str]:
        found = self.store.connection.execute("SELECT number, state, chat FROM turn WHERE words = ?", (words,))
        (row,) = found.fetchall()
        return row

    def sounds(self, number: int) -> list[bytes]:
        rows = self.store.connection.execute("SELECT digest FROM turn_sound WHERE turn = ?", (number,)).fetchall()
        found = [(digest, reading.sound(self.store, digest)) for (digest,) in rows]
        assert all(data is not None and is_named(data, digest) for digest, data in found)
        return [data or b"" for _, data in found]


def test_killed_at_random_points_it_loses_at_most_the_piece_in_flight(loopback: OpenAIServer, tmp_path: Path) -> None:
    path, dice = tmp_path / "journal.sqlite3", random.Random(4)
    talkers = Talkers(loopback, path)
    ends: Counter[str] = Counter()
    try:
        for kill in range(KILLS):
            requests_before, said_before = len(loopback.requests), len(talkers.said)
            loopback.duration_s = LONG_S if kill % 5 == 4 else SHORT_S
            process = talkers.start(str(kill), 1000, tools=kill % 2 == 1)
            talkers.hear(("begun", "called", "piece", "returned", "piece", "piece")[kill % 6])
            time.sleep(LONGEST_S * dice.random() ** 3)  # mostly at once: an answer takes but a few milliseconds
            os.kill(process, signal.SIGKILL)
            _wait_until_gone(process)
            talkers.say(echo=True)
            talkers.hear("echo")  # what the dead one has said comes before it
            said = talkers.said[said_before:]
            messages = [request.body["messages"] for request in loopback.requests[requests_before:]]
            questions = [asked[-1] for asked in messages if asked[-1]["role"] == "user"]
            if path.exists():
                opened = Opened(path)
                chats = {_check_question(opened, message, said, ends) for message in questions}
                assert len(chats) <= 1
                opened.store.close()
            else:
                assert not questions
    finally:
        talkers.close()
    print(f"{KILLS} kills: {dict(ends)}")  # noqa: T201
    assert ends["answered"] > KILLS // 4
    assert ends["broke off in words or sound"] > KILLS // 20
    assert ends["broke off among tools"] > KILLS // 20
    assert ends["broke off after tools"] > 0
    assert ends["answered at length"] > KILLS // 50
    assert ends["broke off at length"] > KILLS // 100


def _check_question(opened: Opened, message: dict[str, Any], said: list[dict[str, Any]], ends: Counter[str]) -> str:
    """That all is there that was handed over of a question; gives the conversation."""
    question = _words(message)
    number, state, chat = opened.question(question)
    assert opened.sounds(number) == [_sound(message)]
    heard = [one for one in said if one.get("of") == question]
    returned = [one["returned"] for one in heard if "returned" in one]
    finished = [one for one in said if one.get("answered") == question]
    came = _restored(opened, chat, question)
    results = [turn.text for turn in came if isinstance(turn, ToolResult)]
    assert results[: len(returned)] == returned
    assert results == [f"{at} of {question}" for at in range(len(results))]
    if calls := [one["called"] for one in heard if "called" in one]:
        assert isinstance(came[0], Reply)
        assert [str(call) for call in came[0].tool_calls][: len(calls)] == calls
    pieces = list(reading.pieces_of(opened.store, number))
    if finished:
        ends["answered"] += 1
        ends["answered at length"] += finished[0]["seconds"] > SHORT_S
        assert state == "kept"
        _check_answer(opened, chat, finished[0])
    if state == "kept":
        assert not pieces
        assert [turn.role for turn in came] in (["assistant"], ["assistant", *["tool"] * CALLS, "assistant"])
        assert isinstance(came[-1], Reply)
        assert came[-1].answers
    else:
        assert state == "asked"
        got = [one for one in heard if "piece" in one][-1:] or [{"words": 0, "sound": 0}]
        sound = sum(len(data) for rate, data in pieces if rate)
        assert sound >= got[0]["sound"]
        assert sum(len(data.decode()) for rate, data in pieces if not rate) >= got[0]["words"]
        ends["broke off at length"] += sound > 2 * 24_000 * SHORT_S
        _check_partial(came, question, pieces)
        if results:
            ends["broke off after tools" if pieces else "broke off among tools"] += 1
        elif pieces:
            ends["broke off in words or sound"] += 1
    return chat


def _restored(opened: Opened, chat: str, question: str) -> list[Turn]:
    """What a restored conversation has of a question, which has all its earlier turns too, and each once."""
    turns = chat_turns(opened.store, chat)
    assert len({turn.id for turn in turns}) == len(turns)
    (at,) = [at for at, turn in enumerate(turns) if turn.role == "user" and turn.text == question]
    later = [place for place, turn in enumerate(turns) if turn.role == "user" and place > at]
    return turns[at + 1 : later[0] if later else None]


def _check_answer(opened: Opened, chat: str, finished: dict[str, Any]) -> None:
    rows = opened.store.connection.execute(
        "SELECT number FROM turn WHERE chat = ? AND words = ? AND state = 'kept'", (chat, finished["text"])
    ).fetchall()
    assert [[hashlib.sha256(data).hexdigest() for data in opened.sounds(number)] for (number,) in rows] == [
        [finished["sound"]]
    ]


def _check_partial(came: list[Turn], question: str, pieces: list[tuple[int, bytes]]) -> None:
    """That what had come of an answer stands last, and that asking again goes on from the results before it."""
    if pieces:
        last = came[-1]
        assert isinstance(last, Reply)
        assert last.partial
        assert (last.clip.encode("pcm16") if last.clip else b"") == b"".join(data for rate, data in pieces if rate)
        assert last.text == b"".join(data for rate, data in pieces if not rate).decode()
        assert f"This is the answer to {question}.".startswith(last.text)
    before = came[:-1] if pieces else came
    again = Again.of([Turn("user", question), *came])
    assert not again.answered
    assert [turn for turn in again.rounds if isinstance(turn, ToolResult)] == [
        turn for turn in before if isinstance(turn, ToolResult)
    ]


def _wait_until_gone(process: int) -> None:
    ends = time.monotonic() + 10
    while time.monotonic() < ends:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return
        time.sleep(0.001)
    raise AssertionError(f"{process} is still there")


@pytest.mark.parametrize("arguments", [(), ("open",)], ids=["that open it at once", "that are forks of one"])
def test_kernels_write_at_once(arguments: tuple[str, ...], loopback: OpenAIServer, tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    loopback.duration_s = 0.2
    talkers = Talkers(loopback, path, *arguments)
    try:
        for name in "abc":
            talkers.start(name, 12)
        for _ in "abc":
            talkers.hear("ended")
    finally:
        talkers.close()
    opened = Opened(path)
    finished = [one for one in talkers.said if "answered" in one]
    assert len(finished) == 36
    for one in finished:
        number, state, chat = opened.question(one["answered"])
        assert state == "kept"
        assert len(opened.sounds(number)) == 1
        _check_answer(opened, chat, one)
    assert {row.name: row.turns for row in reading.all_chats(opened.store, 9)} == {"a": 24, "b": 24, "c": 24}
    opened.store.close()
