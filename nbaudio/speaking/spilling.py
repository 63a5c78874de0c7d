"""The sound of a long text, on disk beyond its first minutes: an hour of it is 173 MB, and it is wanted twice.

Once in its passages, which are kept until all are finished, and once joined. Both are in memory while they are short,
and stay there where the disk can't be written to.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple, TypeAlias

from nbaudio.sound.clip import Clip
from nbaudio.sound.codecs import wav_header
from nbaudio.sound.parts import GrowingDigests
from nbaudio.sound.recorded import Recorded
from nbaudio.wire.answers import STREAM_SAMPLE_RATE, AudioDelta, TextDelta

__all__ = ["LongSound", "Pieces", "Spill"]

IN_MEMORY_BYTES = 10_000_000  # 3.5 minutes, as of a file that a clip is made of

Piece: TypeAlias = TextDelta | AudioDelta


class Spill:
    """A file without a name, for what is too much for memory; gone when nobody has it any more."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._size = self._in_memory = 0
        self._full = False

    def put(self, data: bytes) -> int | None:
        """Where it is from now on; None where it is to stay in memory."""
        if self._full or self._in_memory + len(data) <= IN_MEMORY_BYTES:
            self._in_memory += len(data)
            return None
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="nbaudio-", buffering=0)  # noqa: SIM115 - outlives this
                weakref.finalize(self, self._file.close)
            self._file.seek(self._size)
            _write(self._file, data)
        except OSError:
            self._full = True
            return None
        self._size += len(data)
        return self._size - len(data)

    def get(self, start: int, length: int) -> bytes:
        """What was put there."""
        assert self._file is not None  # there is a place, and so there is a file
        self._file.seek(start)
        found = b""
        while len(found) < length and (more := self._file.read(length - len(found))):
            found += more
        return found


class _Place(NamedTuple):
    """Of sound on disk: where it begins, in bytes, how many they are, and the rate in Hz."""

    start: int
    length: int
    sample_rate: int


class Pieces:
    """The pieces of a passage, in order; their sound is in the spill, where there is one and it takes them.

    Examples
    --------
    >>> pieces = Pieces(Spill())
    >>> pieces.append(TextDelta("Yes."))
    >>> pieces.append(AudioDelta(bytes(480)))
    >>> [type(piece).__name__ for piece in pieces], pieces.frames
    (['TextDelta', 'AudioDelta'], 240)
    """

    def __init__(self, spill: Spill | None = None) -> None:
        self._spill = spill
        self._held: list[Piece | _Place] = []
        self.frames = 0
        """How many frames of sound there are."""

    def append(self, piece: Piece) -> None:
        """Take the next one."""
        held: Piece | _Place = piece
        if isinstance(piece, AudioDelta):
            self.frames += len(piece.pcm16) // 2
            start = self._spill.put(piece.pcm16) if self._spill is not None else None
            if start is not None:
                held = _Place(start, len(piece.pcm16), piece.sample_rate)
        self._held.append(held)

    def clear(self) -> None:
        """Let go of all."""
        self._held.clear()
        self.frames = 0

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Piece]:
        for held in self._held:
            if isinstance(held, _Place):
                assert self._spill is not None  # it took them
                yield AudioDelta(self._spill.get(held.start, held.length), held.sample_rate)
            else:
                yield held


class LongSound:
    """Mono PCM16 at 24,000 Hz that grows, and the clip of it.

    Attributes
    ----------
    frames : int
        How many there are.

    Examples
    --------
    >>> sound = LongSound()
    >>> sound.add(bytes(4800))
    >>> sound.frames, sound.clip().duration_s
    (2400, 0.1)
    """

    def __init__(self) -> None:
        self.frames = 0
        self._short = bytearray()
        self._file: _NamedFile | None = None
        self._full = False
        self._digests = GrowingDigests()

    def add(self, pcm16: bytes) -> None:
        """Take what comes next: whole frames."""
        if self._file is None and not self._full and len(self._short) + len(pcm16) > IN_MEMORY_BYTES:
            self._spill()
        if self._file is not None and not self._append(self._file, pcm16):
            self._full = True
            self._short, self._file = bytearray(self._file.read(2 * self.frames)), None
        if self._file is None:
            self._short += pcm16
        self.frames += len(pcm16) // 2

    def clip(self) -> Clip:
        """All that is here as a clip; what comes later is not in it."""
        if self._file is None:
            return Clip.from_pcm16(bytes(self._short), STREAM_SAMPLE_RATE)
        return Clip(_Spilled(self._file, self.frames, self._digests.all()))

    def _spill(self) -> None:
        try:
            file = _NamedFile()
        except OSError:
            self._full = True
            return
        if self._append(file, bytes(self._short)):
            self._file, self._short = file, bytearray()
        else:
            self._full = True

    def _append(self, file: _NamedFile, pcm16: bytes) -> bool:
        try:
            file.append(pcm16)
        except OSError:
            return False
        self._digests.add(pcm16)
        return True


class _NamedFile:
    """A file that is deleted when nobody has it any more, with room for a header."""

    def __init__(self) -> None:
        descriptor, name = tempfile.mkstemp(prefix="nbaudio-", suffix=".wav")
        self.path = Path(name)
        self._open = os.fdopen(descriptor, "r+b", buffering=0)
        weakref.finalize(self, _delete, self._open, self.path)
        self._header_bytes = len(wav_header(0, STREAM_SAMPLE_RATE))
        _write(self._open, bytes(self._header_bytes))

    def append(self, data: bytes) -> None:
        _write(self._open, data)

    def read(self, length: int) -> bytes:
        self._open.seek(self._header_bytes)
        found = b""
        while len(found) < length and (more := self._open.read(length - len(found))):
            found += more
        return found


class _Spilled(Recorded):
    """A WAV of the first so many frames of a file, which stays as long as this does."""

    def __init__(self, file: _NamedFile, frames: int, digests: list[bytes]) -> None:
        self._file = file
        super().__init__(file.path, frames, STREAM_SAMPLE_RATE, digests)


def _write(file: IO[bytes], data: bytes) -> None:
    """All of it; a file without a buffer may take a part."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _delete(file: IO[bytes], path: Path) -> None:
    file.close()
    with contextlib.suppress(OSError):  # on Windows, while the program ends, somebody may still have it open
        path.unlink()
