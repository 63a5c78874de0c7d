"""One exchange: the turns so far and a new one go out, an answer comes back, whole or in part."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from nbaudio import errors
from nbaudio.backends import chat
from nbaudio.backends.connection import connection_to
from nbaudio.keyless import keyless
from nbaudio.outgoing import Addressee, Block, Outgoing, paired
from nbaudio.settings import Backend, NbAudio
from nbaudio.sound.spool import SpooledSound
from nbaudio.turns import Reply, Turn
from nbaudio.wire.answers import Answer, AnswerReader, AudioDelta, TextDelta
from nbaudio.wire.fitting import fitted_body, fitted_options
from nbaudio.wire.requests import Options, written_body

__all__ = ["Exchange"]


class Exchange:
    """Sends one request and gathers its answer.

    Parameters
    ----------
    turns : sequence of Turn
        What is new: the question, and what has come of it so far.
    backend : Backend
    options : Options
    settings : NbAudio
        Timeouts, retries and the offline engine's brain.
    history : sequence of Turn
        What was said before.
    outgoing : Outgoing, optional
        What has been made of the history for earlier requests.
    """

    def __init__(
        self,
        turns: Sequence[Turn],
        backend: Backend,
        options: Options,
        settings: NbAudio,
        *,
        history: Sequence[Turn] = (),
        outgoing: Outgoing | None = None,
    ) -> None:
        self.backend, self.settings = backend, settings
        self.aloud = options.aloud
        """Whether the person gets sound; `options` say whether the server is asked for it."""
        voice = options.voice or backend.voice or settings.voice
        self.options = fitted_options(replace(options, voice=voice), backend.dialect)
        self._turns, self._history, self._outgoing = turns, history, outgoing or Outgoing()
        self._reader = AnswerReader(self.options.audio_format, SpooledSound)
        self._worked_on = False
        self.dead_ids: set[str] = set()
        """Audio ids that the server turned out not to know any more."""
        self.heard: dict[str, str] = {}
        """What was written down of recordings for a server that can't hear, by the ids of their turns."""

    @property
    def others(self) -> tuple[str, ...]:
        """Who else takes part in the answer and what they get, by which it is told from one without them."""
        return ()

    @property
    def speaker(self) -> Backend | None:
        """Who says the answer, where the server that is asked does not: that is paid for beside its tokens."""
        return None

    def prepare(self) -> None:
        """Have here what the request needs; where that takes a while, a progress bar shows it."""

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
                self.dead_ids = {audio_id for block in self._blocks() for audio_id in block.audio_ids}
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

    def unanswered(self) -> Reply | None:
        """An empty reply to a request that a server has in hand, and may charge for; None where none has."""
        return self._reply(whole=False) if self._worked_on else None

    @property
    def turns(self) -> list[Turn]:
        """The conversation up to and with what is new, as it goes out: no call of a tool without its result."""
        return paired([*self._history, *self._turns])

    def body(self) -> dict[str, Any]:
        """The JSON object that is sent, as `nbaudio.wire.requests.serialized` takes it."""
        return fitted_body(
            written_body((block.parts() for block in self._blocks()), self.options), self.backend.dialect
        )

    def weight(self) -> tuple[int, float]:
        """How many bytes of words go out, and how many seconds of sound, known without loading a sound.

        Of an earlier answer it is its sound, where its id goes out for it.
        """
        blocks = self._blocks()
        told = len(self.options.instructions.encode("utf-8", "surrogatepass"))
        return told + sum(block.text_bytes for block in blocks), sum(block.sound_s for block in blocks)

    async def _send(self, put: Callable[[TextDelta | AudioDelta], None]) -> None:
        # aclosing: an exception here must close the connection now, not when the generator is collected
        connection = connection_to(self.backend, self.settings)
        async with aclosing(chat.send(connection, self.body(), self._reader, self._note_work)) as events:
            async for event in events:
                if isinstance(event, TextDelta) and (words := errors.without_keys(event.text)) != event.text:
                    event = TextDelta(words)
                put(event)

    def _note_work(self, works: bool) -> None:
        self._worked_on = works

    def _blocks(self) -> list[Block]:
        backend, now = self.backend, time.time()
        to = Addressee(backend.dialect, backend.name, self.options.model, frozenset(self.dead_ids))
        return [*self._outgoing.blocks(self._history, to, now), Block.of(self._turns, to, now)]

    def _answer(self) -> Answer:
        return self._reader.answer()

    def _reply(self, *, whole: bool) -> Reply:
        reply = Reply.from_answer(
            self._answer(),
            aloud=self.aloud,
            whole=whole,
            offline=self.backend.offline,
            time=time.time(),
            model=self.options.model,
            voice=self.options.voice if self.aloud else "",
            backend=self.backend.name,
        )
        # A server may repeat the key which it was sent: it would be in the notebook, and on the disk.
        return keyless(reply if whole else replace(reply, audio_id="", expires_at=0))
