"""One exchange: the turns so far and a new one go out, an answer comes back, whole or in part."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import replace

from nbaudio import errors
from nbaudio.backends.client import client_for
from nbaudio.settings import Backend, NbAudio
from nbaudio.turns import Reply, ToolResult, Turn
from nbaudio.wire.answers import AnswerReader, AudioDelta, TextDelta
from nbaudio.wire.requests import Message, Options, request_body

__all__ = ["Exchange"]

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
        self._turns, self._backend, self._options, self._settings = turns, backend, options, settings
        self._reader = AnswerReader(options.audio_format)
        self.dead_ids: set[str] = set()
        """Audio ids that the server turned out not to know any more."""
        self.over = threading.Event()
        """Set when nothing more will come."""

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
        finally:
            self.over.set()
        return self._reply(whole=True)

    def partial(self) -> Reply | None:
        """What has come so far, as a reply marked partial; None where nothing has."""
        return self._reply(whole=False) if self._reader.started else None

    async def _send(self, put: Callable[[TextDelta | AudioDelta], None]) -> None:
        body = request_body(self._messages(), self._options)
        # aclosing: an exception here must close the connection now, not when the generator is collected
        async with aclosing(client_for(self._backend, self._settings).send(body, self._reader)) as events:
            async for event in events:
                put(event)

    def _messages(self) -> list[Message]:
        now = time.time()
        return [message for turn in self._turns if (message := self._message(turn, now)) is not None]

    def _message(self, turn: Turn, now: float) -> Message | None:
        if isinstance(turn, ToolResult):
            return Message("tool", turn.text, call_id=turn.call_id)
        if not isinstance(turn, Reply):
            if turn.as_words:
                return Message(turn.role, turn.words)
            return Message(turn.role, turn.text, tuple(clip.for_model() for clip in turn.clips))
        calls = () if turn.partial else turn.tool_calls  # of calls that broke off there are no results
        if self._id_is_good(turn, now):
            return Message("assistant", audio_id=turn.audio_id, tool_calls=calls)
        # An assistant's turn with neither words nor id says nothing, and some servers refuse it.
        return Message("assistant", turn.text, tool_calls=calls) if turn.text or calls else None

    def _id_is_good(self, reply: Reply, now: float) -> bool:
        """Whether the server still understands the id: only the server and the model that gave it, for an hour."""
        return bool(
            self._backend.dialect.keeps_audio_ids
            and reply.audio_id
            and not (reply.partial or reply.as_words)
            and reply.audio_id not in self.dead_ids
            and reply.backend == self._backend.name
            and _family(reply.model) == _family(self._options.model)
            and now < reply.expires_at - _FRESH_S
        )

    def _reply(self, *, whole: bool) -> Reply:
        reply = Reply.from_answer(
            self._reader.answer(),
            aloud=self._options.aloud,
            whole=whole,
            offline=self._backend.offline,
            time=time.time(),
            model=self._options.model,
            voice=self._options.voice if self._options.aloud else "",
            backend=self._backend.name,
        )
        return replace(reply, audio_id="", expires_at=0) if not whole else reply


def _family(model: str) -> str:
    # Asked for `gpt-audio-1.5`, a server may answer as `gpt-audio-1.5-2026-02-01`: the same model, by its date.
    head, _, tail = model.rpartition("-20")
    return head if head and tail[:2].isdigit() else model
