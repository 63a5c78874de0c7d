"""What came of a call, as the text that a model reads."""

from __future__ import annotations

import json
import traceback
import warnings
from dataclasses import dataclass
from types import CodeType
from typing import Any

import msgspec

from nbaudio.errors import NbaudioWarning, mask, shortened, without_keys

__all__ = ["Outcome", "outcome_of_error", "outcome_of_value", "said_by", "warn"]

_NOWHERE = ("nbaudio", 0)  # no line of the person's is at fault
_LONGEST_KEY = 1_000  # characters
_LONGEST = 100_000  # characters, about 25,000 tokens: more would fill a model's memory, and cost money at every turn


@dataclass(frozen=True)
class Outcome:
    """What came of a call: `text` is what the model reads; `failed` that it is an error or a refusal."""

    text: str
    failed: bool = False


def outcome_of_value(value: Any) -> Outcome:
    """What a tool gave: text as it is, all else as JSON; what JSON has no word for, as Python writes it.

    Arrays and tables of numpy, pandas and polars are understood, dataclasses and pydantic models too. A text of more
    than 100,000 characters is cut, and the model is told.

    Examples
    --------
    >>> outcome_of_value({"city": "Zürich", "degrees": 18.5}).text
    '{"city": "Zürich", "degrees": 18.5}'
    """
    return Outcome(_fitting(without_keys(value if isinstance(value, str) else _written(value))))


def outcome_of_error(name: str, function: Any, error: BaseException) -> Outcome:
    """What the model is told of an error that a tool raised; the person hears of it by a warning."""
    said = said_by(error)
    warn(f"The tool {name} failed, and the model is told: {said}", _place(function, error))
    # What is cut off anyway need not be masked, but for the rest of a key that the cut would go through.
    kept = _fitting(mask(said[: _LONGEST + _LONGEST_KEY]), len(said))
    return Outcome(json.dumps({"error": kept}, ensure_ascii=False), failed=True)


def said_by(error: BaseException) -> str:
    """The kind of an error, and what it says."""
    said = _text(error)
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def warn(text: str, place: tuple[str, int] = _NOWHERE) -> None:
    """Warn the person, every time: without a registry Python does not hold back what it has said before."""
    warnings.warn_explicit(mask(shortened(text)), NbaudioWarning, *place)


def _place(function: Any, error: BaseException) -> tuple[str, int]:
    """The line of the tool where an error passed, else the last that it passed."""
    lines = traceback.extract_tb(error.__traceback__)
    code = getattr(function, "__code__", None)
    own = [line for line in lines if isinstance(code, CodeType) and line.filename == code.co_filename]
    last = (own or lines)[-1] if lines else None
    return (last.filename, last.lineno or 1) if last else _NOWHERE


def _written(value: Any) -> str:
    try:
        plain = msgspec.to_builtins(value, str_keys=True, enc_hook=_as_plain)
        return json.dumps(plain, ensure_ascii=False)
    except Exception:  # keys that are no text, a circle of lists, a to_dict that wants arguments: its own words do
        return _text(value)


def _as_plain(value: Any) -> Any:
    """What JSON has no word for: arrays and tables as lists and dicts, else its own text."""
    if hasattr(value, "to_dict") and hasattr(value, "columns") and hasattr(value, "index"):  # a pandas table
        return value.to_dict(orient="split")
    for name in ("model_dump", "to_dict", "to_list", "tolist"):
        if callable(give := getattr(value, name, None)):
            return give()
    return str(value)


def _text(value: Any) -> str:
    """The text of anything, also of what has none: its own words are somebody's code, which may fail."""
    try:
        return str(value)
    except Exception:
        return object.__repr__(value)


def _fitting(text: str, length: int = 0) -> str:
    """A text, cut where it is too long, or is the beginning of one of this length that is."""
    text = text.encode("utf-8", "replace").decode("utf-8")  # half characters, as in some file names, are no JSON
    length = max(length, len(text))
    if length <= _LONGEST:
        return text
    return f"{text[:_LONGEST]}\n[cut here: these are the first {_LONGEST:,} of {length:,} characters]"
