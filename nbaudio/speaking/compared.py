"""What was said against what should have been said, word by word."""

from __future__ import annotations

import re
import unicodedata
from difflib import SequenceMatcher

__all__ = ["differences"]

_WORD = re.compile(r"\w+(?:['’]\w+)*")
_MOST_SHOWN = 5


def differences(asked: str, said: str) -> str:
    """The words that differ, to be read; nothing where all are the same.

    Capitals, marks and the forms of letters do not count.

    Examples
    --------
    >>> differences("Hello, world! It’s me.", "hello world - it's me")
    ''
    >>> differences("It is a good dog, really.", "It was a good, big dog.")
    '“was” instead of “is”; added “big”; left out “really”'
    """
    wanted, heard = _words(asked), _words(said)
    found = []
    same = SequenceMatcher(None, [_key(word) for word in wanted], [_key(word) for word in heard], autojunk=False)
    for kind, left, right, low, high in same.get_opcodes():
        if kind != "equal":
            found.append(_told(" ".join(wanted[left:right]), " ".join(heard[low:high])))
    more = f"; and {len(found) - _MOST_SHOWN} more" if len(found) > _MOST_SHOWN else ""
    return "; ".join(found[:_MOST_SHOWN]) + more


def _told(wanted: str, heard: str) -> str:
    if not heard:
        return f"left out “{_short(wanted)}”"
    return f"“{_short(heard)}” instead of “{_short(wanted)}”" if wanted else f"added “{_short(heard)}”"


def _short(words: str) -> str:
    return words if len(words) <= 60 else f"{words[:28]} … {words[-28:]}"


def _words(text: str) -> list[str]:
    return _WORD.findall(unicodedata.normalize("NFKC", text))


def _key(word: str) -> str:
    return word.casefold().replace("’", "'")
