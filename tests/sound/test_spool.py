"""Sounds on disk: the same as before, gone with the process, and missed with a clear error."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from signals import voice

from nbaudio.errors import ClipError
from nbaudio.sound import spool
from nbaudio.sound.clip import Clip
from nbaudio.sound.spool import SpooledWav
from nbaudio.wire.growing_wav import GrowingWav, WavElsewhere


@pytest.mark.parametrize("make", ["wav", "mp3", "flac"])
def test_a_parked_file_is_the_same_bytes(make: str) -> None:
    data = Clip(voice(), 24_000).encode(make)
    clip = Clip(data)
    before = clip.samples
    spool.park(clip)
    assert clip.parked
    assert clip.encode(make) == data
    assert np.array_equal(clip.samples, before)
    assert clip == Clip(data)
    assert clip.sha256 == Clip(data).sha256


def test_samples_that_no_16_bits_hold_are_kept_exactly() -> None:
    samples = np.random.default_rng(1).uniform(-0.5, 0.5, (1000, 2)).astype(np.float32)
    clip = Clip(samples, 44_100)
    spool.park(clip)
    assert np.array_equal(clip.samples, samples)
    assert (clip.frames, clip.channels, clip.sample_rate) == (1000, 2, 44_100)


def test_a_parked_clip_can_be_copied_cut_joined_shown_and_pickled() -> None:
    clip = Clip(voice(), 24_000)
    whole = clip.samples
    spool.park(clip)
    assert Clip(clip) == clip
    assert np.array_equal((clip[0:0.5] + clip[0.5:]).samples, whole)
    assert pickle.loads(pickle.dumps(clip)) == clip
    assert clip._repr_mimebundle_()["text/plain"] == repr(clip)


def test_what_the_model_gets_is_kept_too() -> None:
    clip = Clip(np.zeros((4800, 2)), 48_000)
    expected = clip.for_model()
    spool.park(clip, sent=True)
    assert clip.for_model() == expected


def test_parking_twice_is_parking_once() -> None:
    clip = Clip(voice(), 24_000)
    spool.park(clip)
    spool.park(clip)
    assert clip.duration_s > 0


def test_a_sound_that_is_gone_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(spool, "_folder", None)
    monkeypatch.setattr(spool.tempfile, "mkdtemp", lambda prefix: str(tmp_path))
    clip = Clip(voice(), 24_000)
    spool.park(clip)
    for file in tmp_path.iterdir():
        file.unlink()
    with pytest.raises(ClipError, match="The sound of an earlier turn is gone"):
        _ = clip.samples


def test_a_disk_that_cannot_be_written_leaves_it_in_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(spool, "_folder", None)
    monkeypatch.setattr(spool.tempfile, "mkdtemp", lambda prefix: str(tmp_path / "missing"))
    clip = Clip(voice(), 24_000)
    spool.park(clip)
    assert not clip.parked
    assert clip.frames > 0


def test_it_ends_with_the_process() -> None:
    code = """
from nbaudio import Clip
from nbaudio.sound import spool
spool.park(Clip.from_pcm16(bytes(4800)))
print(spool._folder[1], oct(spool._folder[1].stat().st_mode & 0o777), len(list(spool._folder[1].iterdir())))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    folder, mode, count = done.stdout.split()
    assert (mode, count) == ("0o700", "1")
    assert not Path(folder).exists()


# -- a sound that grows -----------------------------------------------------------------------------------------------

SPOOLED = spool._LONG_BYTES // 4800 + 1  # pieces of 4800 bytes
SOUND = np.random.default_rng(2).integers(0, 256, 2 * SPOOLED * 4800, dtype=np.uint8).tobytes()


def bytes_of(file: bytes | WavElsewhere) -> bytes:
    return file if isinstance(file, bytes) else file.read()


def grown(size: int) -> SpooledWav:
    wav = SpooledWav(24_000)
    for start in range(0, size, 4800):
        wav.add(SOUND[start : min(start + 4800, size)])
    return wav


def wav_of(sound: bytes) -> bytes:
    wav = GrowingWav(24_000)
    wav.add(sound)
    return wav.file()


@given(st.lists(st.integers(1, 30), max_size=12), st.sampled_from([b"", b"ab"]))
def test_a_growing_sound_is_the_same_on_disk_as_in_memory(sizes: list[int], more: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spool, "_LONG_BYTES", 40)
        patch.setattr(spool, "_BLOCK_BYTES", 20)
        spooled, held = SpooledWav(24_000), GrowingWav(24_000)
        given: list[tuple[bytes | WavElsewhere, bytes]] = []
        for size in sizes:
            for wav in (spooled, held):
                wav.add(SOUND[: 2 * size])
            given.append((spooled.file(more), held.file(more)))
    assert len(spooled) == len(held)
    assert isinstance(spooled.file(), bytes) is (len(held) < 40)
    for file, expected in given:  # also those from before the rest came
        assert bytes_of(file) == expected
        assert isinstance(file, bytes) or file.frames == (len(expected) - 44) // 2


def test_a_short_sound_stays_in_memory_and_a_long_one_does_not() -> None:
    assert isinstance(grown(spool._LONG_BYTES - 2).file(), bytes)
    wav = grown(len(SOUND))
    assert len(wav._here) <= spool._BLOCK_BYTES
    file = wav.file()
    assert not isinstance(file, bytes)
    assert file.read() == wav_of(SOUND)


def test_a_disk_that_cannot_be_written_lets_a_sound_grow_in_memory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(spool, "_folder", None)
    monkeypatch.setattr(spool.tempfile, "mkdtemp", lambda prefix: str(tmp_path / "missing"))
    assert grown(len(SOUND)).file() == wav_of(SOUND)


def test_a_disk_that_is_full_later_keeps_what_is_on_it_and_the_rest_in_memory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(spool, "_folder", None)
    monkeypatch.setattr(spool.tempfile, "mkdtemp", lambda prefix: str(tmp_path))
    wav = grown(SPOOLED * 4800)
    (path,) = tmp_path.iterdir()
    moved = path.rename(tmp_path / "moved")  # nothing can be opened under its name any more
    for start in range(SPOOLED * 4800, len(SOUND), 4800):
        wav.add(SOUND[start : start + 4800])
    file = wav.file()
    moved.rename(path)
    assert bytes_of(file) == wav_of(SOUND)
    wav.add(b"ab")
    assert bytes_of(wav.file()) == wav_of(SOUND + b"ab")
    assert bytes_of(file) == wav_of(SOUND)


@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_a_long_sound_that_is_not_there_any_more_says_so(
    damage: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(spool, "_folder", None)
    monkeypatch.setattr(spool.tempfile, "mkdtemp", lambda prefix: str(tmp_path))
    file = grown(len(SOUND)).file()
    assert not isinstance(file, bytes)
    clip = Clip.lying(file.read, file.frames, file.sample_rate)
    assert (clip.parked, clip.frames, clip.sample_rate, clip.channels) == (True, len(SOUND) // 2, 24_000, 1)
    assert clip.encode("pcm16") == SOUND
    (path,) = tmp_path.iterdir()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(ClipError, match="The sound of an earlier turn is gone"):
        _ = clip.samples
