"""One turn of the person, heard while it is still being said.

At each pause what was said so far is listened to, as if it were all. Where the person goes on, it was for nothing,
unless it is long: then its words stand, and only what follows is still to be heard. So when the turn ends its words are
known, or nearly, however long it was. A short part is heard again together with what follows: Whisper is surer of whole
sentences.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from nbaudio.engine.realtime.input_buffer import InputBuffer
from nbaudio.engine.realtime.sound_formats import Sound

__all__ = ["Hear", "TurnHearing"]

_STANDS_MS = 8_000  # from this length on, the words of a part stand

Hear = Callable[[Sound], asyncio.Task[str]]


@dataclass
class _Part:
    """A part of the turn that is being heard: up to when, and its words when they are known."""

    until_ms: float
    words: asyncio.Task[str]
    is_last: bool = True
    """Whether nothing was said behind it."""


class TurnHearing:
    """Hears one turn.

    Parameters
    ----------
    hear : callable
        Begins to hear a sound; gives its words as soon as they are known.
    begins_ms : float
        Where in the input buffer the turn begins.
    """

    def __init__(self, hear: Hear, begins_ms: float) -> None:
        self._hear, self._from_ms = hear, begins_ms
        self._standing: list[asyncio.Task[str]] = []
        self._part: _Part | None = None

    def paused(self, buffer: InputBuffer, at_ms: float) -> None:
        """The person pauses: hear what they have said."""
        self._let_stand()
        if self._part is not None and not self._part.words.done():
            return  # one at a time
        self._part = _Part(at_ms, self._begin(buffer.between(self._from_ms, at_ms)))

    def went_on(self) -> None:
        """The person speaks again."""
        if self._part is not None:
            self._part.is_last = False

    def words(self, buffer: InputBuffer, end_ms: float) -> asyncio.Task[str]:
        """The words of all, as soon as they are known; the turn is over, and the buffer still holds it."""
        self._let_stand()
        part = self._part
        if part is None or not part.is_last:
            part = _Part(end_ms, self._begin(buffer.between(self._from_ms, end_ms)))
        parts = [*self._standing, part.words]

        async def joined() -> str:
            found = [await words for words in parts]
            return " ".join(words for words in found if words)

        return asyncio.create_task(joined())

    def _let_stand(self) -> None:
        """Where a long part was heard and they went on, its words stand, and what follows is a part of its own."""
        part = self._part
        if part is not None and not part.is_last and part.until_ms - self._from_ms >= _STANDS_MS:
            self._standing.append(part.words)
            self._from_ms, self._part = part.until_ms, None

    def _begin(self, sound: Sound) -> asyncio.Task[str]:
        task = self._hear(sound)
        task.add_done_callback(_look_at)
        return task


def _look_at(task: asyncio.Task[str]) -> None:
    """A part that failed is told of by whoever needs its words; one that nobody needs is none."""
    if not task.cancelled():
        task.exception()
