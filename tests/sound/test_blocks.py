"""Sound read in blocks: no longer than allowed, and never much of it at once."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from nbaudio.sound.blocks import BlockReader
from nbaudio.sound.codecs import SoundTooLong

RATE = 16_000


def silence(seconds: int, sample_rate: int = RATE, channels: int = 1) -> bytes:
    """A FLAC of silence, which is small however long it is."""
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", sample_rate, channels, "PCM_16", format="FLAC") as written:
        for _ in range(seconds):
            written.write(np.zeros((sample_rate, channels), np.int16))
    return file.getvalue()


def of_unknown_length(flac: bytes) -> bytes:
    """The same, as if it were written to a stream: its header counts no samples."""
    unknown = bytearray(flac)
    unknown[21] &= 0xF0
    unknown[22:26] = bytes(4)
    return bytes(unknown)


def test_a_sound_that_does_not_say_how_long_it_is_is_read_no_further_than_allowed() -> None:
    with BlockReader(io.BytesIO(of_unknown_length(silence(60))), RATE, most_s=10.0) as reader:
        with pytest.raises(SoundTooLong, match="longer than 10 s"):
            for _ in reader.blocks():
                pass
        assert reader.position <= 11 * RATE


def test_a_sound_that_does_not_say_how_long_it_is_may_be_as_long_as_allowed() -> None:
    with BlockReader(io.BytesIO(of_unknown_length(silence(10))), RATE, most_s=10.0) as reader:
        assert sum(map(len, reader.blocks())) == 10 * RATE
        assert reader.read_s == 10.0


def test_many_channels_at_a_high_rate_are_read_in_shorter_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    largest, read = 0, soundfile.SoundFile.read

    def watched(file: soundfile.SoundFile, *positional: object, **named: object) -> object:
        nonlocal largest
        found = read(file, *positional, **named)
        largest = max(largest, found.nbytes)
        return found

    monkeypatch.setattr(soundfile.SoundFile, "read", watched)
    with BlockReader(io.BytesIO(silence(2, 192_000, 8)), RATE) as reader:
        assert sum(map(len, reader.blocks())) == 2 * RATE
    assert largest <= 4 * 1024 * 1024
