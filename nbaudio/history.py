"""What was said in all notebooks: search it, take a conversation up again, keep a copy, clear it.

    nba.history.search("retriever")
    nba.history.restore()  # after a crash: the notebook's conversation goes on

All of it is in the journal, see ``docs/journal.md``.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from nbaudio.conversation.chats import adopt
from nbaudio.conversation.chats import chats as running
from nbaudio.conversation.talk import Conversation
from nbaudio.errors import NbaudioError
from nbaudio.journal import reading, retention
from nbaudio.journal.found import Found, FoundChat, FoundChats, FoundTurns
from nbaudio.journal.loading import chat_turns
from nbaudio.journal.place import create_private, notebook
from nbaudio.journal.reading import ChatRow
from nbaudio.journal.store import Store
from nbaudio.journal.watcher import journal

__all__ = ["Found", "FoundChat", "chats", "clear", "export", "latest", "restore", "search"]

_ALL = 1_000_000


def search(words: str, *, limit: int = 20) -> FoundTurns:
    """The newest turns in which all of some words are said, or words that begin with them.

    What had come of an answer when its kernel was killed is among them, marked `partial`, as is what comes just now.

    Parameters
    ----------
    words : str
        Taken as words, whatever signs are among them.
    limit : int
        The most turns that are given.

    Returns
    -------
    list of Found
        Newest first; a notebook shows it as a table. ``found[0].turn`` is the turn, with its sounds.

    Raises
    ------
    NbaudioError
        If the journal is off, or can't be read.
    """
    _at_least_one(limit)
    found = journal.read(lambda store: reading.find(store, words, limit))
    return FoundTurns(Found.of(row, words) for row in found)


def latest(limit: int = 20) -> FoundTurns:
    """The newest turns of all conversations, newest first."""
    _at_least_one(limit)
    return FoundTurns(Found.of(row) for row in journal.read(lambda store: reading.latest(store, limit)))


def chats(limit: int = 20) -> FoundChats:
    """The conversations in the journal that changed last, as a list of `FoundChat`."""
    _at_least_one(limit)
    return FoundChats(FoundChat.of(row) for row in journal.read(lambda store: reading.all_chats(store, limit)))


def restore(name_or_id: str | None = "notebook") -> Conversation:
    """A conversation as it stood when all ended, which goes on from here: the next cells belong to it.

    An answer that was still coming is its last turn, marked partial; before it stand the calls of tools and the results
    that were there. A question that had no answer yet stands last. ``chat.retry()`` asks it again, and goes on from
    what tools have done. Tools are not kept: pass them anew.

    Parameters
    ----------
    name_or_id : str, optional
        The name of a conversation of this notebook, whose latest one is taken, or the id of any (see `chats`). None is
        the latest of this notebook, whatever its name.

    Raises
    ------
    NbaudioError
        If there is no such conversation, or the journal can't be read.
    """
    at_work = {chat.id for chat in running().values()}

    def load(store: Store) -> Conversation:
        row = _chosen([row for row in reading.all_chats(store, _ALL) if row.turns], name_or_id, at_work)
        return Conversation(chat_turns(store, row.id), **{**row.options, "name": row.name})

    talk = journal.read(load)
    adopt(talk)
    return talk


def clear(older_than_days: float | None = None) -> int:
    """Delete what is in the journal, or what is older than so many days; says how many turns that were.

    What is deleted is overwritten in the file. A conversation that goes on keeps its turns, and writes new ones.
    """
    if older_than_days is not None and older_than_days < 0:
        raise NbaudioError(f"Nothing is {older_than_days} days old.", "Give 0 or more.")

    def clear_it(store: Store) -> int:
        own = Store(store.path)  # a connection of its own: others need not overwrite what they delete
        try:
            return retention.clear(own, older_than_days)
        finally:
            own.close()

    return journal.read(clear_it)


def export(path: str | os.PathLike[str]) -> Path:
    """A copy of the journal, whole also while it is written to; only its owner can read it.

    Raises
    ------
    NbaudioError
        If there is such a file already, or it can't be written.
    """
    there = journal.read(lambda store: store.path)
    copy = Path(path).expanduser()
    if copy.exists():
        raise NbaudioError(f"There is a file {copy} already.", "Give another name.")
    own = Store(there)
    try:
        create_private(copy, ours=False)
        made = sqlite3.connect(copy)
        try:
            own.connection.backup(made)
            retention.forget_all(made)
        finally:
            made.close()
    except (OSError, sqlite3.Error) as error:
        raise NbaudioError(f"The journal can't be copied to {copy}: {error}.") from error
    finally:
        own.close()
    return copy


def _chosen(rows: list[ChatRow], name_or_id: str | None, at_work: set[str]) -> ChatRow:
    for row in rows:
        if row.id == name_or_id:
            return row
    named = [row for row in rows if row.id not in at_work and name_or_id in (None, row.name)]
    here = notebook()
    for row in named:  # the latest comes first
        if row.notebook == here:
            return row
    what = "no conversation" if name_or_id is None else f"no conversation {name_or_id!r}"
    if any(row.name == name_or_id for row in rows if row.id in at_work):
        hint = f"The one that runs is nba.chat({name_or_id!r})."
    elif named:
        hint = f"One of {named[0].notebook} is restored by its id: restore({named[0].id!r})."
    else:
        hint = "nba.history.chats() lists those that there are."
    raise NbaudioError(f"The journal has {what} of this notebook to restore.", hint)


def _at_least_one(limit: int) -> None:
    if limit < 1:
        raise NbaudioError(f"A list of {limit} can't be.", "Give a limit of 1 or more.")
