"""Markdown to words worth saying: marks that a voice would stumble over go, the words stay."""

from __future__ import annotations

import re

__all__ = ["speakable"]

_RULES = [
    (re.compile(r"```[^\n]*\n.*?(?:```|\Z)", re.S), " Here is some code. "),
    (re.compile(r"!\[([^\]]*)\]\([^)]*\)"), r"\1"),  # an image: what it shows
    (re.compile(r"\[([^\]]+)\]\((?:[^)]*)\)"), r"\1"),  # a link: its words
    (re.compile(r"<(https?://[^>\s]+)>"), r"\1"),
    (re.compile(r"https?://(?:www\.)?([^/\s)]+)[^\s)]*"), r"\1"),  # an address: the site
    (re.compile(r"(?m)^\s{0,3}#{1,6}\s+(.+?)\s*#*$"), r"\1."),  # a heading ends like a sentence
    (re.compile(r"(?m)^\s*(?:[-*+]|\d+[.)])\s+"), ""),  # a list's bullets and numbers
    (re.compile(r"(?m)^\s*>\s?"), ""),
    (re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1"), r"\2"),
    (re.compile(r"(?<!\w)([*_])(?=\S)(.+?)(?<=\S)\1(?!\w)"), r"\2"),
    (re.compile(r"`([^`\n]+)`"), r"\1"),
    (re.compile(r"<[^<>\n]{1,80}>"), " "),
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
