"""A clip that stays in its file is what a clip of the same bytes is, also where the file's header is untrue."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from signals import voice

from nbaudio.errors import ClipError
from nbaudio.sound import on_disk
from nbaudio.sound.blocks import BlockReader
from nbaudio.sound.clip import Clip
from nbaudio.sound.codecs import samples_to_pcm16, wav_header
from nbaudio.sound.on_disk import ClipOnDisk, block_reader, clip_of_file

PCM = samples_to_pcm16(voice(duration_s=2.0)[:, np.newaxis])
UNKNOWN = 0xFFFFFFFF


def wav(riff: int, data: int, *, between: bytes = b"") -> bytes:
    """A WAV of `PCM` with these sizes in its header, and another chunk in it."""
    made = wav_header(len(PCM), 24_000)
    return made[:4] + struct.pack("<I", riff) + made[8:36] + between + b"data" + struct.pack("<I", data) + PCM


HEADERS = {
    "true": wav(36 + len(PCM), len(PCM)),
    "of a recorder that was killed": wav(0, 0),
    "only the sound's size is 0": wav(36 + len(PCM), 0),
    "a chunk before the sound": wav(0, 0, between=b"LIST" + struct.pack("<I", 4) + b"INFO"),
    "half a frame at the end": wav(0, 0) + b"\x01",
    "unknown": wav(UNKNOWN, UNKNOWN),
    "more than there is": wav(36 + 3 * len(PCM), 3 * len(PCM)),
}


@pytest.mark.parametrize("name", HEADERS)
def test_it_is_the_sound_that_a_clip_in_memory_is(name: str, tmp_path: Path) -> None:
    path = tmp_path / "talk.wav"
    path.write_bytes(HEADERS[name])
    found, expected = ClipOnDisk(path), Clip(path)
    assert (found.frames, found.sample_rate, found.channels) == (expected.frames, 24_000, 1)
    with block_reader(found) as reader:
        assert np.array_equal(np.concatenate(list(reader.blocks())), expected.samples[:, 0])
    assert np.array_equal(found.samples, expected.samples)
    assert found.for_model() == expected.for_model()


def test_a_large_file_of_a_recorder_that_was_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "talk.wav"
    path.write_bytes(wav(0, 0))
    monkeypatch.setattr(on_disk, "_LARGE_BYTES", 1000)
    clip = clip_of_file(path)
    assert isinstance(clip, ClipOnDisk)
    assert clip.duration_s == 2.0


def test_one_that_really_holds_nothing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "talk.wav"
    path.write_bytes(wav(0, 0)[: -len(PCM)])
    with pytest.raises(ClipError, match="holds no sound: 0 frames"):
        ClipOnDisk(path)


def test_one_that_is_gone_is_an_error_in_words(tmp_path: Path) -> None:
    for made in (ClipOnDisk, BlockReader):
        with pytest.raises(ClipError, match="no sound file that can be read"):
            made(tmp_path / "gone.wav")


def test_a_file_that_somebody_has_open_stays_open() -> None:
    file = io.BytesIO(wav(0, 0))
    with BlockReader(file, 16_000) as reader:
        assert sum(map(len, reader.blocks())) == 32_000
    assert not file.closed
