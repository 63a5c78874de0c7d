"""Words cut into phrases that the eye takes in at once, and how long each takes to say.

Text goes in as it arrives; where the cuts fall depends on the text alone, never on the pieces that it came in. Lengths
are in letters: what a voice needs for one letter of plain prose is the unit, so that a rate in seconds per letter turns
them into times. There is no input or output here.

    "Yes. It is 12 km, I think." -> "Yes." (3 letters, then a pause), "It is 12 km, I think."
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise, zip_longest
from operator import attrgetter
from typing import NamedTuple, TypeAlias

__all__ = ["LONGEST", "Word", "Wording"]

LONGEST = 60
"""Most columns of a phrase, some ten words; a wide character takes two. Only a single longer word goes beyond."""

_STRETCH = 10 * LONGEST  # columns of one sentence that are cut together, so that a text without an end stays quick

# In letters. Of what the offline voice says, a comma's pause takes as long as three letters of prose, a sentence's as
# four, a digit as five to seven: years less than measures. Spaces and quotes take nothing.
_DIGIT, _SIGN, _SPELLED = 5.0, 4.0, 2.5
_PAUSE = {"clause": 3.0, "sentence": 4.0}
# Scripts that write more with a character: an ideograph is a syllable or two, a kana or a Hangul block one.
_WIDE = ((0x3040, 0x30FF, 2.0), (0x3400, 0x9FFF, 3.5), (0xAC00, 0xD7A3, 3.0), (0xF900, 0xFAFF, 3.5))

_ENDS, _WIDE_ENDS, _CLAUSES = ".!?…", "。！？", ",;:—–、，；："
_CLOSERS = "\"'”’»)]}」』）*_`"
_OPENERS = "\"'“‘«([{「『（*_`#"
# Chinese and Japanese part no words: there a phrase may end behind any character and its marks.
_WORDLESS = r"\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_UNIT = re.compile(rf"[{_WORDLESS}][^\w\s{re.escape(_OPENERS)}]*|[^\s{_WORDLESS}]+")
_JOINTS = frozenset(["and", "because", "but", "if", "or", "so", "that", "when", "where", "which", "while", "who"])
# A full stop behind these ends no sentence; behind the latter not where a number follows. "etc." is not here: it does.
_ABBREVIATION = re.compile(r"(?:mr|mrs|ms|dr|prof|st|jr|sr|vs|cf|ca|approx|e\.g|i\.e|(?:[^\W\d_]\.)*[^\W\d_])\.", re.I)
_BEFORE_A_NUMBER = re.compile(r"(?:nos?|figs?|eq|vol|ch|sec|pp?|art)\.", re.I)
_COST = {"sentence": 0.0, "clause": 0.0, "joint": 0.3, "word": 1.0, "short word": 1.4, "no word": 2.0}
_COST_OF_A_PHRASE = 0.5


_start = attrgetter("start")
_Unit: TypeAlias = "tuple[re.Match[str], str]"  # a word, and what kind of gap lies behind it


class Word(NamedTuple):
    """A word and its place: characters `start` to `end` of the text, letters `begins` to `ends` of its length."""

    start: int
    end: int
    begins: float
    ends: float
    spoken: float
    """Letters before it, pauses left out."""
    pause: float
    """Letters of silence behind it, which its punctuation asks for."""
    opens: bool
    """Whether a phrase begins with it."""


class Span(NamedTuple):
    """Where a phrase is: characters `start` to `end` of the text, letters `begins` to `ends` of its length."""

    start: int
    end: int
    begins: float
    ends: float


class Wording:
    """A text that grows, as words and phrases.

    Examples
    --------
    >>> wording = Wording()
    >>> wording.add("Well, I did. Dr. No kn")
    >>> wording.add("ows.")
    >>> [wording.text[phrase.start : phrase.end] for phrase in wording.phrases()]
    ['Well, I did.', 'Dr. No knows.']
    """

    def __init__(self) -> None:
        self.text = ""
        self.settled = 0
        """Characters whose words and phrases no later text can change."""
        self._kept_words: list[Word] = []
        self._kept_phrases: list[Span] = []
        self._words: list[Word] = []
        self._phrases: list[Span] = []
        self._fresh = True

    def add(self, text: str) -> None:
        """Take more of the text."""
        self.text += text
        self._fresh = self._fresh and not text

    def words(self) -> list[Word]:
        """Every word so far."""
        self._read()
        return self._words

    def phrases(self) -> list[Span]:
        """Every phrase so far; the last few may still move."""
        self._read()
        return self._phrases

    def letters_at(self, character: int) -> float:
        """How many letters come before a character: within a word in proportion, between words before the pause."""
        words = self.words()
        at = bisect_right(words, character, key=_start) - 1
        if at < 0:
            return 0.0
        word = words[at]
        return word.begins + (word.ends - word.begins) * min(1.0, (character - word.start) / (word.end - word.start))

    def _read(self) -> None:
        if self._fresh:
            return
        tail_words: list[Word] = []
        tail_phrases: list[Span] = []
        for sentence, settled in self._sentences(self.settled):
            cuts = _cut(sentence)
            words = _measured(sentence, {first for first, _ in cuts}, (tail_words or self._kept_words)[-1:])
            phrases = [Span(words[i].start, words[j].end, words[i].begins, words[j].ends) for i, j in cuts]
            if settled:
                self._kept_words += words
                self._kept_phrases += phrases
                self.settled = words[-1].end
            else:
                tail_words += words
                tail_phrases += phrases
        self._words, self._phrases = self._kept_words + tail_words, self._kept_phrases + tail_phrases
        self._fresh = True

    def _sentences(self, start: int) -> Iterator[tuple[list[_Unit], bool]]:
        """Sentences from `start` on, overlong ones in parts; and whether what may yet come leaves each as it is."""
        sentence: list[_Unit] = []
        columns, said = 0, False  # said: whether there is a letter or digit in it
        units = list(_UNIT.finditer(self.text, start))
        for unit, following in zip_longest(units, units[1:]):
            said = said or any(map(str.isalnum, unit[0]))
            gap = _gap(unit, following, alone=not sentence, said=said)
            sentence.append((unit, gap))
            columns += _columns(unit[0]) + 1
            if following is None:
                yield sentence, False
            elif gap == "sentence" or columns >= _STRETCH:
                # An opening quote alone does not say yet whether a small letter follows.
                yield sentence, bool(_opening(following)) or following.end() < len(self.text)
                sentence, columns, said = [], 0, False


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _letters(word: str) -> float:
    """How long a word takes to say, in letters of plain prose."""
    if word.isascii() and word.isalpha() and not word.isupper():
        return float(len(word))
    spelled = len(word) > 1 and word.isupper()
    return sum(_letters_of(character, spelled) for character in word)


def _letters_of(character: str, spelled: bool) -> float:
    code, kind = ord(character), unicodedata.category(character)
    if kind[0] == "L":
        wide = next((letters for first, last, letters in _WIDE if first <= code <= last), 1.0)
        return _SPELLED if spelled and wide == 1.0 else wide
    if kind == "Nd":
        return _DIGIT
    return _SIGN if kind in ("Sc", "Sm") or character in "%&@" else 0.0


def _opening(unit: re.Match[str]) -> str:
    """The first character of a word that is no quote or bracket; none where it has come no further."""
    return unit[0].lstrip(_OPENERS)[:1]


def _gap(unit: re.Match[str], following: re.Match[str] | None, *, alone: bool, said: bool) -> str:
    """The kind of gap behind a word; `alone` where its sentence begins with it, `said` where that says anything."""
    mark = unit[0].rstrip(_CLOSERS)[-1:] or " "
    if following is None:
        return "sentence" if mark in _ENDS + _WIDE_ENDS else "clause" if mark in _CLAUSES else "word"
    if mark in _WIDE_ENDS:
        return "sentence"
    white = unit.string[unit.end() : following.start()]
    goes_on = _opening(following).islower()
    if "\n" in white and said and (white.count("\n") > 1 or not goes_on):
        return "sentence"  # a paragraph, a title, an item of a list; else a wrapped line
    if white and mark in _ENDS and said and not goes_on:
        word = unit[0].strip(_CLOSERS + _OPENERS)
        opens_item = alone and len(word) <= 4 and word[:-1].isdecimal()  # "1.", and not "in 12."
        numbers = _BEFORE_A_NUMBER.fullmatch(word) and _opening(following).isdecimal()
        if word == "I." or not (opens_item or numbers or _ABBREVIATION.fullmatch(word)):
            return "sentence"
    if mark in _CLAUSES or unit[0] in ("-", "--"):
        return "clause"
    if not white:
        return "no word"
    if following[0].casefold() in _JOINTS:
        return "joint"
    return "short word" if len(unit[0]) <= 3 else "word"


def _measured(sentence: list[_Unit], opening: set[int], before: list[Word]) -> list[Word]:
    """The words of a sentence, of which those at `opening` begin phrases; `before` is the word before it, if any."""
    letters = spoken = 0.0
    if before:
        letters, spoken = before[0].ends + before[0].pause, before[0].spoken + before[0].ends - before[0].begins
    words = []
    for place, (unit, gap) in enumerate(sentence):
        length, pause = _letters(unit[0]), _PAUSE.get(gap, 0.0)
        words.append(Word(unit.start(), unit.end(), letters, letters + length, spoken, pause, place in opening))
        letters, spoken = letters + length + pause, spoken + length
    return words


def _cut(sentence: list[_Unit]) -> list[tuple[int, int]]:
    """The phrases of a sentence, as their first and last word: as few as fit, cut where a speaker may breathe."""
    widths = [_columns(unit[0]) for unit, _ in sentence]
    spaced = [True, *(left.end() < right.start() for (left, _), (right, _) in pairwise(sentence))]
    best: list[tuple[float, int]] = [(0.0, 0)]  # of the words up to here: what they cost, where the last phrase begins
    for end in range(1, len(sentence) + 1):
        cut = _COST[sentence[end - 1][1]] if end < len(sentence) else 0.0
        columns, choices = 0, []
        for start in range(end - 1, -1, -1):
            columns += widths[start]
            if columns > LONGEST and start < end - 1:
                break
            unfilled = max(0.0, 1 - columns / LONGEST)
            choices.append((best[start][0] + _COST_OF_A_PHRASE + unfilled**2 + cut, start))
            columns += spaced[start]
        best.append(min(choices))
    phrases: list[tuple[int, int]] = []
    end = len(sentence)
    while end:
        start = best[end][1]
        phrases.append((start, end - 1))
        end = start
    return phrases[::-1]
