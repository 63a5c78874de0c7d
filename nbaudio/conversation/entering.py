"""Turns that come into a conversation by another way than its own requests, and are told of like those."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nbaudio.conversation.turnlist import TurnList
from nbaudio.conversation.watching import Watcher
from nbaudio.turns import Reply, ToolResult, Turn
from nbaudio.wire.answers import AudioDelta, TextDelta

__all__ = ["Entering"]


class Entering:
    """A question and what comes of it, while it comes; the watchers are told as of one that was asked for.

    Parameters
    ----------
    talk : TurnList
        The conversation.
    watchers : sequence of Watcher
    question : Turn
        What the person has said.
    keep : callable
        Gets the turns to add to the conversation, and gives those that it has added.
    """

    def __init__(
        self,
        talk: TurnList,
        watchers: Sequence[Watcher],
        question: Turn,
        keep: Callable[[Sequence[Turn]], Sequence[Turn]],
    ) -> None:
        self._talk, self._watchers, self._keep = talk, list(watchers), keep
        self.question = question
        self._between: list[Turn] = []
        for watcher in self._watchers:
            watcher.asked(talk, question)

    def came(self, event: TextDelta | AudioDelta) -> None:
        """A piece of the answer is here."""
        for watcher in self._watchers:
            watcher.came(self.question, event)

    def went_on(self, turn: Reply | ToolResult) -> None:
        """An answer that calls tools is here, or what one of them gave."""
        self._between.append(turn)
        for watcher in self._watchers:
            watcher.went_on(self._talk, self.question, turn)

    def finish(self, reply: Reply | None = None, question: Turn | None = None) -> None:
        """Have it in the conversation, with or without an answer.

        Parameters
        ----------
        reply : Reply, optional
        question : Turn, optional
            What the question is by now, where its words are known; of the same id.
        """
        turns = [question or self.question, *self._between, *([reply] if reply is not None else [])]
        kept = self._keep(turns)
        for watcher in self._watchers:
            watcher.kept(self._talk, self.question, kept)
