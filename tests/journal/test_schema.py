"""A journal that an earlier nbaudio wrote."""

from __future__ import annotations

import hashlib
import json
import sqlite3
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
