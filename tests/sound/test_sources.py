"""What a clip can be made from, and what each thing that can't be one is told."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from signals import voice

from nbaudio.errors import ClipError, ClipNotFound
from nbaudio.sound.clip import Clip
from nbaudio.sound.codecs import encode

WAV = encode(voice(), 24_000, "wav")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "question.wav").write_bytes(WAV)
    (tmp_path / "notes.txt").write_text("no sound")
    return tmp_path


# -- files and bytes ----------------------------------------------------------------------------------------


def test_every_way_to_name_a_file_gives_the_same_clip(folder: Path) -> None:
    path = folder / "question.wav"
    with path.open("rb") as open_file:
        clips = [
            Clip(path),
            Clip(str(path)),
            Clip(WAV),
            Clip(bytearray(WAV)),
            Clip(memoryview(WAV)),
            Clip(io.BytesIO(WAV)),
            Clip(open_file),
            Clip(Clip(path)),
        ]

    assert {clip.sha256 for clip in clips} == {Clip(path).sha256}
    assert all(clip.frames == 24_000 for clip in clips)


def test_a_tilde_is_the_home_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))

    assert Clip("~/question.wav").duration_s == 1.0


def test_a_missing_file_names_the_nearest_one(folder: Path) -> None:
    with pytest.raises(ClipNotFound) as caught:
        Clip(folder / "qestion.wav")

    assert str(caught.value) == (
        f"There is no file {str(folder / 'qestion.wav')!r}. Did you mean {str(folder / 'question.wav')!r}?"
    )
    assert isinstance(caught.value, FileNotFoundError)


def test_a_missing_file_with_none_near_says_where_it_looked(folder: Path) -> None:
    with pytest.raises(ClipNotFound, match="Looked in") as caught:
        Clip(folder / "zzz.mp3")

    assert str(folder) in caught.value.next_step


def test_a_missing_folder_is_named(folder: Path) -> None:
    with pytest.raises(ClipNotFound, match="Nor is there a folder"):
        Clip(folder / "nowhere" / "question.wav")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (".", "can't be read"),
        ("a\0b", "can't be read"),
        (io.StringIO("words"), 'gives text, not bytes. Open it with open\\(path, "rb"\\)'),
        (b"words", "These 5 bytes are no sound file"),
        (None, "A NoneType is no sound. Give a path, bytes, an open file, or samples"),
        (object(), "A object is no sound"),
        ({"a": 1}, "A dict is no sound"),
        (3, "A int is no sound"),
        (["a.wav"], "A list is no sound"),
        (np.array([1j]), "A ndarray is no sound"),
    ],
)
def test_what_is_no_sound_is_told_what_is_one(source: Any, said: str) -> None:
    with pytest.raises(ClipError, match=said):
        Clip(source)


def test_a_text_file_is_no_sound(folder: Path) -> None:
    with pytest.raises(ClipError, match="These 8 bytes are no sound file that can be read"):
        Clip(folder / "notes.txt")


def test_a_file_is_not_told_its_sample_rate() -> None:
    with pytest.raises(ClipError, match=r"says its sample rate itself.*from_pcm16"):
        Clip(WAV, sample_rate=24_000)


def test_a_file_without_sound_in_it() -> None:
    with pytest.raises(ClipError, match="holds no sound: 0 frames"):
        Clip(WAV[:40] + bytes(4))


# -- samples ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "heard"),
    [
        (np.array([0.0, 0.5, -1.0], np.float32), [0.0, 0.5, -1.0]),
        (np.array([0.0, 0.5, -1.0], np.float64), [0.0, 0.5, -1.0]),
        (np.array([0.0, 0.5, -1.0], np.float16), [0.0, 0.5, -1.0]),
        (np.array([0, 16384, -32768], np.int16), [0.0, 0.5, -1.0]),
        (np.array([0, 2**30, -(2**31)], np.int32), [0.0, 0.5, -1.0]),
        (np.array([0, 64, -128], np.int8), [0.0, 0.5, -1.0]),
        (np.array([128, 192, 0], np.uint8), [0.0, 0.5, -1.0]),
        (np.array([0, 16384, -32768], ">i2"), [0.0, 0.5, -1.0]),
        ([0.0, 0.5, -1.0], [0.0, 0.5, -1.0]),
        ((0.0, 0.5, -1.0), [0.0, 0.5, -1.0]),
    ],
)
def test_every_kind_of_number_is_scaled_by_its_type(given: Any, heard: list[float]) -> None:
    clip = Clip(given, sample_rate=16_000)

    assert clip.samples.dtype == np.float32
    assert clip.samples.shape == (3, 1)
    assert clip.samples[:, 0].tolist() == heard


def test_two_axes_are_frames_and_channels() -> None:
    clip = Clip(np.zeros((100, 2), np.int16), 16_000)

    assert (clip.frames, clip.channels) == (100, 2)


@pytest.mark.parametrize("shape", [(2, 24_000), (1, 24_000), (1, 3), (100, 65)])
def test_channels_first_is_refused_with_the_fix(shape: tuple[int, int]) -> None:
    with pytest.raises(ClipError, match=r"looks like \(channels, frames\): give samples.T"):
        Clip(np.zeros(shape), 24_000)


@pytest.mark.parametrize("shape", [(0,), (0, 2), (5, 0)])
def test_no_samples_are_no_sound(shape: tuple[int, ...]) -> None:
    with pytest.raises(ClipError, match="The sound is empty"):
        Clip(np.zeros(shape), 24_000)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_nan_and_infinity_are_refused(bad: float) -> None:
    with pytest.raises(ClipError, match="1 of 3 samples are NaN or infinite"):
        Clip(np.array([0.0, bad, 0.5]), 24_000)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_infinity_are_found_in_float_files_too(bad: float) -> None:
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, np.array([0.0, bad, 0.5], np.float32), 24_000, subtype="FLOAT", format="WAV")

    with pytest.raises(ClipError, match="1 of 3 samples are NaN or infinite"):
        Clip(file.getvalue())


@pytest.mark.parametrize("given", [[0, 1, -1], np.zeros(5, np.int64), np.zeros(5, np.uint16), np.zeros(5, bool)])
def test_numbers_without_a_full_scale_are_refused_and_not_silenced(given: Any) -> None:
    with pytest.raises(ClipError, match=r"no agreed full scale. Give float32 \(full scale 1.0\) or int16"):
        Clip(np.asarray(given, dtype=np.int64) if isinstance(given, list) else given, 24_000)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (np.zeros((2, 2, 2)), "too many axes"),
        ([[0.0], [0.0, 1.0]], "lists of different lengths"),
    ],
)
def test_shapes_that_are_none(given: Any, said: str) -> None:
    with pytest.raises(ClipError, match=said):
        Clip(given, 24_000)


def test_samples_alone_do_not_say_how_fast_they_play() -> None:
    with pytest.raises(ClipError, match=r"Say Clip\(samples, sample_rate=24000\), in Hz"):
        Clip([0.1, 0.2])


@pytest.mark.parametrize("sample_rate", [0, -1, 1_000_001, 22_050.5, float("nan"), float("inf"), "24000", [24_000]])
def test_a_rate_that_cannot_be_is_refused(sample_rate: Any) -> None:
    with pytest.raises(ClipError, match=r"A sample rate of .* Hz can't be\. Common ones are"):
        Clip([0.1, 0.2], sample_rate)


@pytest.mark.parametrize("sample_rate", [24_000.0, np.int32(24_000), np.float64(24_000)])
def test_a_whole_rate_of_any_type_is_taken(sample_rate: Any) -> None:
    clip = Clip([0.1, 0.2], sample_rate)

    assert clip.sample_rate == 24_000
    assert type(clip.sample_rate) is int


@given(
    arrays.arrays(
        st.sampled_from([np.float64, np.float32, np.float16, np.int16, np.int32, np.uint8, np.int64, np.uint32, bool]),
        arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=12),
    )
)
def test_any_array_is_a_clip_of_the_same_shape_or_a_clip_error(array: Any) -> None:
    try:
        clip = Clip(array, 24_000)
    except ClipError:
        return
    assert clip.samples.shape == (array.shape if array.ndim == 2 else (array.size, 1))
    assert np.isfinite(clip.samples).all()
