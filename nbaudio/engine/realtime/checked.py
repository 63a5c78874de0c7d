"""Values of a client's event, checked, with the protocol's own errors for those that can't be."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Mapping
from typing import Any

from nbaudio.engine.asked import Refusal

__all__ = ["among", "boolean", "decoded", "invalid", "number", "record", "required", "text", "whole"]

MOST_APPENDED_BYTES = 15 * 1024 * 1024
"""Bytes of sound in one event, as of OpenAI's."""
_SHOWN = 100  # characters of what can't be: who sends a megabyte does not get it back


def record(value: Any, param: str, known: Collection[str]) -> Mapping[str, Any]:
    """An object, which has no other fields than those that are known; without `param` it is a whole body.

    Raises
    ------
    Refusal
        If it is none, or has one more.
    """
    if not isinstance(value, Mapping):
        raise Refusal(f"Invalid type for '{param or 'body'}': expected an object.", param=param, code="invalid_type")
    for name in value:
        if name not in known:
            place = f"{param}.{name}" if param else str(name)
            shown = place[:_SHOWN]
            raise Refusal(f"Unknown parameter: '{shown}'.", param=shown, code="unknown_parameter")
    return value


def required(value: Mapping[str, Any], name: str, param: str) -> Any:
    """A field that must be there."""
    if value.get(name) is None:
        raise Refusal(f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter")
    return value[name]


def text(value: Any, param: str) -> str:
    """A text."""
    if not isinstance(value, str):
        raise Refusal(f"Invalid type for '{param}': expected a string.", param=param, code="invalid_type")
    return value


def boolean(value: Any, param: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise Refusal(f"Invalid type for '{param}': expected a boolean.", param=param, code="invalid_type")
    return value


def number(value: Any, param: str, lowest: float, highest: float) -> float:
    """A number within a range."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not lowest <= value <= highest:
        raise Refusal(f"'{param}' is a number from {lowest} to {highest}.", param=param, code="invalid_value")
    return float(value)


def whole(value: Any, param: str, lowest: int, highest: int) -> int:
    """A whole number within a range."""
    if not isinstance(value, int):
        raise Refusal(f"Invalid type for '{param}': expected an integer.", param=param, code="invalid_type")
    return int(number(value, param, lowest, highest))


def among(value: Any, param: str, supported: Collection[str]) -> str:
    """One of some texts."""
    if not isinstance(value, str) or value not in supported:
        raise invalid(value, param, supported)
    return value


def invalid(value: Any, param: str, supported: Collection[str]) -> Refusal:
    """What is said of a value that is none of those that can be."""
    known = ", ".join(f"'{one}'" for one in supported)
    shown = repr(value)[:_SHOWN]
    return Refusal(f"Invalid value: {shown}. Supported values are: {known}.", param=param, code="invalid_value")


def decoded(value: Any, param: str) -> bytes:
    """The bytes of a base64 text.

    Raises
    ------
    Refusal
        If it is none, or of more bytes than one event may bring.
    """
    written = text(value, param)
    if len(written) // 4 * 3 > MOST_APPENDED_BYTES + 3:
        raise Refusal(
            f"Invalid '{param}': at most {MOST_APPENDED_BYTES} bytes of sound in one event.",
            param=param,
            code="string_above_max_length",
        )
    try:
        return base64.b64decode(written, validate=True)
    except (binascii.Error, ValueError):
        raise Refusal(f"Invalid '{param}': this is no base64.", param=param, code="invalid_value") from None
