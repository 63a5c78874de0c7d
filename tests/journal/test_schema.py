"""A journal that an earlier nbaudio wrote."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import nbaudio as nba
from nbaudio.journal import schema
from nbaudio.journal.store import Store

LONG, SHORT = nba.Clip.from_pcm16(bytes(range(250)) * 2000), nba.Clip.from_pcm16(bytes(range(250)) * 20)


def row(file: Path, query: str) -> tuple[Any, ...]:
    connection = sqlite3.connect(file)
    try:
        found: tuple[Any, ...] = connection.execute(query).fetchone()
        return found
    finally:
        connection.close()


def write_version_1(file: Path) -> None:
    """One turn with both sounds, in the tables of then."""
    with pytest.MonkeyPatch.context() as then:
        then.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:1])
        Store(file).close()
    clips = [LONG, SHORT]
    digests = [hashlib.sha256(clip.as_kept()[0]).hexdigest() for clip in clips]
    record = json.dumps({"role": "user", "id": "a", "text": "before", "sounds": digests, "time": 1.0})
    connection = sqlite3.connect(file)
    connection.execute("INSERT INTO chat VALUES ('c', '', '', 1, 1, '{}')")
    connection.execute("INSERT INTO turn VALUES (1, 'c', 'a', 0, 'user', 'before', ?, 1, 1, 'kept')", (record,))
    for digest, clip in zip(digests, clips, strict=True):
        connection.execute("INSERT INTO sound VALUES (?, ?)", (digest, clip.as_kept()[0]))
        connection.execute("INSERT INTO turn_sound VALUES (1, ?)", (digest,))
    connection.commit()
    connection.close()


def test_a_file_of_version_1_keeps_its_sounds(journal_file: Path) -> None:
    write_version_1(journal_file)
    assert row(journal_file, "PRAGMA user_version") == (1,)

    (found,) = nba.history.search("before")

    assert [clip.as_kept() for clip in found.turn.clips] == [LONG.as_kept(), SHORT.as_kept()]
    assert row(journal_file, "PRAGMA user_version") == (len(schema.MIGRATIONS),)
    nba.Conversation().append(nba.Turn("user", "again", (LONG, SHORT)))
    assert row(journal_file, "SELECT count(*) FROM sound") == (3,)  # the long one has another name now
    assert [clip.as_kept() for clip in nba.history.search("again")[0].turn.clips] == [LONG.as_kept(), SHORT.as_kept()]
    assert nba.history.clear() == 2
    assert row(journal_file, "SELECT (SELECT count(*) FROM sound), (SELECT count(*) FROM part)") == (0, 0)


class Meanwhile:
    """A connection during whose queries another kernel does something, as soon as one has these words in it."""

    def __init__(self, file: Path, words: str, then: Callable[[], object]) -> None:
        self._own = sqlite3.connect(file, isolation_level=None)
        self._words, self._then = words, then
        self.done = False

    def execute(self, query: str, *values: Any) -> sqlite3.Cursor:
        if self._words in query and not self.done:
            self.done = True
            with suppress(sqlite3.OperationalError):  # it has to wait, and comes later
                self._then()
        return self._own.execute(query, *values)

    @property
    def in_transaction(self) -> bool:
        return self._own.in_transaction

    def close(self) -> None:
        self._own.close()


@pytest.mark.parametrize("query", ["user_version", "application_id", "sqlite_master"])
def test_a_kernel_that_makes_its_tables_meanwhile_is_no_other_program(tmp_path: Path, query: str) -> None:
    file = tmp_path / "journal.sqlite3"
    other = sqlite3.connect(file, timeout=0, isolation_level=None)
    meanwhile: Any = Meanwhile(file, query, lambda: schema.migrate(other))

    assert schema.version_of(meanwhile) in (0, len(schema.MIGRATIONS))
    assert meanwhile.done
    meanwhile.close()
    other.close()


@pytest.mark.parametrize("query", ["CREATE VIRTUAL", "SELECT", "INSERT INTO said"])
def test_words_that_another_kernel_writes_meanwhile_are_not_indexed_twice(tmp_path: Path, query: str) -> None:
    file = tmp_path / "journal.sqlite3"
    other = Store(file)
    other.put_chat("c", "", "", {})

    def write() -> None:
        with other.transaction():
            other.put_turn("c", nba.Turn("user", "meanwhile"), 0, "kept")

    other.patience(0)
    meanwhile: Any = Meanwhile(file, query, write)
    assert schema.migrate(meanwhile)
    meanwhile.close()
    if not meanwhile.done:
        write()
    other.close()
    assert row(file, "SELECT count(*) FROM said WHERE said MATCH 'meanwhile'") == (1,)


def test_what_had_come_of_an_answer_in_a_file_of_version_3_is_there(journal_file: Path) -> None:
    with pytest.MonkeyPatch.context() as then:
        then.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:3])
        Store(journal_file).close()
    record = json.dumps({"role": "user", "id": "a", "text": "Well?", "time": 1.0})
    connection = sqlite3.connect(journal_file)
    connection.execute("INSERT INTO chat VALUES ('c', '', '', 1, 1, '{}')")
    connection.execute("INSERT INTO turn VALUES (1, 'c', 'a', 0, 'user', 'Well?', ?, 1, 1, 'asked', NULL)", (record,))
    for sample_rate, data in ((0, b"It "), (24_000, b"ab"), (24_000, b"cd"), (0, b"is.")):  # sound among the words
        connection.execute("INSERT INTO piece (turn, sample_rate, data) VALUES (1, ?, ?)", (sample_rate, data))
    connection.commit()
    connection.close()

    partial = nba.history.restore("c")[-1]

    assert isinstance(partial, nba.Reply)
    assert (partial.text, partial.marks) == ("It is.", ((3, 0), (6, 2)))
    assert partial.clip is not None
    assert partial.clip.encode("pcm16") == b"abcd"
    assert [found.sounds for found in nba.history.search("it")] == [1]
