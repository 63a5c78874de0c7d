r"""``{name}`` in a cell becomes the value of that name, and every other brace stays as it is typed.

`str.format` is not the way: it fails on JSON, on code and on a lone brace. Here a brace is replaced only when it
holds a name that exists, with attributes or keys that exist too. The arguments of LaTeX commands and powers stay
as well: notebooks are full of names such as ``x`` and ``n``, and ``\frac{x}{n}`` does not mean them.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["interpolate"]

_FIELD = re.compile(
    r"""\\[A-Za-z]+\*?(?:\[[^\[\]\n]*\])?(?:\{(?:[^{}\n]|\{[^{}\n]*\})*\})+  # LaTeX: \frac{a}{b}, \sqrt[3]{x}
    | (?<![{$^\\])\{                      # one brace: not {{, not ${, not ^{, not \{
        ([^\W\d]\w*)                        # a name
        ((?:\.[^\W\d]\w* | \[[^\[\]{}\n]+\])*)  # .attributes and [keys]
        \}(?!\})""",
    re.VERBOSE,
)
_STEP = re.compile(r"\.([^\W\d]\w*)|\[([^\[\]]+)\]")
_ABSENT = object()


def interpolate(text: str, names: Mapping[str, Any]) -> str:
    """The text with ``{name}``, ``{name.attribute}`` and ``{name[key]}`` replaced by their values.

    A key is a number, a quoted text, the name of a variable, or else the text itself, as in ``str.format``.
    What does not exist is left as it is typed.

    Examples
    --------
    >>> interpolate("Say {word} and {d[k]}, not {other} or {'a': 1}.", {"word": "hi", "d": {"k": 2}})
    "Say hi and 2, not {other} or {'a': 1}."
    """

    def value(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0]
        found = names.get(match[1], _ABSENT)
        for attribute, key in _STEP.findall(match[2]):
            if found is _ABSENT:
                break
            found = _attribute(found, attribute) if attribute else _item(found, key.strip(), names)
        return match[0] if found is _ABSENT else _shown(found, match[0])

    return _FIELD.sub(value, text)


def _shown(value: Any, typed: str) -> str:
    try:
        return str(value)
    except Exception:  # whatever it is, it has no text to put here
        return typed


def _attribute(owner: Any, name: str) -> Any:
    try:
        return getattr(owner, name, _ABSENT)
    except Exception:  # a property may fail in any way: then it has no value to put here
        return _ABSENT


def _item(container: Any, key: str, names: Mapping[str, Any]) -> Any:
    candidates: list[Any]
    if len(key) >= 2 and key[0] == key[-1] and key[0] in "'\"":
        candidates = [key[1:-1]]
    elif re.fullmatch(r"-?\d{1,18}", key):
        candidates = [int(key), key]
    else:
        candidates = [names[key], key] if key in names else [key]
    for candidate in candidates:
        with contextlib.suppress(Exception):  # every library says in its own way that there is no such key
            return container[candidate]
    return _ABSENT
