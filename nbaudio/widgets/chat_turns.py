"""What the page of a `VoiceChat` is told of turns: plain values, small enough to be sent again at every change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nbaudio.conversation.showing import speaker
from nbaudio.legible import legible
from nbaudio.spending.accounts import Spent
from nbaudio.turns import Reply, ToolResult, Turn

__all__ = ["Tally", "entry_of", "key_of"]

_LONGEST = 20_000  # characters: more than any answer, and less than what makes a page slow


def key_of(turn: Turn) -> str:
    """By which a page knows a turn and its sound: another sound of an edited turn is another."""
    return f"{turn.id}-{sum(clip.frames for clip in turn.clips)}" if turn.clips else turn.id


def entry_of(turn: Turn, key: str = "") -> dict[str, Any]:
    """A turn as the page shows it.

    Parameters
    ----------
    turn : Turn
    key : str, optional
        Under which its sound has come to the page already, in the place of `key_of`.
    """
    clips = turn.clips
    return {
        "key": key or key_of(turn),
        "role": turn.role,
        "speaker": _speaker(turn),
        "words": _shortened(legible(_words(turn))),
        "notes": _notes(turn),
        "time_s": turn.time,
        "broken": isinstance(turn, Reply) and turn.partial and not turn.interrupted,
        # Not of `turn.clip`: to join clips that lie on disk they would have to be read.
        "duration_s": sum(clip.duration_s for clip in clips),
        "sample_rate": clips[0].sample_rate if clips else 0,
        "file_name": f"{'answer' if turn.role == 'assistant' else 'recording'}-{turn.id[:8]}.wav",
    }


class Tally:
    """What the answers of a conversation took, added up anew only from the first turn on that has changed."""

    def __init__(self) -> None:
        self._turns: list[Turn] = []
        self._sums: list[Spent] = []

    def words(self, turns: Sequence[Turn]) -> str:
        """Tokens and money in words; empty where no server has counted any."""
        total = self._sum(turns)
        usage = total.usage
        if not usage.input_tokens and not usage.output_tokens:
            return ""
        return f"{usage.input_tokens:,} tokens in, {usage.output_tokens:,} out; {total.cost}"

    def _sum(self, turns: Sequence[Turn]) -> Spent:
        pairs = enumerate(zip(self._turns, turns, strict=False))
        same = next((at for at, (old, new) in pairs if old is not new), min(len(self._turns), len(turns)))
        del self._turns[same:], self._sums[same:]
        for turn in turns[same:]:
            total = self._sums[-1] if self._sums else Spent()
            self._sums.append(total + Spent.on(turn) if isinstance(turn, Reply) else total)
            self._turns.append(turn)
        return self._sums[-1] if self._sums else Spent()


def _speaker(turn: Turn) -> str:
    if isinstance(turn, Reply) and turn.voice and turn.clips:
        return legible(f"{speaker(turn)}, {turn.voice}")
    return speaker(turn)


def _words(turn: Turn) -> str:
    if not isinstance(turn, Reply):
        return turn.words
    calls = [f"{call.name}({call.arguments})" for call in turn.tool_calls]
    return "\n\n".join(part for part in (turn.text or turn.refusal, *calls) if part)


def _notes(turn: Turn) -> list[str]:
    if isinstance(turn, Reply):
        return turn.notes
    return ["The tool failed."] if isinstance(turn, ToolResult) and turn.failed else []


def _shortened(words: str) -> str:
    return words if len(words) <= _LONGEST else f"{words[:_LONGEST]} … ({len(words):,} characters in all)"
