"""Bytes to samples and back, measured: every format, broken WAV sizes, and bytes that are no sound at all."""

from __future__ import annotations

import contextlib
import io
import struct
import wave

import numpy as np
import pytest
import soundfile
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pcm import pcm16
from signals import decibel, pitch_of, tone, voice

from nbaudio.errors import ClipError
from nbaudio.sound import codecs

EVERY_SAMPLE = np.arange(-32768, 32768, dtype="<i2")
LOSSY = ("mp3", "opus", "ogg")


def chunk(name: bytes, body: bytes, size: int | None = None) -> bytes:
    """A RIFF chunk, with a size that may be a lie."""
    return name + struct.pack("<I", len(body) if size is None else size) + body + bytes(len(body) % 2)


def riff(*chunks: bytes, size: int | None = None) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


FORM = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 24_000, 48_000, 2, 16))
LIST = chunk(b"LIST", b"INFOISFT\x05\x00\x00\x00test\x00")
PCM = EVERY_SAMPLE[::7].tobytes()


# -- formats ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["wav", "flac"])
def test_lossless_formats_keep_every_16_bit_value(format: str) -> None:
    samples = codecs.pcm16_to_samples(EVERY_SAMPLE.tobytes())

    heard, sample_rate = codecs.decode(codecs.encode(samples, 24_000, format))

    assert sample_rate == 24_000
    np.testing.assert_array_equal(np.rint(heard[:, 0] * 32768), EVERY_SAMPLE)


@pytest.mark.parametrize("format", ["wav", "flac"])
def test_lossless_formats_round_as_pcm16_does(format: str) -> None:
    samples = voice()

    heard, _ = codecs.decode(codecs.encode(samples, 24_000, format))

    assert codecs.samples_to_pcm16(heard) == codecs.samples_to_pcm16(samples)
    assert abs(float(np.mean(heard - samples))) < 0.1 / 32768  # rounding down would give 0.5


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("sample_rate", [8_000, 24_000, 44_100])
@pytest.mark.parametrize("format", LOSSY)
def test_lossy_formats_keep_shape_level_and_length(format: str, sample_rate: int, channels: int) -> None:
    said = voice(sample_rate=sample_rate, channels=channels)

    heard, rate = codecs.decode(codecs.encode(said, sample_rate, format))
    heard = codecs.resample(heard, rate, sample_rate)

    assert heard.shape == said.shape
    for channel in range(channels):
        assert np.corrcoef(said[:, channel], heard[:, channel])[0, 1] > 0.98
        assert abs(decibel(heard[:, channel]) - decibel(said[:, channel])) < 0.5


@pytest.mark.parametrize(
    ("format", "asked", "written"),
    [
        ("mp3", 22_051, 24_000),
        ("mp3", 1_000, 8_000),
        ("mp3", 96_000, 48_000),
        ("opus", 44_100, 48_000),
        ("opus", 11_025, 12_000),
        ("ogg", 250_000, 192_000),  # libsndfile 1.2.2 ends the process at this rate
        ("flac", 700_000, 655_350),
        ("flac", 11_111, 11_111),
        ("wav", 1_000_000, 1_000_000),
    ],
)
def test_a_rate_that_a_format_cannot_hold_becomes_one_that_it_can(format: str, asked: int, written: int) -> None:
    said = tone(200, sample_rate=asked, duration_s=0.25)

    heard, sample_rate = codecs.decode(codecs.encode(said, asked, format))

    assert sample_rate == written
    assert len(heard) / written == pytest.approx(0.25, abs=0.002)
    assert pitch_of(heard, written) == pytest.approx(200, abs=5)


@pytest.mark.parametrize("format", codecs.FORMATS)
def test_one_frame_is_enough(format: str) -> None:
    heard, _ = codecs.decode(codecs.encode(np.full((1, 1), 0.5, np.float32), 24_000, format))

    assert heard.shape == (1, 1)


@pytest.mark.parametrize("format", codecs.FORMATS)
def test_beyond_full_scale_does_not_wrap_around(format: str) -> None:
    said = tone(300, peak=2.0, duration_s=1.0)

    heard, _ = codecs.decode(codecs.encode(said, 24_000, format))

    assert np.corrcoef(said[:, 0], heard[:, 0])[0, 1] > 0.9
    if format in ("wav", "flac"):
        assert float(np.max(heard)) == 32767 / 32768
        assert float(np.min(heard)) == -1.0


def test_ten_minutes_of_vorbis_do_not_end_the_process() -> None:
    noise = 0.1 * np.random.default_rng(1).standard_normal((600 * 24_000, 1)).astype(np.float32)

    data = codecs.encode(noise, 24_000, "ogg")

    assert codecs.read_header(data).frames == 600 * 24_000


@pytest.mark.parametrize(
    ("sample_rate", "kbit_s"), [(24_000, 8), (24_000, 16), (24_000, 32), (16_000, 64), (8_000, 32)]
)
def test_mp3_has_the_bit_rate_that_was_asked_for(sample_rate: int, kbit_s: int) -> None:
    data = codecs.encode(voice(sample_rate=sample_rate, duration_s=5), sample_rate, "mp3", kbit_s=kbit_s)

    assert len(data) * 8 / 5 / 1000 == pytest.approx(kbit_s, rel=0.06)


@pytest.mark.parametrize(("format", "channels"), [("mp3", 3), ("flac", 9)])
def test_too_many_channels_are_refused_in_words(format: str, channels: int) -> None:
    with pytest.raises(ClipError, match=rf"{format} holds at most \d channels, and this sound has {channels}"):
        codecs.encode(np.zeros((100, channels), np.float32), 24_000, format)


def test_an_unknown_format_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ClipError, match=r"'aac'.*wav, mp3, flac, opus, ogg"):
        codecs.encode(tone(440), 24_000, "aac")


@pytest.mark.parametrize("format", codecs.FORMATS)
def test_a_header_says_what_was_written(format: str) -> None:
    data = codecs.encode(voice(channels=2), 24_000, format)

    header = codecs.read_header(data)

    spec = codecs.FORMATS[format]
    assert header == codecs.Header(format, spec.subtype, 24_000, 2, 24_000)


# -- rates --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("from_rate", "to_rate"), [(24_000, 16_000), (16_000, 24_000), (44_100, 24_000), (8_000, 48_000)]
)
def test_a_tone_of_1_khz_stays_one(from_rate: int, to_rate: int) -> None:
    said = tone(1000, sample_rate=from_rate, duration_s=1.0)

    heard = codecs.resample(said, from_rate, to_rate)

    assert len(heard) == pytest.approx(to_rate, abs=1)
    assert pitch_of(heard, to_rate) == pytest.approx(1000, abs=0.5)
    middle = slice(to_rate // 10, -to_rate // 10)
    assert decibel(heard[middle]) == pytest.approx(decibel(said), abs=0.01)


def test_what_the_lower_rate_cannot_hold_is_gone_and_not_folded_down() -> None:
    heard = codecs.resample(tone(10_000, sample_rate=48_000), 48_000, 16_000)

    assert decibel(heard[1000:-1000]) < -90


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_a_sound_of_a_few_frames_does_not_vanish(frames: int) -> None:
    assert len(codecs.resample(np.full((frames, 2), 0.5, np.float32), 48_000, 8_000)) >= 1


# -- PCM16 --------------------------------------------------------------------------------------------------


def test_pcm16_and_back_is_exact_for_every_value() -> None:
    assert codecs.samples_to_pcm16(codecs.pcm16_to_samples(EVERY_SAMPLE.tobytes())) == EVERY_SAMPLE.tobytes()


@given(st.binary(max_size=400), st.integers(1, 4))
def test_pcm16_and_back_is_exact_for_any_bytes(data: bytes, channels: int) -> None:
    samples = codecs.pcm16_to_samples(data, channels)

    assert samples.shape == (len(data) // (2 * channels), channels)
    assert codecs.samples_to_pcm16(samples) == data[: samples.size * 2]


def test_pcm16_clips_at_full_scale() -> None:
    assert codecs.samples_to_pcm16(np.array([[1.0, -1.0, 7.0, -7.0]], np.float32)) == struct.pack(
        "<4h", 32767, -32768, 32767, -32768
    )


@given(pcm16(max_size=400), st.integers(1, 8), st.integers(1, 200_000))
def test_a_header_of_our_own_makes_a_wav_of_pcm(data: bytes, channels: int, sample_rate: int) -> None:
    pcm = data[: len(data) - len(data) % (2 * channels)]

    samples, rate = soundfile.read(
        io.BytesIO(codecs.wav_header(len(pcm), sample_rate, channels) + pcm), dtype="int16", always_2d=True
    )

    assert rate == sample_rate
    assert samples.astype("<i2").tobytes() == pcm


# -- WAV sizes ----------------------------------------------------------------------------------------------

UNKNOWN = 0xFFFFFFFF
BROKEN = {
    "both sizes unknown, as OpenAI sends them": riff(FORM, chunk(b"data", PCM, UNKNOWN), size=UNKNOWN),
    "a chunk before the data": riff(LIST, FORM, LIST, chunk(b"data", PCM, UNKNOWN), size=UNKNOWN),
    "sizes of zero": riff(FORM, chunk(b"data", PCM, 0), size=0),
    "data longer than the file": riff(FORM, chunk(b"data", PCM, len(PCM) + 1000)),
    "only the file's size unknown": riff(FORM, chunk(b"data", PCM), size=UNKNOWN),
    "only the file's size zero": riff(FORM, chunk(b"data", PCM), size=0),
    "a chunk after the data, the file's size unknown": riff(FORM, chunk(b"data", PCM), LIST, size=UNKNOWN),
}


@pytest.mark.parametrize("name", BROKEN)
def test_untrue_sizes_are_repaired_and_no_sample_changes(name: str) -> None:
    repaired = codecs.repair_wav(BROKEN[name])

    samples, _ = codecs.decode(repaired)
    assert codecs.samples_to_pcm16(samples) == PCM
    assert struct.unpack_from("<I", repaired, 4)[0] == len(repaired) - 8
    assert struct.unpack_from("<I", repaired, repaired.index(b"data") + 4)[0] == len(PCM)
    with wave.open(io.BytesIO(repaired)) as read_by_python:
        assert read_by_python.readframes(10**6) == PCM
    assert repaired.count(LIST) == BROKEN[name].count(LIST)
    assert codecs.repair_wav(repaired) is repaired


def test_an_unknown_size_with_half_a_frame_at_the_end() -> None:
    repaired = codecs.repair_wav(riff(FORM, b"data" + struct.pack("<I", UNKNOWN) + PCM + b"\x01", size=UNKNOWN))

    assert len(repaired) % 2 == 0
    assert codecs.samples_to_pcm16(codecs.decode(repaired)[0]) == PCM


@pytest.mark.parametrize(
    "data",
    [
        riff(FORM, chunk(b"data", PCM)),
        riff(LIST, FORM, LIST, chunk(b"data", PCM), LIST),
        riff(chunk(b"odd ", b"123"), FORM, chunk(b"data", PCM)),
        riff(FORM),
        b"RIFF",
        b"",
        b"fLaC not a WAV",
    ],
)
def test_what_is_sound_or_no_wav_stays_as_it_is(data: bytes) -> None:
    assert codecs.repair_wav(data) is data


@given(st.binary(max_size=200), st.binary(max_size=60))
@example(b"", b"RIFF\0\0\0\0WAVEdata\0\0\0\0x")
def test_repair_takes_any_bytes_and_settles_at_once(tail: bytes, head: bytes) -> None:
    for data in (head + tail, riff(FORM, head, tail), riff(FORM, b"data" + tail)):
        repaired = codecs.repair_wav(data)
        assert codecs.repair_wav(repaired) == repaired
        assert len(repaired) - len(data) in (0, 1)


@settings(max_examples=50)
@given(pcm16(max_size=300), st.integers(0, UNKNOWN), st.integers(0, UNKNOWN))
def test_the_samples_of_a_wav_are_those_after_its_header_whatever_its_sizes_say(
    pcm: bytes, riff_size: int, data_size: int
) -> None:
    pcm = pcm[: len(pcm) - len(pcm) % 2]
    if not pcm or 0 < data_size <= len(pcm):
        return
    data = riff(FORM, chunk(b"data", pcm, data_size), size=riff_size)

    assert codecs.samples_to_pcm16(codecs.decode(codecs.repair_wav(data))[0]) == pcm


# -- what can't be read -------------------------------------------------------------------------------------


def test_flac_of_unknown_length_is_read_to_its_end() -> None:
    data = bytearray(codecs.encode(codecs.pcm16_to_samples(EVERY_SAMPLE.tobytes() * 2), 24_000, "flac"))
    data[21] &= 0xF0  # the 36 bits of STREAMINFO that count the samples: 0 is unknown (RFC 9639, section 8.2)
    data[22:26] = bytes(4)

    samples, _ = codecs.decode(bytes(data))

    assert codecs.read_header(bytes(data)).frames == 2 * 65536
    assert codecs.samples_to_pcm16(samples) == EVERY_SAMPLE.tobytes() * 2


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty: 0 bytes"),
        (b"\0\0\0\x20ftypM4A \0\0\0\0", "MP4 or M4A"),
        (b"\x1aE\xdf\xa3\x01\0\0\0", "WebM or Matroska"),
        (b"Dear Sir or Madam", "These 17 bytes are no sound file"),
    ],
)
def test_what_is_no_sound_file_is_named(data: bytes, said: str) -> None:
    for read in (codecs.read_header, codecs.decode):
        with pytest.raises(ClipError, match=said) as caught:
            read(data)
        assert "WAV, MP3, FLAC, Ogg Vorbis and Opus" in caught.value.next_step


def test_a_header_that_promises_days_of_sound_is_not_believed() -> None:
    data = bytearray(codecs.encode(voice(duration_s=0.2), 24_000, "mp3"))
    assert data[13:17] == b"Xing"
    data[21:25] = b"\x01\x00\x00\x00"  # how many frames of 576 samples there are: 112 hours, or 36 GiB

    assert codecs.read_header(bytes(data)).frames < 24_000
    assert len(codecs.decode(bytes(data))[0]) < 24_000


def test_a_file_cut_short_says_so() -> None:
    data = codecs.encode(voice(duration_s=2), 24_000, "flac")

    with pytest.raises(ClipError, match="FLAC file is damaged or cut short"):
        codecs.decode(data[: len(data) // 2])


@settings(max_examples=60)
@given(st.sampled_from(sorted(codecs.FORMATS)), st.integers(0, 3_000), st.binary(min_size=1, max_size=40))
def test_damaged_files_raise_clip_errors_or_play(format: str, at: int, damage: bytes) -> None:
    data = bytearray(codecs.encode(voice(duration_s=0.2), 24_000, format))
    data[at : at + len(damage)] = damage

    for read in (codecs.read_header, codecs.decode):
        with contextlib.suppress(ClipError):  # any other error fails the test
            read(bytes(data))


@pytest.mark.parametrize("format", sorted(codecs.FORMATS))
def test_a_sound_that_is_too_long_is_not_read(format: str) -> None:
    data = codecs.encode(voice(duration_s=3), 24_000, format)

    assert len(codecs.decode(data, most_s=3.1)[0]) == pytest.approx(72_000, abs=3_000)
    with pytest.raises(codecs.SoundTooLong, match=r"longer than 2\.5 s\. Send a shorter one"):
        codecs.decode(data, most_s=2.5)


def test_a_sound_of_unknown_length_is_read_to_the_limit_and_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytearray(codecs.encode(voice(duration_s=20), 24_000, "flac"))
    data[21] &= 0xF0  # the 36 bits in STREAMINFO that say how many samples there are, of which 0 stands for unknown
    data[22:26] = bytes(4)
    blocks = []
    concatenate = np.concatenate
    monkeypatch.setattr(codecs.np, "concatenate", lambda parts: blocks.append(len(parts)) or concatenate(parts))

    with pytest.raises(codecs.SoundTooLong):
        codecs.decode(bytes(data), most_s=1)

    assert blocks == [2]  # an empty one to begin with, and one of 2.7 s
