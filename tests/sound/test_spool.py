"""Sounds on disk: the same as before, gone with the process, and missed with a clear error."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from signals import voice

from nbaudio.errors import ClipError
from nbaudio.sound import spool
from nbaudio.sound.clip import Clip


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
