"""One answer of a Realtime session while it comes, and the reply that it becomes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nbaudio.errors import mask, without_keys
from nbaudio.turns import Reply
from nbaudio.wire.answers import Answer, AudioDelta, TextDelta
from nbaudio.wire.realtime.events import ArgumentsDone, AudioCame, Item, Response, TextCame, TranscriptCame
from nbaudio.wire.realtime.troubles import failure_of
from nbaudio.wire.tool_calls import ToolCall
from nbaudio.wire.usage import Usage

__all__ = ["ComingAnswer"]


class ComingAnswer:
    """Gathers the words, the sound and the calls of one response.

    Parameters
    ----------
    response_id : str
    known : dict
        What the reply will say of itself: `model`, `voice`, `backend`, `offline`, `aloud`.
    """

    def __init__(self, response_id: str, known: Mapping[str, Any]) -> None:
        self.id = response_id
        self._known = dict(known)
        self.item_id = ""
        """The item that is heard; empty while none is."""
        self.heard_ms: int | None = None
        """How much of it was heard, where it was interrupted."""
        self._words: list[str] = []
        self._letters = 0
        self.pcm16 = bytearray()
        self._marks: list[tuple[int, int]] = []
        self._calls: dict[str, ToolCall] = {}  # by their items, in the order in which they came

    def take(self, event: AudioCame | TranscriptCame | TextCame) -> TextDelta | AudioDelta:
        """Take a piece; gives it as all answers' pieces are."""
        self.item_id = self.item_id or event.item_id
        if isinstance(event, AudioCame):
            self.pcm16 += event.delta
            return AudioDelta(event.delta)
        self._words.append(event.delta)
        self._letters += len(event.delta)
        here = (self._letters, len(self.pcm16) // 2)
        if self._marks and self._marks[-1][1] == here[1]:
            self._marks[-1] = here  # of one run of words
        else:
            self._marks.append(here)
        return TextDelta(without_keys(event.delta))

    def call(self, event: ArgumentsDone) -> None:
        """Take a call of a tool."""
        self._calls[event.item_id] = ToolCall(event.call_id, event.name or "", without_keys(event.arguments or ""))

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """The tools that it asks for."""
        return tuple(self._calls.values())

    @property
    def sound_ms(self) -> int:
        """How much sound has come, in milliseconds."""
        return len(self.pcm16) * 1000 // 2 // 24_000

    def reply(self, response: Response | None = None) -> Reply:
        """The answer as a turn: what has come by now, or as the server ends it."""
        for item in (response.output if response is not None else None) or ():
            self._complete(item)
        status = (response.status if response is not None else "") or ""
        details = (response.status_details if response is not None else None) or {}
        words = "".join(self._words)
        text = without_keys(words)
        answer = Answer(
            text=text,
            audio=bytes(self.pcm16),
            audio_format="pcm16" if self.pcm16 else "",
            finish_reason=_finish_reason(status, details),
            usage=Usage.of_realtime((response.usage if response is not None else None) or {}),
            tool_calls=self.calls,
            marks=(*self._marks, (self._letters, len(self.pcm16) // 2)) if self.pcm16 and text == words else (),
        )
        known = {name: value for name, value in self._known.items() if name not in ("aloud", "offline")}
        reply = Reply.from_answer(
            answer,
            aloud=self._known["aloud"],
            whole=status in ("completed", "incomplete"),
            offline=self._known["offline"],
            time=time.time(),
            **known,
        )
        if response is not None and (failure := failure_of(response)) is not None:
            return replace(reply, note=f"The server could not answer: {mask(failure.message or '')}")
        return reply

    def _complete(self, item: Item) -> None:
        """Servers that tell a call only when it is over tell all of it then."""
        if item.type == "function_call" and item.id and item.call_id:
            self._calls[item.id] = ToolCall(item.call_id, item.name or "", without_keys(item.arguments or ""))


def _finish_reason(status: str, details: Mapping[str, Any]) -> str:
    if status == "completed":
        return "stop"
    if status == "incomplete":
        return "content_filter" if details.get("reason") == "content_filter" else "length"
    return ""
