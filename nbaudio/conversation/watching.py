"""Who hears of what happens in a conversation while it happens: the journal does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from nbaudio.conversation.turnlist import TurnList
from nbaudio.turns import Turn
from nbaudio.wire.answers import AudioDelta, TextDelta

__all__ = ["Watcher"]


class Watcher(Protocol):
    """What is told to a watcher. None of it may raise: the talk goes on whatever becomes of its records."""

    def asked(self, talk: TurnList, question: Turn) -> None:
        """A question is about to be sent."""
        ...

    def came(self, question: Turn, *events: TextDelta | AudioDelta) -> None:
        """Pieces of its answer have come, and nobody has got them yet; called on the loop of requests."""
        ...

    def went_on(self, talk: TurnList, question: Turn, turn: Turn) -> None:
        """The question is not over, but a turn of it is here: an answer that calls tools, or what one of them gave.

        It is told before the next tool is run or the next request is sent. Turns come in the order in which they are
        there; `kept` gives all of them once more, in the order of the conversation.
        """
        ...

    def kept(self, talk: TurnList, question: Turn, turns: Sequence[Turn]) -> None:
        """The question is over, and these turns of it are in the conversation: none, where no answer came."""
        ...

    def edited(self, talk: TurnList) -> None:
        """Turns were changed, moved or taken away."""
        ...
