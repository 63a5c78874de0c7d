"""How pieces of an answer come to who waits for them: many at once where they come fast, in order, and none is lost."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest
from openai_server import Gate, OpenAIServer

import nbaudio as nba
from nbaudio import errors
from nbaudio.conversation.turnlist import TurnList
from nbaudio.turns import Turn
from nbaudio.wire.answers import AudioDelta, TextDelta


class Heard:
    """A watcher that keeps what it is told."""

    def __init__(self) -> None:
        self.batches: list[tuple[TextDelta | AudioDelta, ...]] = []

    def asked(self, talk: TurnList, question: Turn) -> None: ...

    def came(self, question: Turn, *events: TextDelta | AudioDelta) -> None:
        self.batches.append(events)

    def kept(self, talk: TurnList, question: Turn, turns: object) -> None: ...

    def edited(self, talk: TurnList) -> None: ...

    @property
    def events(self) -> list[TextDelta | AudioDelta]:
        return [event for batch in self.batches for event in batch]


@pytest.fixture
def long(server: OpenAIServer) -> OpenAIServer:
    """A server whose answers have 200 pieces of sound."""
    server.duration_s, server.piece_bytes = 10.0, 2400
    return server


def test_pieces_that_come_at_once_are_handed_over_at_once(long: OpenAIServer) -> None:
    heard = Heard()
    *events, last = nba.Conversation(watchers=[heard]).stream("Hello")
    assert isinstance(last, nba.Finished)
    assert events == heard.events
    assert len(events) >= 200
    assert len(heard.batches) < len(events) / 2
    assert all(heard.batches)
    assert b"".join(one.pcm16 for one in events if isinstance(one, AudioDelta)) == last.reply.clip.encode("pcm16")


def test_awaited(long: OpenAIServer) -> None:
    heard = Heard()

    async def talk() -> list[object]:
        return [event async for event in nba.Conversation(watchers=[heard]).astream("Hello")]

    *events, last = asyncio.run(talk())
    assert isinstance(last, nba.Finished)
    assert events == heard.events


def test_an_answer_that_comes_in_one_go_is_handed_over_before_it_is_over(
    long: OpenAIServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBAUDIO_CACHE_FOLDER", str(tmp_path))
    *events, _ = nba.Conversation(cache=True).stream("Hello")
    heard = Heard()
    *kept, last = nba.Conversation(cache=True, watchers=[heard]).stream("Hello")
    assert len(long.requests) == 1
    assert kept == heard.events
    for kind in (TextDelta, AudioDelta):
        name = "text" if kind is TextDelta else "pcm16"
        first, again = ([getattr(one, name) for one in found if isinstance(one, kind)] for found in (events, kept))
        assert first[0][:0].join(again) == first[0][:0].join(first)
    assert isinstance(last, nba.Finished)


def test_a_piece_that_comes_alone_is_handed_over_alone(server: OpenAIServer) -> None:
    server.gate, heard = Gate(1), Heard()
    with contextlib.closing(nba.Conversation(watchers=[heard]).stream("Hello")) as events:
        for _ in range(3):
            while not isinstance(next(events), AudioDelta):
                continue
            server.gate.allow()
    sounding = [[one for one in batch if isinstance(one, AudioDelta)] for batch in heard.batches]
    assert [len(one) for one in sounding if one][:3] == [1, 1, 1]


def test_a_watcher_has_a_piece_before_the_caller_has(long: OpenAIServer) -> None:
    heard, got = Heard(), 0
    for event in nba.Conversation(watchers=[heard]).stream("Hello"):
        if not isinstance(event, nba.Finished):
            got += 1
            assert len(heard.events) >= got


def test_what_came_before_an_error_is_handed_over(server: OpenAIServer) -> None:
    server.duration_s, server.piece_bytes = 1.0, 2400
    server.fail_next("cut_stream")
    heard, events = Heard(), []
    chat = nba.Conversation(watchers=[heard])
    with pytest.raises(errors.ReplyCut) as caught:  # noqa: PT012 - the error comes in the middle of it
        for event in chat.stream("Hello"):
            events.append(event)
    assert events == heard.events
    assert b"".join(one.pcm16 for one in events if isinstance(one, AudioDelta)) == (
        caught.value.partial.clip.encode("pcm16")
    )


def test_the_caller_gets_its_pieces_also_where_a_watcher_fails(
    long: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(question: Turn, *events: TextDelta | AudioDelta) -> None:
        raise RuntimeError("a watcher that may not raise, and does")

    *expected, _ = nba.Conversation().stream("Hello")
    heard, events = Heard(), []
    monkeypatch.setattr(heard, "came", fail)
    with contextlib.suppress(RuntimeError):
        for event in nba.Conversation(watchers=[heard]).stream("Hello"):
            events.append(event)
    assert events[: len(expected)] == expected
