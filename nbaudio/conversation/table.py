"""A conversation as a table of pandas."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from nbaudio.errors import SetupError
from nbaudio.turns import ToolResult, Turn
from nbaudio.wire.usage import Usage

__all__ = ["to_dataframe"]

_TOKENS = (
    "input_tokens", "output_tokens", "input_text_tokens", "input_audio_tokens", "cached_tokens", "output_text_tokens",
    "output_audio_tokens",
)  # fmt: skip
_LARGEST = 2**63 - 1
_LATEST = 253_402_300_800  # the year 10000


def to_dataframe(turns: Iterable[Turn]) -> Any:
    """A ``pandas.DataFrame`` with one row a turn, see `Conversation.to_dataframe`.

    Raises
    ------
    SetupError
        If pandas is not installed.
    """
    try:
        import pandas
    except ImportError as error:
        raise SetupError("There is no pandas to make a table with.", "pip install pandas") from error
    turns = list(turns)
    columns: dict[str, Any] = {
        "role": [turn.role for turn in turns],
        "text": [turn.text for turn in turns],
        "transcript": [turn.transcript for turn in turns],
        "duration_s": pandas.array([_duration_s(turn) for turn in turns], dtype="Float64"),
        "model": [turn.model for turn in turns],
        "voice": [turn.voice for turn in turns],
        "backend": [turn.backend for turn in turns],
        "time": pandas.DatetimeIndex(np.array([_time_us(turn) for turn in turns], "datetime64[us]"), tz="UTC"),
    }
    for name in _TOKENS:
        columns[name] = pandas.array([_count(turn, name) for turn in turns], dtype="Int64")
    columns["partial"] = pandas.array([turn.partial for turn in turns], dtype=bool)
    columns["tool"] = [_tool(turn) for turn in turns]
    columns["id"] = [turn.id for turn in turns]
    return pandas.DataFrame(columns)


def _duration_s(turn: Turn) -> float | None:
    return sum(clip.duration_s for clip in turn.clips) if turn.clips else None


def _time_us(turn: Turn) -> np.datetime64:
    return np.datetime64(round(turn.time * 1e6) if 0 < turn.time < _LATEST else "NaT", "us")


def _count(turn: Turn, name: str) -> int | None:
    """The tokens of an answer; what the server said nothing of is missing, not 0."""
    count: int = getattr(turn.usage, name)
    return count if turn.usage != Usage() and count <= _LARGEST else None


def _tool(turn: Turn) -> str:
    if isinstance(turn, ToolResult):
        return turn.name
    return ", ".join(call.name for call in turn.tool_calls)
