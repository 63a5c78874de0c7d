"""Speech from whoever speaks for a server that does not: a sentence in, PCM16 at 24,000 Hz out, in pieces."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Protocol

import anyio.to_thread

from nbaudio.backends.connection import connection_to
from nbaudio.errors import BadReply, UnknownVoice
from nbaudio.servers.backend import Backend
from nbaudio.settings import NbAudio
from nbaudio.sound.codecs import samples_to_pcm16
from nbaudio.sound.incoming import IncomingSound

if TYPE_CHECKING:
    from nbaudio.engine.speak import Speaker

__all__ = ["EngineVoice", "ServerVoice", "SpeakingVoice", "voice_of"]


class SpeakingVoice(Protocol):
    """Who speaks."""

    async def prepare(self) -> None:
        """Get ready while the first sentence is being written; may raise NbaudioError."""
        ...

    def speak(self, text: str) -> AsyncGenerator[bytes, None]:
        """The sound of a text in pieces, mono at 24,000 Hz; may raise NbaudioError."""
        ...


def voice_of(backend: Backend, voice: str, settings: NbAudio) -> SpeakingVoice:
    """The voice of a backend.

    Raises
    ------
    UnknownVoice
        If the offline engine has none of this name; a server says so itself.
    """
    return EngineVoice(voice, settings) if backend.offline else ServerVoice(backend, voice, settings)


class EngineVoice:
    """A voice of the offline engine."""

    def __init__(self, voice: str, settings: NbAudio) -> None:
        from nbaudio.engine.voices import VOICES

        if voice not in VOICES:
            raise UnknownVoice(
                f"The offline engine has no voice {voice!r}.",
                f"Choose one with --voice or %config NbAudio.voice: {', '.join(VOICES)}.",
                status=400,
            )
        self._voice, self._brain = voice, settings.brain

    async def prepare(self) -> None:
        """Load the voice."""
        await anyio.to_thread.run_sync(self._speaker, abandon_on_cancel=True)

    async def speak(self, text: str) -> AsyncGenerator[bytes, None]:
        """The sound of a text, in one piece."""
        # A thread that has begun can't be stopped; a sentence is some tens of milliseconds, and nobody waits for it.
        yield await anyio.to_thread.run_sync(self._spoken, text, abandon_on_cancel=True)

    def _speaker(self) -> Speaker:
        from nbaudio.engine.parts import engine

        return engine(self._brain).speaker

    def _spoken(self, text: str) -> bytes:
        return samples_to_pcm16(self._speaker().speak(text, self._voice))


class ServerVoice:
    """A voice of a server with a text-to-speech endpoint."""

    def __init__(self, backend: Backend, voice: str, settings: NbAudio) -> None:
        self._backend, self._voice = backend, voice
        self._connection = connection_to(backend, settings)

    async def prepare(self) -> None:
        """Nothing: the server is there, or says that it is not."""

    async def speak(self, text: str) -> AsyncGenerator[bytes, None]:
        """The sound of a text as it comes."""
        dialect, sound = self._backend.dialect, IncomingSound()
        body = {"model": dialect.speech_model, "input": text, "voice": self._voice, "response_format": "pcm"}
        async with self._connection.post(dialect.speech_path, lambda: {"json": body}) as response:
            if response.headers.get("content-type", "").startswith(("application/json", "text/")):
                raise BadReply(
                    f"{self._backend.name} sent text instead of speech.", "Is it a server with /audio/speech?"
                )
            async for data in response.aiter_bytes():
                if pcm16 := sound.take(data):
                    yield pcm16
        if pcm16 := sound.flush():
            yield pcm16
