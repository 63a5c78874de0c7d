"""Chat: a request to ``/chat/completions``, and its answer as it arrives, streamed or whole."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from typing import Any

from nbaudio import errors
from nbaudio.backends.connection import AGAIN, DONE, Connection
from nbaudio.sound.incoming import IncomingSound
from nbaudio.wire.answers import AnswerReader, AudioDelta, TextDelta
from nbaudio.wire.requests import Inline, serialized
from nbaudio.wire.shapes import Shaped

__all__ = ["send"]


async def send(
    connection: Connection,
    body: Mapping[str, Any],
    reader: AnswerReader,
    works: Callable[[bool], None] = lambda _: None,
) -> AsyncGenerator[TextDelta | AudioDelta, None]:
    """What arrives, as it arrives; `reader` holds all of it, also when this ends in an error.

    Parameters
    ----------
    connection : Connection
    body : mapping
    reader : AnswerReader
    works : callable
        Is told whether the server works on the request, and may charge for it: from when the last of it goes out, until
        it is refused.

    Raises
    ------
    RequestError
        In one of its kinds.
    """
    length, parts = serialized(body)
    headers = {"content-type": "application/json", "content-length": str(length)}
    server, dialect = connection.backend.name, connection.backend.dialect
    shaped = None if dialect.streams_as_openai else Shaped(reader, IncomingSound(dialect.sample_rate))
    taking = shaped or reader
    try:
        async with connection.post(
            dialect.chat_path,
            lambda: {"content": _bytes_of(parts, works), "headers": headers},
            refused=lambda: works(False),
        ) as response:
            # Branch on what came, not on what was asked for: some servers ignore `stream`.
            if response.headers.get("content-type", "").startswith("text/event-stream"):
                async for chunk in connection.events(response, None if shaped else reader.sound_in):
                    if chunk is DONE:
                        reader.ended = True
                    else:
                        for event in taking.take_chunk(chunk):
                            yield event
                for event in shaped.flush() if shaped else ():
                    yield event
            else:
                for event in taking.take_whole(connection.read_json(await response.aread())):
                    yield event
    except BaseException:
        if shaped is not None:
            shaped.keep_file()
        raise
    if not reader.complete and not reader.started:
        raise errors.BadReply(f"{server} sent an empty answer.", AGAIN)
    if not reader.complete:
        raise errors.ReplyCut(f"The answer of {server} ended in the middle.", AGAIN)


async def _bytes_of(parts: list[bytes | Inline], works: Callable[[bool], None]) -> AsyncIterator[bytes]:
    for place, part in enumerate(parts):
        if place == len(parts) - 1:
            works(True)
        if isinstance(part, Inline):
            for piece in part.pieces():
                yield piece
        else:
            yield part
