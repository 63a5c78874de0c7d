"""A recording while it arrives: pieces in any order are on disk in theirs, and the end costs the same at any length."""

from __future__ import annotations

import errno
import os
import stat
import sys
import threading
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nbaudio as nba
from nbaudio.sound.parts import Whole
from nbaudio.widgets import recordings, take
from nbaudio.widgets.recordings import KEPT_TAKES, latest
from nbaudio.widgets.take import Take

PIECE = 2400  # frames: 100 ms


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where recordings go by default."""
    monkeypatch.setattr("platformdirs.user_data_dir", lambda name: str(tmp_path / name))
    recordings._place.cache_clear()
    yield tmp_path / "nbaudio" / "recordings"
    recordings._place.cache_clear()


def pieces(count: int, last: int = PIECE) -> list[bytes]:
    """Pieces whose every sample tells its place: no two are the same within 65,536 frames."""
    frames = np.arange(PIECE * (count - 1) + last) % 65_536 - 32_768
    data = frames.astype("<i2").tobytes()
    return [data[at : at + 2 * PIECE] for at in range(0, len(data), 2 * PIECE)]


def arrive(here: Take, sound: list[bytes], order: list[int]) -> None:
    for index in order:
        here.add(index, sound[index])


@given(order=st.permutations(range(8)), twice=st.lists(st.integers(0, 7), max_size=5), last=st.integers(1, PIECE))
def test_pieces_may_come_in_any_order_and_twice(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], twice: list[int], last: int
) -> None:
    here, sound = Take(24_000, folder=tmp_path_factory.mktemp("take")), pieces(8, last)
    arrive(here, sound, [*order, *twice])

    assert here.expect(8, 7 * PIECE + last)
    here.finish()

    assert here.clip is not None
    assert here.clip.encode("pcm16") == b"".join(sound)
    assert here.silent_frames == 0


def test_pieces_may_come_on_two_threads(tmp_path: Path) -> None:
    here, sound = Take(24_000, folder=tmp_path), pieces(200)
    start = threading.Barrier(2)

    def half(first: int) -> None:
        start.wait()
        arrive(here, sound, list(range(first, 200, 2)))

    threads = [threading.Thread(target=half, args=(first,)) for first in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert here.expect(200)
    here.finish()
    # One thread may run ahead by more than is held back; what was silence for a while has been put in its place.
    assert here.path.read_bytes()[44:] == b"".join(sound)
    assert here.silent_frames == 0


def test_what_has_come_is_on_disk_before_the_end_and_can_be_read_after_a_crash(tmp_path: Path) -> None:
    here, sound = Take(24_000, folder=tmp_path), pieces(3)
    arrive(here, sound, [0, 1, 2])

    left = nba.Clip(here.path)  # its sizes are not true yet: nobody has ended it

    assert left.encode("pcm16") == b"".join(sound)
    assert (left.sample_rate, left.channels) == (24_000, 1)


def test_a_piece_that_never_comes_is_silence_of_its_own_length(tmp_path: Path) -> None:
    here, sound = Take(24_000, folder=tmp_path), pieces(5, last=700)
    arrive(here, sound, [0, 1, 3])
    assert here.frames == 2 * PIECE
    assert not here.expect(5, 4 * PIECE + 700)

    here.finish()

    assert here.silent_frames == PIECE + 700
    assert here.clip is not None
    assert here.clip.encode("pcm16") == sound[0] + sound[1] + bytes(2 * PIECE) + sound[3] + bytes(1400)


def test_a_piece_that_comes_after_the_end_finds_its_place(tmp_path: Path) -> None:
    here, sound = Take(24_000, folder=tmp_path), pieces(4)
    arrive(here, sound, [0, 1, 3])
    here.expect(4, 4 * PIECE)
    here.finish()
    assert not here.complete
    assert here.clip is not None

    here.add(2, sound[2])

    assert here.complete
    assert here.clip.encode("pcm16") == b"".join(sound)


def test_a_clip_of_it_stays_as_it_was_whatever_comes_later(tmp_path: Path) -> None:
    here, sound = Take(24_000, folder=tmp_path), pieces(60)
    arrive(here, sound, [0, *range(2, 40)])
    early = here.clip
    arrive(here, sound, list(range(40, 60)))
    later = here.clip
    here.add(1, sound[1])
    mended = here.clip
    here.discard()

    assert early is not None
    assert later is not None
    assert mended is not None
    lacking = [sound[0], bytes(2 * PIECE), *sound[2:]]
    assert early.encode("pcm16") == b"".join(lacking[:40])
    assert later.encode("pcm16") == b"".join(lacking)
    assert mended.encode("pcm16") == b"".join(sound)
    for clip in (early, later, mended):
        assert clip.recorded is not None
        assert clip.recorded.name == Whole(clip.as_kept()[0]).name


def test_nothing_is_read_of_it_when_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, sound = Take(24_000, folder=tmp_path), pieces(100)
    arrive(here, sound, list(range(100)))
    here.expect(100)
    with monkeypatch.context() as patched:
        patched.setattr(here, "_read", None)
        patched.setattr("nbaudio.sound.recorded._read_at", None)
        here.finish()
        clip = here.clip
        assert clip is not None
        assert (clip.frames, clip.sample_rate, clip.channels) == (100 * PIECE, 24_000, 1)
    assert clip.encode("pcm16") == b"".join(sound)
    assert clip == nba.Clip(here.path)


def test_a_lost_piece_does_not_hold_up_the_others_for_ever(tmp_path: Path) -> None:
    here, sound = Take(24_000, folder=tmp_path), pieces(40)
    arrive(here, sound, [0, *range(2, 40)])

    assert here.frames == 40 * PIECE
    assert here.silent_frames == PIECE
    assert here.read(2 * PIECE, PIECE).shape == (PIECE, 1)

    here.add(1, sound[1])
    assert here.silent_frames == 0
    assert here.path.read_bytes()[44:] == b"".join(sound)


def test_parts_are_read_as_samples(tmp_path: Path) -> None:
    here = Take(24_000, folder=tmp_path)
    here.add(0, np.array([0, 16_384, -32_768, 8192], "<i2").tobytes())

    assert here.read(1, 2).tolist() == [[0.5], [-1.0]]
    assert here.read(3, 10).tolist() == [[0.25]]
    assert here.read(4, 10).shape == (0, 1)
    here.finish()
    assert here.read(0, 1).tolist() == [[0.0]]


@pytest.mark.parametrize("index", [-1, 10**9, 1_000])
def test_a_number_that_can_be_no_piece_is_ignored(tmp_path: Path, index: int) -> None:
    here = Take(24_000, folder=tmp_path)
    here.add(0, bytes(4800))
    here.add(index, bytes(4800))
    here.expect(10**9, 10**12)
    here.finish()

    assert here.duration_s <= 61  # 60 s of silence at most, instead of a full disk


def test_half_a_sample_is_dropped(tmp_path: Path) -> None:
    here = Take(24_000, folder=tmp_path)
    here.add(0, bytes(5))
    here.add(1, bytes(4))
    assert here.frames == 4


def test_without_sound_there_is_no_clip(tmp_path: Path) -> None:
    here = Take(24_000, folder=tmp_path)
    assert here.clip is None
    here.expect(5, 5 * PIECE)
    here.finish()
    assert here.clip is None
    assert here.frames == 0


def test_what_is_dropped_is_deleted(tmp_path: Path) -> None:
    here = Take(24_000, folder=tmp_path)
    here.add(0, bytes(4800))
    here.discard()

    assert not here.path.exists()
    assert (here.over, here.frames, here.clip) == (True, 0, None)
    here.discard()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_only_the_owner_can_read_it(folder: Path) -> None:
    before = os.umask(0)
    try:
        here = Take(24_000)
    finally:
        os.umask(before)
    assert stat.S_IMODE(here.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = Take(24_000, folder=tmp_path)

    class Full:
        def __init__(self, file: Any) -> None:
            self.seek, self.close = file.seek, file.close

        def write(self, _: bytes) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(here, "_file", Full(here._file))
    with pytest.raises(OSError, match="No space left"):
        here.add(0, bytes(4800))


def test_an_hour_needs_no_memory_and_ends_at_once(tmp_path: Path) -> None:
    sound = [piece * 100 for piece in pieces(3)]  # 10 s each
    here = Take(24_000, folder=tmp_path)
    tracemalloc.start()
    try:
        for index in range(360):
            here.add(index, sound[index % 3])
        _, highest = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    here.expect(360, 3600 * 24_000)
    begun = time.perf_counter()
    here.finish()
    took_s = time.perf_counter() - begun

    assert highest < 2_000_000
    assert here.duration_s == 3600
    assert took_s < 0.05  # it writes 44 bytes; copying 173 MB takes longer than this


# -- which are kept -----------------------------------------------------------------------------------------


def recorded(seconds: float = 0.1) -> Take:
    here = Take(24_000)
    here.add(0, bytes(2 * round(24_000 * seconds)))
    here.finish()
    return here


def test_the_last_recording_is_found_again(folder: Path) -> None:
    assert latest() is None
    recorded()
    second = recorded()
    Take(24_000)  # nothing has come of it yet

    assert latest() == second.path
    assert second.path.parent == folder


def test_recordings_of_another_notebook_are_not_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", "work/one.ipynb")
    one = recorded()
    monkeypatch.setenv("JPY_SESSION_NAME", "work/two.ipynb")
    recordings._place.cache_clear()
    assert latest() is None
    two = recorded()
    assert latest() == two.path

    monkeypatch.setenv("JPY_SESSION_NAME", "work/one.ipynb")
    recordings._place.cache_clear()
    assert latest() == one.path


def test_a_notebook_that_changes_its_folder_finds_its_recordings(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = recorded()
    monkeypatch.chdir(folder)
    assert latest() == here.path


def test_the_oldest_go_first_and_other_peoples_files_stay(folder: Path) -> None:
    first = recorded()
    (folder / "interview.wav").write_bytes(first.path.read_bytes())
    later = [recorded() for _ in range(KEPT_TAKES)]

    assert not first.path.exists()
    assert all(here.path.exists() for here in later)
    assert (folder / "interview.wav").exists()


def test_recordings_take_a_bounded_room_but_the_last_stays_whatever_its_length(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recordings, "KEPT_BYTES", 100_000)
    old, long = recorded(1.0), recorded(5.0)
    Take(24_000)

    assert not old.path.exists()
    assert long.path.exists()
    assert latest() == long.path


def test_the_folder_can_be_chosen(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Chosen:
        recordings = str(tmp_path / "mine")

    monkeypatch.setattr(recordings, "settings", Chosen)
    assert recorded().path.parent == tmp_path / "mine"
    assert take.recordings_folder() == tmp_path / "mine"
