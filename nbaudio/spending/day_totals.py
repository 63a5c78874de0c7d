"""What a person has spent each day, in all notebooks together: one small SQLite file, which outlives the kernel.

There is nothing in it but sums: no words, no names, no keys.
"""

from __future__ import annotations

import contextlib
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
from nbaudio.prices import Cost
from nbaudio.settings import settings
from nbaudio.spending.estimate import Toll

__all__ = ["DayTotals", "day_totals"]

_NANO = 1_000_000_000  # dollars are kept as whole billionths: a million tokens for a dollar are 1,000 of them each
_PATIENCE_S = 2.0  # how long another kernel may hold the file
_DAY = """CREATE TABLE IF NOT EXISTS day (
    date TEXT PRIMARY KEY, tokens INTEGER NOT NULL, nano_usd INTEGER NOT NULL, unknown INTEGER NOT NULL,
    sound_s REAL NOT NULL)"""
_ADD = """INSERT INTO day VALUES (?, ?, ?, ?, ?) ON CONFLICT (date) DO UPDATE SET tokens = tokens + excluded.tokens,
    nano_usd = nano_usd + excluded.nano_usd, unknown = unknown + excluded.unknown,
    sound_s = sound_s + excluded.sound_s"""


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
        """Count something for today. Where the file can't be written a warning says so once, and nothing is raised."""
        self._waiting.append(toll)
        with self._adding:  # many answers may end at once: whoever comes next writes all that wait, in one go
            sum_of_all = Toll()
            while self._waiting:
                sum_of_all += self._waiting.popleft()
            if sum_of_all != Toll():
                self._write(sum_of_all)

    def _write(self, toll: Toll) -> None:
        nano = math.ceil(toll.cost.usd * _NANO)
        try:
            with self._open() as database:
                database.execute(_ADD, (_today(), toll.tokens, nano, toll.cost.unknown, toll.sound_s))
        except (OSError, sqlite3.Error) as error:
            if not self._warned:
                self._warned = True
                warnings.warn(
                    f"Today's total can't be written to {self._path} ({_reason(error)}): a budget for the day will not "
                    "know of this notebook's answers.",
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
        try:
            with self._open() as database:
                row = database.execute(
                    "SELECT tokens, nano_usd, unknown, sound_s FROM day WHERE date = ?", (_today(),)
                ).fetchone()
        except (OSError, sqlite3.Error) as error:
            raise SetupError(
                f"What was spent today can't be read from {self._path}: {_reason(error)}.",
                "Move that file away, or set another budget: %config NbAudio.budget_per = 'notebook'",
            ) from error
        return Toll(row[0], Cost(Decimal(row[1]) / _NANO, row[2]), row[3]) if row else Toll()

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
                database.execute(_DAY)
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


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
