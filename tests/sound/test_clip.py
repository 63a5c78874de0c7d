"""Clip: a sound that never changes, whatever is done with it and wherever it came from."""

from __future__ import annotations

import copy
import io
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from pcm import pcm16
from signals import decibel, pitch_of, tone, voice

from nbaudio.errors import ClipError
from nbaudio.sound import codecs
from nbaudio.sound.clip import Clip

SECOND = Clip(voice(), 24_000)


def as_file(samples: Any, sample_rate: int = 24_000, *, format: str = "WAV", subtype: str = "PCM_16") -> bytes:
    """A file written by soundfile itself."""
    file = io.BytesIO()
    soundfile.write(file, samples, sample_rate, format=format, subtype=subtype)
    return file.getvalue()


# -- immutable, and nothing added ---------------------------------------------------------------------------


def test_changing_the_array_afterwards_changes_nothing() -> None:
    array = np.full(100, 0.5, np.float32)
    clip = Clip(array, 24_000)
    before = clip.sha256

    array[:] = 0

    assert float(clip.samples.max()) == 0.5
    assert Clip(clip.samples, 24_000).sha256 == before


@pytest.mark.parametrize(
    "clip",
    [
        SECOND,
        Clip(SECOND.encode("mp3")),
        SECOND[0.1:0.2],
        SECOND + SECOND,
        Clip.join([SECOND]),
        SECOND.resample(8_000),
        Clip(voice(channels=2), 24_000).mono(),
        Clip.from_pcm16(bytes(100)),
        pickle.loads(pickle.dumps(SECOND)),
        pickle.loads(pickle.dumps(Clip(SECOND.encode("flac")))),
        copy.deepcopy(SECOND),
        copy.copy(SECOND),
    ],
)
def test_samples_are_read_only_wherever_they_come_from(clip: Clip) -> None:
    with pytest.raises(ValueError, match="read-only"):
        clip.samples[0, 0] = 1.0


def test_a_part_does_not_share_memory_that_could_change() -> None:
    assert not np.shares_memory(SECOND[0.1:0.2].samples, SECOND.samples)


def test_quiet_stays_quiet() -> None:
    clip = Clip(tone(440, peak=1e-4), 24_000)

    assert clip.peak_dbfs == pytest.approx(-80, abs=0.01)
    heard = Clip(clip.encode("wav"))
    assert heard.peak_dbfs == pytest.approx(20 * math.log10(3 / 32768), abs=0.01)  # 1e-4 is 3.3 steps of 16 bits
    assert Clip(clip.encode("mp3", kbit_s=64)).level_dbfs < -75


@pytest.mark.parametrize("format", codecs.FORMATS)
def test_silence_stays_silence(format: str) -> None:
    silence = Clip(np.zeros(24_000), 24_000)

    heard = Clip(silence.encode(format))

    assert heard.peak_dbfs < -90
    assert silence.level_dbfs == silence.peak_dbfs == -math.inf
    assert repr(silence) == "Clip(1.00 s, 24000 Hz, mono, silent)"


@given(pcm16(min_size=2, max_size=200), st.integers(1, 3), st.sampled_from([8_000, 24_000, 44_100]))
def test_pcm16_in_and_out_is_exact(data: bytes, channels: int, sample_rate: int) -> None:
    whole = len(data) - len(data) % (2 * channels)
    if whole == 0:
        with pytest.raises(ClipError, match="not one whole frame"):
            Clip.from_pcm16(data, sample_rate, channels)
        return
    clip = Clip.from_pcm16(data, sample_rate, channels)

    assert clip.encode("pcm16") == data[:whole]
    assert (clip.sample_rate, clip.channels, clip.frames) == (sample_rate, channels, whole // (2 * channels))
    assert Clip(clip.encode("wav")) == clip


@pytest.mark.parametrize(("sample_rate", "channels"), [(0, 1), (24_000, 0), (24_000, -1), (24_000, 65), (0.5, 1)])
def test_pcm16_needs_a_rate_and_channels_that_can_be(sample_rate: Any, channels: int) -> None:
    with pytest.raises(ClipError, match="can't be"):
        Clip.from_pcm16(bytes(100), sample_rate, channels)


# -- what it is ---------------------------------------------------------------------------------------------


def test_the_levels_of_known_signals() -> None:
    square = np.tile([1.0, -1.0], 1000)

    assert Clip(square, 24_000).level_dbfs == 0
    assert Clip(0.5 * square, 24_000).level_dbfs == pytest.approx(-6.02, abs=0.01)
    assert Clip(tone(1000, peak=1.0), 24_000).level_dbfs == pytest.approx(-3.01, abs=0.01)
    assert Clip(tone(1000, peak=1.0), 24_000).peak_dbfs == pytest.approx(0, abs=0.01)


def test_ten_minutes_of_samples_lose_no_precision_in_the_level() -> None:
    long = np.full(600 * 8_000, 0.1, np.float32)

    assert Clip(long, 8_000).level_dbfs == pytest.approx(-20, abs=1e-5)


@pytest.mark.parametrize(("channels", "said"), [(1, "mono"), (2, "stereo"), (6, "6 channels")])
def test_a_repr_says_length_rate_channels_and_level(channels: int, said: str) -> None:
    clip = Clip(np.full((12_000, channels), 0.5), 24_000)

    assert repr(clip) == f"Clip(0.50 s, 24000 Hz, {said}, -6.0 dBFS)"


def test_equal_by_content_whatever_the_container() -> None:
    wav, flac = Clip(SECOND.encode("wav")), Clip(SECOND.encode("flac"))
    from_memory = Clip(wav.samples, 24_000)

    assert wav == flac == from_memory
    assert wav.sha256 == flac.sha256 == from_memory.sha256
    assert len({wav, flac, from_memory}) == 1
    assert wav != SECOND[0.0:0.5]
    assert Clip(wav.samples, 16_000) != wav
    assert wav != "Clip"


def test_minus_zero_is_zero_for_the_hash_too() -> None:
    plus, minus = Clip([0.0, 0.5], 24_000), Clip([-0.0, 0.5], 24_000)

    assert plus == minus
    assert hash(plus) == hash(minus)


def test_a_file_is_not_decoded_before_its_samples_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    data = SECOND.encode("flac")
    decoded: list[int] = []
    decode = codecs.decode
    monkeypatch.setattr(codecs, "decode", lambda data: decoded.append(1) or decode(data))

    clip = Clip(data)
    assert (clip.duration_s, clip.sample_rate, clip.channels, clip.frames) == (1.0, 24_000, 1, 24_000)
    assert clip.encode("flac") is data
    assert decoded == []
    assert len(clip.samples) == 24_000
    assert len(clip.samples) == 24_000
    assert decoded == [1]


def test_pickled_and_back() -> None:
    one_frame_of_stereo = Clip(np.full((100, 2), 0.5), 100)[0.5:0.51]
    for clip in (SECOND, Clip(SECOND.encode("mp3")), SECOND[0:0.1], one_frame_of_stereo):
        back = pickle.loads(pickle.dumps(clip))
        assert back == clip
        assert back.encode("wav") == clip.encode("wav")


# -- parts, joins, rates ------------------------------------------------------------------------------------

STEPS = Clip(np.repeat(np.arange(10, dtype=np.float32) / 10, 100), 100)  # ten seconds, each at a level of its own


@pytest.mark.parametrize(
    ("part", "seconds"),
    [
        (STEPS[2:4], [2, 3]),
        (STEPS[:2], [0, 1]),
        (STEPS[8:], [8, 9]),
        (STEPS[-2:], [8, 9]),
        (STEPS[:-8], [0, 1]),
        (STEPS[-3:-1], [7, 8]),
        (STEPS[8:99], [8, 9]),
        (STEPS[-99:1], [0]),
        (STEPS[9 : float("inf")], [9]),
        (STEPS[:], list(range(10))),
    ],
)
def test_slices_are_seconds(part: Clip, seconds: list[int]) -> None:
    assert [round(float(value) * 10) for value in part.samples[50::100, 0]] == seconds
    assert part.duration_s == len(seconds)


@given(st.floats(0, 10), st.floats(0, 10))
def test_two_halves_are_the_whole(first: float, second: float) -> None:
    start, stop = sorted((first, second))
    frames = round(stop * 100) - round(start * 100)
    if frames == 0:
        with pytest.raises(ClipError, match="Nothing lies between"):
            STEPS[start:stop]
    else:
        assert STEPS[start:stop].frames == frames
        pieces = [
            piece for piece in ((0, start), (start, stop), (stop, 10)) if round(piece[1] * 100) > round(piece[0] * 100)
        ]
        assert Clip.join(STEPS[a:b] for a, b in pieces) == STEPS


@pytest.mark.parametrize("part", [slice(4, 2), slice(3, 3), slice(10, None), slice(11, 12), slice(None, -10)])
def test_a_slice_outside_says_how_long_the_clip_is(part: slice) -> None:
    with pytest.raises(ClipError, match=r"Nothing lies between .* The clip is 10.00 s long"):
        STEPS[part]


@pytest.mark.parametrize("index", [0, "a", slice(0, 1, 0.5)])
def test_other_indices_are_type_errors_with_an_example(index: Any) -> None:
    with pytest.raises(TypeError, match=r"clip\[1.5:3\]"):
        STEPS[index]


def test_one_frame_of_stereo_is_a_part_too() -> None:
    clip = Clip(np.full((100, 2), 0.5), 100)

    assert clip[0.5:0.51].samples.shape == (1, 2)


def test_joining_takes_the_first_rate_and_channels() -> None:
    mono_16, stereo_24 = Clip(tone(500, sample_rate=16_000), 16_000), Clip(np.repeat(tone(1000), 2, 1), 24_000)

    joined = Clip.join([mono_16, stereo_24], gap_s=0.25)

    assert (joined.sample_rate, joined.channels) == (16_000, 1)
    assert joined.duration_s == pytest.approx(1.25, abs=0.001)
    assert pitch_of(joined[0:0.5].samples, 16_000) == pytest.approx(500, abs=2)
    assert joined[0.5:0.75].peak_dbfs == -math.inf
    assert pitch_of(joined[0.75:].samples, 16_000) == pytest.approx(1000, abs=2)
    assert decibel(joined[0.8:1.2].samples) == pytest.approx(decibel(stereo_24.samples), abs=0.05)

    other_way = stereo_24 + mono_16
    assert (other_way.sample_rate, other_way.channels) == (24_000, 2)
    np.testing.assert_array_equal(other_way.samples[:, 0], other_way.samples[:, 1])


def test_joining_nothing_or_backwards_is_refused() -> None:
    with pytest.raises(ClipError, match="no clips to join"):
        Clip.join([])
    with pytest.raises(ClipError, match="A gap of -1 s can't be"):
        Clip.join([SECOND, SECOND], gap_s=-1)
    with pytest.raises(TypeError):
        SECOND + "words"  # type: ignore[operator]


def test_mono_is_the_mean() -> None:
    clip = Clip(np.array([[0.5, 0.1], [-0.2, 0.2]]), 24_000)

    np.testing.assert_allclose(clip.mono().samples[:, 0], [0.3, 0.0], atol=1e-7)
    assert clip.mono().mono() is not clip
    assert SECOND.mono() is SECOND


@pytest.mark.parametrize("sample_rate", [8_000, 16_000, 44_100, 48_000])
def test_a_resampled_tone_keeps_its_pitch_and_length(sample_rate: int) -> None:
    clip = Clip(tone(1000, duration_s=1.0), 24_000).resample(sample_rate)

    assert clip.sample_rate == sample_rate
    assert clip.duration_s == pytest.approx(1.0, abs=1 / sample_rate)
    assert pitch_of(clip.samples, sample_rate) == pytest.approx(1000, abs=0.5)


def test_resampling_to_the_same_rate_is_the_clip_and_to_none_is_refused() -> None:
    assert SECOND.resample(24_000) is SECOND
    with pytest.raises(ClipError, match="A sample rate of 0 Hz can't be"):
        SECOND.resample(0)


# -- out of it ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", [*codecs.FORMATS, "pcm16"])
def test_encode_and_save_write_the_same(format: str, tmp_path: Path) -> None:
    data = SECOND.encode(format)

    if format != "pcm16":
        path = SECOND.save(tmp_path / f"sound.{format.upper()}")
        assert codecs.read_header(path.read_bytes()).format == format
        assert len(path.read_bytes()) == pytest.approx(len(data), rel=0.01)  # an Ogg file has a number drawn by lot
        assert Clip(path).frames == 24_000


@pytest.mark.parametrize("name", ["sound.m4a", "sound", "sound.txt"])
def test_an_ending_that_cannot_be_written_names_those_that_can(name: str, tmp_path: Path) -> None:
    with pytest.raises(ClipError, match=r"End the name in one of \.wav, \.mp3, \.flac, \.opus, \.ogg"):
        SECOND.save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_its_own_format_goes_out_as_it_came_in() -> None:
    for format in codecs.FORMATS:
        data = SECOND.encode(format)
        assert Clip(data).encode(format) is data


@pytest.mark.parametrize(
    "data",
    [
        as_file(voice()),
        as_file(voice(sample_rate=48_000, channels=2), 48_000),
        SECOND.encode("mp3"),
    ],
)
def test_what_the_model_takes_goes_as_it_is(data: bytes) -> None:
    sent, format = Clip(data).for_model()

    assert sent is data
    assert format == ("mp3" if data == SECOND.encode("mp3") else "wav")


@pytest.mark.parametrize(
    ("clip", "sample_rate"),
    [
        (Clip(SECOND.encode("flac")), 24_000),
        (Clip(SECOND.encode("opus")), 24_000),
        (Clip(SECOND.encode("ogg")), 24_000),
        (Clip(as_file(voice(), subtype="FLOAT")), 24_000),
        (Clip(as_file(voice(), subtype="PCM_24")), 24_000),
        (Clip(as_file(voice(), subtype="PCM_U8")), 24_000),
        (Clip(voice(sample_rate=48_000, channels=2), 48_000), 24_000),
        (Clip(voice(sample_rate=16_000), 16_000), 16_000),
    ],
)
def test_the_rest_becomes_mono_16_bit_wav_at_24_khz_or_less(clip: Clip, sample_rate: int) -> None:
    sent, format = clip.for_model()

    info = soundfile.info(io.BytesIO(sent))
    assert (format, info.format, info.subtype) == ("wav", "WAV", "PCM_16")
    assert (info.channels, info.samplerate, info.frames) == (1, sample_rate, sample_rate)
    heard, _ = soundfile.read(io.BytesIO(sent))
    assert decibel(heard) == pytest.approx(clip.mono().level_dbfs, abs=0.2)
