"""The words of an answer where no widgets are: by display updates, few of them, and gone when the answer is there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from nbaudio.magics import live
from nbaudio.magics.live import WordsAnswer
from nbaudio.wire.answers import TextDelta


class Output:
    """Notes what a cell's output is told, at which time of a clock of its own."""

    def __init__(self) -> None:
        self.now_s = 50.0
        self.told: list[tuple[str, float, dict[str, str]]] = []

    def display(self, bundle: dict[str, str], *, raw: bool) -> None:
        assert raw
        self.told.append(("display", self.now_s, bundle))

    def update(self, bundle: dict[str, str], *, raw: bool) -> None:
        assert raw
        self.told.append(("update", self.now_s, bundle))

    def clear(self, *, wait: bool) -> None:
        assert wait
        self.told.append(("clear", self.now_s, {}))


@pytest.fixture
def output(monkeypatch: pytest.MonkeyPatch) -> Output:
    here: Any = Output()
    monkeypatch.setattr(live, "DisplayHandle", lambda: here)
    monkeypatch.setattr(live, "clear_output", here.clear)
    monkeypatch.setattr(live, "time", SimpleNamespace(monotonic=lambda: here.now_s))
    return here


def test_words_are_shown_as_they_come_at_most_ten_times_a_second(output: Output) -> None:
    answer = WordsAnswer()
    for number in range(150):  # fifty a second
        answer.add(TextDelta(f"{number} "))
        output.now_s += 0.02
    kinds = [kind for kind, _, _ in output.told]
    assert kinds == ["display"] + ["update"] * (len(kinds) - 1)
    assert 25 <= len(kinds) <= 30
    first, *_, last = (bundle["text/plain"] for _, _, bundle in output.told)
    assert first == "0 "
    assert last.startswith("0 1 2 ")
    assert len(last.split()) > 140

    assert answer.finish(None) is True
    assert output.told[-1][0] == "clear"


def test_what_a_model_says_is_no_html_while_it_comes(output: Output) -> None:
    WordsAnswer().add(TextDelta("<img src=x onerror=alert(1)>"))
    [(_, _, bundle)] = output.told
    assert "<img" not in bundle["text/html"]
    assert "&lt;img" in bundle["text/html"]


def test_an_answer_without_words_clears_nothing(output: Output) -> None:
    assert WordsAnswer().finish(None) is False
    assert output.told == []
