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

from nbaudio.journal.store import Store
from nbaudio.sound.clip import Clip
from nbaudio.sound.codecs import wav_header
from nbaudio.sound.parts import HEADER_BYTES, PART_BYTES, came_name
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
        self._size = self._checksum = 0  # of the sound that has come: bytes, and CRC-32
        self._written = 0  # bytes of it that are in the journal
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

    def become(self, clip: Clip) -> tuple[str, int] | None:
        """Have what came be the sound of an answer that is whole, in a transaction; nothing is to be written after it.

        Gives the name of the sound and the number of the long one; None where the answer has another sound or a short
        one, or what came is not there any more.
        """
        with self._lock:
            header = wav_header(self._size, self._sample_rate)
            if self._size <= PART_BYTES or not self._is(clip, header) or not self.store.has(self._question):
                return None
            number, execute = self._write(), self.store.connection.execute
            if (
                number is None
                or not execute("UPDATE long_sound SET question = NULL WHERE number = ?", (number,)).rowcount
            ):
                return None
            row = (number, hashlib.sha256(header).digest(), header)
            execute("INSERT INTO part (long_sound, position, digest, data) VALUES (?, 0, ?, ?)", row)
            return came_name(header, self._checksum), number

    def _is(self, clip: Clip, header: bytes) -> bool:
        if isinstance(clip.recorded, Spooled):
            found = (2 * clip.frames, clip.sample_rate, clip.recorded.checksum)
            return found == (self._size, self._sample_rate, self._checksum)
        file = clip.as_kept()[0]
        same = len(file) == HEADER_BYTES + self._size and file.startswith(header)
        return same and zlib.crc32(memoryview(file)[HEADER_BYTES:]) == self._checksum


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
