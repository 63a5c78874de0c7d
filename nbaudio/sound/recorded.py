"""Recorded: a recording's WAV file, read when it is used, so that its end costs the same at any length."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from nbaudio.errors import ClipError
from nbaudio.sound.codecs import wav_header
from nbaudio.sound.parts import HEADER_BYTES, bounds, name_of

__all__ = ["Recorded"]

_MOST_OPEN = 8  # of a folder of recordings nobody wants all files open
_open: deque[weakref.ref[Recorded]] = deque()
_counting = threading.Lock()


class Recorded:
    """The first so many frames of a recording, mono and of 16 bits, as a WAV file.

    Its sound lies in the recording's file, which is held open: it may be deleted, but where it is changed or may be
    replaced, call `settle` before. The bytes are in memory from the first time that all of them are used.

    Parameters
    ----------
    path : Path
        The file, with a header of 44 bytes, whatever these say.
    frames, sample_rate : int
        The length, and Hz.
    digests : sequence of bytes
        The SHA-256s of its parts without the header, as `nbaudio.sound.parts.GrowingDigests` has them.

    Raises
    ------
    OSError
        If the file can't be opened.
    """

    def __init__(self, path: Path, frames: int, sample_rate: int, digests: Sequence[bytes]) -> None:
        self.path, self.frames, self.sample_rate = path, frames, sample_rate
        self._header = wav_header(2 * frames, sample_rate)
        self._bounds = bounds(len(self))
        self._lock = threading.Lock()
        self._data: bytes | None = None
        self._descriptor: int | None = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        if len(self._bounds) == 1:
            digests = (hashlib.sha256(self.read(0, len(self))).digest(),)
        else:
            digests = (hashlib.sha256(self._header).digest(), *digests)
        self._digests = tuple(digests)
        _close_the_oldest(self)

    def __len__(self) -> int:
        return HEADER_BYTES + 2 * self.frames

    @property
    def digests(self) -> tuple[bytes, ...]:
        """The SHA-256 of each part."""
        return self._digests

    @property
    def name(self) -> str:
        """Its name, as `nbaudio.sound.parts` gives it: the same whatever way the file comes."""
        return name_of(self.digests)

    def part(self, number: int) -> bytes:
        """The bytes of a part.

        Raises
        ------
        ClipError
            If they are not those that were recorded.
        """
        data = self.read(*self._bounds[number])
        if hashlib.sha256(data).digest() != self.digests[number]:
            raise ClipError(f"The recording {self.path} has been changed.", "Record it again.")
        return data

    def blocks(self, size: int) -> Iterator[bytes]:
        """All of it, so many bytes at a time."""
        for start in range(0, len(self), size):
            yield self.read(start, min(start + size, len(self)))

    def whole(self) -> bytes:
        """All of it.

        Raises
        ------
        ClipError
            If the file can't be read, or has grown shorter.
        """
        self.settle()
        assert self._data is not None  # it has just been read
        return self._data

    def settle(self) -> None:
        """Have it in memory, and depend on the file no longer."""
        with self._lock:
            if self._data is None:
                self._data = self._header + self._from_file(HEADER_BYTES, len(self))
            self._close()

    def read(self, start: int, end: int) -> bytes:
        """The bytes from `start` up to `end`."""
        with self._lock:
            if self._data is not None:
                return self._data[start:end]
            return self._header[start:end] + self._from_file(max(start, HEADER_BYTES), end)

    def _from_file(self, start: int, end: int) -> bytes:
        assert self._descriptor is not None  # it is closed when the data are here
        found = bytearray()
        try:
            while start + len(found) < end:
                more = _read_at(self._descriptor, start + len(found), end - start - len(found))
                if not more:
                    raise ClipError(f"The recording {self.path} has been cut short.", "Record it again.")
                found += more
        except OSError as error:
            raise ClipError(f"The recording {self.path} can't be read: {error.strerror}.") from error
        return bytes(found)

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def __del__(self) -> None:
        if getattr(self, "_descriptor", None) is not None:
            self._close()


def _read_at(descriptor: int, start: int, length: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(descriptor, length, start)  # a process that was forked shares the place in the file
    os.lseek(descriptor, start, os.SEEK_SET)
    return os.read(descriptor, length)


def _close_the_oldest(newest: Recorded) -> None:
    with _counting:
        _open.append(weakref.ref(newest))
        oldest = _open.popleft()() if len(_open) > _MOST_OPEN else None
    if oldest is not None:  # on a thread: whoever has just recorded something waits for no other recording
        threading.Thread(target=_settle, args=(oldest,), name="nbaudio-settle", daemon=True).start()


def _settle(recorded: Recorded) -> None:
    with contextlib.suppress(ClipError):  # whoever uses it is told
        recorded.settle()
