"""A WAV file in memory that grows while its sound comes, and is there at the end without being copied."""

from __future__ import annotations

import io
import struct
from typing import Protocol

__all__ = ["HEADER_BYTES", "Growing", "GrowingWav", "WavElsewhere", "wav_header"]

HEADER_BYTES = 44


def wav_header(data_bytes: int, sample_rate: int, channels: int = 1) -> bytes:
    """The 44 bytes that make headerless PCM16 a WAV file (http://soundfile.sapp.org/doc/WaveFormat/).

    Examples
    --------
    >>> len(wav_header(4, 24_000))
    44
    """
    frame_bytes = 2 * channels
    form = struct.pack("<HHIIHH", 1, channels, sample_rate, sample_rate * frame_bytes, frame_bytes, 16)
    riff = b"RIFF" + struct.pack("<I", 36 + data_bytes) + b"WAVE"
    return riff + b"fmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", data_bytes)


class WavElsewhere(Protocol):
    """A WAV file of 16 bits, mono, that is not in memory."""

    @property
    def sample_rate(self) -> int:
        """Frames a second, Hz."""
        ...

    @property
    def frames(self) -> int:
        """Its length."""
        ...

    def read(self) -> bytes:
        """The file."""
        ...


class Growing(Protocol):
    """What gathers the pieces of a sound: a `GrowingWav`, or what puts them elsewhere."""

    def __len__(self) -> int: ...

    def add(self, pcm16: bytes) -> None:
        """Take what comes next."""
        ...

    def file(self, more: bytes = b"") -> bytes | WavElsewhere:
        """The file as it would be if it ended here, after some more sound; empty where there is no sound."""
        ...


class GrowingWav:
    """A WAV file of 16 bits, mono, in the making; its length is that of its sound, in bytes.

    Parameters
    ----------
    sample_rate : int
        Hz.

    Examples
    --------
    >>> wav = GrowingWav(24_000)
    >>> wav.add(bytes(4800))
    >>> len(wav), len(wav.file())
    (4800, 4844)
    """

    def __init__(self, sample_rate: int) -> None:
        self._sample_rate = sample_rate
        # BytesIO gives its bytes away as they are, where a bytearray could only be copied into bytes.
        self._file = io.BytesIO()
        self._size = 0
        self._made = b""

    def __len__(self) -> int:
        return self._size

    def add(self, pcm16: bytes) -> None:
        """Take what comes next."""
        if not self._size:
            self._file.write(bytes(HEADER_BYTES))
        self._size += self._file.write(pcm16)
        self._made = b""

    def file(self, more: bytes = b"") -> bytes:
        """The file as it would be if it ended here, after some more sound; empty where there is no sound."""
        if more:
            made = GrowingWav(self._sample_rate)
            made.add(self.file()[HEADER_BYTES:] + more)
            return made.file()
        if not self._made and self._size:
            self._file.seek(0)
            self._file.write(wav_header(self._size, self._sample_rate))
            self._file.seek(0, io.SEEK_END)
            self._made = self._file.getvalue()
        return self._made
