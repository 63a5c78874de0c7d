"""Speech that is too long for memory: on disk, the same to the sample, gone when nobody wants it."""

from __future__ import annotations

import gc
import os
import pickle
import tempfile
from pathlib import Path
from typing import Any

import pytest
from abilities import able
from openai_server import OpenAIServer

import nbaudio as nba
from nbaudio import AudioDelta, TextDelta, errors
from nbaudio.speaking import spilling
from nbaudio.speaking.spilling import LongSound, Pieces, Spill

LONG = " ".join(f"This is sentence number {n}, which goes on for a little while longer." for n in range(12))
SOUND = [os.urandom(length) for length in (2, 998, 4000, 10_000, 600_000, 2)]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where files go; more than 2,000 bytes are too many for memory."""
    monkeypatch.setattr(spilling, "IN_MEMORY_BYTES", 2000)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that takes four sentences at a time."""
    able(monkeypatch, longest_speech=300)


def full_after(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """A disk that takes so many writes."""
    write, left = spilling._write, [count]

    def tried(file: Any, data: bytes) -> None:
        left[0] -= 1
        if left[0] < 0:
            file.write(data[: len(data) // 2])
            raise OSError(28, "No space left on device")
        write(file, data)

    monkeypatch.setattr(spilling, "_write", tried)


def grown() -> LongSound:
    sound = LongSound()
    for pcm16 in SOUND:
        sound.add(pcm16)
    return sound


def pieces() -> Pieces:
    made = Pieces(Spill())
    for place, pcm16 in enumerate(SOUND):
        made.append(TextDelta(f"{place} "))
        made.append(AudioDelta(pcm16))
    return made


class TestLongSound:
    def test_its_clip_is_all_of_it(self, folder: Path) -> None:
        sound = grown()
        clip = sound.clip()
        assert list(folder.iterdir()), "it is on disk"
        assert clip.frames == sound.frames == sum(map(len, SOUND)) // 2
        assert clip.encode("pcm16") == b"".join(SOUND)
        assert pickle.loads(pickle.dumps(clip)) == clip

    def test_a_clip_does_not_grow(self) -> None:
        sound = grown()
        clip = sound.clip()
        sound.add(bytes(5000))
        assert clip.encode("pcm16") == b"".join(SOUND)
        assert sound.clip().encode("pcm16") == b"".join(SOUND) + bytes(5000)

    def test_the_file_stays_as_long_as_somebody_has_it(self, folder: Path) -> None:
        clip = grown().clip()
        gc.collect()
        assert list(folder.iterdir())
        assert clip.frames * 2 == len(clip.encode("pcm16"))
        del clip
        gc.collect()
        assert not list(folder.iterdir())

    @pytest.mark.parametrize("writes", range(6))
    def test_on_a_full_disk_it_stays_in_memory(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, writes: int
    ) -> None:
        full_after(monkeypatch, writes)
        assert grown().clip().encode("pcm16") == b"".join(SOUND)
        gc.collect()
        assert not list(folder.iterdir())


class TestPieces:
    def test_they_come_back_in_order(self) -> None:
        made = pieces()
        for _ in range(2):
            assert [piece.pcm16 for piece in made if isinstance(piece, AudioDelta)] == SOUND
            assert "".join(piece.text for piece in made if isinstance(piece, TextDelta)) == "0 1 2 3 4 5 "
        assert made.frames == sum(map(len, SOUND)) // 2
        made.clear()
        assert (list(made), made.frames) == ([], 0)

    @pytest.mark.parametrize("writes", range(4))
    def test_on_a_full_disk_they_stay_in_memory(self, monkeypatch: pytest.MonkeyPatch, writes: int) -> None:
        full_after(monkeypatch, writes)
        assert [piece.pcm16 for piece in pieces() if isinstance(piece, AudioDelta)] == SOUND


class TestSpeech:
    def test_it_is_the_same(
        self, server: OpenAIServer, small: None, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        speech = nba.speak(LONG)
        assert list(folder.iterdir())
        monkeypatch.setattr(spilling, "IN_MEMORY_BYTES", 10**9)
        in_memory = nba.speak(LONG)
        assert speech == in_memory
        assert speech.captions == in_memory.captions
        assert speech.as_kept() == in_memory.as_kept()
        assert speech._repr_mimebundle_() == in_memory._repr_mimebundle_()

    def test_passages_that_are_finished_are_kept_on_disk(
        self, server: OpenAIServer, small: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        able(monkeypatch, speeches_at_once=1)
        whole, sound = nba.speak(LONG), server.speech

        def speech(text: str) -> Any:
            if "number 4," in text:
                server.fail_next("quota")  # the next one
            return sound(text)

        monkeypatch.setattr(server, "speech", speech)
        with pytest.raises(errors.QuotaExceeded) as caught:
            nba.speak(LONG)
        assert caught.value.partial == whole[: caught.value.partial.duration_s]
        sent = len(server.requests)
        assert nba.speak(LONG) == whole
        assert len(server.requests) == sent + 1
