"""Text from anywhere, made into text that any page, terminal and file can hold."""

from __future__ import annotations

import re

__all__ = ["legible", "without_halves"]

_LINE_END = re.compile("\r\n|[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
# Control characters drive a terminal; the two overrides turn round what stands beside them, up to the end of the line;
# half a character can't be written into any file, a notebook's neither.
_NO_TEXT = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\u202d\u202e\ud800-\udfff]")


_HALF = re.compile("[\ud800-\udfff]")


def without_halves(text: str) -> str:
    r"""The text with a mark in the place of each half of a character.

    A notebook that holds one can't be written to its file.

    Examples
    --------
    >>> without_halves("a\ud83d")
    'a�'
    """
    return _HALF.sub("\ufffd", text)


def legible(text: str) -> str:
    r"""The text with a mark in the place of each character that is none to read.

    Those are control characters but tabs and line ends, overrides of the direction of writing, and halves of
    characters. Every kind of line end becomes ``"\n"``.

    Examples
    --------
    >>> legible("\x1b[31mred\r\n\ud83d")
    '�[31mred\n�'
    """
    return _NO_TEXT.sub("\ufffd", _LINE_END.sub("\n", text))
