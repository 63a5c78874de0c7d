"""Take: a recording while it arrives, on disk from its first piece on.

Pieces are numbered from 0, headerless PCM16, all of one length but the last. They may come in any order, twice, and on
two threads. What is in order is in a WAV file at once, so that nothing is lost with the process, an hour needs no
memory, and the end costs the same at any length: the 44 bytes of the file's header. The clip that comes of it is read
from that file when it is used, and a take that is to be said is in the journal while it grows.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from nbaudio.errors import ClipError
from nbaudio.sound.codecs import Samples, pcm16_to_samples, wav_header
from nbaudio.sound.parts import HEADER_BYTES, PART_BYTES, GrowingDigests
from nbaudio.sound.recorded import Recorded
from nbaudio.widgets.recordings import new_name, prune, recordings_folder

if TYPE_CHECKING:
    from nbaudio.journal.alongside import Alongside
    from nbaudio.sound.clip import Clip

__all__ = ["Take"]

_MOST_BYTES = 0xFFFFFFFF - HEADER_BYTES  # what a WAV file's sizes can say: a day at 24,000 Hz
_MOST_WAITING = 20  # pieces that are held back for one that is missing: 2 s from a microphone
_FARTHEST = 600  # pieces ahead of the next one: what claims to be farther is no piece of this recording


class Take:
    """A recording that arrives in numbered pieces.

    Parameters
    ----------
    sample_rate : int
        Hz.
    folder : Path, optional
        Where the file goes; by default `recordings_folder()`. It is made where it is missing, readable by its owner
        alone, as the file is.
    to_say : bool
        Whether it will be said in a conversation as soon as it ends: then the journal gets it while it grows. Call
        `release` when it has been said, or will not be.

    Attributes
    ----------
    path : Path
        The WAV file.
    frames : int
        How many are on disk and in order.
    silent_frames : int
        How many of them are silence, in the place of pieces that have not come.
    over : bool
        Whether it was finished or discarded.

    Raises
    ------
    OSError
        Here and in `add` and `finish`, if the disk is full or the folder can't be written to.

    Examples
    --------
    >>> import tempfile
    >>> take = Take(24_000, folder=Path(tempfile.mkdtemp()))
    >>> take.add(1, bytes(4800))
    >>> take.add(0, bytes(4800))
    >>> take.expect(pieces=2)
    True
    >>> take.finish()
    >>> take.clip
    Clip(0.20 s, 24000 Hz, mono, silent)
    """

    def __init__(self, sample_rate: int, *, folder: Path | None = None, to_say: bool = False) -> None:
        self.sample_rate = sample_rate
        self.over = False
        self._folder = folder or recordings_folder()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = self._folder / new_name()
        self._lock = threading.RLock()
        self._waiting: dict[int, bytes] = {}
        self._gaps: dict[int, tuple[int, int]] = {}  # number -> where its silence begins, and how long that is, bytes
        self._next = self._written = self._piece_bytes = 0
        self._pieces: int | None = None
        self._frames: int | None = None
        self._clip: Clip | None = None
        self._digests = GrowingDigests()
        self._given: weakref.WeakSet[Recorded] = weakref.WeakSet()  # what of it others read from the file
        self._alongside: Alongside | None = None
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        self._file: IO[bytes] | None = os.fdopen(descriptor, "r+b", buffering=0)
        self._write(0, wav_header(0, sample_rate))
        if to_say:
            from nbaudio.journal.alongside import Alongside

            self._alongside = Alongside(self.path)
        prune(self._folder)

    # -- arriving ---------------------------------------------------------------------------------------

    def add(self, index: int, pcm16: bytes) -> None:
        """Take a piece: its number, from 0, and its sound, signed 16-bit little-endian mono.

        A piece that is here already is ignored. One that was given up is put in its place, where silence is.
        """
        with self._lock:
            if not 0 <= index < self._next + _FARTHEST or self._written + len(pcm16) > _MOST_BYTES:
                return
            pcm16 = pcm16[: len(pcm16) & ~1]
            if index < self._next:
                self._mend(index, pcm16)
                return
            self._waiting.setdefault(index, pcm16)
            self._put_in_order()
            if len(self._waiting) > _MOST_WAITING:
                self._fill_up_to(min(self._waiting))
                self._put_in_order()

    def expect(self, pieces: int, frames: int | None = None) -> bool:
        """Say how many pieces there are, and how many frames; tells whether all of them are here."""
        with self._lock:
            self._pieces, self._frames = min(max(pieces, 0), self._next + _FARTHEST), frames
            return self.complete

    @property
    def expected(self) -> bool:
        """Whether it is known how many pieces there are: none is recorded any more."""
        return self._pieces is not None

    @property
    def complete(self) -> bool:
        """Whether every piece is here that `expect` spoke of."""
        with self._lock:
            return self._pieces is not None and self._next >= self._pieces and not self._gaps

    def finish(self) -> None:
        """End it with what is here; pieces that have not come become silence.

        A piece that comes later still finds its place: `finish` again then.
        """
        with self._lock:
            if self._pieces is not None and (self._next or self._waiting):
                self._fill_up_to(self._pieces, self._missing_bytes())
                self._put_in_order()
            while self._waiting:
                self._fill_up_to(min(self._waiting))
                self._put_in_order()
            self._write_sizes()
            self._close()
            self.over = True

    def discard(self) -> None:
        """Delete it: it is not wanted."""
        with self._lock:
            self._settle_given()
            self._close()
            self.release()
            self.path.unlink(missing_ok=True)
            self._waiting.clear()
            self._gaps.clear()
            self._next = self._written = 0
            self._clip, self.over = None, True

    def release(self) -> None:
        """Have the journal forget it, if it was not said."""
        if self._alongside is not None:
            self._alongside.forget()
        self._alongside = None

    # -- reading ----------------------------------------------------------------------------------------

    @property
    def frames(self) -> int:
        """How many frames are on disk and in order."""
        return self._written // 2

    @property
    def duration_s(self) -> float:
        """Their length in seconds."""
        return self.frames / self.sample_rate

    @property
    def silent_frames(self) -> int:
        """How many frames are silence in the place of pieces that have not come."""
        with self._lock:
            return sum(length for _, length in self._gaps.values()) // 2

    @property
    def clip(self) -> Clip | None:
        """What arrived so far; None where nothing has."""
        from nbaudio.sound.clip import Clip

        with self._lock:
            if not self._written:
                return None
            if self._clip is None or self._clip.frames != self.frames:
                self._write_sizes()
                recorded = Recorded(self.path, self.frames, self.sample_rate, self._digests.all())
                self._given.add(recorded)
                self._clip = Clip(recorded)
            return self._clip

    def read(self, start: int, frames: int) -> Samples:
        """A part of it, from frame `start` on: float32, shape ``(frames, 1)``; shorter where not so much is here."""
        with self._lock:
            length = min(2 * frames, self._written - 2 * start)
            if length <= 0:
                return pcm16_to_samples(b"")
            return pcm16_to_samples(self._read(2 * start, 2 * start + length))

    # -- on disk ----------------------------------------------------------------------------------------

    def _put_in_order(self) -> None:
        while (pcm16 := self._waiting.pop(self._next, None)) is not None:
            self._append(pcm16)

    def _append(self, pcm16: bytes) -> None:
        self._write(HEADER_BYTES + self._written, pcm16)
        self._written += len(pcm16)
        self._digests.add(pcm16)
        self._tell_journal()
        self._piece_bytes = self._piece_bytes or len(pcm16)
        self._next += 1

    def _mend(self, index: int, pcm16: bytes) -> None:
        start, length = self._gaps.pop(index, (0, 0))
        if not length:
            return
        self._settle_given()
        self._write(HEADER_BYTES + start, pcm16[:length])
        self._clip = None
        for number in range(start // PART_BYTES, (start + length - 1) // PART_BYTES + 1):
            begin = number * PART_BYTES
            self._digests.replace(number, self._read(begin, min(begin + PART_BYTES, self._written)))
        self._tell_journal()

    def _settle_given(self) -> None:
        """What was given out of it stays as it was, whatever becomes of the file."""
        for recorded in tuple(self._given):
            with suppress(ClipError):  # whoever uses it is told
                recorded.settle()
        self._given.clear()

    def _tell_journal(self) -> None:
        if self._alongside is not None:
            self._alongside.grew(self._digests.full)

    def _fill_up_to(self, index: int, missing_bytes: int | None = None) -> None:
        """Put silence in the place of the pieces before this one that are not here."""
        usual = self._piece_bytes or max((len(pcm16) for pcm16 in self._waiting.values()), default=0)
        while self._next < index:
            if self._next in self._waiting:
                self._put_in_order()
                continue
            last = all(number in self._waiting for number in range(self._next + 1, index))
            # Only the last piece has another length, and only all of them together say which.
            length = usual if missing_bytes is None or not last else max(0, min(missing_bytes, usual or missing_bytes))
            if missing_bytes is not None:
                missing_bytes -= length
            self._gaps[self._next] = (self._written, length)
            self._append(bytes(length))

    def _missing_bytes(self) -> int | None:
        if self._frames is None:
            return None
        here = self._written + sum(len(pcm16) for pcm16 in self._waiting.values())
        return min(max(0, 2 * self._frames - here), _FARTHEST * (self._piece_bytes or 2 * self.sample_rate))

    def _write_sizes(self) -> None:
        self._write(0, wav_header(self._written, self.sample_rate))

    def _read(self, start: int, end: int) -> bytes:
        """Sound from its place in bytes up to another."""
        data = b""
        with self._opened() as file:
            file.seek(HEADER_BYTES + start)
            while len(data) < end - start and (more := file.read(end - start - len(data))):
                data += more
        return data

    def _write(self, at: int, data: bytes) -> None:
        with self._opened() as file:
            file.seek(at)
            rest = memoryview(data)
            while rest:  # without a buffer a write may take a part only
                rest = rest[file.write(rest) :]

    @contextmanager
    def _opened(self) -> Iterator[IO[bytes]]:
        if self._file is None:  # after the end: a piece came late, or somebody reads
            self._file = self.path.open("r+b", buffering=0)
        yield self._file
        if self.over:
            self._close()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def __del__(self) -> None:
        if getattr(self, "_file", None) is not None:
            self._close()
