"""What a person has spent each day, and in each notebook: one small SQLite file, which outlives the kernel.

There is nothing in it but sums: no words, no names, no keys. A notebook is known by the SHA-256 of its path.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import sqlite3
import threading
import time
import warnings
from collections import deque
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from nbaudio.errors import NbaudioWarning, SetupError
from nbaudio.journal.place import told_notebook
from nbaudio.prices import Cost
from nbaudio.settings import settings
from nbaudio.spending.estimate import Toll

__all__ = ["DayTotals", "day_totals"]

_NANO = 1_000_000_000  # dollars are kept as whole billionths: a million tokens for a dollar are 1,000 of them each
_PATIENCE_S = 2.0  # how long another kernel may hold the file
_TABLES = {"day": "date", "notebook": "digest"}
_SUMS = "tokens INTEGER NOT NULL, nano_usd INTEGER NOT NULL, unknown INTEGER NOT NULL, sound_s REAL NOT NULL"
_ADDED = ", ".join(f"{name} = {name} + excluded.{name}" for name in ("tokens", "nano_usd", "unknown", "sound_s"))


class DayTotals:
    """The totals in one file, which several kernels may write at once; only its owner can read it.

    Parameters
    ----------
    path : pathlib.Path
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._warned = False
        self._waiting: deque[Toll] = deque()
        self._adding = threading.Lock()

    def add(self, toll: Toll) -> None:
        """Count something for today, and for this notebook where Jupyter tells which it is.

        Where the file can't be written a warning says so once, and nothing is raised.
        """
        self._waiting.append(toll)
        with self._adding:  # many answers may end at once: whoever comes next writes all that wait, in one go
            sum_of_all = Toll()
            while self._waiting:
                sum_of_all += self._waiting.popleft()
            if sum_of_all != Toll():
                self._write(sum_of_all)

    def _write(self, toll: Toll) -> None:
        sums = toll.tokens, math.ceil(toll.cost.usd * _NANO), toll.cost.unknown, toll.sound_s
        rows = {"day": _today(), **({"notebook": _digest(path)} if (path := told_notebook()) else {})}
        try:
            with self._open() as database:
                for table, row in rows.items():
                    database.execute(
                        f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?)"  # noqa: S608 - one of the names above
                        f" ON CONFLICT ({_TABLES[table]}) DO UPDATE SET {_ADDED}",
                        (row, *sums),
                    )
        except (OSError, sqlite3.Error) as error:
            if not self._warned:
                self._warned = True
                warnings.warn(
                    f"Today's total can't be written to {self._path} ({_reason(error)}): a budget for the day or for "
                    "the notebook will not know of these answers.",
                    NbaudioWarning,
                    stacklevel=3,
                )

    def today(self) -> Toll:
        """What has been spent today, in the time zone of this machine.

        Raises
        ------
        SetupError
            If the file can't be read.
        """
        return self._sums("day", _today(), "What was spent today")

    def of_notebook(self, path: str) -> Toll:
        """What has been spent in a notebook, by all of its kernels; parameters and errors as told by `today`."""
        return self._sums("notebook", _digest(path), "What this notebook has spent")

    def _sums(self, table: str, row: str, what: str) -> Toll:
        try:
            with self._open() as database:
                found = database.execute(
                    f"SELECT tokens, nano_usd, unknown, sound_s FROM {table} WHERE {_TABLES[table]} = ?",  # noqa: S608
                    (row,),
                ).fetchone()
        except (OSError, sqlite3.Error) as error:
            raise SetupError(
                f"{what} can't be read from {self._path}: {_reason(error)}.",
                "Move that file away, or set another budget: %config NbAudio.budget_per = 'conversation'",
            ) from error
        return Toll(found[0], Cost(Decimal(found[1]) / _NANO, found[2]), found[3]) if found else Toll()

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection for one transaction; opened anew each time, so that neither threads nor forks share one."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._path.exists():
            with contextlib.suppress(FileExistsError):  # another kernel was faster
                os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        database = sqlite3.connect(self._path, timeout=_PATIENCE_S)
        try:
            with database:
                for table, row in _TABLES.items():
                    database.execute(f"CREATE TABLE IF NOT EXISTS {table} ({row} TEXT PRIMARY KEY, {_SUMS})")
                yield database
        finally:
            database.close()


def day_totals() -> DayTotals:
    """The totals of the person: where ``NbAudio.day_totals`` says, else in the user's data folder."""
    path = Path(settings().day_totals).expanduser() if settings().day_totals else _usual_path()
    return _opened.setdefault(path, DayTotals(path))


_opened: dict[Path, DayTotals] = {}
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_opened.clear)  # whoever was adding is not in the child, and would never be done


def _usual_path() -> Path:
    import platformdirs

    return Path(platformdirs.user_data_dir("nbaudio")) / "day-totals.sqlite3"


def _today() -> str:
    return time.strftime("%Y-%m-%d")


def _digest(path: str) -> str:
    return hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
