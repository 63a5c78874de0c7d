"""Markdown to words worth saying: marks that a voice would stumble over go, the words stay."""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["speakable"]


def _sentence(heading: re.Match[str]) -> str:
    words = heading[1]
    return words if words[-1] in ".!?:;," else words + "."


_RULES: list[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]] = [
    (re.compile(r"(?ms)^[ \t]*```[^\n]*\n.*?(?:^[ \t]*```|\Z)"), " Here is some code. "),
    (re.compile(r"!\[([^\[\]\n]*)\]\([^()\n]*\)"), r"\1"),  # an image: what it shows
    (re.compile(r"\[([^\[\]\n]+)\]\((?:[^()\n]|\([^()\n]*\))*\)"), r"\1"),  # a link: its words
    (re.compile(r"<(https?://[^>\s]+)>"), r"\1"),
    (re.compile(r"https?://(?:www\.)?([^/\s)]+)[^\s)]*?(?=[.,;:!?]*(?:[\s)]|$))"), r"\1"),  # an address: the site
    (re.compile(r"(?m)^[ \t]{0,3}#{1,6}[ \t]+([^\n]+?)[ \t]*#*$"), _sentence),
    (re.compile(r"(?m)^[ \t]*(?:[-*_][ \t]*){3,}$"), ""),  # a line across the page
    (re.compile(r"(?m)^[ \t]*(?:[-*+]|\d{1,3}[.)])[ \t]+"), ""),  # a list's bullets and numbers
    (re.compile(r"(?m)^[ \t]*>[ \t]?"), ""),
    (re.compile(r"(\*\*|__)(?=\S)([^\n]{1,500}?)(?<=\S)\1"), r"\2"),
    (re.compile(r"(?<!\w)([*_])(?=\S)([^\n]{1,500}?)(?<=\S)\1(?!\w)"), r"\2"),
    (re.compile(r"`([^`\n]+)`"), r"\1"),
    (re.compile(r"</?[A-Za-z!][^<>\n]{0,80}>"), " "),  # a tag, and not "1 < 2 and 3 > 2"
]


def speakable(text: str) -> str:
    """The words of a Markdown text as one would read them out.

    Examples
    --------
    >>> speakable("**Yes**, see [the guide](https://example.org/a?b=1):")
    'Yes, see the guide:'
    >>> speakable("2 * 3 is 6, and snake_case_names stay")
    '2 * 3 is 6, and snake_case_names stay'
    """
    for pattern, words in _RULES:
        text = pattern.sub(words, text)
    return re.sub(r"[ \t]{2,}", " ", text).strip()
