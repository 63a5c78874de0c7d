r"""``{name}`` becomes a value, and nothing else in a cell changes: not JSON, not code, not LaTeX, not a lone brace."""

from __future__ import annotations

import json
import re
from collections import namedtuple
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbaudio.interpolate import interpolate

NAMES = st.from_regex(r"[^\W\d]\w{0,8}", fullmatch=True)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)
Point = namedtuple("Point", "x y")


@dataclass
class Dog:
    name: str = "Rex"

    @property
    def broken(self) -> str:
        raise RuntimeError("no such thing")

    def __getitem__(self, key: Any) -> Any:
        raise LookupError(key)


@given(st.text())
def test_without_names_no_text_changes(text: str) -> None:
    assert interpolate(text, {}) == text


@given(st.text(alphabet="{}[].'\"\\$^_ab1 \n", max_size=60))
def test_without_names_no_arrangement_of_braces_changes(text: str) -> None:
    assert interpolate(text, {"other": 1}) == text


@given(st.text(alphabet="ab {}[]()\n", max_size=40), NAMES, st.text(max_size=20))
def test_with_a_name_exactly_its_fields_change(before: str, name: str, value: str) -> None:
    text = before.replace("{", "(").replace("}", ")")

    assert interpolate(f"{text}{{{name}}}{text}", {name: value}) == text + value + text


@given(JSON, st.integers(0, 4))
def test_json_stays_as_it_is_typed(value: Any, indent: int) -> None:
    text = json.dumps(value, indent=indent or None, ensure_ascii=False)
    names = dict.fromkeys(re.findall(r"[^\W\d]\w*", text), "WRONG")
    if re.search(r"\{[^\W\d][\w.\[\]]*\}", text):
        return  # a text inside the JSON that says {name} itself

    assert interpolate(text, names) == text


@given(st.dictionaries(st.integers() | st.text(max_size=4).filter(lambda key: "{" not in key), st.integers()))
def test_a_dict_as_python_shows_it_stays(value: dict[Any, int]) -> None:
    assert interpolate(repr(value), {"a": "WRONG"}) == repr(value)


@pytest.mark.parametrize(
    "text",
    [
        r"\frac{a}{b} + \sqrt{x} + \sqrt[n]{x}",
        r"\frac{\sqrt{x}}{n} \operatorname*{argmax}{x}",
        r"e^{x} and $x^{n}$",
        r"\begin{equation} \end{equation} \text{x}",
        "for (i in a) { x } {",
        'f"{{x}}" and "{x!r}" and "{x:.2f}"',
        "int main() { return x; }",
        "${x} in a shell, #{x + 1} in Ruby",
        "{{x}} in a template, {% x %}, {# x #}",
        '{"a": {"b": {x}}}',
        "{x, n}, {'x'}, {1}, {}, {x.}, {.x}, {x[}, {x[]}, {x y}",
        r"\{x\} and \{x}",
        "{",
        "}",
        "{x",
        "x}",
        "}{",
    ],
)
def test_code_and_latex_stay_though_the_names_exist(text: str) -> None:
    assert interpolate(text, dict.fromkeys(("a", "b", "i", "n", "x", "equation", "argmax"), "WRONG")) == text


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ("Say {word}.", "Say hi."),
        ("{word}{word}", "hihi"),
        ("track_{number}.wav", "track_3.wav"),
        ("chapter{number}", "chapter3"),
        ("{dog.name} barks", "Rex barks"),
        ("{d[k]} {d['k']} {d[\"k\"]}", "2 2 2"),
        ("{d[key]}", "2"),
        ("{items[0]} {items[-1]}", "a c"),
        ("{items[number_one]}", "b"),
        ("{numbered[1]}", "one"),
        ("{deep[a][0].x}", "5"),
        ("{point.x}, {point[1]}", "1, 2"),
        ("{array[1]}", "20"),
        ("{array.shape}", "(2,)"),
        ("{größe}", "12"),
        ("{none}", "None"),
        ("{space.word}", "hello"),
    ],
)
def test_names_attributes_and_keys(text: str, heard: str) -> None:
    names = {
        "word": "hi",
        "number": 3,
        "number_one": 1,
        "dog": Dog(),
        "d": {"k": 2},
        "key": "k",
        "items": ["a", "b", "c"],
        "numbered": {"1": "one"},
        "deep": {"a": [SimpleNamespace(x=5)]},
        "point": Point(1, 2),
        "array": np.array([10, 20]),
        "größe": 12,
        "none": None,
        "space": SimpleNamespace(word="hello"),
    }

    assert interpolate(text, names) == heard


@pytest.mark.parametrize(
    "text",
    [
        "{dog.tail}",
        "{dog.broken}",
        "{dog[0]}",
        "{d[absent]}",
        "{items[9]}",
        "{items[a]}",
        "{number[0]}",
        "{array[9]} {array[x]}",
        "{record[absent]}",
        "{dog.name.absent}",
        "{absent} {absent.name} {absent[0]}",
    ],
)
def test_what_does_not_exist_is_left_as_it_is_typed(text: str) -> None:
    names = {
        "dog": Dog(),
        "d": {},
        "items": ["a"],
        "number": 1,
        "array": np.array([1]),
        "record": np.zeros(1, dtype=[("x", int)]),
    }

    assert interpolate(text, names) == text


def test_a_value_is_not_looked_into_again() -> None:
    assert interpolate("{a}", {"a": "{b}", "b": "WRONG"}) == "{b}"
