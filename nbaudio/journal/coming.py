"""An answer while it comes: all of it is in the journal piece by piece, and its sound is written there once.

The pieces of its sound are those of a long sound (see `nbaudio.journal.long_sounds`), which lacks its header as long as
nobody knows its length. So when the answer is whole hardly anything is left to write.
"""

from __future__ import annotations

import hashlib
import threading
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from nbaudio.journal.long_sounds import InParts
from nbaudio.journal.store import Store
from nbaudio.sound.parts import HEADER_BYTES, GrowingDigests, name_of
from nbaudio.sound.spool import Spooled
from nbaudio.turns import Turn
from nbaudio.wire.answers import AudioDelta, TextDelta

__all__ = ["Arriving", "Coming"]


class Coming:
    """What has come of an answer, and how much of that is in the journal.

    Parameters
    ----------
    store : Store
    question : int
        Its number.
    """

    def __init__(self, store: Store, question: int) -> None:
        self.store, self._question = store, question
        self._lock = threading.Lock()
        self._number: int | None = None  # of the long sound
        self._sample_rate = 0
        self._digests, self._checksum = GrowingDigests(), 0
        self._size = self._written = 0  # bytes of sound that have come, and that are in the journal
        self._sound: list[bytes] = []
        self._words: list[tuple[int, bytes]] = []  # with how many bytes of sound came before them

    def take(self, events: Sequence[TextDelta | AudioDelta]) -> None:
        """Take what has come, to be written next."""
        with self._lock:
            for event in events:
                if isinstance(event, TextDelta):
                    self._words.append((self._size, event.text.encode("utf-8", "surrogatepass")))
                else:
                    self._sample_rate = self._sample_rate or event.sample_rate
                    self._digests.add(event.pcm16)
                    self._checksum = zlib.crc32(event.pcm16, self._checksum)
                    self._size += len(event.pcm16)
                    self._sound.append(event.pcm16)

    def write(self) -> None:
        """Write what has been taken, all of it or nothing.

        Raises
        ------
        sqlite3.IntegrityError
            If the question is not there any more.
        """
        with self._lock:
            with self.store.transaction():
                number = self._write()
            self._number, self._written = number, self._size
            self._sound.clear()
            self._words.clear()

    def _write(self) -> int | None:
        execute, number = self.store.connection.execute, self._number
        if self._sound:
            if number is None:
                row = (time.time(), self._question, self._sample_rate)
                number = execute(
                    "INSERT INTO long_sound (begun, question, sample_rate) VALUES (?, ?, ?)", row
                ).lastrowid
            piece = (number, HEADER_BYTES + self._written, b"".join(self._sound))
            execute("INSERT INTO part (long_sound, position, digest, data) VALUES (?, ?, x'', ?)", piece)
        if self._words:
            self.store.connection.executemany(
                f"INSERT INTO piece (turn, sample_rate, sound_bytes, data) VALUES ({self._question:d}, 0, ?, ?)",  # noqa: S608 - a number
                self._words,
            )
        return number

    def name_of(self, sound: InParts) -> str:
        """The name of a sound, where it is what has come, as far as that can be seen at once; else nothing."""
        with self._lock:
            if not self._is(sound):
                return ""
            return name_of([hashlib.sha256(sound.part(0)).digest(), *self._digests.all()])

    def _is(self, sound: InParts) -> bool:
        if isinstance(sound, Spooled):  # whose digests nobody has made yet: that takes longer than to write it down
            found = (2 * sound.frames, sound.sample_rate, sound.checksum)
            return found == (self._size, self._sample_rate, self._checksum)
        return bool(self._size) and list(sound.digests[1:]) == self._digests.all()

    def become(self, sound: InParts) -> int | None:
        """Have what came be this sound, that is said; in a transaction, the last thing that is done with it.

        Gives the number of the long sound; None where it is another, or what came is not there any more.
        """
        with self._lock:
            if not (self._is(sound) and self.store.has(self._question)):
                return None
            number = self._write()
            given = self.store.connection.execute("UPDATE long_sound SET question = NULL WHERE number = ?", (number,))
            if not given.rowcount:
                return None
            header = sound.part(0)
            row = (number, hashlib.sha256(header).digest(), header)
            self.store.connection.execute(
                "INSERT INTO part (long_sound, position, digest, data) VALUES (?, 0, ?, ?)", row
            )
            return number


@dataclass
class Arriving:
    """A question whose answer comes: its number and its place in a journal, and what has come.

    `stands` says that the question is in the conversation already; `parts` are the turns that have come of it, of which
    the first `written` are in the journal; `coming` is the answer that follows them.
    """

    store: Store
    question: int
    place: int
    stands: bool
    coming: Coming = field(init=False)
    not_before: float = 0.0
    parts: list[Turn] = field(default_factory=list)
    written: int = 0

    def __post_init__(self) -> None:
        self.next()

    def next(self) -> None:
        """What comes from now on is another answer."""
        self.coming = Coming(self.store, self.question)
