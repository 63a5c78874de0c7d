"""Where the sounds of long conversations lie, so that memory need not hold them: files that end with the process.

They are of no use to anybody else: what is to last is in the journal and in saved files.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import itertools
import os
import shutil
import tempfile
from pathlib import Path

from nbaudio.errors import ClipError
from nbaudio.sound.clip import Clip
from nbaudio.wire.growing_wav import HEADER_BYTES, GrowingWav, WavElsewhere, wav_header

__all__ = ["SpooledWav", "park"]

_LONG_BYTES = 1 << 19
"""11 s at 24,000 Hz: what comes of an answer is held in memory up to here."""
_BLOCK_BYTES = 1 << 18
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


class SpooledWav:
    """A `GrowingWav` that is on disk once it is long; where the disk can't be written it stays in memory.

    Parameters
    ----------
    sample_rate : int
        Hz.

    Examples
    --------
    >>> wav = SpooledWav(24_000)
    >>> for _ in range(300):
    ...     wav.add(bytes(4800))
    >>> len(wav), wav.file().frames
    (1440000, 720000)
    """

    def __init__(self, sample_rate: int) -> None:
        self._sample_rate = sample_rate
        self._path: Path | None = None
        self._there = 0  # bytes of sound on disk; those that follow are here
        self._here = GrowingWav(sample_rate)
        self._full_at = _LONG_BYTES

    def __len__(self) -> int:
        return self._there + len(self._here)

    def add(self, pcm16: bytes) -> None:
        """Take what comes next."""
        self._here.add(pcm16)
        if len(self._here) >= self._full_at:
            self._spool()

    def file(self, more: bytes = b"") -> bytes | WavElsewhere:
        """The file as it would be if it ended here, after some more sound; empty where there is no sound."""
        if self._path is None:
            return self._here.file(more)
        self._spool()
        return _Spooled(self._path, self._there, self._here.file()[HEADER_BYTES:] + more, self._sample_rate)

    def _spool(self) -> None:
        path, there = self._path, len(self)
        try:
            path = path or _where() / str(next(_numbers))
            # Opened for each block: an answer that is dropped leaves nothing open.
            with path.open("r+b" if self._path else "xb") as file:
                file.write(wav_header(there, self._sample_rate))
                file.seek(HEADER_BYTES + self._there)  # there may be more, of a block that was not written to its end
                file.write(memoryview(self._here.file())[HEADER_BYTES:])
        except OSError:
            self._full_at = 2 * len(self._here)  # there may be room by then
            return
        self._path, self._there = path, there
        self._here, self._full_at = GrowingWav(self._sample_rate), _BLOCK_BYTES


class _Spooled:
    """What of a `SpooledWav` was there at one time: so many bytes of its file, and what had not gone there."""

    def __init__(self, path: Path, size: int, rest: bytes, sample_rate: int) -> None:
        self._kept, self._size, self._rest, self.sample_rate = _Kept(path), size, rest, sample_rate

    @property
    def frames(self) -> int:
        return (self._size + len(self._rest)) // 2

    def read(self) -> bytes:
        data = self._kept.read(HEADER_BYTES + self._size)
        header = wav_header(self._size + len(self._rest), self.sample_rate)
        if data[:HEADER_BYTES] == header and not self._rest:
            return data
        return header + data[HEADER_BYTES:] + self._rest  # more has come since, or could not be written


class _Kept:
    """One file of the spool."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, size: int = -1) -> bytes:
        """So many bytes of it, or all."""
        try:
            with self._path.open("rb") as file:
                data = file.read(size)
                if len(data) < size:
                    raise OSError(errno.EIO, "it has been cut short")
        except OSError as error:
            raise ClipError(
                f"The sound of an earlier turn is gone: {self._path} can't be read ({error.strerror}).",
                "Was the folder of temporary files cleaned? The journal still has it.",
            ) from error
        return data


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
