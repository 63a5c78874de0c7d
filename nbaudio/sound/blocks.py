"""Sound in blocks: a file that is read from its beginning to its end without ever being held whole, and one written so.

An hour of speech is 115 MB as 16-bit samples at 16,000 Hz, and twice that as floats. What only passes through need not
be in memory.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterator
from typing import IO, Any

import numpy as np

from nbaudio.errors import ClipError
from nbaudio.sound import codecs
from nbaudio.sound.codecs import Samples
from nbaudio.sound.unfinished import let_go, mended

__all__ = ["BLOCK_S", "LISTENING_KBIT_S", "BlockReader", "BlockWriter"]

BLOCK_S = 1.0
"""Seconds of sound in one block; less of a sound of many channels at a high rate."""

LISTENING_KBIT_S = 48.0
"""The bit rate of an MP3 for a machine to listen to: at 16,000 Hz it leaves what a speech model hears."""

_MOST_BLOCK_SAMPLES = 2**20  # of all channels: a second of 8 at 192 kHz is more, of a file of a few bytes
_UNKNOWN_FRAMES = 2**62  # libsndfile says the largest number where it does not know


class BlockReader:
    """A sound file, read forward in mono blocks at one rate.

    Forward only: decoding an hour takes less than a second, while libmpg123 complains on standard error of every place
    in an MP3 that it is made to jump to.

    Parameters
    ----------
    source : path, or an open binary file
        WAV, MP3, FLAC, Ogg Vorbis or Opus. A WAV whose sizes are unknown, or 0, is read to its end.
    sample_rate : int, optional
        Hz of the blocks; by default the file's own.
    most_s : float
        The longest sound that is read, in seconds.

    Attributes
    ----------
    sample_rate : int
        Hz of the blocks.
    position : int
        How many frames have been given, at that rate.

    Raises
    ------
    ClipError
        If it is no sound file that can be read; a `SoundTooLong` if it says that it is too long.

    Examples
    --------
    >>> wav = codecs.wav_header(96_000, 24_000) + bytes(96_000)
    >>> with BlockReader(io.BytesIO(wav), 16_000) as reader:
    ...     sum(map(len, reader.blocks()))
    32000
    """

    def __init__(
        self, source: str | os.PathLike[str] | IO[bytes], sample_rate: int | None = None, *, most_s: float = math.inf
    ) -> None:
        import soundfile

        self._source = mended(source)
        try:
            self._file = soundfile.SoundFile(self._source)
        except (soundfile.LibsndfileError, ValueError) as error:
            let_go(self._source)
            raise ClipError("This is no sound file that can be read.", codecs.CAN_READ) from error
        # Where the length is unknown, seeking to where it is anyway, which soundfile does after each read, is an error.
        self._file.seekable = lambda: False
        self._own_rate = int(self._file.samplerate)
        if most_s * self._own_rate < self._file.frames < _UNKNOWN_FRAMES:
            self.close()
            raise codecs.too_long(most_s)
        self.sample_rate = sample_rate or self._own_rate
        self.position = 0
        self._most_s, self._frames_read = most_s, 0
        self._block_frames = max(1, min(int(BLOCK_S * self._own_rate), _MOST_BLOCK_SAMPLES // self._file.channels))
        self._resampler: Any = None
        if self.sample_rate != self._own_rate:
            import soxr

            self._resampler = soxr.ResampleStream(self._own_rate, self.sample_rate, 1, dtype="float32", quality="HQ")
        self._rest = np.zeros(0, np.float32)
        self._over = False

    @property
    def read_s(self) -> float:
        """Seconds of the file that have been read."""
        return self._frames_read / self._own_rate

    def blocks(self, frames: int | None = None) -> Iterator[Samples]:
        """Mono blocks, shape (frames,), full scale ±1.0, from where it is: all that follow, or so many frames.

        Samples that are no numbers count as silence.

        Raises
        ------
        ClipError
            If the file is damaged.
        SoundTooLong
            If it goes on for longer than it may; not all files say beforehand how long they are.
        """
        left = frames
        while left is None or left > 0:
            if not len(self._rest) and not self._fill():
                return
            block, self._rest = self._rest[:left], self._rest[len(self._rest) if left is None else left :]
            if left is not None:
                left -= len(block)
            self.position += len(block)
            yield block

    def _fill(self) -> bool:
        """Read on until there is something; gives whether there is."""
        import soundfile

        while not self._over and not len(self._rest):
            try:
                read = self._file.read(self._block_frames, dtype="float32", always_2d=True)
            except (soundfile.LibsndfileError, ValueError) as error:
                raise ClipError(
                    f"This {self._file.format} file is damaged or cut short: it can't be read to its end.",
                    "Copy or record it again.",
                ) from error
            self._frames_read += len(read)
            if self._frames_read > self._most_s * self._own_rate:
                raise codecs.too_long(self._most_s)
            self._over = not len(read)
            mono = read.mean(axis=1, dtype=np.float32) if read.shape[1] > 1 else read[:, 0]
            mono = np.nan_to_num(mono, posinf=0.0, neginf=0.0)
            self._rest = mono if self._resampler is None else self._resampler.resample_chunk(mono, last=self._over)
        return len(self._rest) > 0

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        let_go(self._source)

    def __enter__(self) -> BlockReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class BlockWriter:
    """Makes a mono sound file of blocks.

    Parameters
    ----------
    format : {"flac", "mp3"}
        Lossless, or small.
    sample_rate : int
        Hz, one that the format can hold.
    kbit_s : float
        Of an MP3.

    Examples
    --------
    >>> writer = BlockWriter("flac", 16_000)
    >>> writer.write(np.zeros(16_000, np.float32))
    >>> codecs.read_header(writer.finish()).frames
    16000
    """

    def __init__(self, format: str, sample_rate: int, kbit_s: float = LISTENING_KBIT_S) -> None:
        import soundfile

        self._mp3 = codecs.Mp3Writer(sample_rate, kbit_s) if format == "mp3" else None
        self._buffer = io.BytesIO()
        if self._mp3 is None:
            spec = codecs.FORMATS[format]
            self._file = soundfile.SoundFile(self._buffer, "w", sample_rate, 1, spec.subtype, format=spec.container)

    def write(self, samples: Samples) -> None:
        """Add mono samples, shape (frames,)."""
        if self._mp3 is not None:
            self._mp3.write(samples[:, np.newaxis])
        else:
            self._file.write(np.frombuffer(codecs.samples_to_pcm16(samples), "<i2"))

    def finish(self) -> bytes:
        """The file; nothing can be added any more."""
        if self._mp3 is not None:
            return self._mp3.finish()
        self._file.close()
        return self._buffer.getvalue()
