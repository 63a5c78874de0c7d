"""What goes out for the turns of a conversation: made once, and not again with each question.

All of a conversation goes out with each new question. So what was made of it for one request is kept for the next, in
blocks of some thirty turns, and a request takes about as long to make at the thousandth turn as at the tenth. A block
is made anew where its turns are others by now, or where an audio id in it is no longer good.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice, takewhile
from operator import is_

from nbaudio.turns import Reply, ToolResult, Turn
from nbaudio.wire.dialects import Dialect
from nbaudio.wire.fitting import fitted_message
from nbaudio.wire.requests import Inline, Message, joined

__all__ = ["Addressee", "Block", "Outgoing", "family", "paired"]

_FRESH_S = 60  # an audio id this close to its end may be gone when the request arrives
_BLOCK = 32  # turns


@dataclass(frozen=True)
class Addressee:
    """Who gets a request, as far as it decides how turns go out: an earlier answer by its audio id or in words.

    `dead_ids` are those that the server turned out not to know any more.
    """

    dialect: Dialect
    backend: str
    model: str
    dead_ids: frozenset[str] = frozenset()

    def knows(self, reply: Reply, now: float) -> bool:
        """Whether the server still understands the id: only the server and the model that gave it, for an hour."""
        return bool(
            self.dialect.keeps_audio_ids
            and reply.audio_id
            and not (reply.partial or reply.as_words)
            and reply.audio_id not in self.dead_ids
            and reply.backend == self.backend
            and family(reply.model) == family(self.model)
            and now < reply.expires_at - _FRESH_S
        )


@dataclass(frozen=True)
class Block:
    """Some turns that stand one behind the other, as they go out.

    `runs` are their messages as JSON text, and turns whose sounds are loaded when they go out: long conversations keep
    none in memory. `text_bytes` is how long all words are in UTF-8, and `sound_s` how much sound goes out, in seconds:
    of an earlier answer its sound, where it goes by its id. Until `good_until` (Unix seconds) it is as it is now.
    """

    turns: tuple[Turn, ...]
    dialect: Dialect
    runs: tuple[bytes | Turn, ...]
    text_bytes: int
    sound_s: float
    audio_ids: tuple[str, ...]
    good_until: float

    @classmethod
    def of(cls, turns: Sequence[Turn], to: Addressee, now: float) -> Block:
        """What goes out for these turns; calls of tools have their results in the same block."""
        runs: list[bytes | Turn] = []
        texts: list[bytes] = []
        audio_ids: list[str] = []
        text_bytes, sound_s, good_until = 0, 0.0, math.inf
        for turn in paired(turns):
            known = isinstance(turn, Reply) and to.knows(turn, now)
            message = _by_id(turn) if isinstance(turn, Reply) and known else _in_words(turn)
            if message is None:
                continue
            text_bytes += message.text_bytes
            if isinstance(turn, Reply) and known:
                audio_ids.append(turn.audio_id)
                good_until = min(good_until, turn.expires_at - _FRESH_S)
            if known or _sounds(turn):
                sound_s += sum(clip.duration_s for clip in turn.clips)
            if _sounds(turn):
                runs += [b",".join(texts), turn] if texts else [turn]
                texts = []
            else:
                texts.append(b"".join(_texts(message)))
        if texts:
            runs.append(b",".join(texts))
        return cls(tuple(turns), to.dialect, tuple(runs), text_bytes, sound_s, tuple(audio_ids), good_until)

    def parts(self) -> list[bytes | Inline]:
        """Its messages as JSON text, with commas between them; sounds are loaded for it."""
        return joined(
            [run] if isinstance(run, bytes) else fitted_message(_with_sounds(run), self.dialect).parts()
            for run in self.runs
        )


class Outgoing:
    """What goes out for one conversation, kept from one request to the next.

    It may be asked on any thread: blocks never change.
    """

    def __init__(self) -> None:
        self._kept: tuple[Addressee | None, list[Block]] = (None, [])

    def blocks(self, turns: Sequence[Turn], to: Addressee, now: float) -> list[Block]:
        """The blocks of these turns, of which only those are made that were not there.

        Parameters
        ----------
        turns : sequence of Turn
            What was said before the question that is asked, or is going to be.
        to : Addressee
        now : float
            Unix seconds.
        """
        kept_for, kept = self._kept
        blocks: list[Block] = []
        at = 0
        for block in kept if kept_for == to else ():
            end = at + len(block.turns)
            if end != _end(turns, at) or not all(map(is_, block.turns, turns[at:end])):
                break
            blocks.append(block if now < block.good_until else Block.of(block.turns, to, now))
            at = end
        while at < len(turns):
            end = _end(turns, at)
            blocks.append(Block.of(turns[at:end], to, now))
            at = end
        self._kept = (to, blocks)
        return blocks


def _end(turns: Sequence[Turn], start: int) -> int:
    """Where a block ends that begins at a place: no result of a tool is parted from its call."""
    places = range(start + _BLOCK, len(turns))
    return next((place for place in places if not isinstance(turns[place], ToolResult)), len(turns))


def paired(turns: Sequence[Turn]) -> list[Turn]:
    """The turns with just those tool calls that have results, and the results of just those.

    Servers refuse one without the other, and a conversation may hold it: a round too many, an edit, another library.
    """
    found: list[Turn] = []
    waiting: set[str] = set()
    for index, turn in enumerate(turns):
        if isinstance(turn, ToolResult):
            if turn.call_id in waiting:
                waiting.remove(turn.call_id)
                found.append(turn)
            continue
        waiting = set()
        if isinstance(turn, Reply) and turn.tool_calls:
            later = takewhile(lambda one: isinstance(one, ToolResult), islice(turns, index + 1, None))
            given = {one.call_id for one in later if isinstance(one, ToolResult)}
            calls = tuple(call for call in turn.tool_calls if call.id in given)
            waiting = {call.id for call in calls}
            turn = replace(turn, tool_calls=calls) if len(calls) < len(turn.tool_calls) else turn
        found.append(turn)
    return found


@lru_cache(maxsize=64)
def family(model: str) -> str:
    """The model without the date of its snapshot."""
    # Asked for `gpt-audio-1.5`, a server may answer as `gpt-audio-1.5-2026-02-01`: the same model, by its date.
    head, _, tail = model.rpartition("-20")
    return head if head and tail[:2].isdigit() else model


def _sounds(turn: Turn) -> bool:
    """Whether it is the person's, and its sound goes out, not its words."""
    return bool(turn.clips) and not (turn.as_words or isinstance(turn, (Reply, ToolResult)))


def _with_sounds(turn: Turn) -> Message:
    # A recording is read while it goes.
    sounds = tuple((clip.recorded, "wav") if clip.recorded is not None else clip.for_model() for clip in turn.clips)
    return Message(turn.role, turn.text, sounds)


def _by_id(reply: Reply) -> Message:
    return Message("assistant", audio_id=reply.audio_id, tool_calls=reply.tool_calls)


def _in_words(turn: Turn) -> Message | None:
    if isinstance(turn, ToolResult):
        return Message("tool", turn.text, call_id=turn.call_id)
    if isinstance(turn, Reply):
        # An assistant's turn with neither words nor id says nothing, and some servers refuse it.
        return Message("assistant", turn.text, tool_calls=turn.tool_calls) if turn.text or turn.tool_calls else None
    return Message(turn.role, turn.words if turn.as_words else turn.text)


def _texts(message: Message) -> Iterable[bytes]:
    return (part for part in message.parts() if isinstance(part, bytes))  # it has no sounds
