"""What is asked again: the last question, and what of its answer stays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from nbaudio import errors
from nbaudio.conversation.answering import STOPPED, Answering
from nbaudio.turns import Reply, ToolResult, Turn

__all__ = ["Again"]


@dataclass(frozen=True)
class Again:
    """The last question of a conversation, to be asked once more.

    Where its answer broke off after tools had run, or never came, it goes on from their results: what a tool has done
    is not done twice. A whole answer is asked for from the beginning.

    `at` is the place of the `question`; `rounds` are the calls and results to go on from; `answered` says that there is
    a whole answer, which stays until there is another; `aloud` whether what came was spoken, or was to be.
    """

    at: int
    question: Turn
    rounds: tuple[Turn, ...]
    answered: bool
    aloud: bool

    @classmethod
    def of(cls, turns: Sequence[Turn]) -> Again:
        """The last question among some turns.

        Raises
        ------
        CellError
            If there is none.

        Examples
        --------
        >>> Again.of([Turn("user", "Hello."), Reply(text="Hi.")]).answered
        True
        """
        at = next((index for index in range(len(turns) - 1, -1, -1) if turns[index].role == "user"), None)
        if at is None:
            raise errors.CellError("There is no question to ask again.", "Say something first.")
        came = turns[at + 1 :]
        last = came[-1] if came else None
        answered = isinstance(last, Reply) and last.answers
        return cls(at, turns[at], () if answered else tuple(_rounds(came)), answered, _aloud(came))

    def takes(self, turns: Sequence[Turn], answering: Answering) -> bool:
        """Whether what has come now takes the place of what came before.

        A whole answer does. Of others only those that say more: where there was no answer, and tools have been run.
        """
        last = turns[-1]
        whole = isinstance(last, Reply) and not last.partial
        return whole or (answering.tools_ran and not self.answered)

    def place(self, turns: Sequence[Turn]) -> slice:
        """Where the turns of the question belong by now: where it stands with all that came of it, else at the end.

        While its answer came, something else may have been said, put in or taken back.
        """
        standing = (at for at in range(len(turns) - 1, -1, -1) if turns[at].id == self.question.id)
        at = next(standing, len(turns))
        end = next((later for later in range(at + 1, len(turns)) if turns[later].role == "user"), len(turns))
        return slice(at, end)

    def as_it_stands(self, standing: Sequence[Turn], turns: Sequence[Turn]) -> Sequence[Turn]:
        """What has come, after the question as it is by now: what a cell has changed of it meanwhile stays."""
        if not standing:
            return turns
        question = standing[0]
        if not question.transcript and question.clips == self.question.clips:
            question = replace(question, transcript=turns[0].transcript)  # what was heard of it
        return [question, *turns[1:]]


def _aloud(came: Sequence[Turn]) -> bool:
    for turn in reversed(came):
        if isinstance(turn, Reply):
            if turn.answers or turn.clips:
                return bool(turn.clips)
            if turn.model:  # which answered, and had a voice if it was to speak
                return bool(turn.voice)
    return True  # nothing is known: of an answer that a kill cut short, the pieces are all there is


def _rounds(came: Sequence[Turn]) -> list[Turn]:
    """Calls with their results, up to the last result of a tool that was not stopped: such a call may be made again."""
    ran = [isinstance(turn, ToolResult) and not (turn.failed and turn.text == STOPPED) for turn in came]
    end = max((place + 1 for place, done in enumerate(ran) if done), default=0)
    return [turn for turn, done in zip(came[:end], ran, strict=False) if done or not isinstance(turn, ToolResult)]
