"""What both sides of a Realtime session work with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from nbaudio.engine.parts import Engine
from nbaudio.engine.realtime.items import Conversation
from nbaudio.engine.realtime.settings import Settings

__all__ = ["Shared", "Tell"]


class Tell(Protocol):
    """Sends a server event, in order."""

    def __call__(self, kind: str, /, **fields: Any) -> None:
        """Send it."""


@dataclass
class Shared:
    """Of one session: who hears, thinks and speaks, how the client is told, what it is set to, and what was said."""

    engine: Engine
    tell: Tell
    settings: Settings = field(default_factory=Settings)
    conversation: Conversation = field(default_factory=Conversation)
