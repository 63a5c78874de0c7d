"""What waits in the journal's log goes into its file on a thread of its own: nobody who talks waits for the disk."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

from nbaudio.journal.schema import APPLICATION_ID

__all__ = ["LOG_BYTES", "MOST_LOG_BYTES", "Tidying"]

LOG_BYTES = 16_000_000
"""Beyond this the log is written into the file: two or three minutes of speech. With more it would take longer to open
after a crash; with less more would be written, for a page that grows piece by piece stands in the log many times."""
MOST_LOG_BYTES = 128_000_000
"""Beyond this it is, while answers come as well: ten minutes of speech of which none has ended, as of many at once."""

_LAST_PART_MS = 50  # those who write wait for it as well
_AMID_AGAIN_S = 5.0


class Tidying:
    """Looks after one journal's log.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log = path.with_name(path.name + "-wal")
        self._thread: threading.Thread | None = None
        self._amid_again = 0.0

    def begin(self, *, amid_answers: bool = False) -> None:
        """Begin to write the log into the file, if it is long and nobody does it yet.

        Parameters
        ----------
        amid_answers : bool
            Whether somebody is going to write again in a moment, who had rather not be disturbed.
        """
        if self._thread is not None and self._thread.is_alive():
            return
        if amid_answers and time.monotonic() < self._amid_again:
            return
        with suppress(OSError):
            if self._log.stat().st_size > (MOST_LOG_BYTES if amid_answers else LOG_BYTES):
                work = self._tidy_amid_answers if amid_answers else self._tidy
                self._thread = threading.Thread(target=work, name="nbaudio-journal-tidy", daemon=True)
                self._thread.start()

    def wait(self) -> None:
        """Wait until what has begun is done."""
        if self._thread is not None:
            self._thread.join()

    def _tidy(self) -> None:
        # A connection of its own: the others write on meanwhile. A file that is gone is not made anew.
        with suppress(sqlite3.Error), closing(self._connect()) as own:
            own.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            # Whoever writes next begins the log anew and waits for the disk with that, so it is not left to a question.
            own.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
            own.execute(f"PRAGMA application_id = {APPLICATION_ID}")

    def _tidy_amid_answers(self) -> None:
        with suppress(sqlite3.Error), closing(self._connect()) as own:
            own.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()  # most of it, while they write
            # Where somebody always writes, the log never comes to its end: they wait for the little that is left. Those
            # who give up before write it with their next piece. Where somebody reads for long it can't be done yet, and
            # those who write would wait for nothing.
            own.execute(f"PRAGMA busy_timeout = {_LAST_PART_MS}")
            busy, *_ = own.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if busy:
                self._amid_again = time.monotonic() + _AMID_AGAIN_S

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)
