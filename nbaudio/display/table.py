"""A table of texts, as HTML, as Markdown and as plain text."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nbaudio.display.html import AS_WRITTEN, escape_markdown, tag

__all__ = ["Table", "one_line"]

_WIDEST = 60


@dataclass(frozen=True, repr=False)
class Table:
    """Rows of texts under headings; `empty` is what is said where there are no rows.

    Examples
    --------
    >>> print(Table(["Name", "Turns"], [["dogs", "4"]]))
    Name  Turns
    dogs  4
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    empty: str = ""

    def __str__(self) -> str:
        if not self.rows:
            return self.empty
        cells = [[one_line(text) for text in row] for row in (self.headings, *self.rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in cells]
        return "\n".join(line.rstrip() for line in lines)

    __repr__ = __str__

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        if not self.rows:
            paragraph = tag("p", self.empty)
            return {"text/plain": self.empty, "text/html": paragraph, "text/markdown": escape_markdown(self.empty)}
        left = "text-align:left"
        head = tag("tr", *(tag("th", one_line(text), style=left, scope="col") for text in self.headings))
        body = [tag("tr", *(tag("td", one_line(text), style=left) for text in row)) for row in self.rows]
        html = tag("table", tag("thead", head), tag("tbody", *body), class_=AS_WRITTEN)
        lines = [[escape_markdown(one_line(text)) for text in row] for row in (self.headings, *self.rows)]
        lines.insert(1, ["---"] * len(self.headings))
        markdown = "\n".join(f"| {' | '.join(row)} |" for row in lines)
        return {"text/plain": str(self), "text/html": html, "text/markdown": markdown}


def one_line(text: str, widest: int = _WIDEST) -> str:
    r"""A text as one short line, without what would move the cursor or turn the line around.

    >>> one_line("one\ntwo\x1b[31m three", 12)
    'one two [...'
    """
    plain = "".join(
        " " if unicodedata.category(letter) in ("Cc", "Zl", "Zp") else letter
        for letter in text[: 20 * widest]
        if unicodedata.category(letter) not in ("Cf", "Cs")
    )
    plain = " ".join(plain.split())
    return plain if len(plain) <= widest else plain[: widest - 3].rstrip() + "..."
