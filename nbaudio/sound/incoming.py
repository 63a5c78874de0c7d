"""Sound that comes in pieces of whatever form, as the one form that players take: PCM16 at 24,000 Hz, mono.

Servers put WAV headers before the first piece, or before each; they send other rates, and whole MP3 files. What a
piece is can be seen from its first bytes.
"""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbaudio.errors import ClipError
from nbaudio.sound import codecs

__all__ = ["SAMPLE_RATE", "IncomingSound"]

SAMPLE_RATE = 24_000
"""Hz of what comes out."""

_UNKNOWN_SIZE = 0xFFFFFFFF
_LONGEST_HEADER = 64 * 1024  # bytes that may stand before the sound of a WAV
_MOST_CHANNELS = 8
_LOWEST_RATE, _HIGHEST_RATE = 4_000, 384_000
_KINDS = {(1, 16): "<i2", (3, 32): "<f4"}  # a WAV's code for PCM and for floats, with the bits of each
_EXTENSIBLE = 0xFFFE  # a WAV whose kind stands further on


class IncomingSound:
    r"""Takes pieces as they come, and gives what of them can be played.

    Parameters
    ----------
    sample_rate : int
        Hz of PCM that says nothing of its rate.

    Examples
    --------
    >>> sound = IncomingSound()
    >>> sound.take(codecs.wav_header(4, 24_000) + bytes([1, 2, 3, 4])), sound.take(bytes([5, 6]))
    (b'\x01\x02\x03\x04', b'\x05\x06')
    """

    def __init__(self, sample_rate: int = SAMPLE_RATE) -> None:
        self._kind, self._rate, self._channels = "<i2", sample_rate, 1
        self._header = b""  # of a WAV, while not all of it is here
        self._left = math.inf  # bytes of sound until the WAV ends that said how many it has
        self._begun = False
        self._odd = b""  # less than a frame
        self._resampler: Any = None
        self._resampler_rate = 0
        self.file = b""
        """A compressed file, where that is what comes: better than what is made of it."""

    def take(self, data: bytes, sample_rate: int = 0, channels: int = 0) -> bytes:
        """What a piece brings to be heard; empty while more of it is needed.

        Parameters
        ----------
        data : bytes
        sample_rate, channels : int
            Of PCM, where the server says so beside it; 0 where it does not.

        Raises
        ------
        ClipError
            If it can't be sound.
        """
        if self.file or (not self._begun and _is_compressed(data)):
            self.file += data
            return b""
        self._begun = self._begun or bool(data)
        heard, rest, new = b"", self._header + data, True
        if not self._header and data[:4] != b"RIFF" and (sample_rate or channels):
            self._set(self._kind, sample_rate or self._rate, channels or self._channels)
        while rest:
            if self._header or (rest[:4] == b"RIFF" and (self._left == 0 or (new and self._left == math.inf))):
                self._odd, self._header = b"", rest
                at = self._read_header(rest)
                if at is None:
                    break
                self._header, rest = b"", rest[at:]
            elif self._left == 0 and not new:  # chunks behind the sound, which are none
                at = rest.find(b"RIFF")
                rest = rest[at:] if at >= 0 else b""
            else:
                size = int(min(self._left or math.inf, len(rest)))
                self._left = (self._left or math.inf) - size
                heard += self._converted(rest[:size])
                rest = rest[size:]
            new = False
        return heard

    def is_plain(self, data: bytes) -> bool:
        """Whether a first piece is what `take` would give back as it is, and so are those that follow it."""
        return self._rate == SAMPLE_RATE and data[:4] != b"RIFF" and not _is_compressed(data)

    def flush(self) -> bytes:
        """What is still to be heard when nothing more comes.

        Raises
        ------
        ClipError
            If a compressed file came that can't be read.
        """
        if self.file:
            samples, rate = codecs.decode(self.file)
            mono = samples.mean(axis=1, keepdims=True, dtype=np.float32)
            return codecs.samples_to_pcm16(codecs.resample(mono, rate, SAMPLE_RATE))
        return self._drained()

    def _read_header(self, data: bytes) -> int | None:
        """Where the sound of a WAV begins, and take note of what its header says; None while it is not all here."""
        if len(data) >= 12 and data[8:12] != b"WAVE":
            raise ClipError("The server's sound begins as a WAV does, and is none.")
        at = 12
        while at + 8 <= min(len(data), _LONGEST_HEADER):
            name, size = data[at : at + 4], struct.unpack_from("<I", data, at + 4)[0]
            if name == b"data":
                self._left = math.inf if size in (0, _UNKNOWN_SIZE) else size
                return at + 8
            if name == b"fmt " and at + 8 + size <= len(data) and size >= 16:
                code, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", data, at + 8)
                if code == _EXTENSIBLE and size >= 26:
                    code = struct.unpack_from("<H", data, at + 8 + 24)[0]
                if (code, bits) not in _KINDS:
                    raise ClipError(
                        f"The server's WAV holds numbers of {bits} bits (kind {code}), neither PCM16 nor float."
                    )
                self._set(_KINDS[code, bits], rate, channels)
            at += 8 + size + (size & 1)
        if at > _LONGEST_HEADER:
            raise ClipError("The server's WAV has a header that does not end.")
        return None

    def _set(self, kind: str, sample_rate: int, channels: int) -> None:
        if not (_LOWEST_RATE <= sample_rate <= _HIGHEST_RATE and 1 <= channels <= _MOST_CHANNELS):
            raise ClipError(f"The server's sound has {channels} channels at {sample_rate} Hz, which can't be.")
        self._kind, self._rate, self._channels = kind, sample_rate, channels

    def _converted(self, data: bytes) -> bytes:
        data = self._odd + data
        frame_bytes = int(self._kind[-1]) * self._channels
        whole = len(data) - len(data) % frame_bytes
        self._odd = data[whole:]
        if (self._kind, self._rate, self._channels) == ("<i2", SAMPLE_RATE, 1) and self._resampler is None:
            return data[:whole]
        numbers: NDArray[Any] = np.frombuffer(data[:whole], self._kind).reshape(-1, self._channels)
        if self._kind == "<f4":
            numbers = np.frombuffer(codecs.samples_to_pcm16(np.nan_to_num(numbers)), "<i2").reshape(numbers.shape)
        mono = np.rint(numbers.mean(axis=1)).astype("<i2") if self._channels > 1 else numbers[:, 0]
        before = self._drained() if self._resampler_rate != self._rate else b""
        if self._rate == SAMPLE_RATE:
            return before + mono.tobytes()
        if self._resampler is None:
            import soxr

            self._resampler = soxr.ResampleStream(self._rate, SAMPLE_RATE, 1, dtype="int16", quality="HQ")
            self._resampler_rate = self._rate
        return before + _bytes_of(self._resampler.resample_chunk(np.ascontiguousarray(mono, np.int16)))

    def _drained(self) -> bytes:
        """What the resampler still holds back."""
        if self._resampler is None:
            return b""
        last, self._resampler = self._resampler.resample_chunk(np.zeros(0, np.int16), last=True), None
        return _bytes_of(last)


def _bytes_of(numbers: NDArray[Any]) -> bytes:
    return bytes(numbers.astype("<i2", copy=False).tobytes())


def _is_compressed(data: bytes) -> bool:
    """Whether a first piece begins an MP3, FLAC or Ogg file."""
    if data[:3] == b"ID3" or data[:4] in (b"fLaC", b"OggS"):
        return True
    # PCM may by chance begin as a frame of an MP3 does, but then no second frame follows where it should.
    size = _mp3_frame_bytes(data, 0)
    return size > 0 and _mp3_frame_bytes(data, size) > 0


_KBIT_S = {  # of layer III, by the four bits for it: ISO/IEC 11172-3 2.4.2.3 for MPEG-1, ISO/IEC 13818-3 for the others
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0),
}
_MP3_RATES = (44_100, 48_000, 32_000, 0)


def _mp3_frame_bytes(data: bytes, at: int) -> int:
    """How long the MP3 frame is that begins here; 0 where none does."""
    head = data[at : at + 3]
    if len(head) < 3 or head[0] != 0xFF or head[1] >> 5 != 7 or head[1] >> 1 & 3 != 1:
        return 0
    version = head[1] >> 3 & 3  # 3: MPEG-1, 2: MPEG-2, 0: MPEG-2.5
    kbit_s, rate = _KBIT_S[version == 3][head[2] >> 4], _MP3_RATES[head[2] >> 2 & 3]
    if version == 1 or not kbit_s or not rate:
        return 0
    rate //= {3: 1, 2: 2, 0: 4}[version]
    return (144_000 if version == 3 else 72_000) * kbit_s // rate + (head[2] >> 1 & 1)
