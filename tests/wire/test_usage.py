"""Usage: the server's own count, whatever else it says."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbaudio.wire.usage import Usage

RESPONSE = Path(__file__).parents[1] / "fixtures" / "wire" / "chat" / "responses" / "text_and_audio.json"
COUNTS = st.integers(0, 10**9)
USAGES = st.builds(Usage, *[COUNTS] * len(fields(Usage)))
FIELDS = (
    "prompt_tokens",
    "completion_tokens",
    "prompt_tokens_details",
    "completion_tokens_details",
    "text_tokens",
    "audio_tokens",
    "cached_tokens",
    "cached_tokens_details",
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5),
)


def test_the_counts_of_an_answer() -> None:
    usage = Usage.from_wire(json.loads(RESPONSE.read_text())["usage"])

    assert usage == Usage(
        input_tokens=24,
        output_tokens=14,
        input_text_tokens=23,
        input_audio_tokens=1,
        output_text_tokens=12,
        output_audio_tokens=2,
    )


@given(st.dictionaries(st.sampled_from(FIELDS), ANYTHING))
def test_anything_else_is_a_count_of_zero(usage: dict[str, Any]) -> None:
    for count in Usage.from_wire(usage).to_dict().values():
        assert type(count) is int
        assert count >= 0


@pytest.mark.parametrize("count", [None, True, "12", -3, 1.5, [], {}])
def test_what_is_no_count(count: Any) -> None:
    assert Usage.from_wire({"prompt_tokens": count}) == Usage()


@pytest.mark.parametrize("usage", [{}, {"input_tokens": None}, {"input_tokens": -1, "output_tokens": "5"}])
def test_of_a_spoken_text_what_is_no_count_is_zero(usage: dict[str, Any]) -> None:
    assert Usage.of_speech(usage) == Usage()


def test_of_a_spoken_text_words_go_in_and_sound_comes_out() -> None:
    usage = Usage.of_speech({"input_tokens": 14, "output_tokens": 101, "total_tokens": 115})
    assert usage == Usage(14, 101, input_text_tokens=14, output_audio_tokens=101)
    assert Usage.from_dict(Usage(characters=7).to_dict()) == Usage(characters=7)


@given(USAGES, USAGES, USAGES)
def test_usages_add_up(first: Usage, second: Usage, third: Usage) -> None:
    assert first + second == second + first
    assert (first + second) + third == first + (second + third)
    assert first + Usage() == first
    assert (first + second).input_audio_tokens == first.input_audio_tokens + second.input_audio_tokens


@given(USAGES)
def test_a_usage_as_a_dict_and_back(usage: Usage) -> None:
    assert Usage(**usage.to_dict()) == usage


def test_a_repr_says_what_is_known_and_other_things_do_not_add() -> None:
    assert repr(Usage(input_tokens=3, cached_tokens=2)) == "Usage(input_tokens=3, cached_tokens=2)"
    assert repr(Usage()) == "Usage()"
    with pytest.raises(TypeError):
        Usage() + 1  # type: ignore[operator]
