"""The conversation of a Realtime session: its items, in their order."""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from nbaudio.engine.asked import HeardBefore, Refusal, Said
from nbaudio.engine.realtime.sound_formats import Sound

__all__ = ["Conversation", "Item", "Part", "Role", "new_id"]

Role = Literal["user", "assistant", "system"]
_MOST_KEPT_BYTES = 64 * 1024 * 1024  # of text, and of sound that can be fetched again: 23 minutes as PCM16
MOST_ITEMS = 10_000


def new_id(kind: str) -> str:
    """A fresh id, as ``item_…``."""
    return f"{kind}_{secrets.token_hex(11)}"


@dataclass
class Part:
    """A part of an item: typed or written words, or a sound with its words.

    `words` of a sound that is still being heard are None. `until` has, of what the engine says, of each word the
    millisecond in which it begins, and all words up to it.
    """

    type: Literal["input_text", "input_audio", "output_text", "output_audio"]
    words: str | None = ""
    sound: Sound | None = None
    duration_ms: float = 0.0
    hearing: asyncio.Task[None] | None = None
    until: list[tuple[float, str]] = field(default_factory=list)

    def as_event(self, *, with_sound: bool = False) -> dict[str, Any]:
        """As the protocol has it."""
        if self.type in ("input_text", "output_text"):
            return {"type": self.type, "text": self.words or ""}
        made: dict[str, Any] = {"type": self.type, "transcript": self.words}
        if with_sound and self.sound is not None:
            made["audio"] = base64.b64encode(self.sound.data).decode("ascii")
        return made

    def cut(self, end_ms: float) -> None:
        """Keep what was heard until then: the sound, and the words that had begun."""
        if end_ms >= self.duration_ms:
            return
        if self.sound is not None:
            self.sound = Sound(self.sound.format, self.sound.data[: self.sound.format.bytes_of(end_ms)])
        self.duration_ms = end_ms
        self.until = [(begins_ms, words) for begins_ms, words in self.until if begins_ms < end_ms]
        self.words = self.until[-1][1] if self.until else ""


@dataclass
class Item:
    """A message of the conversation."""

    role: Role
    parts: list[Part]
    id: str = field(default_factory=lambda: new_id("item"))
    status: Literal["completed", "incomplete", "in_progress"] = "completed"

    def as_event(self, *, with_sound: bool = False) -> dict[str, Any]:
        """As the protocol has it."""
        return {
            "id": self.id,
            "object": "realtime.item",
            "type": "message",
            "status": self.status,
            "role": self.role,
            "content": [part.as_event(with_sound=with_sound) for part in self.parts],
        }

    def said(self) -> Said:
        """As a turn for the one who answers; every sound has to have been heard."""
        if self.role == "assistant":  # whatever the engine said it may go on from
            known = (HeardBefore(part.words or "", part.duration_ms / 1000) for part in self.parts)
            return Said("assistant", tuple(known))
        parts = [
            HeardBefore(part.words or "", part.duration_ms / 1000) if part.type == "input_audio" else part.words or ""
            for part in self.parts
        ]
        return Said(self.role, tuple(parts), param="item")


class Conversation:
    """Items in their order. Of the oldest only the words are kept, where there is much sound or text."""

    def __init__(self) -> None:
        self.id = new_id("conv")
        self._items: list[Item] = []
        self._by_id: dict[str, Item] = {}
        self._sounds: deque[tuple[Part, int]] = deque()
        self._sound_bytes = 0
        self._text_bytes: dict[str, int] = {}  # by item, as they came

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)

    def add(self, item: Item, behind: str | None = None) -> str | None:
        """Put an item at the end, or behind another (``root`` for the beginning); gives the id of the one before it.

        Raises
        ------
        Refusal
            If there is no such other, or one of the same id, or no more room.
        """
        if item.id in self._by_id:
            message = f"Error adding item: there is an item with id '{item.id}' already."
            raise Refusal(message, param="item.id", code="invalid_value")
        if len(self._items) >= MOST_ITEMS:
            raise Refusal(f"A conversation has at most {MOST_ITEMS} items.", code="conversation_too_long")
        size = sum(len((part.words or "").encode("utf-8", "surrogatepass")) for part in item.parts)
        if size + sum(self._text_bytes.values()) > _MOST_KEPT_BYTES:
            message = f"A conversation holds at most {_MOST_KEPT_BYTES} bytes of text. Delete items of it."
            raise Refusal(message, param="item.content", code="conversation_too_long")
        if behind is None:
            self._items.append(item)
        elif behind == "root":
            self._items.insert(0, item)
        elif behind in self._by_id:
            self._items.insert(self._place(self._by_id[behind]) + 1, item)
        else:
            message = f"Error adding item: the previous item with id '{behind}' does not exist."
            raise Refusal(message, param="previous_item_id", code="item_create_invalid_previous_item_id")
        self._by_id[item.id] = item
        if size:
            self._text_bytes[item.id] = size
            self._forget_oldest_sounds()
        for part in item.parts:
            self.keep_sound(part)
        return self.before(item)

    def get(self, item_id: str, doing: str) -> Item:
        """The item of an id.

        Raises
        ------
        Refusal
            If there is none; `doing` is what was to be done with it: ``retrieve``, ``truncate`` or ``delete``.
        """
        if item_id not in self._by_id:
            message = f"Error {doing[:-1]}ing item: the item with id '{item_id[:100]}' does not exist."
            raise Refusal(message, param="item_id", code=f"item_{doing}_invalid_item_id")
        return self._by_id[item_id]

    def before(self, item: Item) -> str | None:
        """The id of the item before."""
        at = self._place(item)
        return self._items[at - 1].id if at else None

    @property
    def last(self) -> str | None:
        """The id of the last item."""
        return self._items[-1].id if self._items else None

    def remove(self, item: Item) -> None:
        """Take an item out."""
        del self._items[self._place(item)]
        del self._by_id[item.id]
        self._text_bytes.pop(item.id, None)

    def holds(self, item: Item) -> bool:
        """Whether an item is in it."""
        return self._by_id.get(item.id) is item

    def keep_sound(self, part: Part) -> None:
        """Keep the sound of a part that is complete, and forget the oldest where it is too much."""
        if part.sound is None:
            return
        self._sounds.append((part, len(part.sound.data)))
        self._sound_bytes += len(part.sound.data)
        self._forget_oldest_sounds()

    def _forget_oldest_sounds(self) -> None:
        room = _MOST_KEPT_BYTES - sum(self._text_bytes.values())
        while self._sound_bytes > room:
            oldest, size = self._sounds.popleft()
            oldest.sound = None
            self._sound_bytes -= size

    def _place(self, item: Item) -> int:
        # From the end: what is asked for is mostly new.
        return next(at for at in range(len(self._items) - 1, -1, -1) if self._items[at] is item)
