"""Where the sounds of long conversations lie, so that memory need not hold them: files that end with the process.

They are of no use to anybody else: what is to last is in the journal and in saved files.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import os
import shutil
import tempfile
from pathlib import Path

from nbaudio.errors import ClipError
from nbaudio.sound.clip import Clip

__all__ = ["park"]

_folder: tuple[int, Path] | None = None
_numbers = itertools.count()  # names by content would take longer to find than the files take to write


def park(clip: Clip, *, sent: bool = False) -> None:
    """Put a clip's sound on disk and let go of it in memory. Where the disk can't be written it stays in memory.

    Parameters
    ----------
    clip : Clip
    sent : bool
        Whether it goes out with every request: then the form that goes out is kept too.

    Examples
    --------
    >>> clip = Clip.from_pcm16(bytes(4800))
    >>> park(clip)
    >>> clip.parked, clip.duration_s
    (True, 0.1)
    """
    if clip.parked:
        return
    data, _ = clip.as_kept()
    for_model, _ = clip.for_model() if sent else (data, "")
    with contextlib.suppress(OSError):
        kept = _keep(data)
        clip.park(kept.read, None if for_model is data else _keep(for_model).read)


class _Kept:
    """One file of the spool."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> bytes:
        try:
            return self._path.read_bytes()
        except OSError as error:
            raise ClipError(
                f"The sound of an earlier turn is gone: {self._path} can't be read ({error.strerror}).",
                "Was the folder of temporary files cleaned? The journal still has it.",
            ) from error


def _keep(data: bytes) -> _Kept:
    path = _where() / str(next(_numbers))
    path.write_bytes(data)
    return _Kept(path)


def _where() -> Path:
    global _folder
    if _folder is None or _folder[0] != os.getpid():  # after a fork each process has its own
        made = Path(tempfile.mkdtemp(prefix="nbaudio-"))  # readable by its owner only
        _folder = (os.getpid(), made)
        atexit.register(_remove, os.getpid(), made)
    return _folder[1]


def _remove(process: int, folder: Path) -> None:
    if process == os.getpid():
        shutil.rmtree(folder, ignore_errors=True)
