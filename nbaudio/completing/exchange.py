"""An exchange in which others hear and speak for the server: the words of a recording go out, and come back as speech.

Words are shown as the server writes them; each sentence is spoken while the next is being written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import anyio

from nbaudio import errors
from nbaudio.completing.hearing import TranscribingEars
from nbaudio.completing.parties import Parties
from nbaudio.completing.spoken import SpokenAnswer
from nbaudio.completing.voices import voice_of
from nbaudio.exchange import Exchange
from nbaudio.outgoing import Outgoing
from nbaudio.servers.backend import Backend
from nbaudio.settings import NbAudio
from nbaudio.sound.names import sent_name
from nbaudio.spending.ledger import Ledger
from nbaudio.turns import OFFLINE_ENGINE, Reply, Turn
from nbaudio.wire.answers import Answer, AudioDelta, TextDelta
from nbaudio.wire.requests import Options

__all__ = ["CompletedExchange", "exchange_for"]

_INAUDIBLE = "(inaudible)"  # an earlier recording in which nobody heard a word; a message of nothing is refused


def exchange_for(
    turns: Sequence[Turn],
    backend: Backend,
    options: Options,
    settings: NbAudio,
    *,
    history: Sequence[Turn] = (),
    outgoing: Outgoing | None = None,
) -> Exchange:
    """The exchange that a request needs: a plain one, where the server does all of it.

    Parameters as of `nbaudio.exchange.Exchange`.

    Raises
    ------
    NoBackend
        If somebody has to hear or speak for the server, and nobody is there.
    """
    parties = Parties.of(backend, options, [*history, *turns])
    if parties == Parties():
        return Exchange(turns, backend, options, settings, history=history, outgoing=outgoing)
    return CompletedExchange(turns, backend, options, settings, parties, history=history)


class CompletedExchange(Exchange):
    """Sends one request as words, and gathers its answer with the sound that others make of it.

    Parameters
    ----------
    turns, backend, options, settings, history
        As in `nbaudio.exchange.Exchange`.
    parties : Parties
        Who hears, and who speaks.
    """

    def __init__(
        self,
        turns: Sequence[Turn],
        backend: Backend,
        options: Options,
        settings: NbAudio,
        parties: Parties,
        *,
        history: Sequence[Turn] = (),
    ) -> None:
        self.parties = parties
        self._recorded = [turn for turn in (*history, *turns) if parties.hear and turn.role == "user" and turn.clips]
        silent = replace(options, aloud=False, voice=options.voice or parties.speak.voice) if parties.speak else options
        as_words = {turn.id: replace(turn, as_words=True) for turn in self._recorded}
        self._new, self._said = ([as_words.get(turn.id, turn) for turn in some] for some in (turns, history))
        super().__init__(self._new, backend, silent, settings, history=self._said)
        self.aloud = options.aloud
        self._spoken: SpokenAnswer | None = None
        self.ledger: Ledger | None = None
        """The books that what is heard stands on, beside the request's own tokens."""

    @property
    def others(self) -> tuple[str, ...]:
        """The parties, the voice, and the recordings that are told in words."""
        sounds = [sent_name(clip)[0] for turn in self._recorded for clip in turn.clips]
        return (*self.parties.names, self.options.voice if self.parties.speak else "", *sounds)

    @property
    def speaker(self) -> Backend | None:
        """Who says the answer."""
        return self.parties.speak

    def prepare(self) -> None:
        """Fetch the weights that are needed."""
        self.parties.fetch()

    async def run(self, put: Callable[[TextDelta | AudioDelta], None]) -> Reply:
        """The reply, as `Exchange.run`.

        Raises
        ------
        UnknownVoice
            If the offline engine is to speak, and has no such voice; nothing was sent.
        RequestError
            In one of its kinds; also where what was said can't be written down. An answer that can't be spoken is
            kept as words, and its note says why.
        """
        spoken = None
        if self.parties.speak is not None:
            voice = voice_of(self.parties.speak, self.options.voice, self.settings)
            spoken = self._spoken = SpokenAnswer(voice, put)
        if self.parties.hear is not None:
            await self._hear(self.parties.hear)
        if spoken is None:
            return await super().run(put)

        def take(event: TextDelta | AudioDelta) -> None:
            if isinstance(event, TextDelta):  # what sound the server may send all the same is not the voice's
                put(event)
                spoken.take(event.text)

        failure: errors.NbaudioError | None = None
        async with anyio.create_task_group() as speaking:
            speaking.start_soon(spoken.run)
            try:
                await super().run(take)
            except errors.NbaudioError as error:  # caught here: the group would raise it in a group of exceptions
                failure = error
                speaking.cancel_scope.cancel()
            else:
                spoken.end()
        if isinstance(failure, errors.RequestError):
            failure.partial = self.partial()  # with the sound that there is by now
        if failure is not None:
            raise failure
        return self._reply(whole=True)

    async def _hear(self, backend: Backend) -> None:
        """Put the words of recordings in the place of their sound."""
        ears, asked = TranscribingEars(backend, self.ledger), self._question
        for turns in (self._said, self._new):
            for place, turn in enumerate(turns):
                if turn.role != "user" or not turn.clips or turn.transcript:
                    continue
                if turn.id not in self.heard:
                    self.heard[turn.id] = await ears.hear(turn.clips)
                words = self.heard[turn.id]
                if not words and not turn.text and turn is asked:
                    raise errors.CellError(
                        f"No words were heard in the recording, by {_who(backend)}; nothing was sent.",
                        "Say it again, nearer to the microphone.",
                    )
                turns[place] = replace(turn, transcript=words or _INAUDIBLE)

    @property
    def _question(self) -> Turn | None:
        """The turn that is answered, which tools may have come behind."""
        return next((turn for turn in reversed(self.turns) if turn.role == "user"), None)

    def _answer(self) -> Answer:
        answer = super()._answer()
        if self._spoken is None:
            return answer
        pcm16, marks = bytes(self._spoken.pcm16), self._spoken.marks
        marks = [*marks, (len(answer.text), len(pcm16) // 2)] if pcm16 else []
        return replace(
            answer,
            audio=pcm16,
            audio_format="pcm16" if pcm16 else "",
            audio_id="",  # of a sound that is not this one
            expires_at=0,
            marks=tuple(marks),
        )

    def _reply(self, *, whole: bool) -> Reply:
        reply = super()._reply(whole=whole)
        hear, speak = self.parties.hear, self.parties.speak
        trouble = self._spoken.trouble if self._spoken is not None else None
        note = f"It could not be spoken: {trouble}" if trouble is not None else reply.note
        return replace(
            reply,
            heard_by=_who(hear) if hear and self._question and self._question.clips else "",
            spoken_by=_who(speak) if speak and reply.clips else "",
            note=note,
        )


def _who(backend: Backend) -> str:
    return OFFLINE_ENGINE if backend.offline else backend.name
