"""A WAV file that is read while it comes: its header goes, and its samples are given as they are.

Its sizes may be unknown, as everywhere where a WAV is written to a stream; then all that follows is sound.
Format: http://soundfile.sapp.org/doc/WaveFormat/.
"""

from __future__ import annotations

import struct

__all__ = ["WavStream"]

_LONGEST_HEAD_BYTES = 1_000_000  # pictures and notes may stand before the sound
_UNKNOWN_SIZES = (0, 0xFFFFFFFF)


class WavStream:
    """Takes the bytes of a WAV, and gives its samples where they are 16-bit mono.

    Attributes
    ----------
    plain : bool or None
        Whether they are; None while the header is still to come.
    sample_rate : int
        Hz, once `plain` is known.

    Examples
    --------
    >>> wav = WavStream()
    >>> head = b"RIFF" + bytes(4) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16) + b"data"
    >>> wav.feed(head + struct.pack("<I", 0xFFFFFFFF) + b"abcd"), wav.feed(b"ef"), wav.sample_rate
    (b'abcd', b'ef', 8000)
    """

    def __init__(self) -> None:
        self.plain: bool | None = None
        self.sample_rate = 0
        self.held = bytearray()
        """All that has come, while nothing has been given of it."""
        self._left: int | None = None  # bytes of sound that are to come; None where that is not known

    def feed(self, data: bytes) -> bytes:
        """The samples that these bytes bring; none where they are not plain: then `held` is the file so far."""
        if self.plain:
            return self._within(data)
        self.held += data
        if self.plain is None:
            start = self._look()
            if start is not None:
                first = bytes(self.held[start:])
                self.held.clear()
                return self._within(first)
        return b""

    def _within(self, data: bytes) -> bytes:
        if self._left is None:
            return data
        sound = data[: self._left]
        self._left -= len(sound)
        return sound

    def _look(self) -> int | None:
        """Where the sound begins, if it is known by now and plain."""
        head, at = self.held, 12
        if head[:4] != b"RIFF"[: len(head[:4])] or (len(head) >= 12 and head[8:12] != b"WAVE"):
            self.plain = False
            return None
        while at + 8 <= len(head):
            name, size = bytes(head[at : at + 4]), struct.unpack_from("<I", head, at + 4)[0]
            if name == b"data":
                self._left = None if size in _UNKNOWN_SIZES else size
                self.plain = bool(self.sample_rate)
                return at + 8 if self.plain else None
            if name == b"fmt " and at + 24 <= len(head):
                kind, channels, sample_rate, _, _, bits = struct.unpack_from("<HHIIHH", head, at + 8)
                self.sample_rate = sample_rate if (kind, channels, bits) == (1, 1, 16) else 0
            at += 8 + size + (size & 1)
        if len(head) > _LONGEST_HEAD_BYTES:
            self.plain = False
        return None
