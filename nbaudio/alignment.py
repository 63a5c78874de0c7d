"""Captions moved to the pauses that are really in the sound.

An even pace says where a phrase should begin; voices hurry and linger, but they pause between sentences and at many
clauses. So gaps between words are matched with silences, all together: a match is good where the speech in between
takes about as long as its letters should, where a sentence's end gets a long pause, and where no long pause is left
over. That is the alignment by lengths of Gale and Church (1993, https://aclanthology.org/J93-1004), with sound on one
side.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nbaudio.captions import Captions, Knot, Phrase, PhraseTimer, Place, usual_pace
from nbaudio.pauses import Loudness, Speech

__all__ = ["Follower", "aligned"]

Floats = npt.NDArray[np.float64]

# What its letters let expect to last 1 s lasts 0.16 s more or less, and what they let expect to last 4 s twice that: so
# it is with sentences of the offline voice. Costs are in halves of squared standard deviations.
_SPREAD_S, _LEAST_SPREAD_S = 0.16, 0.05
_NO_PAUSE = np.array([0.0, 1.2, 3.0])  # at a plain gap between words, behind a clause, behind a sentence
_A_PAUSE = np.array([1.5, 0.0, 0.0])
_SHORT_FOR_A_SENTENCE_S, _PER_MISSING_S = 0.2, 10.0
_LEFT_OVER_PER_S, _LEFT_OVER_MOST = 10.0, 4.0  # a pause that belongs to no gap
_MOST_SKIPPED = 8  # gaps in a row without a pause, between two with one
# While nobody knows how many of the words have been heard, the pace is tried: these times the expected one.
_PACES, _PACE_SPREAD = np.geomspace(0.7, 1.4, 13), 0.13

_HEARD_S = 0.05  # of a phrase of an answer that broke off, for it to be heard at all
_LOOK_S = 0.3  # of new sound, before its pauses are looked at again
_STRETCH_S = 30.0  # of an answer that broke off is looked at together
_SETTLED_S = 12.0  # what is so far back is not looked at again, so that a long answer stays quick to follow


class Follower:
    """The phrases of an answer while it arrives, at the pauses of what has been heard so far.

    As `nbaudio.captions.PhraseTimer`, which see for the parameters, but it takes the sound itself. Of a phrase that is
    yet to be heard the time is what the pace up to there lets expect.
    """

    def __init__(self, sample_rate: int, *, exact: bool = False) -> None:
        self._timer = PhraseTimer(sample_rate, exact=exact)
        self._loudness = Loudness(sample_rate)
        self._settled: list[Knot] = []
        self._knots: list[Knot] = []
        self._seen_s = -math.inf
        self._fresh_words = False

    def words(self, text: str) -> None:
        """Take words that have come."""
        self._timer.words(text)
        self._fresh_words = True

    def sound(self, pcm16: bytes) -> None:
        """Take sound that has come: whole samples of signed 16-bit little-endian mono PCM."""
        self._timer.sound(len(pcm16) // 2)
        self._loudness.add(np.frombuffer(pcm16, "<i2"))

    def phrases(self, over: bool = False) -> tuple[Phrase, ...]:
        """The phrases so far; `over` says that all words and all sound are here."""
        heard_s = self._timer.duration_s
        if over:
            return self._timer.phrases(True, _found(self._timer, self._loudness, heard_s, over=True)[0])
        if heard_s >= self._seen_s + _LOOK_S or (self._fresh_words and self._timer.exact):
            self._knots, settled = _found(self._timer, self._loudness, heard_s, self._settled)
            self._settled = self._knots[:settled]
            self._seen_s = heard_s
        elif self._fresh_words:
            self._knots = self._with_fresh_words()
        self._fresh_words = False
        return self._timer.phrases(False, self._knots)

    def _with_fresh_words(self) -> list[Knot]:
        """The knots with one for the end of the words that have come since the last look."""
        first, last = self._knots[0], self._knots[-1]
        letters = self._timer.knots()[-1].letters
        pace = usual_pace(last.time_s - first.time_s, last.letters - first.letters)
        return [*self._knots, Knot(letters, last.time_s + (letters - last.letters) * pace)]


def aligned(timer: PhraseTimer, samples: npt.NDArray[Any], *, over: bool = True) -> Captions:
    """The captions of a finished answer, at the pauses of its sound.

    Parameters
    ----------
    timer : PhraseTimer
        Has taken all words and all frames.
    samples : numpy.ndarray
        The sound, mono, shape (frames,), at the timer's sample rate.
    over : bool
        Whether the sound holds all of the words. Of an answer that broke off it may not: then words that are not heard
        any more have no caption.
    """
    loudness, duration_s = Loudness(timer.sample_rate), timer.duration_s
    loudness.add(samples)
    if over:
        return Captions(timer.phrases(True, _found(timer, loudness, duration_s, over=True)[0]))
    knots, settled = _found(timer, loudness, duration_s) if timer.exact else ([], 0)
    for heard_s in () if timer.exact else (*np.arange(_STRETCH_S, duration_s, _STRETCH_S / 2), duration_s):
        knots, settled = _found(timer, loudness, float(heard_s), knots[:settled])
    last_s = math.floor(duration_s * 1000) / 1000
    phrases = [phrase for phrase in timer.phrases(False, knots) if phrase.start_s < last_s - _HEARD_S]
    return Captions(Phrase(phrase.text, phrase.start_s, min(phrase.end_s, last_s)) for phrase in phrases)


def _found(
    timer: PhraseTimer, loudness: Loudness, heard_s: float, settled: Sequence[Knot] = (), *, over: bool = False
) -> tuple[list[Knot], int]:
    """When each word sounds, after the `settled` ones, and how many of these knots are settled now.

    Only the first `heard_s` seconds of the sound are listened to.
    """
    places, known = timer.places(), timer.knots(over)
    if not places:
        return known, 0
    base = settled[-1] if settled else known[0]
    # Where the order is not exact, the sound itself says more of what lies between.
    between = [knot for knot in known[1:-1] if knot.letters > base.letters] if timer.exact else []
    edges = [base, *between, known[-1]]
    found, count = list(settled[:-1]), len(settled)
    for left, right in pairwise(edges):
        last = right is edges[-1]
        first_place, end_place = (bisect_left(places, knot.letters, key=_letters) for knot in (left, right))
        inside = places[first_place : len(places) if last else end_place + 1]
        speech = loudness.speech(left.time_s, min(right.time_s, heard_s), pauses_at_its_end=last and not over)
        if speech is None or len(inside) < 2:
            found += [left, right]
            continue
        pace = usual_pace(left.time_s - known[0].time_s, left.letters) if last and not over else 0.0
        times_s, anchors = _times(inside, speech, pace)
        if timer.exact or settled:
            times_s[0] = left.time_s
        if last:
            if timer.exact:
                count = len(found) + 1
            else:
                far = [anchor for anchor in anchors if times_s[anchor] <= heard_s - _SETTLED_S]
                count = len(found) + far[-1] + 1 if far else count
        timed = [Knot(place.letters, float(time_s)) for place, time_s in zip(inside, times_s, strict=True)]
        found += timed if last else timed[:-1]  # the next run's first word is the next one's to place
    return found, count


def _letters(place: Place) -> float:
    return place.letters


def _times(places: list[Place], speech: Speech, pace: float) -> tuple[Floats, list[int]]:
    """When each place sounds, the last of which is the end of the words; and which of them are at a pause.

    `pace`, in seconds a letter, is about how fast they are said, where the speech may not hold all of them; else 0.
    """
    spoken = np.array([place.spoken for place in places]) - places[0].spoken
    gaps = np.array([at for at, place in enumerate(places[1:-1], 1) if place.pause or place.opens], int)
    kinds = np.digitize([places[gap].pause for gap in gaps], [0.1, 3.5])
    lengths_s = speech.pauses[:, 1] - speech.pauses[:, 0]
    silence_s = np.concatenate([[0.0], np.cumsum(lengths_s)])
    voiced_s = speech.pauses[:, 0] - speech.start_s - silence_s[:-1]
    sound = _Sound(voiced_s, lengths_s, speech.end_s - speech.start_s - float(silence_s[-1]))
    end, cut = float(spoken[-1]), pace > 0
    if not end:
        return np.linspace(speech.start_s, speech.end_s, len(places)), []
    if cut:
        tried = [(*_matched(spoken[gaps], kinds, end, sound, pace * factor, cut=True), factor) for factor in _PACES]
        unusual = (np.log(_PACES) / _PACE_SPREAD) ** 2 / 2
        _, pairs, factor = tried[int(np.argmin([cost for cost, _, _ in tried] + unusual))]
        pace *= factor
    else:
        pace = sound.all_s / end
        _, pairs = _matched(spoken[gaps], kinds, end, sound, pace, cut=False)
    at_letters = [0.0, *(float(spoken[gaps[gap]]) for gap, _ in pairs)]
    at_voiced_s = [0.0, *(float(voiced_s[pause]) for _, pause in pairs)]
    end_s = at_voiced_s[-1] + pace * (end - at_letters[-1]) if cut else sound.all_s
    voiced = np.interp(spoken, [*at_letters, end], [*at_voiced_s, end_s])
    # A word begins behind the pause that lies before it.
    times_s: Floats = speech.start_s + voiced + silence_s[np.searchsorted(voiced_s, voiced + 1e-6)]
    return times_s, [int(gaps[gap]) for gap, _ in pairs]


class _Sound(NamedTuple):
    """A stretch of sound: seconds of speech before each pause, the length of each, and seconds of speech in all."""

    voiced_s: Floats
    lengths_s: Floats
    all_s: float

    def voiced_before(self, pauses: npt.NDArray[Any]) -> Floats:
        """Seconds of speech before pauses of these indices; none before index -1, the beginning."""
        before: Floats = np.concatenate([self.voiced_s, [0.0]])[pauses]
        return before


def _matched(
    letters: Floats, kinds: npt.NDArray[Any], end: float, sound: _Sound, pace: float, *, cut: bool
) -> tuple[float, list[tuple[int, int]]]:
    """The cheapest pairs of gaps and pauses, both in order, and what they cost.

    Parameters
    ----------
    letters : numpy.ndarray
        Letters spoken before each gap, shape (gaps,); `end` are those of all words.
    kinds : numpy.ndarray
        What kind of gap each is: an index into the costs above.
    sound : _Sound
    pace : float
        Seconds for a letter.
    cut : bool
        Whether the words may go on behind the sound.
    """
    left_over = np.cumsum(np.concatenate([[0.0], np.minimum(sound.lengths_s * _LEFT_OVER_PER_S, _LEFT_OVER_MOST)]))
    skipped = np.concatenate([[0.0], np.cumsum(_NO_PAUSE[kinds])])
    too_short = np.maximum(_SHORT_FOR_A_SENTENCE_S - sound.lengths_s, 0) * _PER_MISSING_S
    # Stages are the beginning and every gap. Of each: the pauses that it may fall on, what it costs at best to come
    # there, and from where.
    before = np.concatenate([[0.0], letters])
    pauses, costs, origins = [np.array([-1])], [np.zeros(1)], [[(0, 0)]]
    for stage in range(1, len(before)):
        expected_s = before[stage] * pace
        free_s = expected_s if cut else expected_s * max(0.0, 1 - before[stage] / end)
        around_s = 1 + 4 * _SPREAD_S * math.sqrt(free_s)
        if expected_s > sound.all_s + around_s:
            break  # not heard yet, nor is what follows
        here = np.flatnonzero(np.abs(sound.voiced_s - expected_s) <= around_s)
        best, origin = np.full(len(here), np.inf), [(0, 0)] * len(here)
        for source in {0, *range(max(0, stage - 1 - _MOST_SKIPPED), stage)}:
            if not len(here) or not len(pauses[source]):
                continue
            voiced_s = sound.voiced_s[here][:, None] - sound.voiced_before(pauses[source])
            cost = costs[source] + _misfit(voiced_s, (before[stage] - before[source]) * pace)
            cost += left_over[here][:, None] - left_over[pauses[source] + 1] + skipped[stage - 1] - skipped[source]
            cost[here[:, None] <= pauses[source]] = np.inf
            cheapest = cost.argmin(axis=1)
            for row, column in enumerate(cheapest):
                if cost[row, column] < best[row]:
                    best[row], origin[row] = cost[row, column], (source, int(column))
        kind = kinds[stage - 1]
        pauses.append(here)
        costs.append(best + _A_PAUSE[kind] + (too_short[here] if kind == 2 else 0.0))
        origins.append(origin)

    least, way = np.inf, (0, 0)
    for stage, reached in enumerate(pauses):
        if not len(reached):
            continue
        rest_s, expected_s = sound.all_s - sound.voiced_before(reached), (end - before[stage]) * pace
        cost = costs[stage] + left_over[-1] - left_over[reached + 1]
        if cut:
            passed = np.searchsorted(before, before[stage] + rest_s / pace, "right") - 1
            cost = cost + skipped[passed] - skipped[stage] + _misfit(np.maximum(rest_s, expected_s), expected_s)
        else:
            cost = cost + skipped[-1] - skipped[stage] + _misfit(rest_s, expected_s)
        if cost.min() < least:
            least, way = float(cost.min()), (stage, int(cost.argmin()))
    pairs = []
    while way[0]:
        stage, column = way
        pairs.append((stage - 1, int(pauses[stage][column])))
        way = origins[stage][column]
    return least, pairs[::-1]


def _misfit(voiced_s: Floats, expected_s: float) -> Floats:
    """What it costs that speech lasts so long and not as expected."""
    misfit: Floats = (voiced_s - expected_s) ** 2 / (2 * (_LEAST_SPREAD_S**2 + _SPREAD_S**2 * expected_s))
    return misfit
