"""One open journal: what is written to its tables."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbaudio.errors import ClipError
from nbaudio.journal.long_sounds import put_long
from nbaudio.journal.place import ENDINGS, beside, create_private, restrict
from nbaudio.journal.schema import migrate, version_of
from nbaudio.journal.tidying import LOG_BYTES, Tidying
from nbaudio.records import record_of
from nbaudio.sound.clip import Clip
from nbaudio.sound.parts import Whole
from nbaudio.turns import Turn

if TYPE_CHECKING:
    from nbaudio.journal.coming import Coming

__all__ = ["Store", "identity", "plain", "set_aside"]

_PATIENCE_MS = 3000
_CACHE_KIB = 600  # a few seconds of sound; what is read again is in the system's cache
_abandoned: list[sqlite3.Connection] = []


class Store:
    """A connection to a journal, which any thread may use, one at a time.

    Parameters
    ----------
    path : Path
    ours : bool
        Whether its folder is nbaudio's own.

    Raises
    ------
    sqlite3.Error, OSError, NewerFile, ForeignFile
        If it can't be used.
    """

    def __init__(self, path: Path, *, ours: bool = False) -> None:
        create_private(path, ours=ours)
        self.path = path
        self.process = os.getpid()
        self.said: set[str] = set()
        """The files of recordings that have been written as sounds of turns."""
        self._file = identity(path)
        self._patience_ms = _PATIENCE_MS
        self._tidying = Tidying(path)
        self.connection = sqlite3.connect(
            path, timeout=_PATIENCE_MS / 1000, isolation_level=None, check_same_thread=False
        )
        try:
            self.indexed = self._prepare()
        except BaseException:
            self.connection.close()
            raise

    def _prepare(self) -> bool:
        execute = self.connection.execute
        version_of(self.connection)  # before anything is changed: it may be a file that is not to be touched
        restrict(self.path)
        execute("PRAGMA auto_vacuum = INCREMENTAL")  # holds for a file that is still empty
        for left in range(20, -1, -1):
            try:  # while another kernel does the same, SQLite refuses at once instead of waiting
                execute("PRAGMA journal_mode = WAL")
                break
            except sqlite3.OperationalError as error:
                if not left or "locked" not in str(error):
                    raise
                time.sleep(0.05)
        execute("PRAGMA synchronous = NORMAL")  # what is committed outlives the process; only a power cut may take it
        execute("PRAGMA foreign_keys = ON")
        execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        execute("PRAGMA wal_autocheckpoint = 0")  # whoever writes does not wait for it; see `tidy`
        execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
        return migrate(self.connection)

    # -- the file -----------------------------------------------------------------------------------------

    @property
    def is_there(self) -> bool:
        """Whether the file of this connection is still the one of its name, and of this process."""
        return self.process == os.getpid() and self._file == identity(self.path)

    def patience(self, milliseconds: int = _PATIENCE_MS) -> None:
        """How long to wait for another program that is writing."""
        if milliseconds != self._patience_ms:
            self.connection.execute(f"PRAGMA busy_timeout = {milliseconds}")
            self._patience_ms = milliseconds

    def tidy(self, *, amid_answers: bool = False) -> None:
        """Have what waits in the -wal file brought into the journal, if it is much; see `Tidying.begin`."""
        self._tidying.begin(amid_answers=amid_answers)

    def close(self) -> None:
        """Let go of the file."""
        if self.process == os.getpid():
            self._tidying.wait()
            with suppress(sqlite3.Error):
                self.connection.close()
        else:  # it belongs to the process that forked: closing it here would take that one's locks and -wal file
            _abandoned.append(self.connection)

    def set_aside(self) -> Path | None:
        """Give the file, which is damaged, another name; None where another kernel has done so already."""
        self.close()
        return set_aside(self.path, self._file)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of what is done inside, or nothing."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
            raise

    # -- what is written ----------------------------------------------------------------------------------

    def put_chat(self, chat: str, name: str, notebook: str, options: Mapping[str, Any]) -> None:
        """Have a row for a conversation, and note that it changes now."""
        now = time.time()
        self.connection.execute(
            "INSERT INTO chat (id, name, notebook, begun, changed, options) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET name = excluded.name, changed = excluded.changed,"
            " options = excluded.options",
            (plain(chat), plain(name), plain(notebook), now, now, json.dumps(_told(options))),
        )

    def put_turn(self, chat: str, turn: Turn, position: int, state: str, came: Coming | None = None) -> int:
        """Write a turn and its sounds, whatever was there of it; gives its number.

        Of an answer whose sound `came` already, that need not be written again.
        """
        digests: list[str] = []

        def keep(clip: Clip) -> str:
            try:
                digests.append(self._put_sound(clip, came))
            except ClipError:  # its file is gone: the words are written all the same
                return ""
            return digests[-1]

        record = json.dumps(record_of(turn, keep))  # ASCII, and so lone surrogates stay what they are
        return self._put(chat, turn, position, state, record, digests)

    def copy_turn(self, chat: str, turn: Turn, position: int, state: str, number: int) -> int | None:
        """Write a turn as it stands in another conversation already; None where it stands there no longer."""
        found = self.connection.execute("SELECT record FROM turn WHERE number = ? AND id = ?", (number, plain(turn.id)))
        row = found.fetchone()
        if row is None:
            return None
        digests = self.connection.execute("SELECT digest FROM turn_sound WHERE turn = ?", (number,)).fetchall()
        return self._put(chat, turn, position, state, row[0], [digest for (digest,) in digests])

    def _put(self, chat: str, turn: Turn, position: int, state: str, record: str, digests: list[str]) -> int:
        execute = self.connection.execute
        words, turn_id = plain(turn.words), plain(turn.id)
        execute(
            "INSERT INTO turn (chat, id, position, role, words, record, time, written, state)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (chat, id) DO UPDATE SET position = excluded.position, role = excluded.role,"
            " words = excluded.words, record = excluded.record, time = excluded.time, state = excluded.state,"
            " question = NULL",
            (plain(chat), turn_id, position, turn.role, words, record, turn.time, time.time(), state),
        )
        number = self.number_of(chat, turn)
        assert number is not None  # it has just been written
        execute("DELETE FROM turn_sound WHERE turn = ?", (number,))
        for digest in digests:
            execute("INSERT OR IGNORE INTO turn_sound (turn, digest) VALUES (?, ?)", (number, digest))
        if self.indexed:
            execute("INSERT OR REPLACE INTO said (rowid, words) VALUES (?, ?)", (number, words))
        return number

    def _put_sound(self, clip: Clip, came: Coming | None) -> str:
        execute, insert = self.connection.execute, "INSERT INTO sound (digest, data, long_sound) VALUES (?, ?, ?)"
        if came is not None and (found := came.become(clip)) is not None:
            execute(insert, (found[0], b"", found[1]))
            return found[0]
        sound = clip.recorded or Whole(clip.as_kept()[0])
        if execute("SELECT 1 FROM sound WHERE digest = ?", (sound.name,)).fetchone() is None:
            row: tuple[str, bytes, int | None] = sound.name, sound.part(0), None
            if len(sound.digests) > 1:
                recording = str(clip.recorded.path) if clip.recorded is not None else ""
                row = sound.name, b"", put_long(self.connection, recording, sound)
                self.said.add(recording)
            execute(insert, row)
        return sound.name

    def number_of(self, chat: str, turn: Turn) -> int | None:
        """Under which number a turn of a conversation stands there."""
        row = self.connection.execute(
            "SELECT number FROM turn WHERE chat = ? AND id = ?", (plain(chat), plain(turn.id))
        ).fetchone()
        return int(row[0]) if row else None

    def has(self, number: int) -> bool:
        """Whether there is still a turn of this number."""
        return self.connection.execute("SELECT 1 FROM turn WHERE number = ?", (number,)).fetchone() is not None

    def place(self, chat: str, turn: Turn, position: int) -> None:
        """Move a turn that is written already."""
        self.connection.execute(
            "UPDATE turn SET position = ?, state = 'kept' WHERE chat = ? AND id = ?",
            (position, plain(chat), plain(turn.id)),
        )

    def remove(self, chat: str, turn: Turn) -> None:
        """Mark a turn as no longer in its conversation; it can still be found."""
        self.connection.execute(
            "UPDATE turn SET state = 'removed' WHERE chat = ? AND id = ?", (plain(chat), plain(turn.id))
        )

    def drop_pieces(self, number: int) -> None:
        """Let what came of the answer to a question go: it is here as a whole, or given up."""
        self.connection.execute("DELETE FROM piece WHERE turn = ?", (number,))
        self.connection.execute("DELETE FROM long_sound WHERE question = ?", (number,))

    def ask_again(self, number: int) -> None:
        """Note that a question which stands in its conversation is on its way once more."""
        self.connection.execute("UPDATE turn SET state = 'asked' WHERE number = ? AND state = 'kept'", (number,))

    def give_up(self, number: int, *, stands: bool) -> None:
        """Note that a question got no answer, where it has none; one that was asked again stands where it was."""
        state = "kept" if stands else "unanswered"
        self.connection.execute("UPDATE turn SET state = ? WHERE number = ? AND state = 'asked'", (state, number))

    def belongs(self, number: int, question: int) -> None:
        """Note that a turn is a part of a question which is on its way."""
        self.connection.execute("UPDATE turn SET question = ? WHERE number = ?", (question, number))

    def give_up_parts(self, question: int) -> None:
        """Mark what had come of a question and is in no conversation; it can still be found."""
        self.connection.execute("UPDATE turn SET state = 'removed', question = NULL WHERE question = ?", (question,))


def set_aside(path: Path, file: tuple[int, int] | None) -> Path | None:
    """Give a damaged file, and those beside it, another name; None where another kernel has done so already.

    Parameters
    ----------
    path : Path
    file : tuple
        Its `identity`, as it was when it turned out to be damaged.

    Raises
    ------
    OSError
        If the system does not let it be renamed.
    """
    if file is None or identity(path) != file:
        return None
    kept = beside(path, "damaged")
    for ending in ENDINGS:
        with suppress(FileNotFoundError):
            path.with_name(path.name + ending).rename(kept.with_name(kept.name + ending))
    return kept


def plain(text: str) -> str:
    r"""Text as SQLite takes it: without lone surrogates, which a server may send.

    >>> plain("a\ud800b")
    'a?b'
    """
    return text.encode("utf-8", "replace").decode("utf-8")


def identity(path: Path) -> tuple[int, int] | None:
    """Which file has this name now; None where none has."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _told(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that are plain values; tools are not, and without them there is nothing to choose from."""
    kept = {name: value for name, value in options.items() if isinstance(value, (str, int, float, bool))}
    kept.pop("tool_choice", None)
    return kept
