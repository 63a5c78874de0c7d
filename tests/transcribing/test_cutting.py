"""Where recordings are cut."""

from __future__ import annotations

from itertools import pairwise

import beeps
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as with_settings
from hypothesis import strategies as some

import nbaudio as nba
from nbaudio.transcribing.cutting import Limits, cut
from nbaudio.transcribing.recording import Recording


def recording(duration_s: float, seed: int = 0) -> tuple[Recording, list[beeps.Said]]:
    samples, said = beeps.spoken(duration_s, seed=seed)
    return Recording(nba.Clip(samples, sample_rate=beeps.RATE)), said


def limits(longest_s: float, piece_s: float = 1e9) -> Limits:
    return Limits(10**9, longest_s, piece_s, 6000)


def test_what_fits_is_one_piece() -> None:
    found, _ = recording(30)
    (piece,) = cut(found, limits(40))
    assert (piece.start_s, piece.end_s) == (0.0, found.duration_s)


@with_settings(max_examples=25)
@given(some.integers(0, 10_000), some.floats(8, 40), some.floats(45, 120))
def test_pieces_fit_and_no_word_is_torn(seed: int, longest_s: float, duration_s: float) -> None:
    found, said = recording(duration_s, seed)
    pieces = cut(found, limits(longest_s))
    assert [piece.number for piece in pieces] == list(range(len(pieces)))
    assert pieces[0].start_s == 0.0
    assert pieces[-1].end_s == pytest.approx(found.duration_s)
    for left, right in pairwise(pieces):
        assert left.end_s == right.start_s
        assert not any(one.start_s < left.end_s < one.end_s for one in said)
    assert max(piece.duration_s for piece in pieces) <= longest_s + 0.01
    assert min(piece.duration_s for piece in pieces) > longest_s / 4


@pytest.mark.parametrize("seed", range(10))
def test_a_bang_makes_no_pause_of_soft_words(seed: int) -> None:
    samples, said = beeps.spoken(60, seed=seed)
    samples *= 0.01
    bang = np.random.default_rng(seed).uniform(-0.9, 0.9, beeps.RATE // 20).astype(np.float32)
    for start in range(beeps.RATE, len(samples) - len(bang), 2 * beeps.RATE):
        samples[start : start + len(bang)] += bang
    pieces = cut(Recording(nba.Clip(samples, sample_rate=beeps.RATE)), limits(12))
    assert len(pieces) > 4
    assert not any(one.start_s < piece.end_s < one.end_s for piece in pieces for one in said)


@pytest.mark.parametrize("longest_s", [10.0, 13.0, 20.0])
def test_without_a_pause_it_is_the_softest_place_near_the_limit(longest_s: float) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 58 * beeps.RATE).astype(np.float32)
    softer = [(start, start + beeps.RATE // 16) for start in range(beeps.RATE, len(noise), 2 * beeps.RATE)]
    for start, end in softer:  # 62 ms: no pause
        noise[start:end] *= 0.5
    pieces = cut(Recording(nba.Clip(noise, sample_rate=beeps.RATE)), limits(longest_s))
    assert len(pieces) <= np.ceil(58 / longest_s) + 1
    for piece in pieces[:-1]:
        assert any(start <= piece.end_s * beeps.RATE <= end for start, end in softer)


def test_a_longer_pause_is_a_better_place() -> None:
    hush, word = np.zeros(int(0.12 * beeps.RATE), np.float32), beeps.beep("one")
    breath = np.zeros(beeps.RATE, np.float32)
    samples = np.concatenate(
        [np.tile(np.concatenate([word, hush]), 32), breath, np.tile(np.concatenate([word, hush]), 36)]
    )
    breath_s = (32 * (len(word) + len(hush)) + len(breath) / 2) / beeps.RATE
    pieces = cut(Recording(nba.Clip(samples, sample_rate=beeps.RATE)), limits(20))
    assert pieces[0].end_s == pytest.approx(breath_s, abs=0.1)


def test_bytes_limit_pieces_too() -> None:
    found, _ = recording(60)
    pieces = cut(found, Limits(60_000, 1e9, 1e9, 6000))
    assert max(piece.duration_s for piece in pieces) <= 10.01


def test_silence_is_marked_as_such() -> None:
    samples, _ = beeps.spoken(20)
    clip = nba.Clip(np.concatenate([samples, np.zeros(50 * beeps.RATE, np.float32)]), sample_rate=beeps.RATE)
    pieces = cut(Recording(clip), limits(12))
    assert [piece.silent for piece in pieces][-3:] == [True] * 3
    assert not pieces[0].silent
