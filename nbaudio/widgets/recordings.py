"""The recordings that are kept: where, under which names, and for how long.

One is kept until newer ones push it out, so that a request that failed can be repeated without speaking again
(``%listen --again``), and so that what a closed tab or an interrupt cut short is not lost.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import time
from functools import cache
from pathlib import Path

from nbaudio.settings import settings

__all__ = ["KEPT_BYTES", "KEPT_TAKES", "latest", "new_name", "prune", "recordings_folder"]

KEPT_TAKES = 50
"""How many recordings are kept; the oldest go first, and the newest never goes."""
KEPT_BYTES = 2_000_000_000
"""How much all recordings may take together: eleven hours at 24,000 Hz. The newest is kept whatever its length."""

_EMPTY = 44  # bytes of a WAV file's header


def recordings_folder() -> Path:
    """Where recordings are kept: what ``NbAudio.recordings`` says, else ``recordings`` in the user's data folder."""
    chosen = str(getattr(settings(), "recordings", ""))
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_data_dir("nbaudio")) / "recordings"


def latest() -> Path | None:
    """The newest recording of this notebook, also after a restart of its kernel; None where there is none.

    Other notebooks' recordings do not count: what was said in one is not sent by another.
    """
    for path in _newest_first(recordings_folder(), _place()):
        if path.stat().st_size > _EMPTY:
            return path
    return None


def new_name() -> str:
    """A file name for a recording that begins now."""
    now = time.time()
    date = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))  # UTC, so that names sort by time in every season
    return f"{date}-{int(now % 1 * 1e6):06d}-{_place()}-{secrets.token_hex(4)}.wav"


@cache  # a notebook that changes its folder is the same notebook
def _place() -> str:
    """A short name for the notebook: jupyter_server tells its kernels the path; else it is the folder."""
    told = os.environ.get("JPY_SESSION_NAME", "")
    try:
        where = told or str(Path.cwd())
    except FileNotFoundError:  # the working folder has been removed
        where = ""
    return hashlib.sha256(where.encode()).hexdigest()[:8]


def _newest_first(folder: Path, place: str = "[0-9a-f]{8}") -> list[Path]:
    """The recordings in a folder, which may hold other files too."""
    ours = re.compile(rf"\d{{8}}-\d{{6}}-\d{{6}}-{place}-[0-9a-f]{{8}}\.wav")
    return sorted((path for path in folder.glob("*.wav") if ours.fullmatch(path.name)), reverse=True)


def prune(folder: Path) -> None:
    """Delete the oldest recordings of a folder, beyond `KEPT_TAKES` and `KEPT_BYTES`."""
    room = KEPT_BYTES
    for place, path in enumerate(_newest_first(folder)):
        try:
            room -= path.stat().st_size
            if place >= KEPT_TAKES or (room < 0 and place > 1):  # the newest is the one that begins now
                path.unlink()
        except OSError:  # another kernel has deleted it, or Windows keeps it because somebody reads it
            continue
