"""What is found in the journal, and how it is shown."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from nbaudio.display.table import Table
from nbaudio.journal.loading import partial_at, turn_at
from nbaudio.journal.reading import ChatRow, TurnRow, snippet
from nbaudio.journal.watcher import journal
from nbaudio.turns import Turn

__all__ = ["Found", "FoundChat", "FoundChats", "FoundTurns"]


@dataclass(frozen=True)
class Found:
    """A turn that was found in the journal.

    `snippet` is the line of its `words` that was searched for; `chat` and `chat_id` are the conversation; `time` is in
    Unix seconds; `sounds` says how many it has; `partial` says that it is an answer that broke off, or whose rest is
    still to come. `state` is ``"kept"``, or ``"removed"`` where it was taken out of the conversation; ``"asked"`` of
    a question whose answer comes, or where all ended before it did, and of what has come of it; and ``"unanswered"`` of
    a question.
    """

    words: str
    snippet: str
    role: str
    time: float
    chat: str
    chat_id: str
    notebook: str
    turn_id: str
    state: str
    sounds: int
    partial: bool
    number: int = field(repr=False)
    coming: bool = field(default=False, repr=False)

    @classmethod
    def of(cls, row: TurnRow, query: str = "") -> Found:
        """What a row of the journal says."""
        return cls(
            words=row.words,
            snippet=snippet(row.words, query),
            role=row.role,
            time=row.time,
            chat=row.chat_name,
            chat_id=row.chat,
            notebook=row.notebook,
            turn_id=row.id,
            state=row.state,
            sounds=row.sounds,
            partial=bool(row.partial),
            number=row.number,
            coming=row.coming,
        )

    @property
    def turn(self) -> Turn:
        """The turn itself, whose sounds are read from the journal when they are used.

        Raises
        ------
        NbaudioError
            If it is not there any more.
        """
        load = partial_at if self.coming else turn_at
        return journal.read(lambda store: load(store, self.number))


@dataclass(frozen=True)
class FoundChat:
    """A conversation in the journal: how many `turns` it has, when it was `begun` and `changed` (Unix seconds)."""

    name: str
    id: str
    notebook: str
    begun: float
    changed: float
    turns: int

    @classmethod
    def of(cls, row: ChatRow) -> FoundChat:
        """What a row of the journal says."""
        return cls(row.name, row.id, row.notebook, row.begun, row.changed, row.turns)


class FoundTurns(list[Found]):
    """Turns that were found; a notebook shows them as a table."""

    def _table(self) -> Table:
        rows = [
            (_when(one.time), _place(one.notebook), one.chat, _who(one), one.snippet or "(no words)") for one in self
        ]
        return Table(("When", "Notebook", "Chat", "Who", "Words"), rows, empty="Nothing found.")

    def __repr__(self) -> str:
        return str(self._table())

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return self._table()._repr_mimebundle_(include, exclude)


class FoundChats(list[FoundChat]):
    """Conversations that were found; a notebook shows them as a table."""

    def _table(self) -> Table:
        rows = [
            (_when(one.changed), _place(one.notebook), one.name or "(no name)", str(one.turns), one.id) for one in self
        ]
        empty = "Nothing has been written down yet."
        return Table(("Changed", "Notebook", "Chat", "Turns", "Id"), rows, empty=empty)

    def __repr__(self) -> str:
        return str(self._table())

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return self._table()._repr_mimebundle_(include, exclude)


def _who(found: Found) -> str:
    notes = [{"removed": "removed", "unanswered": "no answer"}.get(found.state, ""), "partial" if found.partial else ""]
    more = ", ".join(note for note in notes if note)
    who = {"user": "you", "assistant": "model"}.get(found.role, found.role)
    return f"{who} ({more})" if more else who


def _place(notebook: str) -> str:
    return PurePath(notebook).name


def _when(seconds: float) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds)) if seconds else ""
    except (OverflowError, ValueError, OSError):  # a time that no clock shows
        return ""
