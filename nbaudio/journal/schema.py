"""The journal's tables, and how an older file comes to have them.

``PRAGMA user_version`` says how many of `MIGRATIONS` a file has been through. Each is one transaction, so a kernel that
is killed in one leaves the file as it was; two kernels that begin at once wait for each other.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["APPLICATION_ID", "INDEX", "MIGRATIONS", "ForeignFile", "NewerFile", "migrate", "version_of"]

APPLICATION_ID = 0x6E626131
"""By which a journal is known from other SQLite files: ``nba1``."""

INDEX = "fts5(words, tokenize = 'unicode61 remove_diacritics 2')"
"""How words are indexed."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        f"PRAGMA application_id = {APPLICATION_ID}",
        """CREATE TABLE chat (
            id TEXT PRIMARY KEY,
            name TEXT NOT NULL,
            notebook TEXT NOT NULL,
            begun REAL NOT NULL,    -- Unix seconds, as all times here
            changed REAL NOT NULL,
            options TEXT NOT NULL   -- JSON: voice, model, instructions
        )""",
        """CREATE TABLE turn (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            chat TEXT NOT NULL REFERENCES chat ON DELETE CASCADE,
            id TEXT NOT NULL,       -- nbaudio.Turn.id: forks of a chat share turns
            position INTEGER NOT NULL,
            role TEXT NOT NULL,
            words TEXT NOT NULL,
            record TEXT NOT NULL,   -- JSON, see nbaudio.records
            time REAL NOT NULL,
            written REAL NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('asked', 'kept', 'removed', 'unanswered')),
            UNIQUE (chat, id)
        )""",
        "CREATE INDEX turn_written ON turn (written)",
        """CREATE TABLE piece (       -- of an answer that is still coming, by its question
            number INTEGER PRIMARY KEY,
            turn INTEGER NOT NULL REFERENCES turn ON DELETE CASCADE,
            sample_rate INTEGER NOT NULL,  -- Hz; 0 for words
            data BLOB NOT NULL      -- UTF-8 or PCM of 16 bits, mono
        )""",
        "CREATE INDEX piece_turn ON piece (turn)",
        """CREATE TABLE sound (
            digest TEXT PRIMARY KEY,  -- SHA-256 of data
            data BLOB NOT NULL        -- a sound file
        )""",
        """CREATE TABLE turn_sound (
            turn INTEGER NOT NULL REFERENCES turn ON DELETE CASCADE,
            digest TEXT NOT NULL,
            PRIMARY KEY (turn, digest)
        ) WITHOUT ROWID""",
        "CREATE INDEX turn_sound_digest ON turn_sound (digest)",
    ),
    (
        """CREATE TABLE long_sound (  -- a sound in parts, see nbaudio.sound.parts
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            recording TEXT UNIQUE,    -- the file of a recording that has not been said yet
            begun REAL NOT NULL
        )""",
        """CREATE TABLE part (
            long_sound INTEGER NOT NULL REFERENCES long_sound ON DELETE CASCADE,
            position INTEGER NOT NULL,
            digest BLOB NOT NULL,     -- SHA-256 of data
            data BLOB NOT NULL
        )""",
        "CREATE UNIQUE INDEX part_position ON part (long_sound, position, digest)",
        # Where a sound is a long one, data is empty, and digest is made of those of the parts.
        "ALTER TABLE sound ADD COLUMN long_sound INTEGER",
    ),
    (
        # The number of the question that a turn is a part of, until that question is over; then NULL.
        "ALTER TABLE turn ADD COLUMN question INTEGER",
        "CREATE INDEX turn_question ON turn (question) WHERE question IS NOT NULL",
    ),
    (
        # Of the sound of an answer that is still coming: its question, and Hz; its header is not among its parts yet.
        "ALTER TABLE long_sound ADD COLUMN question INTEGER REFERENCES turn ON DELETE CASCADE",
        "ALTER TABLE long_sound ADD COLUMN sample_rate INTEGER NOT NULL DEFAULT 0",
        "CREATE INDEX long_sound_question ON long_sound (question) WHERE question IS NOT NULL",
        # Of words: how much of that sound came before them. What an earlier version wrote has its sound in between.
        "ALTER TABLE piece ADD COLUMN sound_bytes INTEGER NOT NULL DEFAULT 0",
    ),
)


_NOT_INDEXED = "FROM turn WHERE number > (SELECT ifnull(max(rowid), 0) FROM said)"


class NewerFile(Exception):
    """The file was written by a later version, whose tables are not known here."""


class ForeignFile(Exception):
    """The file is a database, but no journal."""


def migrate(connection: sqlite3.Connection) -> bool:
    """Bring a file to the newest version; says whether it has an index of words.

    Raises
    ------
    NewerFile, ForeignFile
        The file is then as it was.
    """
    while (version := version_of(connection)) < len(MIGRATIONS):
        connection.execute("BEGIN IMMEDIATE")
        try:
            if version_of(connection) == version:  # else another kernel has just done it
                for statement in MIGRATIONS[version]:
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {version + 1}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    return _index_words(connection)


def version_of(connection: sqlite3.Connection) -> int:
    """How many migrations a file has been through.

    Raises
    ------
    NewerFile, ForeignFile
        If it is not for this version of nbaudio to write to.
    """
    with _at_one_moment(connection):  # else another kernel may make its tables between one look and the next
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != APPLICATION_ID and (version or application or tables):
        raise ForeignFile
    if version > len(MIGRATIONS):
        raise NewerFile
    return int(version)


@contextmanager
def _at_one_moment(connection: sqlite3.Connection) -> Iterator[None]:
    """All that is read inside is of one moment."""
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN")
    try:
        # A transaction begins with the first look at the file itself, which not every pragma is.
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
        yield
    finally:
        connection.execute("COMMIT")


def _index_words(connection: sqlite3.Connection) -> bool:
    """Index what is not indexed yet, as by a Python whose SQLite has no FTS5; says whether this one has it."""
    try:
        connection.execute(f"CREATE VIRTUAL TABLE IF NOT EXISTS said USING {INDEX}")
        (lacking,) = connection.execute(f"SELECT EXISTS (SELECT 1 {_NOT_INDEXED})").fetchone()
    except sqlite3.OperationalError as error:
        if "no such module" in str(error):
            return False
        raise
    if lacking:
        # One statement, which looks and writes at one moment: another kernel may be writing turns and their words.
        connection.execute(f"INSERT INTO said (rowid, words) SELECT number, words {_NOT_INDEXED}")
    return True
