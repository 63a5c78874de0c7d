"""Speaking by the server's own speech endpoint, ``/audio/speech``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from nbaudio import errors
from nbaudio.backends import speech
from nbaudio.backends.connection import connection_to
from nbaudio.settings import Backend, NbAudio
from nbaudio.sound.clip import Clip
from nbaudio.sound.codecs import Resampler, wav_header
from nbaudio.speaking.passage import Order, Passage, Put
from nbaudio.wire.answers import STREAM_SAMPLE_RATE, AudioDelta, TextDelta
from nbaudio.wire.speech import SpeechOptions, SpeechReader, WordTime, speech_body, takes_instructions

__all__ = ["Endpoint"]

_without_events: set[tuple[str, str]] = set()  # addresses and models that have refused ``stream_format``


class Endpoint:
    """The speech endpoint of a backend. See `nbaudio.speaking.passage.Way`."""

    name = "speech endpoint"
    reads = False

    def __init__(self, order: Order, backend: Backend, settings: NbAudio) -> None:
        self._order, self._backend, self._settings = order, backend, settings
        self.model = order.model or settings.speech_model or backend.dialect.speech_model
        follows = takes_instructions(self.model) and backend.dialect.speech_instructions
        self.note = ""
        if order.instructions and not follows:
            who = "The offline voice" if backend.offline else self.model
            self.note = f"{who} takes no instructions; they were left out."
        self.told = order.instructions if follows else ""

    def fits(self, text: str) -> bool:
        """Whether a text is within the server's limits."""
        dialect = self._backend.dialect
        most_tokens = dialect.longest_speech_tokens
        return len(text) <= dialect.longest_speech and not (most_tokens and _most_tokens(text) > most_tokens)

    def key(self, passage: Passage) -> str:
        """The request, and where it goes; the words that are told of a passage begin with its gap."""
        return json.dumps([self._backend.base_url, self._body(passage, events=False), passage.gap])

    async def speak(self, passage: Passage, put: Put, taken: Callable[[], None]) -> None:
        """Have a passage spoken."""
        passage.model = self.model
        place = (self._backend.base_url, self.model)
        events = self._backend.dialect.speech_events and takes_instructions(self.model) and place not in _without_events
        try:
            await self._send(passage, put, taken, events=events)
        except errors.BadRequest as error:
            if not events or error.param != "stream_format" or passage.pieces:
                raise
            _without_events.add(place)  # a gateway, or an older model: what it used will not be known
            await self._send(passage, put, taken, events=False)
        passage.said = passage.text

    async def _send(self, passage: Passage, put: Put, taken: Callable[[], None], *, events: bool) -> None:
        reader = SpeechReader(self._order.format, keep_pcm=False)  # the passage has the pieces
        arrival = _Arrival(passage, put)
        connection = connection_to(self._backend, self._settings)
        try:
            # aclosing: an exception here must close the connection now, not when the generator is collected
            async with aclosing(speech.send(connection, self._body(passage, events=events), reader)) as arriving:
                async for found in arriving:
                    if found is None:
                        taken()
                    elif isinstance(found, AudioDelta):
                        arrival.sound(found)
                    else:
                        arrival.words(found.words)
            if reader.format == "pcm" and not self._order.stream and reader.sample_rate != STREAM_SAMPLE_RATE:
                passage.file = wav_header(len(reader.audio), reader.sample_rate) + reader.audio  # as it came
            if reader.format != "pcm":
                passage.file = reader.audio
                arrival.sound(AudioDelta(await asyncio.to_thread(_decoded, reader.audio, self._backend.name)))
            arrival.end()
        finally:
            passage.words = reader.words
            passage.usage = replace(reader.usage, characters=len(passage.text)) if reader.started else reader.usage

    def _body(self, passage: Passage, *, events: bool) -> dict[str, Any]:
        order = self._order
        options = SpeechOptions(self.model, order.voice, self.told, order.format, order.speed, events)
        return speech_body(passage.text, options)


class _Arrival:
    """Puts the words of a passage before their sound, and the sound at 24,000 Hz."""

    def __init__(self, passage: Passage, put: Put) -> None:
        self._passage, self._put = passage, put
        self._told = 0  # characters of the passage
        self._resampler: Resampler | None = None

    def words(self, words: tuple[WordTime, ...]) -> None:
        """These words come next."""
        text, at = self._passage.text, self._told
        for word in words:
            found = text.find(word.word, at)
            at = found + len(word.word) if found >= 0 else at
        self._tell(at)

    def sound(self, event: AudioDelta) -> None:
        """Take a piece."""
        if not self._told:
            self._tell(len(self._passage.text))  # no words come along: they are all of them
        pcm16 = event.pcm16
        if event.sample_rate != STREAM_SAMPLE_RATE:
            self._resampler = self._resampler or Resampler(event.sample_rate, STREAM_SAMPLE_RATE)
            pcm16 = self._resampler.take(pcm16)
        self._add(AudioDelta(pcm16))

    def end(self) -> None:
        """All has come."""
        if self._resampler is not None:
            self._add(AudioDelta(self._resampler.finish()))
        self._tell(len(self._passage.text))

    def _tell(self, end: int) -> None:
        gap = self._passage.gap if not self._told else ""
        if end > self._told:
            self._add(TextDelta(gap + self._passage.text[self._told : end]))
            self._told = end

    def _add(self, event: TextDelta | AudioDelta) -> None:
        if isinstance(event, TextDelta) or event.pcm16:
            self._passage.pieces.append(event)
            self._put(event)


def _decoded(data: bytes, server: str) -> bytes:
    try:
        return Clip(data).mono().resample(STREAM_SAMPLE_RATE).encode("pcm16")
    except errors.ClipError as error:
        raise errors.BadReply(
            f"The sound of {server} can't be played: {error.cause}", "Ask for another: format='wav'."
        ) from error


def _most_tokens(text: str) -> float:
    """So many tokens a text has at most, near enough: one for each character of a script other than Latin."""
    ascii_count = sum(character.isascii() for character in text)
    return ascii_count / 3 + (len(text) - ascii_count)
