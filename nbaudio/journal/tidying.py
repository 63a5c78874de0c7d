"""What waits in the journal's log goes into its file on a thread of its own: nobody who talks waits for the disk."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing, suppress
from pathlib import Path

from nbaudio.journal.schema import APPLICATION_ID

__all__ = ["LOG_BYTES", "Tidying"]

LOG_BYTES = 16_000_000
"""Beyond this the log is written into the file: two or three minutes of speech. With more it would take longer to open
after a crash; with less more would be written, for a page that grows piece by piece stands in the log many times."""


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

    def begin(self) -> None:
        """Begin to write the log into the file, if it is long and nobody does it yet."""
        if self._thread is not None and self._thread.is_alive():
            return
        with suppress(OSError):
            if self._log.stat().st_size > LOG_BYTES:
                self._thread = threading.Thread(target=self._tidy, name="nbaudio-journal-tidy", daemon=True)
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

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)
