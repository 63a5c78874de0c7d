"""One response: heard, thought and spoken sentence by sentence, and told event by event."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any, Literal

from starlette.concurrency import run_in_threadpool

from nbaudio.engine.answer import Answerer, Piece, Tally
from nbaudio.engine.asked import Asked, Refusal
from nbaudio.engine.realtime.items import Item, Part, new_id
from nbaudio.engine.realtime.response_asked import ResponseAsked
from nbaudio.engine.realtime.shared import Tell
from nbaudio.engine.realtime.sound_formats import PCM, Sound
from nbaudio.engine.realtime.usage import Read, cached_tokens, read_of, usage
from nbaudio.engine.stepping import stepped
from nbaudio.errors import NbaudioError

__all__ = ["Response"]

_PIECE_MS = 200  # of sound in an event, as in chat

Status = Literal["in_progress", "completed", "cancelled", "incomplete", "failed"]


class Response:
    """A response on its way.

    Parameters
    ----------
    asked : ResponseAsked
    answerer : Answerer
    tell : callable
        Sends an event.
    read_before : sequence of Read
        What the model has read for the response before this one.

    Attributes
    ----------
    read : list of Read
        What the model has read for this one, and said.
    item : Item or None
        What is being said; None while nothing is.
    """

    def __init__(self, asked: ResponseAsked, answerer: Answerer, tell: Tell, read_before: Sequence[Read]) -> None:
        self.id = new_id("resp")
        self.asked, self._answerer, self._tell = asked, answerer, tell
        self._read_before, self._cached = read_before, (0, 0)
        self.read: list[Read] = []
        self.item: Item | None = None
        self.status: Status = "in_progress"
        self._tally = Tally()

    @property
    def over(self) -> bool:
        """Whether it has come to its end, whatever that was."""
        return self.status != "in_progress"

    @property
    def duration_ms(self) -> float:
        """How long it sounds."""
        return self.item.parts[0].duration_ms if self.item is not None else 0.0

    def begin(self) -> None:
        """Say that there will be one."""
        self._tell("response.created", response=self._as_event())

    async def run(self, drained: Callable[[], Awaitable[None]]) -> None:
        """Give it; what goes wrong is told.

        Parameters
        ----------
        drained : callable
            Returns when the client has taken most of what was sent.
        """
        try:
            await self._answer(drained)
        except Refusal as refusal:
            self._fail(refusal)
        except NbaudioError as error:  # a part that can't be loaded says itself what to do
            self._fail(Refusal(str(error), code="engine_not_ready"))
        except Exception as error:
            self._fail(Refusal(f"The offline engine failed: {error}", status=500))

    def cancel(self, reason: Literal["turn_detected", "client_cancelled"]) -> None:
        """End it now, with what was said so far."""
        if not self.over:
            self._end("cancelled", {"type": "cancelled", "reason": reason})

    async def _answer(self, drained: Callable[[], Awaitable[None]]) -> None:
        for item in self.asked.items:
            for part in item.parts:
                if part.hearing is not None:
                    await asyncio.wait({part.hearing})  # others need its words as well: it is not cancelled with this
                    part.hearing.result()
        asked = self.asked.asked()
        messages = await run_in_threadpool(self._answerer.prepare, asked, self._tally)
        self._note_read(asked, messages)
        async with aclosing(stepped(self._answerer.pieces(asked, messages, self._tally))) as pieces:
            async for piece in pieces:
                if self.over:
                    return
                self._say(piece)
                await drained()
        if self._tally.finish_reason == "length":
            self._end("incomplete", {"type": "incomplete", "reason": "max_output_tokens"})
        else:
            self._end("completed", None)

    def _note_read(self, asked: Asked, messages: list[dict[str, str]]) -> None:
        self.read = [read_of(turn) for turn in asked.turns]
        whole = len(messages) >= sum(bool(turn.words) for turn in self.read)
        # Where the oldest turns had to go, nothing stands where it stood.
        self._cached = cached_tokens(self._read_before, self.read) if messages and whole else (0, 0)

    # -- what is said -------------------------------------------------------------------------------------

    def _say(self, piece: Piece) -> None:
        item = self.item or self._begin_item()
        part = item.parts[0]
        where = self._where(item)
        before = part.words or ""
        part.words = before + piece.text
        if not self.asked.aloud:
            self._tell("response.output_text.delta", **where, delta=piece.text)
            return
        if piece.text:
            self._tell("response.output_audio_transcript.delta", **where, delta=piece.text)
        part.until += [
            (part.duration_ms + begins_s * 1000, f"{before} {words}" if before else words)
            for begins_s, words in piece.until
        ]
        part.duration_ms += PCM.milliseconds_of(len(piece.pcm16))
        form = self.asked.format
        data = form.of_voice(piece.pcm16)
        part.sound = Sound(form, (part.sound.data if part.sound is not None else b"") + data)
        size = form.bytes_of(_PIECE_MS)
        for start in range(0, len(data), size):
            delta = base64.b64encode(data[start : start + size]).decode("ascii")
            self._tell("response.output_audio.delta", **where, delta=delta)

    def _begin_item(self) -> Item:
        aloud = self.asked.aloud
        item = Item("assistant", [Part("output_audio" if aloud else "output_text")], status="in_progress")
        self.item = item
        shown = {**item.as_event(), "content": []}
        self._tell("response.output_item.added", response_id=self.id, output_index=0, item=shown)
        if self.asked.conversation is not None:
            previous = self.asked.conversation.add(item)
            self._tell("conversation.item.added", previous_item_id=previous, item=shown)
        part = {"type": "audio", "transcript": ""} if aloud else {"type": "text", "text": ""}
        self._tell("response.content_part.added", **self._where(item), part=part)
        return item

    def _where(self, item: Item) -> dict[str, Any]:
        return {"response_id": self.id, "item_id": item.id, "output_index": 0, "content_index": 0}

    # -- the end ------------------------------------------------------------------------------------------

    def _fail(self, refusal: Refusal) -> None:
        error = refusal.body()["error"]
        told = {name: error[name] for name in ("type", "code", "message")}
        if not self.over:
            self._end("failed", {"type": "failed", "error": told})

    def _end(self, status: Status, details: dict[str, Any] | None) -> None:
        self.status = status
        if self.item is not None:
            self._end_item(self.item, "completed" if status == "completed" else "incomplete")
        self._tell("response.done", response=self._as_event(details))
        # The engine has no limits of requests and tokens to tell of.
        self._tell("rate_limits.updated", rate_limits=[])

    def _end_item(self, item: Item, status: Literal["completed", "incomplete"]) -> None:
        item.status = status
        part, where = item.parts[0], self._where(item)
        words = part.words or ""
        if self.asked.aloud:
            self._tell("response.output_audio.done", **where)
            self._tell("response.output_audio_transcript.done", **where, transcript=words)
            shown = {"type": "audio", "transcript": words}
        else:
            self._tell("response.output_text.done", **where, text=words)
            shown = {"type": "text", "text": words}
        self._tell("response.content_part.done", **where, part=shown)
        self._tell("response.output_item.done", response_id=self.id, output_index=0, item=item.as_event())
        self.read.append(Read("assistant", words, part.duration_ms / 1000))
        conversation = self.asked.conversation
        if conversation is not None and conversation.holds(item):
            conversation.keep_sound(part)
            self._tell("conversation.item.done", previous_item_id=conversation.before(item), item=item.as_event())

    def _as_event(self, details: dict[str, Any] | None = None) -> dict[str, Any]:
        asked = self.asked
        return {
            "id": self.id,
            "object": "realtime.response",
            "status": self.status,
            "status_details": details,
            "output": [self.item.as_event()] if self.item is not None and self.over else [],
            "conversation_id": asked.conversation.id if asked.conversation is not None else None,
            "output_modalities": ["audio"] if asked.aloud else ["text"],
            "max_output_tokens": asked.most_tokens or "inf",
            "audio": {"output": {"format": asked.format.as_event(), "voice": asked.voice}},
            "usage": usage(self._tally, self._cached) if self.over else None,
            "metadata": dict(asked.metadata) if asked.metadata is not None else None,
        }
