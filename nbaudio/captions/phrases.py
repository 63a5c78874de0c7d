"""Captions: what is said when, for a player that follows the words, and for WebVTT and SRT files."""

from __future__ import annotations

import math
import os
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, overload

from nbaudio.captions import subtitles
from nbaudio.captions.phrasing import Wording
from nbaudio.errors import NbaudioError

__all__ = ["Captions", "Knot", "Phrase", "PhraseTimer", "usual_pace"]

_S_PER_LETTER = 0.07  # of prose, pauses aside: some 15 characters a second, until the sound itself says more
_LETTERS_TO_BELIEVE = 60
_MOST_BEHIND_S = 0.6  # further than this an even pace is never off, so words that come later come after their sound


@dataclass(frozen=True)
class Phrase:
    """A few words, and the seconds at which they begin and end to sound.

    Raises
    ------
    NbaudioError
        If it ends before it begins, begins before 0, or a time is no number.
    """

    text: str
    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        if not 0 <= self.start_s <= self.end_s < math.inf:
            raise NbaudioError(
                f"A phrase can't sound from {self.start_s} s to {self.end_s} s.", "Give seconds from 0 on, in order."
            )


@dataclass(frozen=True, init=False, repr=False)
class Captions(Sequence[Phrase]):
    """The phrases of a sound with their times, in order: a sequence of `Phrase` that never changes.

    Parameters
    ----------
    phrases : iterable of Phrase
        In any order; they are kept in the order in which they begin.

    Examples
    --------
    >>> captions = Captions([Phrase("Yes.", 0.0, 0.8), Phrase("It is.", 0.8, 1.5)])
    >>> captions
    Captions(2 phrases, 0.0 to 1.5 s)
    >>> captions.at(1.0), captions[1].text
    (1, 'It is.')
    >>> Captions.from_vtt(captions.vtt) == Captions.from_srt(captions.srt) == captions
    True
    """

    phrases: tuple[Phrase, ...] = ()

    def __init__(self, phrases: Iterable[Phrase] = ()) -> None:
        object.__setattr__(self, "phrases", tuple(sorted(phrases, key=lambda phrase: phrase.start_s)))

    @classmethod
    def from_vtt(cls, text: str) -> Captions:
        """Captions from the text of a WebVTT file; its styles, notes, names and marks are left out.

        Raises
        ------
        NbaudioError
            If it is no WebVTT, or a line of times can't be read.
        """
        return cls(Phrase(*cue) for cue in subtitles.read_vtt(text))

    @classmethod
    def from_srt(cls, text: str) -> Captions:
        """Captions from the text of a SubRip file; its numbers and tags are left out.

        Raises
        ------
        NbaudioError
            If it is no SRT, or a line of times can't be read.
        """
        return cls(Phrase(*cue) for cue in subtitles.read_srt(text))

    @property
    def vtt(self) -> str:
        """The text of a WebVTT file, which browsers show with a ``<track>``."""
        return subtitles.vtt(self._cues())

    @property
    def srt(self) -> str:
        """The text of a SubRip file, which video players show."""
        return subtitles.srt(self._cues())

    def _cues(self) -> list[subtitles.Cue]:
        return [(phrase.text, phrase.start_s, phrase.end_s) for phrase in self.phrases]

    def at(self, time_s: float) -> int | None:
        """The index of the phrase that sounds at a time in seconds; the later where two do, None where none does."""
        for index in range(bisect_right(self.phrases, time_s, key=lambda phrase: phrase.start_s) - 1, -1, -1):
            if time_s < self.phrases[index].end_s:
                return index
        return None

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a file, whose ending says the format, ``.vtt`` or ``.srt``; returns its path.

        Raises
        ------
        NbaudioError
            If it ends in anything else.
        """
        path = Path(path)
        written = {".vtt": self.vtt, ".srt": self.srt}.get(path.suffix.lower())
        if written is None:
            raise NbaudioError(
                f"Captions can't be saved with the ending {path.suffix or '(none)'!r}.",
                "End the name in .vtt (WebVTT) or .srt (SubRip).",
            )
        path.write_bytes(written.encode("utf-8", "replace"))  # no line end of the system's own
        return path

    def __len__(self) -> int:
        return len(self.phrases)

    def __iter__(self) -> Iterator[Phrase]:
        return iter(self.phrases)

    @overload
    def __getitem__(self, index: int) -> Phrase: ...
    @overload
    def __getitem__(self, index: slice) -> Captions: ...
    def __getitem__(self, index: int | slice) -> Phrase | Captions:
        return Captions(self.phrases[index]) if isinstance(index, slice) else self.phrases[index]

    def __repr__(self) -> str:
        if not self.phrases:
            return "Captions(0 phrases)"
        end_s = max(phrase.end_s for phrase in self.phrases)
        plural = "" if len(self) == 1 else "s"
        return f"Captions({len(self)} phrase{plural}, {self.phrases[0].start_s:.1f} to {end_s:.1f} s)"


class Knot(NamedTuple):
    """A place in the words, as letters before it, and the second at which it sounds."""

    letters: float
    time_s: float


class PhraseTimer:
    """Says when each phrase of an answer sounds, from the order in which its words and its sound arrive.

    Parameters
    ----------
    sample_rate : int
        Hz, of the frames that `sound` is told of.
    exact : bool
        Whether words begin to sound exactly where the sound before them ends, as with the offline engine, which sends
        of each sentence first its words and then its sound. Of other servers only so much is sure: words are not heard
        before they come. In between, the pace is taken to be even: as long for each letter, with a pause at each mark.

    Examples
    --------
    >>> timer = PhraseTimer(sample_rate=1000, exact=True)
    >>> timer.words("One moment.")
    >>> timer.sound(1200)
    >>> timer.words(" Here it is.")
    >>> timer.sound(1000)
    >>> [(phrase.text, phrase.start_s) for phrase in timer.phrases(over=True)]
    [('One moment.', 0.0), ('Here it is.', 1.2)]
    """

    def __init__(self, sample_rate: int, *, exact: bool = False) -> None:
        self.sample_rate, self.exact = sample_rate, exact
        self.wording = Wording()
        """The words so far."""
        self._frames = 0
        self._runs: list[tuple[int, int]] = []  # of each run of words: characters before it, frames before it
        self._run_knots: list[Knot] = []  # of the runs whose words are settled

    def words(self, text: str) -> None:
        """Take words that have come; each piece goes on where the last one ended."""
        if text.strip() and (not self._runs or self._runs[-1][1] < self._frames):
            visible = len(text) - len(text.lstrip())
            self._runs.append((len(self.wording.text) + visible, self._frames))
        self.wording.add(text)

    def sound(self, frames: int) -> None:
        """Take so many frames of sound that have come."""
        self._frames += frames

    def take(self, text: str, marks: Iterable[tuple[int, int]]) -> None:
        """Take a whole answer by its words and `nbaudio.wire.answers.Answer.marks`."""
        characters = frames = 0
        for characters_then, frames_then in marks:
            self.sound(frames_then - frames)
            self.words(text[characters:characters_then])
            characters, frames = characters_then, frames_then
        self.words(text[characters:])

    @property
    def duration_s(self) -> float:
        """Seconds of sound so far."""
        return self._frames / self.sample_rate

    def phrases(self, over: bool = False, knots: Sequence[Knot] | None = None) -> tuple[Phrase, ...]:
        """The phrases so far, each lasting until the next begins.

        Parameters
        ----------
        over : bool
            Whether all words and all sound are here: then no phrase goes beyond the sound. Until then phrases whose
            sound is still to come have the times that are to be expected, and the last ones may still change.
        knots : sequence of Knot, optional
            Where the times are known better than by `knots`, in order.
        """
        spans = self.wording.phrases()
        if not spans or (over and not self._frames):
            return ()
        knots = self.knots(over) if knots is None else knots
        letters = [*(span.begins for span in spans), spans[-1].ends]
        last_s = math.floor(self.duration_s * 1000) / 1000 if over else math.inf
        times = [min(round(time_s, 3), last_s) for time_s in _times_at(letters, knots)]
        return tuple(
            Phrase(_one_line(self.wording.text[span.start : span.end]), start_s, end_s)
            for span, (start_s, end_s) in zip(spans, pairwise(times), strict=True)
        )

    def knots(self, over: bool = False) -> list[Knot]:
        """What is known of the times so far: between two knots the pace is even.

        `exact`, every run of words begins with one; else they are the first, the last, and those of the words that an
        even pace would let sound before they came.
        """
        words = self.wording.words()
        runs = self._known_runs()
        if not words:
            return [Knot(0.0, 0.0), Knot(0.0, self.duration_s)]
        letters = words[-1].ends + words[-1].pause
        if self.exact:
            return [*runs, Knot(letters, self._end_s(runs, letters, over))]
        first = Knot(0.0, 0.0)
        last = Knot(letters, self.duration_s if over else max(self.duration_s, letters * _S_PER_LETTER))
        pace = last.time_s / letters if letters else 0.0
        if any(run.time_s - run.letters * pace > _MOST_BEHIND_S for run in runs):
            return [first, last]  # here words come behind their sound: their order tells nothing
        return _hull([first, *runs, last])

    def _known_runs(self) -> list[Knot]:
        """The first word of each run, and the second before which it does not sound."""
        runs = list(self._run_knots)
        for start, frames in self._runs[len(runs) :]:
            runs.append(Knot(self.wording.letters_at(start), frames / self.sample_rate))
            if start < self.wording.settled:
                self._run_knots.append(runs[-1])
        return runs

    def _end_s(self, runs: list[Knot], letters: float, over: bool) -> float:
        """The time of the last word's end, while its sound may still be on its way."""
        if over:
            return self.duration_s
        first, last = runs[0], runs[-1]
        pace = usual_pace(last.time_s - first.time_s, last.letters - first.letters)
        return max(self.duration_s, last.time_s + (letters - last.letters) * pace)


def usual_pace(time_s: float, letters: float) -> float:
    """Seconds a letter that are to be expected of a voice which has said so many letters in such a time.

    Examples
    --------
    >>> round(usual_pace(0, 0), 3), round(usual_pace(90, 1000), 3)
    (0.07, 0.089)
    """
    # A "No." alone says little of a voice: what is usual counts as much as some words of its own.
    return (time_s + _LETTERS_TO_BELIEVE * _S_PER_LETTER) / (letters + _LETTERS_TO_BELIEVE)


def _hull(knots: list[Knot]) -> list[Knot]:
    """The shortest way in time from the first knot to the last that passes none of the others too early."""
    kept: list[Knot] = []
    for knot in knots:
        while len(kept) > 1 and _slope(kept[-2], kept[-1]) <= _slope(kept[-2], knot):
            kept.pop()
        kept.append(knot)
    return kept


def _slope(left: Knot, right: Knot) -> float:
    letters = right.letters - left.letters
    return (right.time_s - left.time_s) / letters if letters > 0 else math.inf


def _times_at(letters: Iterable[float], knots: Sequence[Knot]) -> Iterator[float]:
    """The times of places given in order, on straight lines between the knots; never backwards."""
    time_s = 0.0
    for place in letters:
        at = bisect_right(knots, place, key=lambda knot: knot.letters)
        if at == len(knots):
            here = knots[-1].time_s
        elif at == 0:
            here = knots[0].time_s
        else:
            left, right = knots[at - 1], knots[at]
            here = left.time_s + (place - left.letters) * (right.time_s - left.time_s) / (right.letters - left.letters)
        time_s = max(time_s, here)
        yield time_s


@lru_cache(4096)
def _one_line(text: str) -> str:
    return " ".join(" ".join(subtitles.lines_of(text)).split())
