"""A recording's file that is read when it is used: what its parts are, and that nothing changes what was given out."""

from __future__ import annotations

import hashlib
import pickle
import threading
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nbaudio as nba
from nbaudio.errors import ClipError
from nbaudio.sound import recorded
from nbaudio.sound.codecs import wav_header
from nbaudio.sound.parts import HEADER_BYTES, PART_BYTES, GrowingDigests, Whole, bounds, is_named, name_of
from nbaudio.sound.recorded import Recorded

LONG = np.random.default_rng(5).integers(-9000, 9000, PART_BYTES + 1000).astype("<i2").tobytes()
SHORT = LONG[:4800]


def written(path: Path, pcm16: bytes) -> Path:
    """The file as it is while somebody records: its header says nothing yet."""
    path.write_bytes(wav_header(0, 24_000) + pcm16)
    return path


def recording(path: Path, pcm16: bytes) -> Recorded:
    growing = GrowingDigests()
    growing.add(pcm16)
    return Recorded(written(path, pcm16), len(pcm16) // 2, 24_000, growing.all())


def file_of(pcm16: bytes) -> bytes:
    return wav_header(len(pcm16), 24_000) + pcm16


# -- parts ------------------------------------------------------------------------------------------------


@given(st.integers(0, 5 * PART_BYTES))
def test_parts_follow_one_another_from_the_beginning_to_the_end(length: int) -> None:
    found = bounds(length)
    assert (found[0][0], found[-1][1]) == (0, length)
    assert all(end == start for (_, end), (start, _) in pairwise(found))
    assert all(0 < end - start <= PART_BYTES for start, end in found[1:])


@given(st.lists(st.integers(0, 2 * PART_BYTES), max_size=6))
def test_what_grows_has_the_name_that_it_has_as_a_whole(lengths: list[int]) -> None:
    growing, data = GrowingDigests(), bytearray()
    for number, length in enumerate(lengths):
        piece = bytes([number + 1]) * length
        growing.add(piece)
        data += piece
    whole = Whole(bytes(HEADER_BYTES) + bytes(data))
    if len(whole.digests) > 1:
        assert tuple(growing.all()) == whole.digests[1:]
    assert len(growing.full) == len(data) // PART_BYTES


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_part_that_changes_changes_its_own_digest_only(number: int) -> None:
    growing = GrowingDigests()
    growing.add(LONG)
    before = growing.all()
    at = number * PART_BYTES
    mended = LONG[:at] + bytes(100) + LONG[at + 100 :]
    growing.replace(number, mended[at : at + PART_BYTES])
    growing.add(SHORT)
    assert growing.all() == list(Whole(bytes(HEADER_BYTES) + mended + SHORT).digests[1:])
    assert [old == new for old, new in zip(before[:2], growing.all()[:2], strict=True)] == [number != 0, number != 1]


def test_a_name_is_that_of_one_file_only() -> None:
    short, long = file_of(SHORT), file_of(LONG)
    assert Whole(short).name == hashlib.sha256(short).hexdigest()
    assert Whole(long).name == name_of(Whole(long).digests) != hashlib.sha256(long).hexdigest()
    for data in (short, long):
        assert is_named(data, Whole(data).name)
        assert is_named(data, hashlib.sha256(data).hexdigest())  # as a journal of version 1 has it
        assert not is_named(data + b"\0", Whole(data).name)


# -- a recording ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pcm16", [SHORT, LONG], ids=["short", "long"])
def test_it_is_the_file_that_it_will_be(tmp_path: Path, pcm16: bytes) -> None:
    here = recording(tmp_path / "a.wav", pcm16)
    data = file_of(pcm16)
    assert len(here) == len(data)
    assert here.name == Whole(data).name
    assert b"".join(here.part(number) for number in range(len(here.digests))) == data
    assert b"".join(here.blocks(100_000)) == data
    assert [len(block) for block in here.blocks(100_000)][:-1] == [100_000] * (len(data) // 100_000)
    assert here.read(40, 50) == data[40:50]
    assert here.whole() == data
    assert b"".join(here.blocks(100_000)) == data  # from memory now


def test_a_clip_of_it_is_the_clip_of_its_file(tmp_path: Path) -> None:
    here = nba.Clip(recording(tmp_path / "a.wav", LONG))
    there = nba.Clip(file_of(LONG))
    assert (here.frames, here.channels, here.sample_rate) == (there.frames, there.channels, there.sample_rate)
    assert here == there
    assert (here.as_kept(), here.for_model()) == (there.as_kept(), there.for_model())
    assert pickle.loads(pickle.dumps(here)) == there
    assert nba.Clip(here).recorded is here.recorded
    assert there.recorded is None


def test_to_make_a_clip_of_it_nothing_long_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    real = recorded._read_at
    monkeypatch.setattr(recorded, "_read_at", lambda *asked: read.append(asked[2]) or real(*asked))
    clip = nba.Clip(recording(tmp_path / "a.wav", LONG))
    assert clip.recorded is not None
    assert (clip.duration_s > 5, clip.recorded.name, read) == (True, Whole(file_of(LONG)).name, [])


def test_its_file_may_be_deleted_or_change_once_it_is_settled(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    deleted = recording(path, LONG)
    path.unlink()
    assert deleted.whole() == file_of(LONG)
    settled = recording(path, LONG)
    settled.settle()
    settled.settle()
    written(path, SHORT)
    assert settled.whole() == file_of(LONG)


def test_a_file_that_somebody_has_changed_is_no_recording(tmp_path: Path) -> None:
    here = recording(tmp_path / "a.wav", LONG)
    written(tmp_path / "a.wav", LONG[:PART_BYTES] + SHORT)
    assert here.part(1) == LONG[:PART_BYTES]
    with pytest.raises(ClipError, match="has been cut short"):
        here.part(2)
    with pytest.raises(ClipError, match="has been cut short"):
        nba.Clip(here).as_kept()
    written(tmp_path / "a.wav", bytes(len(LONG)))
    with pytest.raises(ClipError, match="has been changed"):
        here.part(1)


def test_only_so_many_files_are_open_at_once(tmp_path: Path) -> None:
    several = [recording(tmp_path / f"{number}.wav", SHORT) for number in range(recorded._MOST_OPEN + 3)]
    for thread in threading.enumerate():
        if thread.name == "nbaudio-settle":
            thread.join()
    assert [one._descriptor is None for one in several] == [True] * 3 + [False] * recorded._MOST_OPEN
    assert {one.whole() for one in several} == {file_of(SHORT)}


def test_without_pread_it_is_read_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("os.pread", raising=False)  # Windows has none
    here = recording(tmp_path / "a.wav", LONG)
    assert here.read(PART_BYTES, PART_BYTES + 10) == file_of(LONG)[PART_BYTES : PART_BYTES + 10]
    assert b"".join(here.blocks(100_000)) == file_of(LONG)
