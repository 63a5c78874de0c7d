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

from nbaudio.captions.pauses import Loudness, Speech
from nbaudio.captions.phrases import Captions, Knot, Phrase, PhraseTimer, usual_pace
from nbaudio.captions.phrasing import Word

__all__ = ["Follower", "aligned", "aligned_to"]

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
_PACES, _NEAR_PACES, _PACE_SPREAD = np.geomspace(0.7, 1.4, 13), np.geomspace(0.85, 1.18, 6), 0.13
_LETTERS_TO_KNOW = 200  # of a voice, before only paces near its own are tried

_HEARD_S = 0.05  # of a phrase of an answer that broke off, for it to be heard at all
_AHEAD_S = 3.0  # beyond what is heard, to which words may belong all the same
_LOOK_S = 0.3  # of new sound, before its pauses are looked at again
_STRETCH_S = 30.0  # of an answer that broke off is looked at together
_SETTLED_S = 12.0  # what is so far back is not looked at again, so that a long answer stays quick to follow


class Follower:
    """The phrases of an answer while it arrives, at the pauses of what has been heard so far.

    As `PhraseTimer`, which see for the parameters, but it takes the sound itself. Of a phrase that is yet to be heard
    the time is what the pace up to there lets expect.
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
    loudness = Loudness(timer.sample_rate)
    loudness.add(samples)
    return aligned_to(timer, loudness, over=over)


def aligned_to(timer: PhraseTimer, loudness: Loudness, *, over: bool = True) -> Captions:
    """As `aligned`, of a sound whose course of power has been gathered already, so that it need not be held."""
    duration_s = timer.duration_s
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
    words, known = timer.wording.words(), timer.knots(over)
    if not words:
        return known, 0
    base = settled[-1] if settled else known[0]
    # Where the order is not exact, the sound itself says more of what lies between.
    between = [knot for knot in known[1:-1] if knot.letters > base.letters] if timer.exact else []
    edges = [base, *between, known[-1]]
    found, count = list(settled[:-1]), len(settled)
    for left, right in pairwise(edges):
        last = right is known[-1]
        first, end = (bisect_left(words, knot.letters, key=_begins) for knot in (left, right))
        speech = loudness.speech(left.time_s, min(right.time_s, heard_s), pauses_at_its_end=last and not over)
        if speech is None or first == end:
            found += [left, right]
            continue
        pace = usual_pace(left.time_s - known[0].time_s, left.letters) if last and not over else 0.0
        if pace:  # of words that can't have been heard yet, only so many that it does not matter where they end
            most = left.letters + (heard_s - left.time_s + _AHEAD_S) / (pace * _PACES[0])
            end = min(end, bisect_left(words, most, first + 1, key=_begins))
        stretch = _Stretch.of(words, first, end)
        paces = _PACES if left.letters < _LETTERS_TO_KNOW else _NEAR_PACES
        times_s, anchors, pace = _times(stretch, speech, pace, paces)
        if timer.exact or settled:
            times_s[0] = left.time_s
        if last and timer.exact:
            count = len(found) + 1
        elif last:
            far = [anchor for anchor in anchors if times_s[anchor] <= heard_s - _SETTLED_S]
            count = len(found) + far[-1] + 1 if far else count
        found += map(Knot, stretch.letters.tolist(), times_s.tolist())
        if not last:
            del found[-1]  # the next run's first word is the next one's to place
        elif end < len(words):
            found.append(Knot(right.letters, found[-1].time_s + (right.letters - found[-1].letters) * pace))
    return found, count


def _begins(word: Word) -> float:
    return word.begins


class _Stretch(NamedTuple):
    """Words in a row and their end: letters before each, with pauses and without; and their gaps.

    Gaps are where a pause may be: behind a mark, and between phrases. `gaps` are their indices, `kinds` indices into
    the costs above.
    """

    letters: Floats
    spoken: Floats
    gaps: npt.NDArray[np.intp]
    kinds: npt.NDArray[np.intp]

    @classmethod
    def of(cls, words: list[Word], first: int, end: int) -> _Stretch:
        """The words from `first` to before `end`."""
        inside, last = words[first:end], words[end - 1]
        letters, spoken = last.ends, last.spoken + last.ends - last.begins
        if end < len(words):
            letters = words[end].begins
        gaps = [at for at in range(1, len(inside)) if inside[at - 1].pause or inside[at].opens]
        return cls(
            np.array([*(word.begins for word in inside), letters]),
            np.array([*(word.spoken for word in inside), spoken]) - inside[0].spoken,
            np.array(gaps, np.intp),
            np.digitize([inside[at - 1].pause for at in gaps], [0.1, 3.5]),
        )


def _times(stretch: _Stretch, speech: Speech, pace: float, paces: Floats) -> tuple[Floats, list[int], float]:
    """When each word sounds and the last one ends, which of the words are at a pause, and the seconds a letter.

    `pace` is about how long a letter takes, and `paces` are the factors on it to try, where the speech may not hold all
    of the words; else it is 0.
    """
    lengths_s = speech.pauses[:, 1] - speech.pauses[:, 0]
    silence_s = np.concatenate([[0.0], np.cumsum(lengths_s)])
    voiced_s = speech.pauses[:, 0] - speech.start_s - silence_s[:-1]
    within = int(np.searchsorted(speech.pauses[:, 0], speech.end_s))
    sound = _Sound(voiced_s, lengths_s, speech.end_s - speech.start_s - float(silence_s[within]))
    end, cut = float(stretch.spoken[-1]), pace > 0
    if not end:
        return np.linspace(speech.start_s, speech.end_s, len(stretch.spoken)), [], pace
    if cut:
        tried = [(*_matched(stretch, sound, pace * factor, cut=True), factor) for factor in paces]
        unusual = (np.log(paces) / _PACE_SPREAD) ** 2 / 2
        _, pairs, factor = tried[int(np.argmin([cost for cost, _, _ in tried] + unusual))]
        pace *= factor
    else:
        pace = sound.all_s / end
        _, pairs = _matched(stretch, sound, pace, cut=False)
    anchors = [int(stretch.gaps[gap]) for gap, _ in pairs]
    at_letters = [0.0, *stretch.spoken[anchors]]
    at_voiced_s = [0.0, *voiced_s[[pause for _, pause in pairs]]]
    end_s = at_voiced_s[-1] + pace * (end - at_letters[-1]) if cut else sound.all_s
    voiced = np.interp(stretch.spoken, [*at_letters, end], [*at_voiced_s, end_s])
    # A word begins behind the pause that lies before it.
    times_s: Floats = speech.start_s + voiced + silence_s[np.searchsorted(voiced_s, voiced + 1e-6)]
    return times_s, anchors, pace


class _Sound(NamedTuple):
    """A stretch of sound: seconds of speech before each pause, the length of each, and seconds of speech in all."""

    voiced_s: Floats
    lengths_s: Floats
    all_s: float


def _matched(stretch: _Stretch, sound: _Sound, pace: float, *, cut: bool) -> tuple[float, list[tuple[int, int]]]:
    """The cheapest pairs of gaps and pauses, both in order, and what they cost; `pace` is in seconds a letter.

    `cut` says that the words may go on behind the sound.
    """
    left_over = np.cumsum(np.concatenate([[0.0], np.minimum(sound.lengths_s * _LEFT_OVER_PER_S, _LEFT_OVER_MOST)]))
    skipped = np.concatenate([[0.0], np.cumsum(_NO_PAUSE[stretch.kinds])])
    too_short = np.maximum(_SHORT_FOR_A_SENTENCE_S - sound.lengths_s, 0) * _PER_MISSING_S
    before, end = np.concatenate([[0.0], stretch.spoken[stretch.gaps]]), float(stretch.spoken[-1])
    voiced_s = np.concatenate([sound.voiced_s, [0.0]])  # the last is for index -1, the beginning
    # Stages are the beginning and every gap. Of each: the pauses that it may fall on, what it costs at best to come
    # there, and from which stage and which of its pauses.
    pauses, costs = [np.array([-1])], [np.zeros(1)]
    origins: list[list[tuple[int, int]]] = [[(0, 0)]]
    for stage in range(1, len(before)):
        expected_s = before[stage] * pace
        free_s = expected_s if cut else expected_s * max(0.0, 1 - before[stage] / end)
        around_s = 1 + 4 * _SPREAD_S * math.sqrt(free_s)
        if expected_s > sound.all_s + around_s:
            break  # not heard yet, nor is what follows
        here = np.flatnonzero(np.abs(sound.voiced_s - expected_s) <= around_s)
        near = [0, *range(max(1, stage - 1 - _MOST_SKIPPED), stage)]
        source = np.repeat(near, [len(pauses[place]) for place in near])
        from_pause = np.concatenate([pauses[place] for place in near])
        cost = (
            np.concatenate([costs[place] for place in near])
            + _misfit(voiced_s[here][:, None] - voiced_s[from_pause], (before[stage] - before[source]) * pace)
            + (left_over[here][:, None] - left_over[from_pause + 1] + skipped[stage - 1] - skipped[source])
        )
        cost[here[:, None] <= from_pause] = np.inf
        cheapest = cost.argmin(axis=1)
        kind = stretch.kinds[stage - 1]
        columns = np.concatenate([np.arange(len(pauses[place])) for place in near])
        pauses.append(here)
        costs.append(cost[np.arange(len(here)), cheapest] + _A_PAUSE[kind] + (too_short[here] if kind == 2 else 0.0))
        origins.append([(int(source[at]), int(columns[at])) for at in cheapest])

    least, way = np.inf, (0, 0)
    for stage, reached in enumerate(pauses):
        if not len(reached):
            continue
        rest_s, expected_s = sound.all_s - voiced_s[reached], (end - before[stage]) * pace
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


def _misfit(voiced_s: Floats, expected_s: Floats | float) -> Floats:
    """What it costs that speech lasts so long and not as expected."""
    misfit: Floats = (voiced_s - expected_s) ** 2 / (2 * (_LEAST_SPREAD_S**2 + _SPREAD_S**2 * expected_s))
    return misfit
