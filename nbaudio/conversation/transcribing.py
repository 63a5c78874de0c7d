"""The words of what the person said, which the protocol does not send along: written down on demand."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from nbaudio import errors
from nbaudio.backends import loop
from nbaudio.conversation.turnlist import TurnList
from nbaudio.settings import Backend
from nbaudio.spending.ledger import Ledger
from nbaudio.transcribing.several import start_each
from nbaudio.turns import Turn

__all__ = ["atranscribe", "put_heard", "put_words", "transcribe"]


def transcribe(
    turns: TurnList,
    index: int | None = None,
    backend: Backend | None = None,
    ledger: Ledger | None = None,
) -> int:
    """Have recordings of the user written down; gives how many have words now that had none.

    What came before an error or an interrupt is kept. `ledger` is the conversation's.
    """
    wanted = _wanted(turns, index)
    words: dict[str, str] = {}
    future = start_each({turn.id: turn.clips for turn in wanted}, words.__setitem__, backend=backend, ledger=ledger)
    try:
        loop.wait(future)
    except KeyboardInterrupt:
        future.cancel()
        raise errors.Interrupted("Stopped; what had been written down is kept.", "Run it again for the rest.") from None
    finally:
        kept = _put_all(turns, words)
    return kept


async def atranscribe(
    turns: TurnList,
    index: int | None = None,
    backend: Backend | None = None,
    ledger: Ledger | None = None,
) -> int:
    """As `transcribe`, awaited."""
    wanted = _wanted(turns, index)
    words: dict[str, str] = {}
    future = start_each({turn.id: turn.clips for turn in wanted}, words.__setitem__, backend=backend, ledger=ledger)
    try:
        await asyncio.wrap_future(future)
    finally:
        kept = _put_all(turns, words)
    return kept


def put_words(turns: TurnList, turn_id: str, words: str) -> bool:
    """Set the transcript of the turn of this id; gives whether it is there and has words now."""
    for index, turn in enumerate(turns):
        if turn.id == turn_id and words:
            turns.edit(index, transcript=words)
            return True
    return False


def put_heard(turns: TurnList, heard: Mapping[str, str], question: Turn) -> None:
    """Set what was heard in earlier recordings than the question's, by the ids of their turns, where it is not known.

    A cell may have said meanwhile what they say.
    """
    known = {turn.id for turn in turns if turn.transcript} | {question.id}
    _put_all(turns, {turn_id: words for turn_id, words in heard.items() if turn_id not in known})


def _wanted(turns: TurnList, index: int | None) -> list[Turn]:
    if index is None:
        return [turn for turn in turns if turn.role == "user" and turn.clips and not turn.transcript]
    turn = turns[index]
    if turn.role != "user" or not turn.clips:
        raise errors.CellError(f"Turn {index} is no recording of the user.", "Answers have their words in .text.")
    return [turn]


def _put_all(turns: TurnList, words: Mapping[str, str]) -> int:
    return sum(put_words(turns, turn_id, text) for turn_id, text in list(words.items()))
