"""The files that go out, and what becomes of one that is being made when nobody wants it any more."""

from __future__ import annotations

import io
import math
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import beeps
import pytest
import soundfile

from nbaudio.errors import ClipError
from nbaudio.sound.blocks import BlockReader
from nbaudio.sound.codecs import Samples
from nbaudio.transcribing.cutting import Limits, Piece
from nbaudio.transcribing.recording import Recording
from nbaudio.transcribing.uploads import Uploads

LIMITS = Limits(1000, 10.0, 10.0, 1.0)
WAIT_S = 30


class Held(BlockReader):
    """Stays within a read until it is let go."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.reads, self.within, self.closed_within = 0, False, False
        self.begun, self.go_on, self.closed = threading.Event(), threading.Event(), threading.Event()

    def blocks(self, frames: int | None = None) -> Iterator[Samples]:
        coming = super().blocks(frames)
        while True:
            self.reads, self.within = self.reads + 1, True
            self.begun.set()
            assert self.go_on.wait(WAIT_S)
            block = next(coming, None)
            self.within = False
            if block is None:
                return
            yield block

    def close(self) -> None:
        self.closed_within |= self.within
        super().close()
        self.closed.set()


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Held:
    path = tmp_path / "talk.wav"
    soundfile.write(path, beeps.spoken(10.0)[0], beeps.RATE)
    reader = Held(path)
    monkeypatch.setattr(Recording, "reader", lambda *_: reader)
    return reader


def uploads(held: Held) -> Uploads:
    return Uploads(Recording.of(held._file.name), "mp3", LIMITS, whole=False)


def test_one_that_is_left_within_a_read_is_closed_after_it(held: Held) -> None:
    with ThreadPoolExecutor(1) as thread:
        with uploads(held) as making:
            taken = thread.submit(making.take, Piece(0, 0.0, 10.0), look=False)
            assert held.begun.wait(WAIT_S)
        assert not held.closed.is_set()  # and yet it was left at once
        held.go_on.set()
        with pytest.raises(ClipError, match="was closed before a piece"):
            taken.result(WAIT_S)
    assert held.closed.is_set()
    assert not held.closed_within
    assert held.reads == 1


def test_one_that_is_left_between_two_reads_is_closed_at_once(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    held.go_on.set()
    writing, written = threading.Event(), threading.Event()

    class Slow:
        def __init__(self, *_: object) -> None: ...

        def write(self, _: Samples) -> None:
            writing.set()
            assert written.wait(WAIT_S)

    monkeypatch.setattr("nbaudio.transcribing.uploads.BlockWriter", Slow)
    with ThreadPoolExecutor(1) as thread:
        with uploads(held) as making:
            taken = thread.submit(making.take, Piece(0, 0.0, 10.0), look=False)
            assert writing.wait(WAIT_S)
        assert held.closed.is_set()
        written.set()
        with pytest.raises(ClipError, match="was closed before a piece"):
            taken.result(WAIT_S)
    assert not held.closed_within


def test_pieces_that_are_taken_to_the_end_are_whole(held: Held) -> None:
    held.go_on.set()
    with uploads(held) as making:
        taken = [making.take(Piece(n, 5.0 * n, 5.0 * (n + 1)), look=True) for n in range(2)]
    assert held.closed.is_set()
    for (data, ending), loudness in taken:
        assert (ending, loudness is not None, len(data) > 1000) == ("mp3", True, True)
        assert math.isclose(soundfile.info(io.BytesIO(data)).duration, 5.0, abs_tol=0.2)
