"""Speaking by a chat model, which is told to read aloud word for word: where a server has no speech endpoint."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from nbaudio import errors
from nbaudio.exchange import Exchange
from nbaudio.settings import Backend, NbAudio
from nbaudio.sound.clip import Clip
from nbaudio.speaking.passage import Order, Passage, Piece, Put
from nbaudio.speaking.reading_aloud import LONGEST, differences, instructions
from nbaudio.turns import Turn
from nbaudio.wire.answers import STREAM_SAMPLE_RATE, AudioDelta, TextDelta
from nbaudio.wire.requests import Options

__all__ = ["Verbatim"]

_MOST_TOKENS = 16_384  # of any answer (docs/protocol.md)


class Verbatim:
    """The chat model of a backend, reading aloud. See `nbaudio.speaking.passage.Way`.

    Parameters
    ----------
    order : Order
    backend : Backend
    settings : NbAudio
    why : str
        Why it is the one to speak, as the end of a sentence.
    """

    name = "chat model, verbatim"
    reads = True

    def __init__(self, order: Order, backend: Backend, settings: NbAudio, why: str) -> None:
        self._order, self._backend, self._settings = order, backend, settings
        self.model = backend.model
        self.told = instructions(order, order.speed)
        self.note = f"Read by the chat model {self.model}, for {why}."

    def fits(self, text: str) -> bool:
        """Whether it is short enough to be read without a slip."""
        return len(text) <= LONGEST

    def key(self, passage: Passage) -> str:
        """All that the model gets, and where; the words that are told of a passage begin with its gap."""
        asked = [self._backend.base_url, self.model, self._order.voice, self.told, passage.text]
        return json.dumps([*asked, passage.gap])

    async def speak(self, passage: Passage, put: Put, taken: Callable[[], None]) -> None:
        """Have a passage read."""
        temperature = self._settings.temperature
        options = Options(
            model=self.model,
            voice=self._order.voice,
            stream=self._order.stream,
            instructions=self.told,
            max_completion_tokens=min(_MOST_TOKENS, 500 + 8 * len(passage.text)),
            temperature=temperature if temperature >= 0 else None,
        )
        exchange = Exchange([Turn("user", passage.text)], self._backend, options, self._settings)

        gap = passage.gap  # before its first words, which may come after its first sound

        def add(event: Piece) -> None:
            nonlocal gap
            taken()
            if isinstance(event, TextDelta):
                event, gap = TextDelta(gap + event.text), ""
            passage.pieces.append(event)
            put(event)

        try:
            reply = await exchange.run(add)
        except BaseException:
            if (partial := exchange.partial()) is not None:
                passage.said, passage.usage = partial.text, partial.usage
            raise
        if reply.clip is None:
            realtime = self._backend.dialect.realtime_model
            others = f" its Realtime model: --model {realtime}; or" if realtime else ""
            raise errors.BadReply(
                f"{self._backend.name} has no text to speech, and its chat model {reply.model} sent no sound.",
                f"Choose one that speaks (%config NbAudio.model), or{others} work offline: "
                "%config NbAudio.backend = 'offline'.",
            )
        passage.said, passage.usage, passage.model = reply.text, reply.usage, reply.model
        if not passage.frames:  # it came whole
            add(AudioDelta(await asyncio.to_thread(_pcm16, reply.clip)))
        passage.note = differences(passage.text, reply.text)


def _pcm16(clip: Clip) -> bytes:
    return clip.mono().resample(STREAM_SAMPLE_RATE).encode("pcm16")
