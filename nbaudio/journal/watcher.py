"""The one writer of the journal in this process: it watches every conversation, and never stands in its way."""

from __future__ import annotations

import atexit
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from operator import is_
from pathlib import Path
from typing import Any, TypeVar

from nbaudio.errors import NbaudioError
from nbaudio.journal import reading
from nbaudio.journal.coming import Arriving, Coming
from nbaudio.journal.place import notebook, path_of
from nbaudio.journal.retention import retain
from nbaudio.journal.store import Store, identity, set_aside
from nbaudio.journal.trouble import Trouble, trouble_of, warn_once
from nbaudio.settings import settings
from nbaudio.turns import Reply, Turn
from nbaudio.wire.answers import AudioDelta, TextDelta

__all__ = ["Journal", "journal"]

T = TypeVar("T")
_PATIENCE_MS = 3000  # how long a question waits for another kernel that writes,
_NO_PATIENCE_MS = 100  # and how long the next one does, once that was in vain
_PIECE_PATIENCE_MS = 20
_PIECES_AGAIN_S = 0.5
_BUSY_S = 0.1


@dataclass(frozen=True)
class _Written:
    """What of a conversation stands in a journal."""

    store: Store
    turns: tuple[Turn, ...]


@dataclass(frozen=True)
class _Known:
    """Under which number a turn stands in a journal."""

    turn: weakref.ref[Turn]
    store: Store
    number: int


class _Failed(Exception):
    """Carries what was in the way."""

    def __init__(self, trouble: Trouble, path: Path | None) -> None:
        self.trouble, self.path = trouble, path


class Journal:
    """Writes down what happens in conversations, see `nbaudio.conversation.watching`, and lets the file be read.

    A conversation is any sequence of turns with an `id`, a `name` and `options`.
    """

    def __init__(self) -> None:
        self._store: Store | None = None
        self._patience_ms = _PATIENCE_MS
        self._talks: weakref.WeakKeyDictionary[Sequence[Turn], _Written] = weakref.WeakKeyDictionary()
        self._arriving: dict[str, Arriving] = {}
        self._numbers: dict[str, _Known] = {}
        self._unwritten: set[str] = set()
        self._busy_until = 0.0
        self._passed: weakref.WeakKeyDictionary[Sequence[Turn], tuple[Turn, ...]] = weakref.WeakKeyDictionary()
        self._begin()

    def _begin(self) -> None:
        """A lock that nobody holds, as after a fork, where whoever held it is gone."""
        self._lock = threading.RLock()

    # -- what a conversation tells ------------------------------------------------------------------------

    def asked(self, talk: Sequence[Turn], question: Turn) -> None:
        """Write a question down before it is sent."""

        def ask(store: Store) -> Arriving:
            store.put_chat(*_chat(talk))
            place = _place_of(question, tuple(talk))
            again = store.number_of(_chat(talk)[0], question) if place is not None else None
            if place is None or again is None:
                place = len(talk) if place is None else place
                return Arriving(store, self._put(store, talk, question, place, "asked"), place, stands=False)
            store.drop_pieces(again)
            if not (isinstance(talk[-1], Reply) and talk[-1].answers):
                store.ask_again(again)  # else it stands there, with the old answer, until there is a new one
            return Arriving(store, again, len(talk) - 1, stands=True)

        if question.id not in self._unwritten:
            arriving = self._change(talk, ask, also=question, tidies=False)
            if arriving is not None:
                self._arriving[question.id] = arriving

    def came(self, question: Turn, *events: TextDelta | AudioDelta) -> None:
        """Write pieces of an answer down."""
        arriving = self._arriving.get(question.id)
        if arriving is None:
            return
        arriving.coming.take(events)
        if time.monotonic() >= arriving.not_before and self._may_write():
            try:
                if self._arriving.get(question.id) is arriving:
                    self._put_pieces(question, arriving)
            finally:
                self._lock.release()

    def _may_write(self) -> bool:
        """Have the lock, unless it takes long: all answers wait for the loop that a piece comes on.

        Where one had to give up, others need not wait as well; what they bring is written with what comes next.
        """
        if self._lock.acquire(timeout=self._piece_patience_ms / 1000):
            return True
        self._busy_until = time.monotonic() + _BUSY_S
        return False

    @property
    def _piece_patience_ms(self) -> int:
        return _PIECE_PATIENCE_MS if time.monotonic() >= self._busy_until else 0

    def _put_pieces(self, question: Turn, arriving: Arriving) -> None:
        store = arriving.store
        try:
            store.patience(self._piece_patience_ms)
            arriving.coming.write()
            store.tidy(amid_answers=True)
        except sqlite3.IntegrityError:  # the question was cleared away meanwhile
            self._arriving.pop(question.id, None)
        except Exception as error:
            trouble, again = trouble_of(error, store.path), time.monotonic() + _PIECES_AGAIN_S
            if trouble.passing:  # others try, but do not wait for it as well
                self._busy_until = again
            else:
                arriving.not_before = again
                warn_once(trouble, store.path)

    def went_on(self, talk: Sequence[Turn], question: Turn, turn: Turn) -> None:
        """Write down what has come of a question so far: a call of tools, in the place of its pieces, or a result."""
        if question.id in self._unwritten:
            self._unwritten.add(turn.id)
            return
        arriving = self._arriving.get(question.id)

        def go_on(store: Store) -> int:
            if arriving is None or arriving.store is not store or not store.has(arriving.question):
                return 0  # all of it is written when it is over
            for at in range(arriving.written, len(arriving.parts)):
                part = arriving.parts[at]
                if part.id not in self._unwritten:
                    number = self._put(store, talk, part, arriving.place + 1 + at, "asked", arriving.coming)
                    store.belongs(number, arriving.question)
            store.drop_pieces(arriving.question)
            return len(arriving.parts)

        with self._lock:
            if arriving is not None:
                arriving.parts.append(turn)
            written = self._change(talk, go_on, also=turn)
            if arriving is not None and written:
                arriving.written = written
                arriving.next()

    def kept(self, talk: Sequence[Turn], question: Turn, turns: Sequence[Turn]) -> None:
        """Write the finished turns down, in the place of the pieces."""
        arriving = self._arriving.pop(question.id, None)
        if question.id in self._unwritten:  # an answer is of no use without its question
            self._unwritten.update(turn.id for turn in turns)

        def keep(store: Store) -> None:
            if arriving is not None and arriving.store is store:
                store.drop_pieces(arriving.question)
                store.give_up(arriving.question, stands=arriving.stands)
                store.give_up_parts(arriving.question)

        self._change(talk, keep, came=arriving.coming if arriving is not None else None)

    def edited(self, talk: Sequence[Turn]) -> None:
        """Bring the journal in line with the conversation."""
        self._change(talk, lambda store: None)

    # -- what a reader asks -------------------------------------------------------------------------------

    def read(self, work: Callable[[Store], T]) -> T:
        """What some work with the open journal gives.

        Raises
        ------
        NbaudioError
            If there is no journal, or it can't be used.
        """
        try:
            found = self._attempt(lambda store: (work(store),))
        except _Failed as failed:
            raise failed.trouble.error() from failed.__cause__
        if found is None:
            raise NbaudioError("The journal is off.", "%nbaudio history on, or unset NBAUDIO_JOURNAL.")
        return found[0]

    def beside(self, work: Callable[[Store], object]) -> bool:
        """Do some work with the open journal that nobody waits for; says whether it could be done at once."""
        with self._lock:
            patience_ms, self._patience_ms = self._patience_ms, _PIECE_PATIENCE_MS
            try:
                return self._attempt(lambda store: (work(store),)) is not None
            except (_Failed, NbaudioError):  # whoever has something to say will be told
                return False
            finally:
                self._patience_ms = patience_ms

    def sound(self, path: Path, digest: str) -> bytes | None:
        """A sound file's bytes, also from a journal that is not written to any more."""
        with self._lock:
            if self._store is not None and self._store.path == path and self._store.is_there:
                return reading.sound(self._store, digest)
        if not path.exists():
            return None
        store = Store(path)
        try:
            return reading.sound(store, digest)
        finally:
            store.close()

    def close(self) -> None:
        """Let go of the file, until it is next used."""
        with self._lock:
            if self._store is not None:
                self._store.close()
            self._store = None
            self._arriving.clear()

    # -- how ------------------------------------------------------------------------------------------------

    def _change(
        self,
        talk: Sequence[Turn],
        more: Callable[[Store], T],
        also: Turn | None = None,
        *,
        came: Coming | None = None,
        tidies: bool = True,
    ) -> T | None:
        """Bring the journal in line with a conversation, and do more, both or none of it; None where it can't be."""

        def work(store: Store) -> tuple[T]:
            turns = tuple(talk)
            with store.transaction():
                self._follow(store, talk, turns, came)
                done = more(store)
            self._talks[talk] = _Written(store, turns)
            if tidies:
                store.tidy()
            return (done,)

        with self._lock:
            try:
                found = self._attempt(work)
            except _Failed as failed:
                warn_once(failed.trouble, failed.path)
                return None
            except NbaudioError as error:  # of the settings, which will be told by whoever needs them next
                warn_once(Trouble("settings", f"Nothing is written down: {error}"), None)
                return None
            if found is None:  # what is said while there is to be no journal comes into none afterwards either
                turns = tuple(talk)
                new = [*turns[_same(self._passed.get(talk, ()), turns) :], *([also] if also is not None else [])]
                self._unwritten.update(turn.id for turn in new if turn.id not in self._numbers)
                self._passed[talk] = turns
                return None
            return found[0]

    def _attempt(self, work: Callable[[Store], T]) -> T | None:
        """What some work with the journal gives; None where there is to be none. A damaged file is set aside first."""
        with self._lock:
            for last in (False, True):
                path = file = None
                try:
                    path = path_of(settings().journal)
                    file = identity(path) if path is not None else None
                    store = self._open(path)
                    if store is None:
                        return None
                    store.patience(self._patience_ms)
                    done = work(store)
                    self._patience_ms = _PATIENCE_MS
                    return done
                except NbaudioError:
                    raise  # it is not about the journal
                except Exception as error:
                    trouble = trouble_of(error, path)
                    if trouble.passing:
                        self._patience_ms = _NO_PATIENCE_MS
                    if not trouble.damaged or last or path is None or not self._set_aside(path, file, trouble):
                        raise _Failed(trouble, path) from error
        raise AssertionError  # the second attempt returns or raises

    def _open(self, path: Path | None) -> Store | None:
        if self._store is not None and not (self._store.path == path and self._store.is_there):
            self.close()
        if self._store is None and path is not None:
            chosen = settings()
            self._store = Store(path, ours=not chosen.journal.strip())
            retain(self._store, days=chosen.journal_days, megabytes=chosen.journal_mb)
        return self._store

    def _set_aside(self, path: Path, file: tuple[int, int] | None, trouble: Trouble) -> bool:
        """Give a damaged journal another name; says whether a new one can be begun."""
        self.close()
        try:
            kept = set_aside(path, file)
        except OSError:
            return False
        if kept is not None:
            again = replace(trouble, kind=f"damaged, kept as {kept.name}")  # each is told: it is another file
            warn_once(again, path, f"It is kept as {kept}, and a new one is begun.")
        return True

    def _follow(self, store: Store, talk: Sequence[Turn], turns: tuple[Turn, ...], came: Coming | None) -> None:
        """Write what is other in a conversation than it was when it was last written."""
        written = self._talks.get(talk)
        before = written.turns if written is not None and written.store is store else ()
        same = _same(before, turns)
        if same == len(before) == len(turns):
            return
        store.put_chat(*_chat(talk))
        chat, *_ = _chat(talk)
        stay = {turn.id for turn in turns[same:]}
        moved = {id(turn) for turn in before[same:]}
        for turn in before[same:]:
            if turn.id not in stay:
                store.remove(chat, turn)
        put: list[int] = []
        for position in range(same, len(turns)):
            turn = turns[position]
            if id(turn) in moved:
                store.place(chat, turn, position)
            elif turn.id not in self._unwritten:
                put.append(self._put(store, talk, turn, position, "kept", came))
        for number in put:
            store.drop_pieces(number)

    def _put(
        self, store: Store, talk: Sequence[Turn], turn: Turn, position: int, state: str, came: Coming | None = None
    ) -> int:
        chat, *_ = _chat(talk)
        number: int | None = None
        known = self._numbers.get(turn.id)
        if known is not None and known.turn() is turn and known.store is store:
            # It stands there already, perhaps in another conversation: its sounds need not be read to be written.
            number = store.copy_turn(chat, turn, position, state, known.number)
        if number is None:
            # What comes from the cache has come before, and may be here already.
            of_this = came is not None and came.store is store and isinstance(turn, Reply) and not turn.cached
            number = store.put_turn(chat, turn, position, state, came if of_this else None)
        self._numbers[turn.id] = _Known(weakref.ref(turn), store, number)
        return number

    def know(self, turn: Turn, number: int) -> None:
        """Take note of a turn that was read from the journal."""
        if self._store is not None:
            self._numbers[turn.id] = _Known(weakref.ref(turn), self._store, number)


def _same(before: tuple[Turn, ...], now: tuple[Turn, ...]) -> int:
    """How many turns at the beginning are the same objects."""
    if all(map(is_, before, now)):  # as ever, but after an edit: a thousand turns are looked through in no time
        return min(len(before), len(now))
    return next(index for index, pair in enumerate(zip(before, now, strict=False)) if pair[0] is not pair[1])


def _place_of(turn: Turn, turns: tuple[Turn, ...]) -> int | None:
    if not any(map(is_, turns, repeat(turn))):
        return None
    return next(index for index, one in enumerate(turns) if one is turn)


def _chat(talk: Sequence[Turn]) -> tuple[str, str, str, Mapping[str, Any]]:
    """Id, name, notebook and options of a conversation."""
    return getattr(talk, "id", ""), getattr(talk, "name", ""), notebook(), getattr(talk, "options", {})


journal = Journal()
"""The journal of this process."""
atexit.register(journal.close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=journal._begin)
