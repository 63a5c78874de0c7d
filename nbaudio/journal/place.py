"""Where the journal is, and that only its owner reads it."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

__all__ = ["ENDINGS", "beside", "create_private", "notebook", "path_of", "restrict", "told_notebook"]

ENDINGS = ("", "-wal", "-shm")
"""What SQLite appends to the name of the file for the two that lie beside it (https://sqlite.org/wal.html)."""


def path_of(setting: str) -> Path | None:
    """The journal's file, as the setting says it; None where there is to be none.

    Examples
    --------
    >>> path_of("off") is None
    True
    >>> path_of("/tmp/talks.sqlite3").name
    'talks.sqlite3'
    """
    if setting.strip().lower() == "off":
        return None
    if not setting.strip():
        import platformdirs

        return Path(platformdirs.user_data_dir("nbaudio")) / "journal.sqlite3"
    chosen = Path(setting).expanduser().absolute()
    return chosen / "journal.sqlite3" if chosen.is_dir() else chosen


def told_notebook() -> str:
    """The path of this notebook, which jupyter_server tells its kernels; else nothing."""
    return os.environ.get("JPY_SESSION_NAME", "")


def notebook() -> str:
    """Which notebook this is: its path, where that is told; else it is the working folder."""
    try:
        return told_notebook() or str(Path.cwd())
    except FileNotFoundError:  # the working folder has been removed
        return ""


def create_private(path: Path, *, ours: bool) -> None:
    """Have an empty file there, if there is none, that its owner alone can read; SQLite makes those beside it alike.

    Parameters
    ----------
    path : Path
    ours : bool
        Whether its folder is nbaudio's own, and so nobody else's business either.

    Raises
    ------
    OSError
        If it can't be made.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if ours:
        _restrict(path.parent, 0o700)
    with suppress(FileExistsError):
        # Never opened and closed where it exists: on POSIX that would take the locks that SQLite holds on it.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def restrict(path: Path) -> None:
    """Have a journal that is there be readable by its owner alone, with what lies beside it."""
    for ending in ENDINGS:
        _restrict(path.with_name(path.name + ending), 0o600)


def _restrict(path: Path, mode: int) -> None:
    with suppress(OSError):  # somebody else's file, or a disk without rights
        if path.stat().st_mode & 0o077:
            path.chmod(mode)


def beside(path: Path, word: str) -> Path:
    """A name beside the journal that is free, with the time in it."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    free = path.with_name(f"{path.stem}.{word}-{stamp}{path.suffix}")
    count = 1
    while free.exists():
        count += 1
        free = path.with_name(f"{path.stem}.{word}-{stamp}-{count}{path.suffix}")
    return free
