"""Cuts text into pieces worth speaking, also while it is still being written, and long texts into passages.

A piece is what the voice says in one breath: a sentence, or a clause of a very long one. There is no input or
output here: text goes in, pieces come out, and where the cuts fall depends on the text alone, never on how it was
chopped up on its way in.

    "Dr. Smith paid 3.5 million. He le" -> ["Dr. Smith paid 3.5 million."], and "He le" waits
    "ft. "                              -> nothing yet: the next word may begin with a small letter
    flush                               -> ["He left."]
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

__all__ = ["LONGEST", "SentenceFeed", "passages", "pieces"]

LONGEST = 300
"""Most characters in a piece. The voice's model takes time that grows with the square of a piece's length."""

_FIRST_CHARACTERS = 18  # a shorter first piece would be over before the next one is ready
_FIRST_WORDS = 4

_CLOSERS = "\"'”’»)\\]}*_"
# Before these words a speaker may take breath, where no mark says so.
_JOINTS = "and|because|but|if|or|so|that|when|where|which|while|who"
_CLAUSE = rf"[,;:][{_CLOSERS}]*(?=\s)|—+(?=\s|\w)|(?<=\s)(?:–|--?)(?=\s)|(?<=\w)(?=\s(?:{_JOINTS})\s)"
_CANDIDATE = re.compile(
    rf"(?P<wide>[。！？]+[{_CLOSERS}」』）]*)"
    rf"|(?P<end>[.!?…]+[{_CLOSERS}]*)"
    r"|(?P<line>\s*\n\s*)"
    rf"|(?P<clause>{_CLAUSE})"
)
_CLAUSE_ONLY = re.compile(_CLAUSE)
_VISIBLE = re.compile(r"\S")
_BLOCK = 4 * LONGEST  # characters of a whole text looked at together, so that a book takes linear time

# Abbreviations that another word nearly always follows. "etc." and "Inc." are not here: they do end sentences.
_NEVER_LAST = re.compile(
    "mr|mrs|ms|mx|dr|prof|st|rev|hon|gen|col|lt|capt|cpt|sgt|maj|gov|sen|rep|pres|messrs|mt|ft|vs|cf|viz|approx|ca"
    "|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec"
)
_BEFORE_A_NUMBER = re.compile("nos?|figs?|eq|vol|ch|sec|pp?|art|ver|nr")
_DOTTED = re.compile(r"(?:[^\W\d_]{1,2}\.)+[^\W\d_]{1,2}")  # e.g, i.e, U.S, Ph.D, J.K
_CLOCK = frozenset(("a.m", "p.m"))


def _ends_sentence(text: str, mark: re.Match[str], following: str) -> bool:
    """Whether a mark with white space behind it ends a sentence; `following` is the next visible character."""
    before = text[: mark.start()]
    if following.islower() or not any(character.isalnum() for character in before):
        return False  # "'What?' she asked", "well... maybe"; or nothing to say yet
    if mark["end"].rstrip("\"'”’»)]}*_") != ".":
        return True
    word = before.split()[-1].lstrip("([{\"'“‘«*_")
    folded = word.casefold()
    if word.isdecimal() and word == before.strip("*_#-• "):
        return False  # "1." that opens a list item
    if len(word) == 1 and word.isupper():
        return word == "I"  # an initial: "J. K. Rowling"
    if _BEFORE_A_NUMBER.fullmatch(folded):
        return not following.isdecimal()
    if _DOTTED.fullmatch(word):
        return folded in _CLOCK
    return not _NEVER_LAST.fullmatch(folded)


def _opens_well(piece: str) -> bool:
    """Whether a clause is long enough to be said before its sentence is known."""
    return len(piece) >= _FIRST_CHARACTERS and len(piece.split()) >= _FIRST_WORDS


def _cut_of_long(text: str) -> int:
    """Where to cut a text of more than `LONGEST` characters that has no sentence end within them."""
    for mark in reversed(list(_CLAUSE_ONLY.finditer(text, 0, LONGEST + 1))):
        if LONGEST // 3 <= mark.end() <= LONGEST:
            return mark.end()
    spaces = [at for at in range(1, LONGEST + 1) if text[at].isspace()]
    return spaces[-1] if spaces else LONGEST


def _next_cut(text: str, eager: bool) -> int | None:
    """Length of the first piece of `text`, which starts with a visible character; None if it can't be known yet."""
    for mark in _CANDIDATE.finditer(text, 0, LONGEST + 2):
        end = mark.end()
        if end > LONGEST:
            break
        visible = _VISIBLE.search(text, end)
        following = visible[0] if visible else ""
        if mark["clause"] is not None:
            if eager and _opens_well(text[:end]):
                return end
        elif end == len(text):
            return None  # the mark itself may go on: "..", "?!", a closing quote
        elif mark["wide"]:
            return end  # no white space follows these
        elif mark["line"]:
            # A lone line break before a small letter is a wrapped line; others end an item, a title, a paragraph.
            blank_line = mark["line"].count("\n") > 1
            if any(character.isalnum() for character in text[:end]) and (blank_line or not following.islower()):
                return end
        elif text[end].isspace():  # not "3.5" and not "example.com"
            if not following:
                return None
            if _ends_sentence(text, mark, following):
                return end
    return _cut_of_long(text) if len(text.rstrip()) > LONGEST else None


class SentenceFeed:
    """Speakable pieces of a text that arrives bit by bit.

    A piece is complete when the end of its sentence has come, then white space, then the first character of the
    next word, which tells "J. K. Rowling" and "e.g. this" from a real end. Sentences of more than `LONGEST`
    characters are cut at a clause mark, else at a space, else anywhere. A line break ends a piece too, unless the
    line goes on with a small letter.

    Parameters
    ----------
    eager : bool
        Let the first piece end already at a comma, semicolon, colon or dash, or before a word like "because", once
        it has 18 characters and 4 words. Speech then starts about a sentence sooner, and the pause falls where a
        speaker may make one. Later pieces don't need it: while one is heard the next is made, and whole sentences
        get the better melody.

    Examples
    --------
    >>> feed = SentenceFeed()
    >>> [feed.feed(token) for token in ["Well, I", " did. Dr.", " No knows", "."]]
    [[], ['Well, I did.'], [], []]
    >>> feed.flush()
    ['Dr. No knows.']
    """

    def __init__(self, eager: bool = True) -> None:
        self._eager = eager
        self._held = ""

    def feed(self, delta: str) -> list[str]:
        """Pieces that are complete now that `delta` has come; often none.

        Each is stripped of white space at its ends and holds at least one visible character.
        """
        self._held = (self._held + delta).lstrip()
        complete = []
        while self._held and (cut := _next_cut(self._held, self._eager)) is not None:
            complete.append(self._held[:cut].rstrip())
            self._held = self._held[cut:].lstrip()
            self._eager = False
        return complete

    def flush(self) -> list[str]:
        """Return the rest as one piece, or nothing; for when the text is over. The feed can be used again."""
        rest, self._held = self._held.rstrip(), ""
        if rest:
            self._eager = False
        return [rest] if rest else []


def pieces(text: str) -> list[str]:
    """Cut a whole text into the pieces that a voice should say one by one.

    Nothing is lost: joined, the pieces have all visible characters of `text` in their order.

    Parameters
    ----------
    text : str
        Plain text of any length; markup is not looked at.

    Returns
    -------
    list of str
        Pieces of 1 to `LONGEST` characters, without white space at their ends.

    Examples
    --------
    >>> pieces("Dr. Smith paid $3.5 million! Why? J. K. Jones, e.g., did not.")
    ['Dr. Smith paid $3.5 million!', 'Why?', 'J. K. Jones, e.g., did not.']
    >>> pieces("  ")
    []
    """
    feed = SentenceFeed(eager=False)
    blocks = (text[at : at + _BLOCK] for at in range(0, len(text), _BLOCK))
    return [piece for block in blocks for piece in feed.feed(block)] + feed.flush()


def passages(text: str, fits: Callable[[str], bool]) -> list[tuple[str, str]]:
    """Cut a text into as few passages as fit, at ends of sentences where that can be.

    Parameters
    ----------
    text : str
    fits : callable
        Whether a passage is short enough; a part of one that fits has to fit.

    Returns
    -------
    list of (str, str)
        Of each passage the white space before it, and itself. Joined they are the text without white space at its ends.

    Examples
    --------
    >>> passages("One. Two? Three!", lambda passage: len(passage) <= 10)
    [('', 'One. Two?'), (' ', 'Three!')]
    """
    found: list[tuple[str, str]] = []
    spans = list(_spans(text, fits))
    first = done = 0
    while first < len(spans):
        start, last, good = spans[first].start, first, first
        while last + 1 < len(spans) and fits(text[start : spans[last + 1].end]):
            last += 1
            good = last if spans[last].ends else good
        # At the end of a sentence, unless that leaves half of the room, or there is no more text.
        if last + 1 < len(spans) and spans[good].ends and 2 * (spans[good].end - start) > spans[last].end - start:
            last = good
        found.append((text[done:start] if found else "", text[start : spans[last].end]))
        first, done = last + 1, spans[last].end
    return found


class _Span(NamedTuple):
    start: int
    end: int
    ends: bool
    """Whether a sentence ends with it."""


def _spans(text: str, fits: Callable[[str], bool]) -> Iterator[_Span]:
    """Where the pieces of a text lie that fit."""
    at = 0
    for piece in pieces(text):
        start = text.index(piece, at)
        at = start + len(piece)
        behind = _VISIBLE.search(text, at)
        white = text[at : behind.start() if behind else len(text)]
        ends = "\n" in white or piece.rstrip("\"'”’»)]}*_」』）")[-1:] in tuple(".!?…。！？")
        *halves, rest = _halved(piece, start, fits)
        yield from (_Span(*half, False) for half in halves)
        yield _Span(*rest, ends)


def _halved(piece: str, start: int, fits: Callable[[str], bool]) -> list[tuple[int, int]]:
    """Where the parts of a piece lie that fit, cut at spaces where there are any."""
    if len(piece) < 2 or fits(piece):
        return [(start, start + len(piece))]
    middle = len(piece) // 2
    spaces = [at for at in range(1, len(piece) - 1) if piece[at].isspace()]
    cut = min(spaces, key=lambda at: abs(at - middle)) if spaces else middle
    rest = piece[cut:].lstrip()
    left = piece[:cut].rstrip()
    return [*_halved(left, start, fits), *_halved(rest, start + len(piece) - len(rest), fits)]
