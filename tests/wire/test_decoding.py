"""JSON and base64: whatever the standard library makes of a text, only sooner."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nbaudio.wire.decoding import from_base64, from_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=15,
)
TOKENS = st.lists(
    st.sampled_from(
        [
            *'{}[],:"',
            "\\",
            "\\ud83d",
            "\\ude00",
            "\\u0000",
            "1",
            "-",
            ".",
            "e9",
            "0",
            "NaN",
            "-Infinity",
            "null",
            "\ufeff",
        ]
    )
    | st.text(max_size=3),
    max_size=12,
).map("".join)


def made_of(read: Any, text: Any) -> str:
    """What comes of it, told apart also where it is NaN, or 1 and 1.0."""
    try:
        return repr(read(text))
    except (ValueError, RecursionError) as error:
        return "too deep" if isinstance(error, RecursionError) else "no JSON"


@given(VALUES, st.booleans(), st.sampled_from([None, 1]))
def test_what_is_json_reads_as_it_was_written(value: Any, ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)

    assert made_of(from_json, text) == made_of(json.loads, text)


@given(TOKENS)
@example("1e400")
@example("1" * 5000)
@example('{"a": 1, "a": 2}')
@example('"\\ud83d"')
@example('"\ud83d"')
@example('"\x01"')
@example("[" * 100_000)
@example("[" * 100_000 + "]" * 100_000)
def test_any_text_reads_as_with_the_standard_library(text: str) -> None:
    assert made_of(from_json, text) == made_of(json.loads, text)


@given(TOKENS | VALUES.map(json.dumps), st.sampled_from(["utf-8", "utf-16", "utf-32", "latin-1"]))
@example('"\xff"', "latin-1")
def test_any_bytes_read_as_with_the_standard_library(text: str, encoding: str) -> None:
    data = text.encode(encoding, "replace")

    assert made_of(from_json, data) == made_of(json.loads, data)


@given(st.binary(max_size=100))
def test_base64_with_its_padding_or_without(data: bytes) -> None:
    text = base64.b64encode(data).decode()

    assert from_base64(text) == from_base64(text.rstrip("=")) == data


@given(st.text(alphabet="AB9+/=-_ \nä", max_size=9) | st.text(max_size=9))
def test_what_is_no_base64_is_refused_as_by_the_standard_library(text: str) -> None:
    try:
        expected = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        with pytest.raises(ValueError):  # noqa: PT011 - whichever of its kinds
            from_base64(text)
    else:
        assert from_base64(text) == expected
