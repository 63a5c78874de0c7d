"""How a piece of text is read aloud: its phonemes, and which of them are which word's.

A word of the text need not be one that is said: "12 km" is read as "twelve kilometers", and "3:30 pm" as "three thirty
P M". So the words of the text are matched with those that are read; where so many stand for so many others, each gets
the share that its letters have.
"""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

__all__ = ["Reader", "Reading", "WordSpan", "plain"]

_MARKUP = re.compile(r"\[([^\[\]]*)\]\([^()]*\)")
_LONG_NUMBER = re.compile(r"\d{13,}|\d[\d,.]{24,}\d")  # read digit by digit: nobody says them as numbers
_WORD = re.compile(r"\S+")


class WordSpan(NamedTuple):
    """One word: characters `start` to `end` of the text, and where `first` to `last` among the phonemes it lies.

    Its edges may fall within a phoneme. Of a word that is not said `first` is `last`.
    """

    start: int
    end: int
    first: float
    last: float


@dataclass(frozen=True)
class Reading:
    """A piece of text as phonemes, one character each; and its words, in order."""

    phonemes: str
    words: tuple[WordSpan, ...]


class Reader:
    """Reads English text; loading its dictionaries takes half a second."""

    def __init__(self) -> None:
        from hibari import g2p

        self._normalize = g2p.normalize
        self._read = g2p.G2P()

    def read(self, piece: str) -> Reading:
        """The phonemes of a text, of which any is taken as it stands: no markup is interpreted."""
        said = self._normalize(plain(piece))
        phonemes, spans = _joined(self._read.phonemize_tokens(self._read.tokenize(said)))
        written = [(word.group(), word.start(), word.end()) for word in _WORD.finditer(piece)]
        shares = _matched([word for word, _, _ in written], said.split())
        if len(spans) != len(said.split()):  # not seen yet; then all that is known is where the piece begins and ends
            shares = _spread([word for word, _, _ in written], 0, len(spans))
        words = (
            WordSpan(start, end, *_sounding(phonemes, _place(spans, first), _place(spans, last)))
            for (_, start, end), (first, last) in zip(written, shares, strict=True)
        )
        return Reading(phonemes, tuple(words))


def plain(text: str) -> str:
    """Text that hibari reads as words and nothing else.

    hibari takes ``[word](/phonemes/)`` for an instruction, and fails on digits like ① and ⁷, on numbers beyond its
    number words, and on İ, which becomes two characters when lowered. A language model may write any of these.
    """
    kept = []
    for character in text.replace("İ", "I"):
        kind = unicodedata.category(character)
        if kind == "Cc":
            kept.append("\n" if character == "\n" else " ")
        elif kind[0] == "C":
            continue
        elif character.isdigit() and not character.isdecimal() and character not in "²³":
            kept.append(f" {unicodedata.digit(character)} ")
        else:
            kept.append(character)
    unmarked = _MARKUP.sub(r"\1", "".join(kept)).replace("](", "] (")
    return _LONG_NUMBER.sub(lambda number: " ".join(filter(str.isdecimal, number[0])), unmarked)


def _joined(tokens: list[Any]) -> tuple[str, list[tuple[int, int]]]:
    """The phonemes of all tokens, as hibari joins them, and where those of each word lie that white space ends."""
    parts, spans, start, at = [], [], 0, 0
    for token in tokens:
        parts.append(token.phonemes or "")
        at += len(parts[-1])
        if token.whitespace:
            spans.append((start, at))
            parts.append(" ")
            at += 1
            start = at
    if tokens and not tokens[-1].whitespace:
        spans.append((start, at))
    joined = "".join(parts)
    phonemes = joined.strip()
    cut = len(joined) - len(joined.lstrip())
    return phonemes, [tuple(min(max(edge - cut, 0), len(phonemes)) for edge in span) for span in spans]  # type: ignore[misc]


def _matched(written: list[str], said: list[str]) -> list[tuple[float, float]]:
    """Of each written word where it begins and ends among those that are said."""
    shares: list[tuple[float, float]] = []
    same = SequenceMatcher(None, [_key(word) for word in written], [_key(word) for word in said], autojunk=False)
    for kind, from_written, to_written, from_said, to_said in same.get_opcodes():
        words = written[from_written:to_written]
        if kind == "equal" or len(words) == to_said - from_said:
            shares += [(float(place), place + 1.0) for place in range(from_said, to_said)]
        else:
            shares += _spread(words, from_said, to_said)
    return shares


def _spread(words: list[str], first: int, last: int) -> list[tuple[float, float]]:
    """The words laid over a stretch by their length."""
    edges = [0, *accumulate(len(word) for word in words)]
    scale = (last - first) / max(edges[-1], 1)
    return [(first + left * scale, first + right * scale) for left, right in pairwise(edges)]


def _key(word: str) -> str:
    return word.replace("’", "'")  # as hibari writes it


def _place(spans: list[tuple[int, int]], share: float) -> float:
    """Where among the phonemes a place among the words lies."""
    if not spans:
        return 0.0
    word = min(int(share), len(spans) - 1)
    start, end = spans[word]
    return start + (share - word) * (end - start)


def _sounding(phonemes: str, first: float, last: float) -> tuple[float, float]:
    """The stretch without the marks and spaces at its ends, whose time is a pause; nothing where no sound is left."""
    while first < last and not phonemes[math.ceil(last) - 1].isalpha():
        last = max(first, math.ceil(last) - 1.0)
    while first < last and not phonemes[math.floor(first)].isalpha():
        first = min(last, math.floor(first) + 1.0)
    return first, last
