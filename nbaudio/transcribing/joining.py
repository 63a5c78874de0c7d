"""Pieces of one recording, made one transcript again: texts in a row, times of the whole, speakers kept apart."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import reduce

from nbaudio.transcribing.cutting import Piece
from nbaudio.wire.transcripts import Heard, Segment

__all__ = ["SpeakerNames", "joined", "joined_text"]

_SHORTEST_S, _LONGEST_S = 2.0, 10.0  # of a sample of a voice
_MARK = "speaker-"


def joined(heard: Iterable[tuple[Piece, Heard]]) -> Heard:
    """What was heard in some pieces, as if it were one answer; times count from the recording's beginning."""
    moved = [_moved(found, piece) for piece, found in heard]
    return reduce(_and, moved, Heard())


def joined_text(left: str, right: str) -> str:
    """Two texts in a row, with a space between them where their script has spaces.

    Examples
    --------
    >>> joined_text("One.", "Two."), joined_text("你好。", "再见。")
    ('One. Two.', '你好。再见。')
    """
    if not left or not right:
        return left or right
    wide = all(unicodedata.east_asian_width(letter) in "WF" for letter in (left[-1], right[0]))
    return left + ("" if wide else " ") + right


def _moved(found: Heard, piece: Piece) -> Heard:
    by_s, last_s = piece.start_s, piece.end_s

    def at(time_s: float) -> float:
        return round(min(by_s + time_s, last_s), 3)

    words = tuple(
        word
        if word.start_s is None or word.end_s is None
        else replace(word, start_s=at(word.start_s), end_s=at(word.end_s))
        for word in found.words
    )
    segments = tuple(replace(one, start_s=at(one.start_s), end_s=at(one.end_s)) for one in found.segments)
    return replace(found, words=words, segments=segments)


def _and(left: Heard, right: Heard) -> Heard:
    billed = [seconds for seconds in (left.billed_s, right.billed_s) if seconds is not None]
    return Heard(
        joined_text(left.text, right.text),
        left.words + right.words,
        left.segments + right.segments,
        tuple(dict.fromkeys(left.languages + right.languages)),
        None,
        sum(billed) if billed else None,
        left.usage + right.usage,
    )


class SpeakerNames:
    """Who is who across pieces, where the server names strangers anew in each: A, B, ...

    Of the speakers of the first piece samples go along with the later ones, so that the server knows them again. A
    stranger of a later piece keeps a name of that piece, for nobody knows whether it is somebody of another one.

    Parameters
    ----------
    known : sequence of str
        The names that the person gave.
    """

    def __init__(self, known: Sequence[str]) -> None:
        self._known = frozenset(known)
        self._given: dict[str, str] = {}
        self.samples: dict[str, Segment] = {}
        """Where in the first piece each of its strangers is best heard, by the name that the server is to know."""

    def learn(self, first: Heard, room: int) -> None:
        """Take the first piece; of so many strangers at most there are samples."""
        best: dict[str, Segment] = {}
        for segment in first.segments:
            name, lasts_s = segment.speaker, segment.end_s - segment.start_s
            if not name or name in self._known or lasts_s < _SHORTEST_S:
                continue
            if name not in best or lasts_s > best[name].end_s - best[name].start_s:
                best[name] = segment
        for name, segment in list(best.items())[:room]:
            mark = f"{_MARK}{name}"  # the server may call a stranger of another piece by the bare name
            self._given[mark] = name
            self.samples[mark] = replace(segment, end_s=min(segment.end_s, segment.start_s + _LONGEST_S))

    def put_right(self, found: Heard, piece: Piece) -> Heard:
        """What was heard in a piece, with the names that hold for the whole recording."""
        named = (replace(one, speaker=self._name(one.speaker, piece)) for one in found.segments)
        return replace(found, segments=tuple(named))

    def _name(self, name: str, piece: Piece) -> str:
        if not name or name in self._known or piece.number == 0:
            return name
        return self._given.get(name) or f"{name} (part {piece.number + 1})"
