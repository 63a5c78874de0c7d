"""A WAV file in the making: at any time what it would be if it ended there."""

from __future__ import annotations

import io
import wave

from hypothesis import given
from hypothesis import strategies as st

from nbaudio.wire.growing_wav import GrowingWav

PIECES = st.lists(st.binary(min_size=2, max_size=40).map(lambda data: data[: len(data) // 2 * 2]), max_size=8)


@given(PIECES)
def test_it_is_a_wav_of_all_that_was_added(pieces: list[bytes]) -> None:
    wav = GrowingWav(16_000)
    for piece in pieces:
        wav.add(piece)

    sound = b"".join(pieces)
    assert len(wav) == len(sound)
    if not sound:
        assert wav.file() == b""
        return
    with wave.open(io.BytesIO(wav.file())) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 16_000)
        assert file.readframes(file.getnframes()) == sound


@given(PIECES, st.binary(min_size=2, max_size=2))
def test_a_file_that_was_given_does_not_change_when_more_comes(pieces: list[bytes], more: bytes) -> None:
    wav, given, expected = GrowingWav(24_000), [], []
    for piece in [more, *pieces]:
        wav.add(piece)
        given.append(wav.file())
        expected.append(bytes(bytearray(given[-1])))

    assert given == expected
    assert wav.file(b"ab")[44:] == wav.file()[44:] + b"ab"
    assert wav.file() == expected[-1]
    assert len(wav) == len(expected[-1]) - 44


def test_asking_twice_copies_nothing() -> None:
    wav = GrowingWav(24_000)
    wav.add(bytes(1000))

    assert wav.file() is wav.file()


def test_only_what_comes_after_the_end_is_there_without_any_before() -> None:
    assert GrowingWav(24_000).file(b"ab")[44:] == b"ab"
