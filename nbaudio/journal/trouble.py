"""What can go wrong with the journal, told once, and never raised into a talk."""

from __future__ import annotations

import contextlib
import errno
import sqlite3
import warnings
from dataclasses import dataclass
from pathlib import Path

from nbaudio.errors import NbaudioError, NbaudioWarning
from nbaudio.journal.schema import ForeignFile, NewerFile

__all__ = ["Trouble", "trouble_of", "warn_once"]

_TALK_GOES_ON = "The talk goes on; what is said is not written down."
_OFF = "%nbaudio history off ends this."


@dataclass(frozen=True)
class Trouble:
    """A kind of trouble, what happened, and what to do."""

    kind: str
    cause: str
    next_step: str = ""

    @property
    def damaged(self) -> bool:
        """Whether the file itself is spoilt."""
        return self.kind == "damaged"

    @property
    def passing(self) -> bool:
        """Whether waiting may mend it."""
        return self.kind == "locked"

    def error(self) -> NbaudioError:
        """For who asked to read the journal."""
        return NbaudioError(self.cause, self.next_step)


def trouble_of(error: Exception, path: Path | None) -> Trouble:
    """What an error that came up on the way to or from the journal means for the person."""
    where = f"The journal {path}" if path else "The journal"
    said = str(error)
    # SQLite's messages, for its codes are in Python from 3.11 only (https://sqlite.org/rescode.html).
    if isinstance(error, NewerFile):
        cause = f"{where} was written by a newer nbaudio, and is left as it is."
        return Trouble("newer", cause, "Update nbaudio, or set NBAUDIO_JOURNAL to another file.")
    if isinstance(error, ForeignFile):
        cause = f"{where} is another program's database, and is left as it is."
        return Trouble("foreign", cause, "Set NBAUDIO_JOURNAL to a file of its own.")
    # What SQLite says of a file that is not as it should be is of this very class; other errors are of those below it.
    if type(error) is sqlite3.DatabaseError or "malformed" in said or "vtable constructor failed" in said:
        return Trouble("damaged", f"{where} is damaged ({said}).")
    if (isinstance(error, sqlite3.Error) and "is full" in said) or _number(error) in (errno.ENOSPC, errno.EDQUOT):
        return Trouble("full", f"{where} can't grow: the disk is full.", "Make room on the disk.")
    if isinstance(error, sqlite3.OperationalError) and ("locked" in said or "busy" in said):
        return Trouble("locked", f"{where} is locked by another program.", "Close what has it open.")
    if isinstance(error, (OSError, sqlite3.OperationalError)):
        reason = (error.strerror if isinstance(error, OSError) else "") or said
        cause = f"{where} can't be written ({reason})."
        return Trouble("unusable", cause, "Set NBAUDIO_JOURNAL to a file that can be.")
    return Trouble(f"other {type(error).__name__}", f"{where} could not be used ({type(error).__name__}: {said}).")


def _number(error: Exception) -> int | None:
    return error.errno if isinstance(error, OSError) else None


_told: set[tuple[Path | None, str]] = set()


def warn_once(trouble: Trouble, path: Path | None, more: str = "") -> None:
    """Warn of a kind of trouble with a file, the first time in this process."""
    if (path, trouble.kind) in _told:
        return
    _told.add((path, trouble.kind))
    parts = (trouble.cause, more) if more else (trouble.cause, _TALK_GOES_ON, trouble.next_step, _OFF)
    with contextlib.suppress(NbaudioWarning):  # where warnings are made errors: a talk does not end by its journal
        warnings.warn(" ".join(part for part in parts if part), NbaudioWarning, stacklevel=2)
