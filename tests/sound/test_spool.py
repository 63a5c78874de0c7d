"""Sounds on disk: the same as before, gone with the process, and missed with a clear error."""

from __future__ import annotations

import gc
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
from nbaudio.sound.codecs import wav_header
from nbaudio.sound.parts import PART_BYTES, Whole
from nbaudio.sound.spool import Spooled, SpooledSound


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


# -- a sound that comes in pieces -------------------------------------------------------------------------------------

PIECE = 4800
SOUND = np.random.default_rng(2).integers(0, 256, 5 * PART_BYTES // PIECE * PIECE, dtype=np.uint8).tobytes()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the spool is, empty."""
    monkeypatch.setattr(spool, "_folder", None)
    monkeypatch.setattr(spool.tempfile, "mkdtemp", lambda prefix: str(tmp_path))
    return tmp_path


def gathered(data: bytes) -> SpooledSound:
    sound = SpooledSound(24_000)
    for start in range(0, len(data), PIECE):
        sound.add(data[start : start + PIECE])
    return sound


def on_disk(sound: SpooledSound) -> Spooled:
    found = sound.all()
    assert isinstance(found, Spooled)
    return found


def wav_of(data: bytes) -> bytes:
    return wav_header(len(data), 24_000) + data


def test_a_short_one_stays_in_memory(folder: Path) -> None:
    data = SOUND[: spool._LONG_BYTES - 2]
    assert gathered(data).all() == data
    assert gathered(data).all(b"ab") == data + b"ab"
    assert list(folder.iterdir()) == []


def test_of_a_long_one_less_than_a_part_is_in_memory_while_it_comes_and_nothing_later(folder: Path) -> None:
    sound = gathered(SOUND)
    assert len(sound) == len(SOUND)
    assert sum(map(len, sound._here)) < PART_BYTES
    clip = Clip(on_disk(sound))
    (path,) = folder.iterdir()
    assert path.read_bytes() == SOUND
    assert (clip.frames, clip.channels, clip.sample_rate) == (len(SOUND) // 2, 1, 24_000)
    assert clip.recorded is not None
    assert clip.recorded._rest == b""
    assert clip.encode("wav") == wav_of(SOUND)
    assert clip.encode("pcm16") == SOUND
    assert pickle.loads(pickle.dumps(clip)) == clip


def test_it_has_the_name_and_the_parts_of_the_same_file_in_memory(folder: Path) -> None:
    found, expected = on_disk(gathered(SOUND)), Whole(wav_of(SOUND))
    assert found.digests == expected.digests
    assert found.name == expected.name
    for number in range(len(found.digests)):
        assert found.part(number) == expected.part(number)
    assert b"".join(found.blocks(100_000)) == wav_of(SOUND)


@given(st.lists(st.integers(1, 40), max_size=12), st.sampled_from([b"", b"ab"]), st.data())
def test_it_can_be_taken_at_any_time_and_what_was_taken_stays(
    sizes: list[int], more: bytes, data: st.DataObject
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for module in ("spool", "parts", "recorded"):
            patch.setattr(f"nbaudio.sound.{module}.PART_BYTES", 20, raising=False)
        patch.setattr(spool, "_LONG_BYTES", 40)
        sound, come = SpooledSound(24_000), b""
        taken: list[tuple[bytes | Spooled, bytes]] = []
        for size in sizes:
            sound.add(SOUND[2 * len(come) :][: 2 * size])
            come += SOUND[2 * len(come) :][: 2 * size]
            taken.append((sound.all(more), come + more))
        assert len(sound) == len(come)
        for found, expected in taken:
            if isinstance(found, bytes):
                assert found == expected
                continue
            assert found.whole() == wav_of(expected)
            assert found.digests == Whole(wav_of(expected)).digests
            start = data.draw(st.integers(0, len(found)))
            end = data.draw(st.integers(start, len(found)))
            assert found.read(start, end) == wav_of(expected)[start:end]


def test_parking_it_copies_nothing(folder: Path) -> None:
    clip = Clip(on_disk(gathered(SOUND)))
    samples = clip.samples
    spool.park(clip)
    assert clip.parked
    assert len(list(folder.iterdir())) == 1
    assert np.array_equal(clip.samples, samples)


def test_the_file_goes_with_the_last_clip_of_it(folder: Path) -> None:
    sound = gathered(SOUND)
    first, second = Clip(on_disk(sound)), Clip(on_disk(sound))
    spool.park(first)
    del sound, first
    gc.collect()
    assert second.encode("pcm16") == SOUND
    del second
    gc.collect()
    assert list(folder.iterdir()) == []


def test_a_disk_that_cannot_be_written_leaves_all_of_it_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "_folder", None)
    monkeypatch.setattr(spool.tempfile, "mkdtemp", lambda prefix: str(tmp_path / "missing"))
    assert gathered(SOUND).all() == SOUND


def test_a_disk_that_is_full_for_a_while_loses_nothing(folder: Path) -> None:
    half = len(SOUND) // 2 // PIECE * PIECE
    sound = gathered(SOUND[:half])
    (path,) = folder.iterdir()
    away = path.rename(folder / "away")  # nothing can be written under its name
    for start in range(half, len(SOUND), PIECE):
        sound.add(SOUND[start : start + PIECE])
    found = on_disk(sound)
    away.rename(path)
    assert found.whole() == wav_of(SOUND)
    assert found.digests == Whole(wav_of(SOUND)).digests
    sound.add(bytes(4 * PART_BYTES))
    assert on_disk(sound).whole() == wav_of(SOUND + bytes(4 * PART_BYTES))
    assert found.whole() == wav_of(SOUND)
    assert sum(map(len, sound._here)) < PART_BYTES


@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_one_that_is_not_there_any_more_says_so(damage: str, folder: Path) -> None:
    clip = Clip(on_disk(gathered(SOUND)))
    (path,) = folder.iterdir()
    path.unlink() if damage == "gone" else path.write_bytes(SOUND[:-2])
    with pytest.raises(ClipError, match="The sound of an earlier turn is gone"):
        _ = clip.samples
