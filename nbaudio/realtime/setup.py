"""What a session is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nbaudio.conversation.talk import Conversation
from nbaudio.events import RealtimeEvent
from nbaudio.realtime.books import Books
from nbaudio.realtime.playback import Playback
from nbaudio.settings import Backend, NbAudio
from nbaudio.tools.toolbox import Toolbox
from nbaudio.wire.realtime.session import RealtimeOptions

__all__ = ["Setup"]


@dataclass(frozen=True)
class Setup:
    """All that a session is made of."""

    talk: Conversation
    backend: Backend
    settings: NbAudio
    options: RealtimeOptions
    toolbox: Toolbox
    max_tool_rounds: int
    playback: Playback
    books: Books
    tell: Callable[[RealtimeEvent], None]
