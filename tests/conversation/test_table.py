"""A conversation as a table: a row a turn, types that can be counted with, and nothing made up."""

from __future__ import annotations

import sys

import pandas
import pytest
from signals import voice

from nbaudio import Clip, Conversation, Reply, ToolCall, ToolResult, Turn, Usage
from nbaudio.errors import SetupError

CLIP = Clip(voice(), 24_000)
TURNS = [
    Turn("user", "Listen.", (CLIP, CLIP), time=1_700_000_000.25, transcript="Good morning.", id="a"),
    Reply(tool_calls=(ToolCall("1", "f"), ToolCall("2", "g")), model="m", usage=Usage(24, 14, 23, 1, 5, 12, 2)),
    ToolResult(text="3", name="f"),
    Reply(text="Yes", clips=(CLIP,), voice="ash", backend="OpenAI", partial=True, time=253_402_300_799.0),
    Reply(text="No", usage=Usage(input_tokens=2**70), time=float("inf")),
]


def test_a_row_a_turn() -> None:
    table = Conversation(TURNS).to_dataframe()

    assert list(table.columns) == [
        *("role", "text", "transcript", "duration_s", "model", "voice", "backend", "time"),
        *("input_tokens", "output_tokens", "input_text_tokens", "input_audio_tokens", "cached_tokens"),
        *("output_text_tokens", "output_audio_tokens", "partial", "tool", "id"),
    ]
    assert list(table["role"]) == ["user", "assistant", "tool", "assistant", "assistant"]
    assert list(table["transcript"]) == ["Good morning.", "", "", "", ""]
    assert list(table["duration_s"].fillna(-1)) == [2.0, -1, -1, 1.0, -1]
    assert list(table["voice"]) == ["", "", "", "ash", ""]
    assert table["time"][0] == pandas.Timestamp("2023-11-14 22:13:20.25", tz="UTC")
    assert table["time"][3].year == 9999
    assert list(table["time"].isna()) == [False, True, True, False, True]
    assert list(table["output_audio_tokens"].fillna(-1)) == [-1, 2, -1, -1, 0]
    assert table["input_tokens"].sum() == 24  # what is too large to count with is missing
    assert list(table["partial"]) == [False, False, False, True, False]
    assert list(table["tool"]) == ["", "f, g", "f", "", ""]
    assert list(table["id"]) == [turn.id for turn in TURNS]


@pytest.mark.parametrize("turns", [TURNS, TURNS[:1], []])
def test_the_types_are_the_same_whatever_is_in_it(turns: list[Turn]) -> None:
    types = Conversation(turns).to_dataframe().dtypes

    assert str(types["time"]) == "datetime64[us, UTC]"
    assert (str(types["duration_s"]), str(types["input_tokens"]), str(types["partial"])) == ("Float64", "Int64", "bool")


def test_without_pandas_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)

    with pytest.raises(SetupError, match="pip install pandas"):
        Conversation(TURNS).to_dataframe()
