"""Long sounds in the journal: in parts, so that a recording can be written down while it is recorded.

One that is still recorded has the name of its file; whoever has more of it brings it up to date, and what stands there
already is not written again. When it is said it becomes a sound as any other, and has no such name any more. The sound
of an answer has the parts in which it came instead, see `nbaudio.journal.coming`.
"""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from nbaudio.errors import ClipError

__all__ = ["InParts", "long_sound", "put_long", "put_parts"]


class InParts(Protocol):
    """A sound file, as `nbaudio.sound.parts.Whole` and `nbaudio.sound.recorded.Recorded` are."""

    @property
    def digests(self) -> Sequence[bytes]:
        """The SHA-256 of each part."""
        ...

    def part(self, number: int) -> bytes:
        """The bytes of a part."""
        ...


def put_parts(
    connection: sqlite3.Connection, recording: str, digests: Mapping[int, bytes], read: Callable[[int], bytes]
) -> int:
    """Have parts of a long sound there; gives its number.

    Parameters
    ----------
    connection : sqlite3.Connection
        In a transaction.
    recording : str
        The file of the recording, by which it is found again; empty where it is none.
    digests : mapping
        The SHA-256 of each part, by its place.
    read : callable
        Gives the bytes of the part at a place; only called for those that are not there.

    Raises
    ------
    ClipError
        If they can't be read, or are others.
    """
    execute = connection.execute
    found = execute("SELECT number FROM long_sound WHERE recording = ?", (recording,)).fetchone()
    number = found[0] if found else None
    if number is None:
        row = (recording or None, time.time())
        number = execute("INSERT INTO long_sound (recording, begun) VALUES (?, ?)", row).lastrowid
        assert number is not None  # it has just been inserted
    there = dict(execute("SELECT position, digest FROM part WHERE long_sound = ?", (number,)))
    for position, digest in digests.items():
        if there.get(position) == digest:
            continue
        data = read(position)
        if hashlib.sha256(data).digest() != digest:
            raise ClipError("A recording changed while it was written down.")
        if position in there:
            execute("DELETE FROM part WHERE long_sound = ? AND position = ?", (number, position))
        row_of_part = (number, position, digest, data)
        execute("INSERT INTO part (long_sound, position, digest, data) VALUES (?, ?, ?, ?)", row_of_part)
    return int(number)


def put_long(connection: sqlite3.Connection, recording: str, sound: InParts) -> int:
    """Have all of a long sound there, as one that has been said; gives its number."""
    digests = dict(enumerate(sound.digests))
    number = put_parts(connection, recording, digests, sound.part)
    connection.execute("DELETE FROM part WHERE long_sound = ? AND position >= ?", (number, len(digests)))
    connection.execute("UPDATE long_sound SET recording = NULL WHERE number = ?", (number,))
    return number


def long_sound(connection: sqlite3.Connection, number: int) -> bytes:
    """The bytes of a long sound."""
    rows = connection.execute("SELECT data FROM part WHERE long_sound = ? ORDER BY position", (number,))
    return b"".join(data for (data,) in rows)
