"""One exchange: the turns so far and a new one go out, an answer comes back, whole or in part."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from itertools import islice, takewhile
from typing import Any

from nbaudio import errors
from nbaudio.backends import chat
from nbaudio.backends.connection import connection_to
from nbaudio.settings import Backend, NbAudio
from nbaudio.sound.clip import Clip
from nbaudio.sound.spool import SpooledWav
from nbaudio.turns import Reply, ToolResult, Turn
from nbaudio.wire.answers import AnswerReader, AudioDelta, TextDelta
from nbaudio.wire.requests import Message, Options, request_body

__all__ = ["Exchange", "family"]

_FRESH_S = 60  # an audio id this close to its end may be gone when the request arrives


class Exchange:
    """Sends one request and gathers its answer.

    Parameters
    ----------
    turns : sequence of Turn
        The conversation up to and with the new turn.
    backend : Backend
    options : Options
    settings : NbAudio
        Timeouts, retries and the offline engine's brain.
    """

    def __init__(self, turns: Sequence[Turn], backend: Backend, options: Options, settings: NbAudio) -> None:
        self.turns, self.backend, self.options, self.settings = _paired(turns), backend, options, settings
        self._reader = AnswerReader(options.audio_format, SpooledWav)
        self.dead_ids: set[str] = set()
        """Audio ids that the server turned out not to know any more."""

    async def run(self, put: Callable[[TextDelta | AudioDelta], None]) -> Reply:
        """The reply; `put` is called with each piece as it comes.

        Raises
        ------
        RequestError
            In one of its kinds; `partial` is then the reply so far, where anything came.
        """
        try:
            try:
                await self._send(put)
            except errors.AudioIdNotFound:
                # Ids of one conversation age together: where one is gone, the others are not worth a second error.
                self.dead_ids = {message.audio_id for message in self._messages() if message.audio_id}
                if not self.dead_ids:
                    raise
                await self._send(put)
        except errors.RequestError as error:
            error.partial = self.partial()
            raise
        return self._reply(whole=True)

    def partial(self) -> Reply | None:
        """What has come so far, as a reply marked partial; None where nothing has."""
        return self._reply(whole=False) if self._reader.started else None

    def body(self) -> dict[str, Any]:
        """The JSON object that is sent; sounds in it are `nbaudio.wire.requests.Inline`."""
        return request_body(self._messages(), self.options)

    def words_and_sounds(self) -> tuple[list[str], list[Clip]]:
        """What goes out, read without loading a sound: of an earlier answer its sound, where its id goes out for it."""
        now = time.time()
        words = [self.options.instructions]
        sounds: list[Clip] = []
        for turn in self.turns:
            sounding = self._sounds(turn, now)
            if sounding:
                sounds += turn.clips
            if isinstance(turn, Reply):
                words += [] if sounding else [turn.text]
                words += [call.name + call.arguments for call in turn.tool_calls]
            else:
                words.append(turn.words if turn.as_words else turn.text)
        return words, sounds

    async def _send(self, put: Callable[[TextDelta | AudioDelta], None]) -> None:
        # aclosing: an exception here must close the connection now, not when the generator is collected
        connection = connection_to(self.backend, self.settings)
        async with aclosing(chat.send(connection, self.body(), self._reader)) as events:
            async for event in events:
                put(event)

    def _messages(self) -> list[Message]:
        now = time.time()
        return [message for turn in self.turns if (message := self._message(turn, now)) is not None]

    def _sounds(self, turn: Turn, now: float) -> bool:
        """Whether the sound of a turn goes out, and not its words."""
        if isinstance(turn, Reply):
            return self._id_is_good(turn, now)
        return not (isinstance(turn, ToolResult) or turn.as_words)

    def _message(self, turn: Turn, now: float) -> Message | None:
        if isinstance(turn, ToolResult):
            return Message("tool", turn.text, call_id=turn.call_id)
        if not isinstance(turn, Reply):
            if not self._sounds(turn, now):
                return Message(turn.role, turn.words)
            return Message(turn.role, turn.text, tuple(clip.for_model() for clip in turn.clips))
        calls = turn.tool_calls
        if self._id_is_good(turn, now):
            return Message("assistant", audio_id=turn.audio_id, tool_calls=calls)
        # An assistant's turn with neither words nor id says nothing, and some servers refuse it.
        return Message("assistant", turn.text, tool_calls=calls) if turn.text or calls else None

    def _id_is_good(self, reply: Reply, now: float) -> bool:
        """Whether the server still understands the id: only the server and the model that gave it, for an hour."""
        return bool(
            self.backend.dialect.keeps_audio_ids
            and reply.audio_id
            and not (reply.partial or reply.as_words)
            and reply.audio_id not in self.dead_ids
            and reply.backend == self.backend.name
            and family(reply.model) == family(self.options.model)
            and now < reply.expires_at - _FRESH_S
        )

    def _reply(self, *, whole: bool) -> Reply:
        reply = Reply.from_answer(
            self._reader.answer(),
            aloud=self.options.aloud,
            whole=whole,
            offline=self.backend.offline,
            time=time.time(),
            model=self.options.model,
            voice=self.options.voice if self.options.aloud else "",
            backend=self.backend.name,
        )
        return replace(reply, audio_id="", expires_at=0) if not whole else reply


def _paired(turns: Sequence[Turn]) -> list[Turn]:
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


def family(model: str) -> str:
    """The model without the date of its snapshot."""
    # Asked for `gpt-audio-1.5`, a server may answer as `gpt-audio-1.5-2026-02-01`: the same model, by its date.
    head, _, tail = model.rpartition("-20")
    return head if head and tail[:2].isdigit() else model
