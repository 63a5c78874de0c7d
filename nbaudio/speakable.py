"""Markdown to words worth saying: marks that a voice would stumble over go, the words stay."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

__all__ = ["speakable"]


def _sentence(heading: re.Match[str]) -> str:
    words = heading[1]
    return words if words[-1] in ".!?:;," else words + "."


_QUOTE = re.compile(r"(?m)^[ \t]*(?:>[ \t]?)+")
_CODE = re.compile(r"(?ms)^[ \t]*(```|~~~)[^\n]*\n.*?(?:^[ \t]*\1[`~]*[ \t]*$|\Z)")
_CELL_END = re.compile(r"(?<!\\)\|")
_UNDER_A_HEAD = re.compile(r"[ \t:|-]+")  # what stands between the names and the rows of a table
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_KEPT = 0xF0000  # a plane of Unicode that nobody writes in: marks that stand for themselves, until all others are gone
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]\w{1,30});")

_LEADS = re.compile(  # where links lead that name it by a label
    r"(?m)^[ \t]{0,3}\[([^\[\]\n^][^\[\]\n]*)\]:[ \t]*(?:<|[#/.]|\w+:)\S*(?:[ \t]+[\"'(][^\n]*[\"')])?[ \t]*$"
)
_LABELED = re.compile(r"\[([^\[\]\n]+)\]\[([^\[\]\n]*)\]")

_RULES: list[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]] = [
    (re.compile(r"(?m)^[ \t]{0,3}\[\^[^\[\]\n]+\]:[ \t]*"), ""),  # a footnote: its words
    (re.compile(r"\[\^[^\[\]\n]+\]"), ""),  # a footnote's number
    (re.compile(r"!\[([^\[\]\n]*)\]\([^()\n]*\)"), r"\1"),  # an image: what it shows
    (re.compile(r"\[([^\[\]\n]+)\]\((?:[^()\n]|\([^()\n]*\))*\)"), r"\1"),  # a link: its words
    (re.compile(r"<(?:(https?://[^<>\s]+)|(?:mailto:)?([\w.+-]+@[\w.-]+))>"), r"\1\2"),
    # an address: the site
    (re.compile(r"(?:https?://(?:www\.)?|(?<![\w/.@-])www\.)([^/\s)]+)[^\s)]*?(?=[.,;:!?]*(?:[\s)]|$))"), r"\1"),
    (re.compile(r"(?m)^[ \t]{0,3}#{1,6}[ \t]+([^\n]+?)[ \t]*#*$"), _sentence),
    (re.compile(r"(?m)^[ \t]*(?:[-*_][ \t]*){3,}$"), ""),  # a line across the page
    (re.compile(r"(?m)^[ \t]{0,3}={3,}[ \t]*$"), ""),  # a line under a heading
    # a list's bullets, numbers and boxes
    (re.compile(r"(?m)^[ \t]*(?:[-*+]|\d{1,3}[.)])[ \t]+(?:\[[ xX]\][ \t]+)?"), ""),
    (re.compile(r"(\*\*|__|~~)(?=\S)((?:[^\n]|\n(?!\s*\n)){1,500}?)(?<=\S)\1"), r"\2"),
    (re.compile(r"(?<!\w)([*_])(?=\S)([^\n]{1,500}?)(?<=\S)\1(?!\w)"), r"\2"),
    (re.compile(r"(?<!`)(`{1,3})(?!`)([^\n]{1,500}?)(?<!`)\1(?!`)"), r"\2"),
    (re.compile(r"<!--.{0,2000}?-->", re.S), ""),
    (re.compile(r"</?[A-Za-z!][^<>\n]{0,80}>"), " "),  # a tag, and not "1 < 2 and 3 > 2"
]


def speakable(text: str) -> str:
    r"""The words of a Markdown text as one would read them out.

    Examples
    --------
    >>> speakable("**Yes**, see [the guide](https://example.org/a?b=1):")
    'Yes, see the guide:'
    >>> speakable("2 * 3 is 6, and snake_case_names stay")
    '2 * 3 is 6, and snake_case_names stay'
    >>> print(speakable("| Dog | Age |\n| --- | --- |\n| Rex | 3 |\n| Ida | 5 |"))
    Here is a table.
    Dog: Rex, Age: 3.
    Dog: Ida, Age: 5.
    """
    text = _CODE.sub("Here is some code.", _QUOTE.sub("", text))
    text = _ESCAPED.sub(lambda mark: chr(_KEPT + ord(mark[1])), _without_tables(text))
    text = _without_labels(text)
    for pattern, words in _RULES:
        text = pattern.sub(words, text)
    text = _ENTITY.sub(lambda entity: html.unescape(entity[0]), text)
    text = re.sub(f"[{chr(_KEPT)}-{chr(_KEPT + 127)}]", lambda mark: chr(ord(mark[0]) - _KEPT), text)
    return re.sub(r"[ \t]{2,}", " ", re.sub(r"(?m)^[ \t]+|[ \t]+$", "", text)).strip()


def _without_labels(text: str) -> str:
    """The text with the words of links whose addresses stand elsewhere in it, and without these."""
    known = {label.casefold() for label in _LEADS.findall(text)}
    if not known:
        return text

    def words(link: re.Match[str]) -> str:
        return link[1] if (link[2] or link[1]).casefold() in known else link[0]

    return _LABELED.sub(words, _LEADS.sub("", text))


def _without_tables(text: str) -> str:
    """The text with each row of a table as a sentence, in which every cell stands behind the name of its column."""
    if "|" not in text:
        return text
    lines, made, at = text.split("\n"), [], 0
    while at < len(lines):
        names = _cells(lines[at])
        if not (names and _is_under(lines[at + 1 : at + 2], len(names))):
            made.append(lines[at])
            at += 1
            continue
        made.append("Here is a table.")
        at += 2
        while at < len(lines) and (cells := _cells(lines[at])):
            said = [f"{name}: {cell}" if name else cell for name, cell in zip(names, cells, strict=False) if cell]
            if said:
                made.append(", ".join(said) + ("" if said[-1][-1] in ".!?" else "."))
            at += 1
    return "\n".join(made)


def _is_under(lines: list[str], columns: int) -> bool:
    if not lines or "-" not in lines[0] or not _UNDER_A_HEAD.fullmatch(lines[0]):
        return False
    return len(_cells(lines[0]) or [""]) == columns


def _cells(line: str) -> list[str]:
    """The cells of a line of a table; none where it is no such line."""
    if "|" not in line:
        return []
    cells = [cell.strip().replace("\\|", "|") for cell in _CELL_END.split(line.strip())]
    return cells[not cells[0] : len(cells) - (len(cells) > 1 and not cells[-1])]
