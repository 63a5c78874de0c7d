"""What a conversation's `stream` gives beside words and sound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from nbaudio.turns import Reply, ToolResult, Turn
from nbaudio.wire.answers import AudioDelta, TextDelta
from nbaudio.wire.realtime.events import Unknown
from nbaudio.wire.tool_calls import ToolCall

__all__ = [
    "CutShort",
    "Event",
    "Finished",
    "Noticed",
    "RealtimeEvent",
    "SpeechBegan",
    "SpeechEnded",
    "ToolCalled",
    "ToolReturned",
    "WrittenDown",
]


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


@dataclass(frozen=True)
class SpeechBegan:
    """The person begins to speak; what was sounding is silent now."""


@dataclass(frozen=True)
class SpeechEnded:
    """The person has spoken: `turn` holds the sound, and is in the journal."""

    turn: Turn


@dataclass(frozen=True)
class WrittenDown:
    """The words of what the person said are known: `turn` is theirs with its `transcript`."""

    turn: Turn


@dataclass(frozen=True)
class CutShort:
    """An answer was interrupted; `reply` is what was heard of it, and so it stands in the conversation."""

    reply: Reply


@dataclass(frozen=True)
class Noticed:
    """Something that the person should know; the session goes on."""

    text: str


RealtimeEvent: TypeAlias = Event | SpeechBegan | SpeechEnded | WrittenDown | CutShort | Noticed | Unknown
"""What a Realtime session tells: what a conversation's `stream` does, and what only an open connection has."""
