"""Where the sounds of long conversations lie, so that memory need not hold them: files that end with the process.

They are of no use to anybody else: what is to last is in the journal and in saved files.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import itertools
import os
import shutil
import tempfile
import threading
import weakref
import zlib
from collections.abc import Sequence
from pathlib import Path

from nbaudio.errors import ClipError
from nbaudio.sound.clip import Clip
from nbaudio.sound.codecs import wav_header
from nbaudio.sound.parts import HEADER_BYTES, PART_BYTES, bounds
from nbaudio.sound.recorded import Recorded

__all__ = ["Spooled", "SpooledSound", "park"]

_LONG_BYTES = 2 * PART_BYTES
"""11 s at 24,000 Hz: up to here the sound of an answer is held in memory, as it comes."""
_BUFFER_BYTES = 1 << 16
_numbers = itertools.count()
_folder: tuple[int, Path] | None = None


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
    if isinstance(clip.recorded, Spooled):
        clip.park(clip.recorded.whole)
        return
    data, _ = clip.as_kept()
    for_model, _ = clip.for_model() if sent else (data, "")
    with contextlib.suppress(OSError):
        kept = _keep(data)
        clip.park(kept.read, None if for_model is data else _keep(for_model).read)


class SpooledSound:
    """Gathers a sound that comes in pieces, see `nbaudio.wire.answers.Gathering`: on disk, once it is long.

    Where the disk can't be written it stays in memory.

    Parameters
    ----------
    sample_rate : int
        Hz.

    Examples
    --------
    >>> sound = SpooledSound(24_000)
    >>> for _ in range(300):
    ...     sound.add(bytes(4800))
    >>> len(sound), Clip(sound.all()).duration_s
    (1440000, 30.0)
    """

    def __init__(self, sample_rate: int) -> None:
        self._sample_rate = sample_rate
        self._file: _File | None = None
        self._there = self._size = self._checksum = 0  # bytes on disk; bytes and CRC-32 of all
        self._here: list[bytes] = []  # what follows those on disk
        self._full_at = _LONG_BYTES

    def __len__(self) -> int:
        return self._size

    def add(self, pcm16: bytes) -> None:
        """Take what comes next."""
        self._here.append(pcm16)
        self._size += len(pcm16)
        self._checksum = zlib.crc32(pcm16, self._checksum)
        if self._size >= self._full_at:
            self._spool()

    def all(self, more: bytes = b"") -> bytes | Spooled:
        """All of it so far, with some more at its end."""
        rest = b"".join([*self._here, more])
        if self._file is None:
            return rest
        frames, checksum = (self._there + len(rest)) // 2, zlib.crc32(more, self._checksum)
        if not more and self._file.write(self._there, self._here):
            rest = b""
        return Spooled(self._file, frames, self._sample_rate, checksum, rest)

    def _spool(self) -> None:
        with contextlib.suppress(OSError):
            self._file = self._file or _File(_where() / f"{next(_numbers)}.pcm")
        if self._file is None or not self._file.write(self._there, self._here):
            self._full_at = self._there + 2 * (self._size - self._there)  # there may be room by then
            return
        self._there = self._size
        self._here.clear()
        self._full_at = self._size + PART_BYTES


class Spooled(Recorded):
    """What of a `SpooledSound` was there at one time, as a WAV file; it is never held in memory.

    Parameters
    ----------
    file : _File
        The sound on disk.
    frames, sample_rate : int
        The length, and Hz.
    checksum : int
        The CRC-32 of its sound: what it is compared by where its digests are not needed, which take four times as long.
    rest : bytes
        What of it is not on disk.
    """

    def __init__(self, file: _File, frames: int, sample_rate: int, checksum: int, rest: bytes = b"") -> None:
        self.path, self.frames, self.sample_rate = file.path, frames, sample_rate
        self._file, self._rest = file, rest
        self._header = wav_header(2 * frames, sample_rate)
        self._bounds = bounds(len(self))
        self._lock = threading.Lock()
        self._data = self._descriptor = None
        self._digests = ()
        self.checksum = checksum

    @property
    def digests(self) -> tuple[bytes, ...]:
        """The SHA-256 of each part, made when they are first asked for.

        Raises
        ------
        ClipError
            If the file can't be read, or has grown shorter.
        """
        self._digests = self._digests or tuple(map(_digest, map(self.part, range(len(self._bounds)))))
        return self._digests

    def whole(self) -> bytes:
        """All of it.

        Raises
        ------
        ClipError
            If the file can't be read, or has grown shorter.
        """
        return self.read(0, len(self))

    def part(self, number: int) -> bytes:
        """The bytes of a part."""
        return self.read(*self._bounds[number])

    def settle(self) -> None:
        """Nothing: the file is nobody else's."""

    def _from_file(self, start: int, end: int) -> bytes:
        start, end, there = start - HEADER_BYTES, end - HEADER_BYTES, 2 * self.frames - len(self._rest)
        found = self._file.read(start, min(end, there)) if start < min(end, there) else b""
        return found + self._rest[max(0, start - there) : max(0, end - there)] if self._rest else found


class _File:
    """A file of the spool that goes with the last who needs it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch(0o600, exist_ok=False)
        weakref.finalize(self, _delete, os.getpid(), path).atexit = False  # then all of the folder goes

    def write(self, at: int, pieces: Sequence[bytes]) -> bool:
        """Have bytes at a place; says whether they could be written."""
        try:
            with self.path.open(
                "r+b", _BUFFER_BYTES
            ) as file:  # for each: of 200 answers at once none holds a file open
                file.seek(at)
                file.writelines(pieces)
        except OSError:
            return False
        return True

    def read(self, start: int, end: int) -> bytes:
        """The bytes from one place up to another."""
        try:
            with self.path.open("rb") as file:
                file.seek(start)
                data = file.read(end - start)
        except OSError as error:
            raise _gone(self.path, str(error.strerror)) from error
        if len(data) < end - start:
            raise _gone(self.path, "it has been cut short")
        return data


def _delete(process: int, path: Path) -> None:
    if process == os.getpid():
        with contextlib.suppress(OSError):
            path.unlink()


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _gone(path: Path, why: str) -> ClipError:
    return ClipError(
        f"The sound of an earlier turn is gone: {path} can't be read ({why}).",
        "Was the folder of temporary files cleaned? The journal still has it.",
    )


class _Kept:
    """One file of the spool."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> bytes:
        try:
            return self._path.read_bytes()
        except OSError as error:
            raise _gone(self._path, str(error.strerror)) from error


def _keep(data: bytes) -> _Kept:
    path = _where() / hashlib.sha256(data).hexdigest()
    if not path.exists():
        unfinished = path.with_suffix(".part")
        unfinished.write_bytes(data)
        unfinished.replace(path)
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
