"""Speaking by a Realtime model, which is told to read aloud word for word: a session of its own for each passage.

In one session for all of them each passage would be read, and paid, as part of a conversation that grows.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable

import anyio

from nbaudio import errors
from nbaudio.backends.connection import AGAIN
from nbaudio.backends.realtime import Channel, ChannelClosed, open_channel
from nbaudio.backends.retry import wait_s
from nbaudio.settings import Backend, NbAudio
from nbaudio.speaking.passage import Order, Passage, Piece, Put
from nbaudio.speaking.reading_aloud import LONGEST, differences, instructions
from nbaudio.wire.answers import AudioDelta, TextDelta
from nbaudio.wire.realtime import events as server
from nbaudio.wire.realtime import sending
from nbaudio.wire.realtime.session import FASTEST, RealtimeOptions
from nbaudio.wire.realtime.troubles import error_of, failure_of, gravity
from nbaudio.wire.usage import Usage

__all__ = ["RealtimeVerbatim"]

_MOST_TOKENS = 4096  # that may be asked for (https://platform.openai.com/docs/api-reference/realtime-client-events)
_THINKING_TOKENS = 1000  # some of these models think before they speak, and what they think counts
_PASSING = (errors.ConnectionFailed, errors.TimedOut, errors.ServerFailed, errors.RateLimited)
_REFUSED = (1008, 3000, 4000)  # closed for a reason that coming back does not mend: policy, no right, the dead beta


class RealtimeVerbatim:
    """A Realtime model of a backend, reading aloud. See `nbaudio.speaking.passage.Way`.

    Its sound always comes piece by piece, as PCM.

    Parameters
    ----------
    order : Order
    backend : Backend
    settings : NbAudio
    model : str
    why : str
        Why it is the one to speak, as the end of a sentence.
    """

    name = "Realtime model, verbatim"
    reads = True

    def __init__(self, order: Order, backend: Backend, settings: NbAudio, model: str, why: str) -> None:
        self._voice, self._backend, self._settings = order.voice, backend, settings
        self._speed = min(order.speed, FASTEST)  # what is above it the model is asked for in words
        self.model = model
        self.told = instructions(order, order.speed / self._speed)
        self.note = f"Read by the Realtime model {model}, for {why}."

    def fits(self, text: str) -> bool:
        """Whether it is short enough to be read without a slip."""
        return len(text) <= LONGEST

    def key(self, passage: Passage) -> str:
        """All that the model gets, and where; the words that are told of a passage begin with its gap."""
        asked = [self._backend.base_url, self.model, self._voice, self._speed, self.told, passage.text]
        return json.dumps([self.name, *asked, passage.gap])

    async def speak(self, passage: Passage, put: Put, taken: Callable[[], None]) -> None:
        """Have a passage read; a session that fails is opened again until something of it has come."""
        for attempt in itertools.count():
            try:
                await self._read(_Reading(passage, put, taken, self._backend))
                return
            except _PASSING:
                if passage.pieces or attempt >= self._settings.retries:
                    raise
            await anyio.sleep(wait_s(attempt, {}) or 0.0)

    async def _read(self, reading: _Reading) -> None:
        channel = await open_channel(self._backend, self._settings, self.model)
        name = self._backend.name
        try:
            await self._converse(channel, reading)
        except ChannelClosed as closed:
            reason = f": {closed.reason.rstrip('.')}" if closed.reason else ""
            if reading.passage.pieces:
                raise errors.ReplyCut(f"The sound of {name} broke off{reason}.", AGAIN) from None
            if closed.code in _REFUSED:
                raise errors.BadReply(
                    f"{name} ended the session{reason or f' with code {closed.code}'}.",
                    "docs/servers.md says which servers have Realtime sessions, and where their keys go.",
                ) from None
            raise errors.ConnectionFailed(
                f"The connection to {name} broke off before anything was spoken{reason}.", AGAIN
            ) from None
        except TimeoutError:
            fell_silent = "fell silent in the middle of its answer" if reading.passage.pieces else "does not answer"
            raise errors.TimedOut(f"{name} {fell_silent}.", AGAIN) from None
        finally:
            with anyio.CancelScope(shield=True):
                await channel.aclose()

    async def _converse(self, channel: Channel, reading: _Reading) -> None:
        await channel.send(sending.update(self._options(reading.passage)))
        # Nothing is to be read before it is known that it will be read, and not answered.
        while not isinstance(event := await self._next(channel), server.SessionUpdated):
            pass
        model = event.session.get("model")
        reading.passage.model = errors.without_keys(model) if isinstance(model, str) and model else self.model
        await channel.send(sending.message("user", reading.passage.text))
        await channel.send(sending.create_response())
        while not isinstance(event := await self._next(channel), server.ResponseDone):
            reading.take(event)
        reading.end(event.response)

    async def _next(self, channel: Channel) -> server.ServerEvent:
        with anyio.fail_after(self._settings.timeout_s):
            event = server.read_event(await channel.receive())
        if isinstance(event, server.Trouble) and gravity(event.error) != "harmless":
            raise _error(event.error, self._backend)
        return event

    def _options(self, passage: Passage) -> RealtimeOptions:
        return RealtimeOptions(
            model=self.model,
            voice=self._voice,
            instructions=self.told,
            speed=self._speed,
            max_output_tokens=min(_MOST_TOKENS, _THINKING_TOKENS + 8 * len(passage.text)),
        )


class _Reading:
    """What comes of a passage that is being read."""

    def __init__(self, passage: Passage, put: Put, taken: Callable[[], None], backend: Backend) -> None:
        self.passage = passage
        self._put, self._taken, self._backend = put, taken, backend
        self._odd = b""  # half a sample

    def take(self, event: server.ServerEvent) -> None:
        """Take what the server says."""
        if isinstance(event, server.ResponseCreated):
            self._taken()
        elif isinstance(event, server.TranscriptCame):
            self._say(event.delta)
        elif isinstance(event, server.AudioCame):
            data = self._odd + event.delta
            whole = len(data) // 2 * 2
            self._odd = data[whole:]
            if whole:
                self._add(AudioDelta(data[:whole]))

    def end(self, response: server.Response) -> None:
        """All has come, or all that will."""
        passage, name = self.passage, self._backend.name
        passage.usage = Usage.of_realtime(response.usage or {})
        if (failure := failure_of(response)) is not None:
            raise _error(failure, self._backend)
        if response.status != "completed":
            reason = (response.status_details or {}).get("reason")
            told = f" ({reason})" if isinstance(reason, str) else ""
            raise errors.ReplyCut(f"{name} stopped in the middle of the text{told}.", AGAIN)
        if not passage.frames:
            raise errors.BadReply(
                f"The Realtime model {passage.model} of {name} sent no sound.", "Choose another with --model."
            )
        if not passage.said:  # servers that tell the words only when it is over tell all of them then
            self._say(_transcript(response))
        passage.note = differences(passage.text, passage.said)

    def _say(self, words: str) -> None:
        if words := errors.without_keys(words):
            self._add(TextDelta(words if self.passage.said else self.passage.gap + words))
            self.passage.said += words

    def _add(self, piece: Piece) -> None:
        self._taken()
        self.passage.pieces.append(piece)
        self._put(piece)


def _transcript(response: server.Response) -> str:
    """The words of a response, as it has them when it is over."""
    parts = [part for item in response.output or () for part in item.content or ()]
    return " ".join(words for part in parts if isinstance(words := part.get("transcript"), str))


def _error(wrong: server.Wrong, backend: Backend) -> errors.ServerRefused:
    return error_of(wrong, server=backend.name, key_from=backend.key_from, key_env=backend.key_env)
