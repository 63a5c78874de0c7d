"""Words that were meant against words that were heard: the word error rate, and which words differ.

Capitals, marks and the forms of letters do not count. Numbers do: "7" and "seven" are two words.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

from nbaudio.display.html import AS_WRITTEN, Html, escape_markdown, tag
from nbaudio.display.player import FIGURE, NOTE
from nbaudio.display.table import Table
from nbaudio.legible import legible

__all__ = ["Comparison", "Difference", "compared"]

_MOST_LISTED = 12
_LONGEST = 60  # characters of a run of words
_WORD = re.compile(r"\w+(?:['’]\w+)*")


class Difference(NamedTuple):
    """Words that were meant, and what was heard in their place; one is empty where words are missing or too many."""

    meant: str
    heard: str

    def __str__(self) -> str:
        if not self.heard:
            return f"left out “{_short(self.meant)}”"
        return (
            f"“{_short(self.heard)}” instead of “{_short(self.meant)}”"
            if self.meant
            else f"added “{_short(self.heard)}”"
        )


@dataclass(frozen=True)
class Comparison:
    """How far what was heard is from what was meant.

    `word_error_rate` is how many words are wrong, missing or too many, for each word that was meant: 0 where all is
    right, above 1 where more is wrong than was meant at all. `differences` are in their order.
    """

    meant: str
    heard: str
    word_error_rate: float
    differences: tuple[Difference, ...] = ()

    def __str__(self) -> str:
        if not self.differences:
            return "All words are heard as they are meant."
        return f"Word error rate {self.word_error_rate:.0%}: {self.told(_MOST_LISTED)}."

    def told(self, most: int) -> str:
        """The first so many differences, to be read; nothing where there are none."""
        more = len(self.differences) - most
        return "; ".join(map(str, self.differences[:most])) + (f"; and {more} more" if more > 0 else "")

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        said = f"Word error rate {self.word_error_rate:.0%}" if self.differences else str(self)
        rows = [[one.meant or "(nothing)", one.heard or "(nothing)"] for one in self.differences]
        table = Table(["Meant", "Heard"], rows)._repr_mimebundle_() if rows else {"text/html": "", "text/markdown": ""}
        line = tag("p", tag("strong", said), style="margin:.4em 0")
        heard = tag("p", tag("small", f"Heard: {legible(self.heard)}"), style=NOTE)
        parts = [line, *([Html(table["text/html"])] if rows else []), heard]
        return {
            "text/plain": legible(str(self)),
            "text/html": tag("figure", *parts, class_=AS_WRITTEN, style=FIGURE),
            "text/markdown": "\n\n".join(filter(None, [escape_markdown(said), table["text/markdown"]])),
        }


def compared(meant: str, heard: str) -> Comparison:
    """Two texts compared by jiwer.

    Examples
    --------
    >>> print(compared("A dog is loyal.", "a dock is"))
    Word error rate 50%: “dock” instead of “dog”; left out “loyal”.
    """
    import jiwer

    reference, hypothesis = _words(meant), _words(heard)
    if not reference or not hypothesis:  # jiwer takes no empty reference
        left = [Difference(" ".join(reference), " ".join(hypothesis))] if reference or hypothesis else []
        return Comparison(meant, heard, float(bool(left)), tuple(left))
    found = jiwer.process_words(" ".join(map(_key, reference)), " ".join(map(_key, hypothesis)))
    differences = []
    for same, run in groupby(found.alignments[0], lambda part: part.type == "equal"):
        if not same:
            first, *others = run
            last = others[-1] if others else first
            differences.append(
                Difference(
                    " ".join(reference[first.ref_start_idx : last.ref_end_idx]),
                    " ".join(hypothesis[first.hyp_start_idx : last.hyp_end_idx]),
                )
            )
    return Comparison(meant, heard, float(found.wer), tuple(differences))


def _words(text: str) -> list[str]:
    return _WORD.findall(unicodedata.normalize("NFKC", text))


def _key(word: str) -> str:
    return word.casefold().replace("’", "'")


def _short(words: str) -> str:
    return words if len(words) <= _LONGEST else f"{words[:28]} … {words[-28:]}"
