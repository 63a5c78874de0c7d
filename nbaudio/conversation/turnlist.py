"""Turns in order, to read and to edit."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeAlias, overload

from nbaudio import errors
from nbaudio.keyless import keyless
from nbaudio.sound.clip import Clip
from nbaudio.turns import Reply, ToolResult, Turn
from nbaudio.wire.tool_calls import ToolCall

__all__ = ["Part", "TurnList", "turn_of"]

Part: TypeAlias = "str | Clip | Turn | os.PathLike[str] | bytes"
"""What can be said: text is a str; a path, bytes, a `Clip` or a `Turn` with one is sound."""


class TurnList(Sequence[Turn]):
    """A sequence of `Turn` that can be edited; every change is told to those who listen.

    Examples
    --------
    >>> turns = TurnList([Turn("user", "Hello."), Reply(text="Hi."), Turn("user", "And you?"), Reply(text="Fine.")])
    >>> [turn.text for turn in turns.undo()]
    ['And you?', 'Fine.']
    >>> turns.edit(0, "Good morning.")
    Turn(role='user', text='Good morning.', clips=(), time=0.0, transcript='', as_words=False)
    >>> len(turns)
    2
    """

    def __init__(self, turns: Iterable[Turn] = ()) -> None:
        self._turns: list[Turn] = _apart([_entered(turn) for turn in turns])
        self._listeners: list[Callable[[], object]] = []

    # -- reading ------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._turns)

    def __iter__(self) -> Iterator[Turn]:
        return iter(tuple(self._turns))

    @overload
    def __getitem__(self, index: int) -> Turn: ...
    @overload
    def __getitem__(self, index: slice) -> list[Turn]: ...
    def __getitem__(self, index: int | slice) -> Turn | list[Turn]:
        return self._turns[index]

    def on_change(self, call: Callable[[], object]) -> Callable[[], None]:
        """Have a function called after every change of the turns; calling what comes back ends that."""
        self._listeners.append(call)
        return lambda: self._listeners.remove(call) if call in self._listeners else None

    # -- editing ------------------------------------------------------------------------------------------

    def undo(self, exchanges: int = 1) -> list[Turn]:
        """Take the last questions back, each with all that was answered to it; returns the turns taken, in order.

        Raises
        ------
        CellError
            If there are not so many.
        """
        starts = [index for index, turn in enumerate(self._turns) if turn.role == "user"]
        if not 1 <= exchanges <= len(starts):
            raise errors.CellError(
                f"{exchanges} questions can't be taken back.", f"The conversation has {len(starts)}: undo(1) takes one."
            )
        start = starts[-exchanges]
        taken = self._turns[start:]
        del self[start:]
        return taken

    def edit(self, index: int, *parts: Part, **fields: Any) -> Turn:
        """Change a turn, and get what it is now.

        What was known of the old words and sound goes with them: an answer whose words are changed has no sound and no
        audio id any more, and a question with another sound no transcript. Nor has an answer its id any more that is
        said to be another model's or another server's.

        Parameters
        ----------
        index : int
        parts : str, Clip, path, bytes, Turn
            What it says now instead, as in `Conversation.say`; leave them out to keep that.
        fields : Any
            Any other field of the turn, such as `transcript`.

        Raises
        ------
        CellError
            If the turn has no such field, a value is none for it, or the parts say nothing.
        """
        old = self._turns[index]
        for name, value in fields.items():
            if name not in old.__dataclass_fields__ or name in ("id", "role"):
                raise errors.CellError(f"A {type(old).__name__} has no {name!r} that can be changed.")
            if not _fits(value, getattr(old, name)):
                what = type(getattr(old, name)).__name__
                raise errors.CellError(f"A {type(value).__name__} can't be the {name!r} of a turn.", f"Give a {what}.")
        if parts:
            said = turn_of(parts)
            fields = {"text": said.text, "clips": said.clips, **fields}
        new = _with_true_id(keyless(replace(old, **fields), "a turn"), old)
        if new.clips != old.clips and "transcript" not in fields:
            new = replace(new, transcript="")
        self._turns[index] = new
        self._changed()
        return new

    def insert(self, index: int, turn: Turn | str) -> None:
        """Put a turn before another; a str becomes a turn of the user."""
        self._turns.insert(index, self._new(turn))
        self._changed()

    def append(self, turn: Turn | str) -> None:
        """Put a turn at the end, as if it had been said."""
        self.insert(len(self), turn)

    def clear(self) -> None:
        """Forget all turns."""
        del self[:]

    def __delitem__(self, index: int | slice) -> None:
        del self._turns[index]
        self._changed()

    def __setitem__(self, index: int, turn: Turn | str) -> None:
        old = self._turns[index]
        self._turns[index] = _with_true_id(self._new(turn, instead_of=old), old)
        self._changed()

    def compact(self, keep_audio: int = 2) -> int:
        """Have the words of older recordings sent in their place: words are a tenth of the tokens, and less to upload.

        The recordings stay here and play. Questions of which nobody has written down the words keep their sound; see
        `Conversation.transcribe`.

        Parameters
        ----------
        keep_audio : int
            How many of the latest turns with sound keep it.

        Returns
        -------
        int
            How many turns are sent as words now that were not before.
        """
        if keep_audio < 0:
            raise errors.CellError(f"{keep_audio} turns can't keep their sound.", "Give 0 or more.")
        sounding = [index for index, turn in enumerate(self._turns) if turn.clips]
        older = sounding[: max(0, len(sounding) - keep_audio)]
        changed = [index for index in older if not self._turns[index].as_words and _words_of_sound(self._turns[index])]
        for index in changed:
            self._turns[index] = replace(self._turns[index], as_words=True)
        if changed:
            self._changed()
        return len(changed)

    def _new(self, turn: Turn | str, instead_of: Turn | None = None) -> Turn:
        """A turn as it comes in: under an id of its own where it stands here already."""
        new = _entered(turn)
        here = any(one.id == new.id for one in self._turns if one is not instead_of)
        return _renamed(new) if here else new

    def _changed(self) -> None:
        for call in tuple(self._listeners):
            call()


def turn_of(parts: Iterable[Part]) -> Turn:
    """What a person says, as one turn: words joined, sounds in order. A key in them is left out, with a warning.

    Raises
    ------
    CellError
        If there is nothing in it.
    """
    words: list[str] = []
    clips: list[Clip] = []
    for part in parts:
        if isinstance(part, str):
            words.append(part)
        elif isinstance(part, Turn):
            if not part.clips:
                raise errors.CellError("This turn has no sound to send.", "Send its words: say(turn.text).")
            clips += part.clips
        else:
            clips.append(part if isinstance(part, Clip) else Clip(part))
    text = "\n\n".join(word.strip() for word in words if word.strip())
    if not text and not clips:
        raise errors.CellError("There is nothing to say.", "Give some words, a clip, or both.")
    return keyless(Turn("user", text, tuple(clips), time.time()), "what you said")


def _entered(turn: Turn | Clip | str) -> Turn:
    """A turn as it stands in a conversation: an answer is a `Reply`; words, or a sound, become a turn of the user."""
    if not isinstance(turn, (Turn, Clip, str, os.PathLike, bytes)):
        raise errors.CellError(f"A {type(turn).__name__} is no turn.", "Give words, a Clip, a Turn or a Reply.")
    if not isinstance(turn, Turn):
        return turn_of((turn,))
    kind = {"user": Turn, "assistant": Reply, "tool": ToolResult}.get(turn.role)
    if type(turn) is Turn and kind is Reply:
        shared = {name: getattr(turn, name) for name in Turn.__dataclass_fields__}
        return keyless(Reply(**shared), "a turn")
    if kind is None or not isinstance(turn, kind) or (kind is Turn and type(turn) is not Turn):
        raise errors.CellError(
            f"A {type(turn).__name__} of the role {turn.role!r} can't stand in a conversation.",
            'Give a Turn("user", ...), a Reply(...), or a ToolResult(...); instructions are chat.instructions.',
        )
    return keyless(turn, "a turn")


def _apart(turns: list[Turn]) -> list[Turn]:
    """Turns of which no two have the same id: the journal and views on a page know them by it."""
    seen: set[str] = set()
    for place, turn in enumerate(turns):
        if turn.id in seen:
            turns[place] = _renamed(turn)
        seen.add(turn.id)
    return turns


def _renamed(turn: Turn) -> Turn:
    return replace(turn, id=uuid.uuid4().hex)


def _with_true_id(new: Turn, old: Turn) -> Turn:
    """An answer that takes another's place, without the audio id of that one where it says or is something else."""
    if not (isinstance(new, Reply) and isinstance(old, Reply)):
        return new
    said_otherwise = (new.text, new.clips) != (old.text, old.clips)
    if said_otherwise and new.marks == old.marks:
        new = replace(new, marks=())
    if new.audio_id == old.audio_id and (said_otherwise or (new.model, new.backend) != (old.model, old.backend)):
        new = replace(new, audio_id="", expires_at=0)
    return new


def _fits(value: Any, old: Any) -> bool:
    if isinstance(old, tuple) and isinstance(value, tuple):  # of clips, calls, marks
        return all(isinstance(one, (Clip, ToolCall, tuple)) for one in value)
    return isinstance(value, (int, float) if isinstance(old, float) else type(old))


def _words_of_sound(turn: Turn) -> str:
    return turn.text if isinstance(turn, Reply) else turn.transcript
