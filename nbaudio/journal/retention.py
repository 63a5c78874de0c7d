"""How what is old leaves the journal."""

from __future__ import annotations

import sqlite3
import time
from contextlib import suppress
from pathlib import Path

from nbaudio.journal.store import Store

__all__ = ["clear", "forget", "forget_all", "retain"]

_DAY_S = 86_400.0  # no recording lasts longer
_AT_ONCE = 50  # turns, at most, between two looks at the size
_SIZES = """
SELECT turn.number, turn_sound.digest, ifnull(length(sound.data), 0) + ifnull(
    (SELECT sum(length(part.data)) FROM part WHERE part.long_sound = sound.long_sound), 0
)
FROM (SELECT number, written FROM turn ORDER BY written, number LIMIT ?) AS turn
LEFT JOIN turn_sound ON turn_sound.turn = turn.number LEFT JOIN sound ON sound.digest = turn_sound.digest
ORDER BY turn.written, turn.number
"""


def retain(store: Store, *, days: int, megabytes: int) -> None:
    """Delete what is older than so many days, then the oldest until the rest takes no more room; 0 is no limit.

    Of a recording that nobody said, because its kernel died, the parts stay for a day.
    """
    _delete_recordings(store, "begun < ?", time.time() - _DAY_S)
    if days:
        _delete(store, "written < ?", time.time() - days * _DAY_S)
    oldest = "number IN (SELECT number FROM turn ORDER BY written, number LIMIT ?)"
    while megabytes and (over := _size(store) - megabytes * 1_000_000) > 0:
        if not _delete(store, oldest, _how_many(store, over)):
            break


def _how_many(store: Store, over: int) -> int:
    """How many of the oldest turns have sounds of so many bytes, so that none goes which need not."""
    turns: set[int] = set()
    sounds: set[str] = set()
    for number, digest, size in store.connection.execute(_SIZES, (_AT_ONCE,)):
        if over <= 0 and number not in turns:
            break
        turns.add(number)
        if digest not in sounds:
            sounds.add(digest)
            over -= size
    return len(turns)


def clear(store: Store, older_than_days: float | None = None) -> int:
    """Delete all, or what is older; what is deleted is overwritten in the file. Says how many turns that were."""
    store.connection.execute("PRAGMA secure_delete = ON")
    before = time.time() - older_than_days * _DAY_S if older_than_days is not None else float("inf")
    _delete_recordings(store, "begun < ?", before)
    deleted = _delete(store, "written < ?", before)
    if store.indexed:
        store.connection.execute("INSERT INTO said (said) VALUES ('optimize')")  # its own log of what was deleted
    _write_through(store)
    return deleted


def forget(store: Store, recording: Path) -> None:
    """Delete a recording, if it was not said; what is deleted is overwritten in the file."""
    store.connection.execute("PRAGMA secure_delete = ON")
    if _delete_recordings(store, "recording = ?", str(recording)):
        _write_through(store)


def forget_all(copy: sqlite3.Connection) -> None:
    """Delete from a copy of a journal what was recorded and not said, which nobody would delete there."""
    copy.execute("PRAGMA foreign_keys = ON")
    copy.execute("PRAGMA secure_delete = ON")
    with copy:
        copy.execute("DELETE FROM long_sound WHERE recording NOT NULL")


def _write_through(store: Store) -> None:
    with suppress(sqlite3.OperationalError):  # another kernel reads: it will be done at another time
        store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()


def _delete_recordings(store: Store, which: str, value: float | str) -> bool:
    """Delete what was recorded and not said; says whether there was any."""
    which = f"recording NOT NULL AND {which}"
    if store.connection.execute(f"SELECT 1 FROM long_sound WHERE {which}", (value,)).fetchone() is None:  # noqa: S608 - one of the texts here
        return False
    with store.transaction():
        store.connection.execute(f"DELETE FROM long_sound WHERE {which}", (value,))  # noqa: S608
    store.connection.executescript("PRAGMA incremental_vacuum")
    return True


def _delete(store: Store, which: str, value: float) -> int:
    execute = store.connection.execute
    with store.transaction():
        if store.indexed:
            execute(f"DELETE FROM said WHERE rowid IN (SELECT number FROM turn WHERE {which})", (value,))  # noqa: S608 - one of the texts above
        deleted = execute(f"DELETE FROM turn WHERE {which}", (value,)).rowcount  # noqa: S608
        execute("DELETE FROM sound WHERE digest NOT IN (SELECT digest FROM turn_sound)")
        kept = "SELECT long_sound FROM sound WHERE long_sound NOT NULL"
        execute(f"DELETE FROM long_sound WHERE recording IS NULL AND question IS NULL AND number NOT IN ({kept})")  # noqa: S608
        execute("DELETE FROM chat WHERE id NOT IN (SELECT chat FROM turn)")
    store.connection.executescript("PRAGMA incremental_vacuum")  # execute() would free one page only
    return int(deleted)


def _size(store: Store) -> int:
    """Bytes of what is in use."""
    pages, free, page_bytes = (
        store.connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * page_bytes)
