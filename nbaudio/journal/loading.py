"""Turns out of the journal, whose sounds stay in it until they are used."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from nbaudio.errors import ClipError, NbaudioError
from nbaudio.journal import reading
from nbaudio.journal.reading import TurnRow
from nbaudio.journal.store import Store
from nbaudio.journal.watcher import journal
from nbaudio.records import turn_of_record
from nbaudio.sound.clip import Clip
from nbaudio.sound.parts import is_named
from nbaudio.turns import Reply, Turn

__all__ = ["chat_turns", "partial_at", "turn_at"]

_BROKE_OFF = "This answer broke off; what came of it is kept."


def turn_at(store: Store, number: int) -> Turn:
    """A turn by its number.

    Raises
    ------
    NbaudioError
        If it is not there any more, or damaged.
    """
    record = reading.record_at(store, number)
    if record is None:
        raise NbaudioError("This turn is no longer in the journal.", "It was cleared, or grew too old.")
    return turn_of_record(record, lambda digest: _clip(store, digest))


def partial_at(store: Store, number: int) -> Reply:
    """What has come of the answer to the question of a number, as a reply marked partial.

    Raises
    ------
    NbaudioError
        If nothing of it is there any more.
    """
    question = reading.row_at(store, number)
    partial = _partial(store, question) if question is not None else None
    if partial is None:
        raise NbaudioError("What had come of this answer is no longer apart.", "It has ended since, or was cleared.")
    return partial


def chat_turns(store: Store, chat: str) -> list[Turn]:
    """The turns of a conversation, and of a question that was on its way when all ended, what had come.

    That is: answers that called tools, the results that were there, and what there was of the next answer.
    """
    rows = reading.turns_of(store, chat)
    turns: list[Turn] = []
    for asked, standing in _by_question([row for row in rows if row.question is None]):
        turns += (_known(store, row) for row in standing)
        last = turns[-1]
        if asked is None or asked.state != "asked" or (isinstance(last, Reply) and last.answers):
            continue
        parts = [_known(store, row) for row in rows if row.question == asked.number]
        # It was asked again: what broke off before stays until there is more.
        broke_off = isinstance(last, Reply) and last.partial
        if broke_off and parts:
            del turns[-1]
        turns += parts
        if (partial := _partial(store, asked)) is not None and (parts or not broke_off):
            turns.append(partial)
    return turns


def _by_question(rows: list[TurnRow]) -> list[tuple[TurnRow | None, list[TurnRow]]]:
    """Rows in groups that begin with a question of the user, if one of them does."""
    groups: list[tuple[TurnRow | None, list[TurnRow]]] = []
    for row in rows:
        if row.role == "user" or not groups:
            groups.append((row if row.role == "user" else None, []))
        groups[-1][1].append(row)
    return groups


def _known(store: Store, row: TurnRow) -> Turn:
    turn = turn_at(store, row.number)
    journal.know(turn, row.number)
    return turn


def _partial(store: Store, question: TurnRow) -> Reply | None:
    said, pcm16 = "", bytearray()
    marks: list[tuple[int, int]] = []  # at the end of each run of words, as in `nbaudio.wire.answers.Answer`
    rate = 24_000
    for sample_rate, data in reading.pieces_of(store, question.number):
        if sample_rate:
            pcm16 += data
            rate = sample_rate
            continue
        if marks and marks[-1][1] == len(pcm16) // 2:
            del marks[-1]  # the run goes on
        said += data.decode("utf-8", "surrogatepass")
        marks.append((len(said), len(pcm16) // 2))
    if not said and not pcm16:
        return None
    end = (len(said), len(pcm16) // 2)
    if marks[-1:] != [end]:
        marks.append(end)
    clips = (Clip.from_pcm16(bytes(pcm16), rate),) if len(pcm16) > 1 else ()
    return Reply(
        text=said,
        clips=clips,
        time=question.time,
        id=reading.partial_id(question),
        partial=True,
        note=_BROKE_OFF,
        marks=tuple(marks) if clips else (),
    )


def _clip(store: Store, digest: str) -> Clip:
    data = reading.sound(store, digest)
    assert data is not None  # the record names only those that are there
    clip = Clip(data)
    clip.park(_Sound(store.path, digest).read)
    return clip


class _Sound:
    """One sound of a journal."""

    def __init__(self, path: Path, digest: str) -> None:
        self._path, self._digest = path, digest

    def read(self) -> bytes:
        try:
            data = journal.sound(self._path, self._digest)
        except (sqlite3.Error, OSError) as error:
            raise ClipError(f"A sound can't be read from the journal {self._path}: {error}.") from error
        if data is None:
            raise ClipError(
                f"The sound of an earlier turn is gone: it is no longer in the journal {self._path}.",
                "It was cleared, or grew too old.",
            )
        if not is_named(data, self._digest):
            raise ClipError(f"A sound in the journal {self._path} is damaged.")
        return data
