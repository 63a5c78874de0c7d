"""What was heard against the text: which words differ, and which differences do not count."""

from __future__ import annotations

import pytest

from nbaudio.comparing import compared


def differences(meant: str, heard: str) -> str:
    return compared(meant, heard).told(5)


@pytest.mark.parametrize(
    "said",
    [
        "The cat's here; go!",
        "the cat’s HERE go",
        "The cat's\n\nhere -- go...",
        "“The” cat's, here: go",
        "Ｔhe cat's here go",
    ],
)
def test_marks_capitals_and_forms_do_not_count(said: str) -> None:
    assert differences("The cat's here. Go!", said) == ""


@pytest.mark.parametrize(
    ("asked", "said", "told"),
    [
        ("one two three", "one three", "left out “two”"),
        ("one three", "one two three", "added “two”"),
        ("one two three", "one four three", "“four” instead of “two”"),
        ("one two", "", "left out “one two”"),
        ("It costs $5.", "It costs five dollars.", "“five dollars” instead of “5”"),
        ("e f", "Sure! e f", "added “Sure”"),
    ],
)
def test_the_words_that_differ_are_told(asked: str, said: str, told: str) -> None:
    assert differences(asked, said) == told


def test_of_many_the_first_few_are_shown() -> None:
    asked = " ".join(f"w{n} x{n}" for n in range(9))
    said = " ".join(f"w{n}" for n in range(9))
    told = differences(asked, said)
    assert told.startswith("left out “x0”; left out “x1”")
    assert told.endswith("; and 4 more")


def test_long_runs_are_shortened() -> None:
    told = differences("start end", f"start {'word ' * 500} end")
    assert len(told) < 90
    assert "…" in told
