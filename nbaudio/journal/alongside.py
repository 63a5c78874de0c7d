"""A recording is written into the journal while it is recorded, so that at its end hardly anything is left to write.

That happens on a thread, which takes full parts (see `nbaudio.sound.parts`) out of the recording's own file. Nothing
depends on it: what the journal lacks when the recording is said it gets then, before it is sent.
"""

from __future__ import annotations

import atexit
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from nbaudio.errors import ClipError
from nbaudio.journal import retention
from nbaudio.journal.long_sounds import put_parts
from nbaudio.journal.schema import ForeignFile, NewerFile
from nbaudio.journal.store import Store
from nbaudio.journal.watcher import journal
from nbaudio.sound.parts import HEADER_BYTES, PART_BYTES

__all__ = ["Alongside", "settled"]

_AT_EXIT_S = 3.0


class Alongside:
    """Writes one recording into the journal as it grows. Its methods return at once, and raise nothing.

    Parameters
    ----------
    recording : Path
        Its file: a header of 44 bytes, then sound.
    """

    def __init__(self, recording: Path) -> None:
        self._recording = recording
        self._digests: list[bytes] = []
        self._written: dict[int, bytes] = {}
        self._journals: set[Path] = set()
        self._over = False
        self._reading = threading.Lock()
        self.process = os.getpid()
        """Whose recording it is: a fork that ends does not end it."""
        _unsaid.add(self)
        _worker.do(partial(journal.beside, lambda store: None))  # so that it is open by the time it is needed

    def grew(self, digests: Sequence[bytes]) -> None:
        """Tell it the SHA-256s of all parts that are full, without the header; those that are news are written."""
        if list(digests) != self._digests:
            self._digests = list(digests)
            _worker.do(self._write)

    def forget(self) -> None:
        """Have the journal not keep it, if it was not said; its file is read no more when this returns."""
        with self._reading:
            self._over = True
        _unsaid.discard(self)
        _worker.do(self._forget)

    def _write(self) -> None:
        for position, digest in enumerate(self._digests, start=1):
            if self._over:
                return
            if self._written.get(position) != digest:
                # Each in a transaction of its own: who has something to say must not wait for all of them.
                if not journal.beside(partial(self._put, position, digest)):
                    return  # with the next
                self._written[position] = digest
                journal.beside(Store.tidy)

    def _put(self, position: int, digest: bytes, store: Store) -> None:
        if str(self._recording) in store.said:
            return
        self._journals.add(store.path)
        with store.transaction(), suppress(ClipError):  # of a piece that came late: it is on its way here
            put_parts(store.connection, str(self._recording), {position: digest}, self._read)

    def _read(self, position: int) -> bytes:
        with self._reading:  # Windows deletes no file that somebody has open
            if self._over:
                raise ClipError("The recording is not wanted any more.")
            try:
                with self._recording.open("rb") as file:
                    file.seek(HEADER_BYTES + (position - 1) * PART_BYTES)
                    return file.read(PART_BYTES)
            except OSError as error:
                raise ClipError("The recording is gone.") from error

    def _forget(self) -> None:
        for path in self._journals:
            if not path.exists():
                continue
            with suppress(sqlite3.Error, OSError, NewerFile, ForeignFile):  # a day later it goes all the same
                own = Store(path)  # a connection of its own: others need not overwrite what they delete
                try:
                    retention.forget(own, self._recording)
                finally:
                    own.close()


_unsaid: set[Alongside] = set()


class _Worker:
    """Does one thing after the other on a thread that does not keep the process alive."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._process = os.getpid()

    def do(self, job: Callable[[], object]) -> None:
        """Have it done soon."""
        if self._process != os.getpid():  # a fork has the object but not the thread
            self._begin()
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="nbaudio-journal", daemon=True)
                self._thread.start()
        self._jobs.put(job)

    def _run(self) -> None:
        while True:
            job = self._jobs.get()
            with suppress(Exception):
                job()

    def wait(self, limit_s: float) -> bool:
        """Wait until what was to be done is; says whether it is."""
        done = threading.Event()
        self.do(done.set)
        return done.wait(limit_s)


_worker = _Worker()


def settled(limit_s: float = 60.0) -> bool:
    """Whether the journal has, within so many seconds, all that was told of recordings."""
    return _worker.wait(limit_s)


def _at_exit() -> None:
    mine = [one for one in tuple(_unsaid) if one.process == os.getpid()]
    for one in mine:
        one.forget()
    if mine:
        _worker.wait(_AT_EXIT_S)


atexit.register(_at_exit)
