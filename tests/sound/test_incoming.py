"""Sound that comes in pieces of any form: where they are cut makes no difference."""

from __future__ import annotations

import struct
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbaudio.errors import ClipError
from nbaudio.sound import codecs
from nbaudio.sound.incoming import IncomingSound

SOUND = (0.4 * np.sin(np.arange(4_800) / 9)).astype(np.float32)[:, np.newaxis]
PCM = codecs.samples_to_pcm16(SOUND)


def heard(pieces: list[bytes], sample_rate: int = 24_000) -> bytes:
    sound = IncomingSound(sample_rate)
    return b"".join(sound.take(piece) for piece in pieces) + sound.flush()


def unsized(header: bytes) -> bytes:
    return header[:4] + b"\xff" * 4 + header[8:40] + b"\xff" * 4


def with_chunk(wav: bytes) -> bytes:
    """A WAV with a chunk before its format, and one behind its sound."""
    junk = b"JUNK" + struct.pack("<I", 5) + b"12345\0"
    return wav[:12] + junk + wav[12:] + b"LIST" + struct.pack("<I", 4) + b"INFO"


FILE = codecs.wav_header(len(PCM), 24_000) + PCM


@given(st.lists(st.integers(12, 9_600), max_size=8))
@pytest.mark.parametrize(
    "stream", [PCM, FILE, unsized(FILE[:44]) + PCM, FILE + FILE, with_chunk(FILE) + with_chunk(FILE)],
    ids=["pcm", "wav", "unsized wav", "two wavs", "wavs with other chunks"],
)  # fmt: skip
def test_where_it_is_cut_makes_no_difference(stream: bytes, cuts: list[int]) -> None:
    places = sorted({0, *(cut for cut in cuts if cut < len(stream)), len(stream)})
    pieces = [stream[start:end] for start, end in pairwise(places)]

    whole = heard([stream])
    assert whole in (PCM, PCM + PCM)
    if b"LIST" not in stream:  # of a chunk behind the sound that comes in a piece of its own nobody knows what it is
        assert heard(pieces) == whole


def test_floats() -> None:
    form = struct.pack("<HHIIHH", 3, 1, 24_000, 96_000, 4, 32)
    data = SOUND.astype("<f4").tobytes()
    wav = b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + struct.pack("<I", 16) + form
    wav += b"data" + struct.pack("<I", len(data)) + data

    assert heard([wav[:999], wav[999:]]) == PCM


def test_an_extensible_header() -> None:
    form = struct.pack("<HHIIHH", 0xFFFE, 1, 24_000, 48_000, 2, 16) + struct.pack("<HHIH", 22, 16, 4, 1) + bytes(14)
    wav = b"RIFF" + struct.pack("<I", 60 + len(PCM)) + b"WAVEfmt " + struct.pack("<I", 40) + form

    assert heard([wav + b"data" + struct.pack("<I", len(PCM)) + PCM]) == PCM


def test_a_rate_that_changes_in_the_middle() -> None:
    slow = codecs.samples_to_pcm16(codecs.resample(SOUND, 24_000, 16_000))
    wavs = [codecs.wav_header(len(slow), 16_000) + slow, FILE, codecs.wav_header(len(slow), 16_000) + slow]
    sound = heard(wavs)

    assert len(sound) == pytest.approx(3 * len(PCM), abs=60)
    samples = codecs.pcm16_to_samples(sound)
    np.testing.assert_allclose(samples[4_800:9_600], SOUND, atol=1e-4)
    np.testing.assert_allclose(samples[9_900:14_000], SOUND[300:4_400], atol=0.01)


@pytest.mark.parametrize("first", [b"\xff\xfb", b"\xff\xf3\x90", b"\xff\xfb\x90\x00"])
def test_loud_sound_that_begins_as_an_mp3_does_is_none(first: bytes) -> None:
    data = first + PCM[len(first) :]

    assert heard([data]) == data


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 44_100, 48_000])
def test_an_mp3_is_known_by_its_frames(rate: int) -> None:
    file = codecs.encode(codecs.resample(SOUND, 24_000, rate), rate, "mp3")
    sound = IncomingSound()
    assert sound.take(file) == b""
    assert sound.file == file
    assert len(sound.flush()) == pytest.approx(len(PCM), abs=300)
    tagged = IncomingSound()
    tagged.take(b"ID3\x04\0\0\0\0\0\0" + file)
    assert tagged.file


@pytest.mark.parametrize(("rate", "channels"), [(1, 1), (1_000_000, 1), (24_000, 9)])
def test_rates_and_channels_that_can_not_be(rate: int, channels: int) -> None:
    with pytest.raises(ClipError, match=f"{channels} channels at {rate} Hz"):
        IncomingSound().take(PCM, rate, channels)
