"""What is read from an open journal."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from nbaudio.journal.long_sounds import long_sound
from nbaudio.journal.schema import INDEX
from nbaudio.journal.store import Store, plain

__all__ = [
    "ChatRow",
    "TurnRow",
    "all_chats",
    "find",
    "latest",
    "partial_id",
    "pieces_of",
    "record_at",
    "row_at",
    "snippet",
    "sound",
    "turns_of",
]

_TURN = (
    "SELECT turn.number, chat.id, chat.name, chat.notebook, turn.id, turn.role, turn.words, turn.time, turn.state,"
    " (SELECT count(*) FROM turn_sound WHERE turn_sound.turn = turn.number), turn.written, turn.question,"
    """ instr(turn.record, '"partial": true') > 0"""  # within a text of the record the quotes would be escaped
    " FROM turn JOIN chat ON chat.id = turn.chat"
)
_STANDS = (  # in its conversation, or on the way there: not what was to take the place of an answer
    "(turn.state = 'kept' OR turn.state = 'asked' AND NOT EXISTS"
    " (SELECT 1 FROM turn AS question WHERE question.number = turn.question AND question.state != 'asked'))"
)
_NEWEST_FIRST = " ORDER BY turn.written DESC, turn.number DESC"
_PIECES = (
    "SELECT 0, number, sample_rate, sound_bytes, data FROM piece WHERE turn = ?"
    " UNION ALL SELECT 1, part.rowid, long_sound.sample_rate, 0, part.data"
    " FROM long_sound JOIN part ON part.long_sound = long_sound.number WHERE long_sound.question = ? ORDER BY 1, 2"
)
_MOST_WORDS = 32  # of a search; more would make SQLite refuse the expression,
_LONGEST_WORD = 1000  # and so would longer ones


@dataclass(frozen=True)
class TurnRow:
    """A turn, and the conversation that it stands in.

    `question` is the number of the one that it is a part of, where that is not over. `coming` says that it is no turn
    yet, but what has come of the answer to the question of this number.
    """

    number: int
    chat: str
    chat_name: str
    notebook: str
    id: str
    role: str
    words: str
    time: float
    state: str
    sounds: int
    written: float
    question: int | None
    partial: bool
    coming: bool = False


@dataclass(frozen=True)
class ChatRow:
    """A conversation."""

    id: str
    name: str
    notebook: str
    begun: float
    changed: float
    options: dict[str, Any]
    turns: int


def find(store: Store, query: str, limit: int) -> list[TurnRow]:
    r"""The newest turns with all words of a search, or with words that begin so; each once, whatever forks it is in.

    Answers that are still coming, or were when all ended, are among them with the words that have come.
    Whatever is searched for is words: nothing in it is an operator of SQLite's.
    """
    words = re.findall(r"\w+", plain(query))[:_MOST_WORDS]
    if store.indexed and words:
        wanted = " ".join(f'"{word}"*' for word in words)
        where = " WHERE turn.number IN (SELECT rowid FROM said WHERE said MATCH ?)"
        if found := _each_once(store, where, (wanted,), limit):
            return found
    # Without the index; or within longer words, as those of languages that put no spaces between them.
    parts = [part[:_LONGEST_WORD] for part in plain(query).replace("\0", " ").split()[:_MOST_WORDS]]
    if not parts:
        return []
    where = " WHERE " + " AND ".join(["turn.words LIKE ? ESCAPE '\\'"] * len(parts))
    return _each_once(store, where, tuple(map(_anywhere, parts)), limit)


def latest(store: Store, limit: int) -> list[TurnRow]:
    """The newest turns."""
    return _each_once(store, "", (), limit)


def _anywhere(part: str) -> str:
    return "%" + re.sub(r"[%_\\]", r"\\\g<0>", part) + "%"


def _each_once(store: Store, where: str, values: tuple[str, ...], limit: int) -> list[TurnRow]:
    found: dict[str, TurnRow] = {}
    for values_of_row in store.connection.execute(_TURN + where + _NEWEST_FIRST, values):
        if len(found) >= limit:
            break
        found.setdefault(values_of_row[4], TurnRow(*values_of_row))
    for row in _matching(_coming(store), where, values, indexed=store.indexed):
        found.setdefault(row.id, row)  # once it is restored, it is a turn
    newest_first = sorted(found.values(), key=lambda row: (row.written, row.coming, row.number), reverse=True)
    return newest_first[:limit]


def _coming(store: Store) -> list[TurnRow]:
    """What has come of answers whose end is not there: they come just now, or broke off by a kill."""
    rows: list[TurnRow] = []
    execute = store.connection.execute
    where = (
        " WHERE turn.number IN (SELECT turn FROM piece UNION SELECT question FROM long_sound WHERE question NOT NULL)"
    )
    for values in execute(_TURN + where).fetchall():
        question = TurnRow(*values)
        words = execute(  # without the sound, which may be much
            "SELECT data FROM piece WHERE turn = ? AND NOT sample_rate ORDER BY number", (question.number,)
        )
        sounds, written = execute(
            "SELECT EXISTS (SELECT 1 FROM piece WHERE turn = ? AND sample_rate)"
            " OR EXISTS (SELECT 1 FROM long_sound WHERE question = ?), max(written) FROM turn"
            " WHERE number = ? OR question = ?",
            (question.number,) * 4,
        ).fetchone()
        rows.append(
            replace(
                question,
                id=partial_id(question),
                role="assistant",
                words=plain(b"".join(data for (data,) in words).decode("utf-8", "surrogatepass")),
                state="asked",
                sounds=sounds,
                written=written,
                partial=True,
                coming=True,
            )
        )
    return rows


def partial_id(question: TurnRow) -> str:
    """By which what had come of an answer is known, whoever restores it and how often."""
    return hashlib.sha256(f"{question.id} {question.number}".encode()).hexdigest()[:32]


def _matching(rows: list[TurnRow], where: str, values: tuple[str, ...], *, indexed: bool) -> list[TurnRow]:
    """Those of some rows that are found by the same condition as turns: their words are in no table of the journal."""
    if not rows:
        return []
    with closing(sqlite3.connect(":memory:")) as own:
        texts = [(row.number, row.words) for row in rows]
        own.execute("CREATE TABLE turn (number INTEGER PRIMARY KEY, words TEXT)")
        own.executemany("INSERT INTO turn (number, words) VALUES (?, ?)", texts)
        if indexed:
            own.execute(f"CREATE VIRTUAL TABLE said USING {INDEX}")
            own.executemany("INSERT INTO said (rowid, words) VALUES (?, ?)", texts)
        numbers = {number for (number,) in own.execute("SELECT number FROM turn" + where, values)}  # noqa: S608 - of `find`
    return [row for row in rows if row.number in numbers]


def all_chats(store: Store, limit: int) -> list[ChatRow]:
    """The conversations that changed last, with how many turns they have."""
    rows = store.connection.execute(
        "SELECT id, name, notebook, begun, changed, options,"  # noqa: S608 - one of the texts above
        f" (SELECT count(*) FROM turn WHERE turn.chat = chat.id AND {_STANDS}) AS turns"
        " FROM chat ORDER BY changed DESC LIMIT ?",
        (limit,),
    )
    return [
        ChatRow(chat, name, notebook, begun, changed, json.loads(options), turns)
        for chat, name, notebook, begun, changed, options, turns in rows
    ]


def turns_of(store: Store, chat: str) -> list[TurnRow]:
    """The turns of a conversation, in order, as they stood there last, with the parts of questions on their way."""
    order = f" WHERE turn.chat = ? AND {_STANDS} ORDER BY turn.position, turn.number"
    return [TurnRow(*row) for row in store.connection.execute(_TURN + order, (plain(chat),))]


def row_at(store: Store, number: int) -> TurnRow | None:
    """A turn by its number; None where it is gone."""
    row = store.connection.execute(_TURN + " WHERE turn.number = ?", (number,)).fetchone()
    return TurnRow(*row) if row is not None else None


def record_at(store: Store, number: int) -> dict[str, Any] | None:
    """The record of a turn, with the names of those sounds that are there; None where the turn is gone."""
    row = store.connection.execute("SELECT record FROM turn WHERE number = ?", (number,)).fetchone()
    if row is None:
        return None
    record: dict[str, Any] = json.loads(row[0])
    there = store.connection.execute(
        "SELECT digest FROM sound WHERE digest IN (SELECT digest FROM turn_sound WHERE turn = ?)", (number,)
    )
    known = {digest for (digest,) in there}
    record["sounds"] = [digest for digest in record.get("sounds", []) if digest in known]
    return record


def pieces_of(store: Store, number: int) -> Iterator[tuple[int, bytes]]:
    """What came of the answer to a question before all ended: sample rate (0 for words) and bytes, in order."""
    pieces = store.connection.execute(_PIECES, (number, number)).fetchall()  # one look: they may go at any moment
    sound = b"".join(data for is_sound, *_, data in pieces if is_sound)
    sample_rate = max((rate for is_sound, _, rate, _, _ in pieces if is_sound), default=0)
    at = 0
    for is_sound, _, rate, sound_bytes, data in pieces:
        if is_sound:
            break
        if at < sound_bytes:
            yield sample_rate, sound[at:sound_bytes]
            at = sound_bytes
        yield rate, data
    if at < len(sound):
        yield sample_rate, sound[at:]


def sound(store: Store, digest: str) -> bytes | None:
    """A sound file's bytes."""
    row = store.connection.execute("SELECT data, long_sound FROM sound WHERE digest = ?", (digest,)).fetchone()
    if row is None:
        return None
    data, number = row
    return bytes(data) if number is None else long_sound(store.connection, number)


def snippet(words: str, query: str, width: int = 80) -> str:
    """The part of some words that a search was for, in one line.

    Examples
    --------
    >>> snippet("A golden retriever is a good family dog.", "family", width=20)
    '… a good family d …'
    """
    line = " ".join(words.split())
    if len(line) <= width:
        return line
    places = [line.lower().find(word.lower()) for word in query.split()]
    first = min((place for place in places if place >= 0), default=0)
    start = max(0, min(first - width // 2, len(line) - width))
    end = start + width
    before, after = ("… " if start else ""), (" …" if end < len(line) else "")
    return before + line[start + len(before) : end - len(after)].strip() + after
