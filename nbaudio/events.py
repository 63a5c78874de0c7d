"""What a conversation's `stream` gives beside words and sound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from nbaudio.turns import Reply, ToolResult
from nbaudio.wire.answers import AudioDelta, TextDelta
from nbaudio.wire.tool_calls import ToolCall

__all__ = ["Event", "Finished", "ToolCalled", "ToolReturned"]


@dataclass(frozen=True)
class ToolCalled:
    """The model asks for a tool, which is run next."""

    call: ToolCall


@dataclass(frozen=True)
class ToolReturned:
    """A tool has run; its result goes to the model."""

    result: ToolResult


@dataclass(frozen=True)
class Finished:
    """The answer is complete."""

    reply: Reply


Event: TypeAlias = TextDelta | AudioDelta | ToolCalled | ToolReturned | Finished
