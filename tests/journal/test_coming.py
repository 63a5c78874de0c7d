"""An answer that comes: what is handed over is in the journal, and the sound of a whole one is not written again."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nbaudio as nba
from nbaudio.journal import reading, retention
from nbaudio.journal.coming import Coming
from nbaudio.journal.store import Store
from nbaudio.journal.watcher import journal
from nbaudio.sound.parts import Whole, is_named
from nbaudio.sound.spool import SpooledSound
from nbaudio.wire.tool_calls import ToolCall

PIECE = 4800
IN_MEMORY_S, ON_DISK_S = 6, 12
"""Of sounds that are in several parts: one that is held in memory as it comes, and one that is not."""


def rows(file: Path, query: str) -> list[tuple]:  # type: ignore[type-arg]
    connection = sqlite3.connect(file)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


PARTS = "SELECT rowid, length(data) FROM part ORDER BY rowid"
WAITING = "SELECT (SELECT count(*) FROM piece), (SELECT count(*) FROM long_sound WHERE question NOT NULL)"


def said(seconds: int, seed: int = 1) -> tuple[list[nba.AudioDelta], nba.Clip]:
    """The pieces of an answer, and its sound as a reply has it."""
    data, sound = random.Random(seed).randbytes(48_000 * seconds), SpooledSound(24_000)
    pieces = [nba.AudioDelta(data[start : start + PIECE]) for start in range(0, len(data), PIECE)]
    for piece in pieces:
        sound.add(piece.pcm16)
    found = sound.all()
    return pieces, nba.Clip.from_pcm16(found) if isinstance(found, bytes) else nba.Clip(found)  # type: ignore[arg-type]


def come(question: nba.Turn, pieces: Sequence[nba.AudioDelta]) -> None:
    """Hand an answer over, with words in between."""
    for piece in pieces:
        journal.came(question, piece, nba.TextDelta("la "))


def keep(chat: nba.Conversation, question: nba.Turn, *turns: nba.Turn) -> None:
    chat._turns += [question, *turns]  # as an answer is kept: no edit
    journal.kept(chat, question, (question, *turns))


@pytest.mark.parametrize("seconds", [IN_MEMORY_S, ON_DISK_S])
def test_the_sound_of_a_whole_answer_is_what_came(seconds: int, journal_file: Path) -> None:
    chat, question = nba.Conversation(), nba.Turn("user", "Well?")
    pieces, clip = said(seconds)
    journal.asked(chat, question)
    come(question, pieces)
    came = rows(journal_file, PARTS)
    assert [size for _, size in came] == [PIECE] * len(pieces)
    keep(chat, question, nba.Reply(text="la", clips=(clip,)))
    assert rows(journal_file, PARTS) == [*came, (len(pieces) + 1, 44)]
    assert rows(journal_file, WAITING) == [(0, 0)]
    ((name,),) = rows(journal_file, "SELECT digest FROM sound")
    assert is_named(clip.as_kept()[0], name)
    assert not is_named(clip.as_kept()[0][:-1] + b"?", name)
    assert not is_named(b"RIFX" + clip.as_kept()[0][4:], name)
    restored = nba.history.restore(chat.id)
    assert restored[-1].clip is not None
    assert restored[-1].clip.as_kept() == clip.as_kept()


def test_what_is_no_sound_of_an_answer_takes_no_part_in_it(journal_file: Path) -> None:
    chat, question = nba.Conversation(), nba.Turn("user", "Well?")
    pieces, _ = said(ON_DISK_S)
    _, other = said(ON_DISK_S, seed=2)  # as where only the beginning was heard, or a file took the place of pieces
    journal.asked(chat, question)
    come(question, pieces)
    keep(chat, question, nba.Reply(text="la", clips=(other,)))
    assert len(rows(journal_file, PARTS)) == len(Whole(other.as_kept()[0]).digests)
    assert rows(journal_file, WAITING) == [(0, 0)]
    assert nba.history.restore(chat.id)[-1].clip == other


def test_what_could_not_be_written_yet_comes_with_the_end(journal_file: Path) -> None:
    chat, question = nba.Conversation(), nba.Turn("user", "Well?")
    pieces, clip = said(ON_DISK_S)
    journal.asked(chat, question)
    come(question, pieces[:100])
    other = sqlite3.connect(journal_file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    come(question, pieces[100:])
    other.execute("ROLLBACK")
    other.close()
    keep(chat, question, nba.Reply(text="la", clips=(clip,)))
    assert [size for _, size in rows(journal_file, PARTS)] == [PIECE] * 100 + [PIECE * (len(pieces) - 100), 44]
    assert nba.history.restore(chat.id)[-1].clip == clip


def test_what_comes_from_the_cache_is_there_once(journal_file: Path) -> None:
    for _ in range(3):
        chat, question = nba.Conversation(), nba.Turn("user", "Well?")
        pieces, clip = said(ON_DISK_S)
        journal.asked(chat, question)
        come(question, pieces)
        keep(chat, question, nba.Reply(text="la", clips=(clip,), cached=True))
    assert rows(journal_file, "SELECT digest FROM sound") == [(Whole(clip.as_kept()[0]).name,)]
    assert rows(journal_file, WAITING) == [(0, 0)]


def test_what_is_cleared_while_it_comes_is_written_when_it_is_whole(journal_file: Path) -> None:
    chat, question = nba.Conversation(), nba.Turn("user", "Well?")
    pieces, clip = said(ON_DISK_S)
    journal.asked(chat, question)
    come(question, pieces[:50])
    nba.history.clear()
    assert rows(journal_file, PARTS) == []
    come(question, pieces[50:])
    keep(chat, question, nba.Reply(text="la", clips=(clip,)))
    assert rows(journal_file, WAITING) == [(0, 0)]
    assert nba.history.restore(chat.id)[-1].clip == clip


def test_it_is_not_taken_for_what_nobody_needs(journal_file: Path) -> None:
    chat, question = nba.Conversation(), nba.Turn("user", "Well?")
    pieces, clip = said(ON_DISK_S)
    chat.append("Long ago.")
    journal.asked(chat, question)
    come(question, pieces)
    journal.read(lambda store: store.connection.execute("UPDATE turn SET written = 0 WHERE words = 'Long ago.'"))
    other = Store(journal_file)  # another kernel begins
    retention.retain(other, days=1, megabytes=0)
    assert other.connection.execute("SELECT words FROM turn").fetchall() == [("Well?",)]
    other.close()
    keep(chat, question, nba.Reply(text="la", clips=(clip,)))
    assert len(rows(journal_file, PARTS)) == len(pieces) + 1


def test_what_is_said_before_a_tool_is_called_is_one_sound_and_the_answer_another(journal_file: Path) -> None:
    chat, question = nba.Conversation(), nba.Turn("user", "Well?")
    (first, first_clip), (second, second_clip) = said(IN_MEMORY_S), said(ON_DISK_S, seed=2)
    calling = nba.Reply(text="Let me look.", clips=(first_clip,), tool_calls=(ToolCall(id="a", name="look"),))
    result = nba.ToolResult(text="a dog", name="look", call_id="a")
    journal.asked(chat, question)
    come(question, first)
    journal.went_on(chat, question, calling)
    assert rows(journal_file, WAITING) == [(0, 0)]
    journal.went_on(chat, question, result)
    come(question, second)
    partial = nba.history.restore(chat.id)
    assert [turn.clip for turn in partial] == [None, first_clip, None, second_clip]
    assert partial[-1].text == "la " * len(second)
    keep(chat, question, calling, result, nba.Reply(text="la", clips=(second_clip,)))
    of_this = f"SELECT count(*) FROM turn_sound JOIN turn ON turn = number WHERE chat = '{chat.id}'"
    assert rows(journal_file, of_this) == [(2,)]
    assert rows(journal_file, WAITING) == [(0, 0)]
    assert [turn.clip for turn in nba.history.restore(chat.id)] == [None, first_clip, None, second_clip]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    opened = Store(tmp_path_factory.mktemp("coming") / "journal.sqlite3")
    opened.put_chat("chat", "", "", {})
    yield opened
    opened.close()


@given(
    came=st.lists(
        st.one_of(st.text(min_size=1, max_size=3), st.binary(min_size=1, max_size=50).map(lambda one: 2 * one))
    ),
    together=st.integers(1, 7),
)
def test_words_and_sound_come_back_in_their_order(store: Store, came: list[str | bytes], together: int) -> None:
    number = store.put_turn("chat", nba.Turn("user", "Well?"), 0, "asked")
    coming = Coming(store, number)
    events = [nba.TextDelta(one) if isinstance(one, str) else nba.AudioDelta(one, 16_000) for one in came]
    for start in range(0, len(events), together):
        coming.take(events[start : start + together])
        coming.write()
    expected = [(0, one.encode()) if isinstance(one, str) else (16_000, one) for one in came]
    assert _order(list(reading.pieces_of(store, number))) == _order(expected)


def _order(pieces: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Pieces, of which those that follow upon their like are one."""
    joined: list[tuple[int, bytes]] = []
    for rate, data in pieces:
        if joined and joined[-1][0] == rate:
            data = joined.pop()[1] + data
        joined.append((rate, data))
    return joined
