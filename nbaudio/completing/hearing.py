"""The words of a recording, from whoever hears for a server that does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from nbaudio.backends.connection import connection_to
from nbaudio.servers.backend import Backend
from nbaudio.settings import NbAudio
from nbaudio.sound.clip import Clip
from nbaudio.wire.transcriptions import file_part, form_fields, words_from

__all__ = ["Ears", "TranscribingEars"]


class Ears(Protocol):
    """Who hears."""

    async def hear(self, clips: Sequence[Clip]) -> str:
        """The words of a recording in one or several pieces; may raise RequestError."""
        ...


class TranscribingEars:
    """The speech-to-text endpoint of a backend."""

    def __init__(self, backend: Backend, settings: NbAudio) -> None:
        self._backend, self._connection = backend, connection_to(backend, settings)

    async def hear(self, clips: Sequence[Clip]) -> str:
        """The words of a recording, one piece after the other."""
        words = [await self._words(*clip.for_model()) for clip in clips]
        return " ".join(filter(None, words))

    async def _words(self, data: bytes, ending: str) -> str:
        dialect = self._backend.dialect
        form = {"data": form_fields(dialect.transcription_model), "files": {"file": file_part(data, ending)}}
        async with self._connection.post(dialect.transcription_path, lambda: form) as response:
            return words_from(await response.aread(), response.headers.get("content-type", ""))
