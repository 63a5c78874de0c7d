"""A WAV whose recorder was killed: the sound is there, but the header says that there is none."""

from __future__ import annotations

import contextlib
import io
import os
import struct
from typing import IO, Any

__all__ = ["Unfinished", "let_go", "mended"]

_HEAD_BYTES = 4096
_LARGEST_SIZE = 0xFFFFFFFF  # which stands for an unknown size too: it is read to its end


class Unfinished(io.RawIOBase):
    """Such a file, as if its header told its sizes; no more than the header is held in memory.

    Parameters
    ----------
    file : open binary file
    head : bytes
        Its first bytes, put right.
    own : bool
        Whether nobody else closes it.
    """

    def __init__(self, file: IO[bytes], head: bytes, *, own: bool) -> None:
        self._file, self._head, self._own = file, head, own

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer from where it is; gives the number of bytes."""
        at = self._file.tell()
        data = self._file.read(len(buffer))
        head = self._head[at : at + len(data)]
        buffer[: len(data)] = head + data[len(head) :]
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place; gives it."""
        self._file.seek(offset, whence)
        return self._file.tell()

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def close(self) -> None:
        """Let go of the file."""
        if self._own:
            self._file.close()
        super().close()


def mended(source: Any) -> Any:
    """A path or an open file as it is; for a WAV that says that it holds nothing `Unfinished`, to be `let_go`.

    libsndfile reads a WAV of unknown length to its end, but takes a length of 0 for the truth.
    """
    if hasattr(source, "read"):
        head = _true_head(source)
        return Unfinished(source, head, own=False) if head else source
    with contextlib.ExitStack() as to_close, contextlib.suppress(OSError):  # libsndfile tells what can't be opened
        file = to_close.enter_context(open(source, "rb"))
        if head := _true_head(file):
            to_close.pop_all()
            return Unfinished(file, head, own=True)
    return source


def let_go(source: Any) -> None:
    """Close what `mended` has opened."""
    if isinstance(source, Unfinished):
        source.close()


def _true_head(file: IO[bytes]) -> bytes:
    """The header of such a file with its sizes put right, up to the sound; nothing for any other file."""
    found = file.read(_HEAD_BYTES)
    at = found.find(b"data")
    head = b""
    if found[:4] == b"RIFF" and at >= 0 and found[at + 4 : at + 8] == bytes(4):
        file.seek(0, os.SEEK_END)
        end = file.tell()
        head = found[:4] + _size(end - 8) + found[8 : at + 4] + _size(end - at - 8)
    file.seek(0)
    return head


def _size(count: int) -> bytes:
    return struct.pack("<I", min(count, _LARGEST_SIZE))
