"""Text to speech: a request to ``/audio/speech``, and its sound as it arrives, as bytes or as events."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from nbaudio import errors
from nbaudio.backends.connection import AGAIN, DONE, Connection
from nbaudio.wire.answers import AudioDelta
from nbaudio.wire.errors import error_from_stream
from nbaudio.wire.speech import SpeechReader, WordsTimed

__all__ = ["NoSpeech", "send"]


class NoSpeech(errors.ServerRefused):
    """The server has no such endpoint, and said so before any sound came."""


async def send(
    connection: Connection, body: Mapping[str, Any], reader: SpeechReader
) -> AsyncGenerator[AudioDelta | WordsTimed | None, None]:
    """What arrives, as it arrives; `reader` holds all of it, also when this ends in an error.

    The first item is None: the server has taken the request.

    Raises
    ------
    NoSpeech
        If the server has no speech endpoint.
    RequestError
        In one of its kinds.
    """
    content = json.dumps(body, separators=(",", ":")).encode()
    headers = {"content-type": "application/json", "accept": "*/*"}
    server, path = connection.backend.name, connection.backend.dialect.speech_path
    try:
        async with connection.post(path, lambda: {"content": content, "headers": headers}) as response:
            kind = response.headers.get("content-type", "")
            if "json" in kind.partition(";")[0]:  # an error after status 200, or some other API
                found = connection.read_json(await response.aread())
                told = error_from_stream(found, server=server, key_from=connection.backend.key_from)
                if told is not None:
                    raise told
            events = reader.begin(kind)
            yield None
            if events:
                async for event in connection.events(response):
                    if event is DONE:
                        reader.ended = True
                        continue
                    for piece in reader.take_event(event):
                        yield piece
            else:
                async for data in response.aiter_bytes():
                    for sound in reader.take(data):
                        yield sound
                reader.ended = True
    except errors.ServerRefused as error:
        if error.status in (404, 405, 501) and not isinstance(error, errors.UnknownModel):
            raise NoSpeech(
                f"{server} has no text to speech: {error.cause}",
                "The offline engine has: %config NbAudio.backend = 'offline'",
                status=error.status,
                code=error.code,
                param=error.param,
                request_id=error.request_id,
            ) from error
        raise
    if not reader.started:
        raise errors.BadReply(f"{server} sent no sound.", AGAIN)
    if not reader.ended:
        raise errors.ReplyCut(f"The sound of {server} ended in the middle.", AGAIN)
