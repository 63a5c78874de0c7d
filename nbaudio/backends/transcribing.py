"""Speech to text: a form with a sound file to ``/audio/transcriptions``, and the words as they arrive."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from nbaudio import errors
from nbaudio.backends.connection import AGAIN, DONE, Connection
from nbaudio.servers.backend import ears
from nbaudio.settings import OFFLINE_URL, Backend, offline_installed
from nbaudio.wire.dialects import dialect_for
from nbaudio.wire.transcriptions import TRANSLATION_PATH, TranscriptionOptions, file_part, form_fields
from nbaudio.wire.transcripts import Event, TranscriptReader

__all__ = ["offline_ears", "ready", "send"]


async def send(
    connection: Connection,
    options: TranscriptionOptions,
    file: tuple[bytes, str],
    reader: TranscriptReader,
    *,
    translate: bool = False,
) -> AsyncGenerator[Event, None]:
    """What is heard in a file, as it arrives; `reader` holds all of it, also when this ends in an error.

    Parameters
    ----------
    connection : Connection
    options : TranscriptionOptions
    file : (bytes, str)
        A sound file, and the ending that says what it is.
    reader : TranscriptReader
    translate : bool
        Whether what is said is to be written down in English.

    Raises
    ------
    RequestError
        In one of its kinds; what to do next is about speech to text.
    """
    form = {"data": form_fields(options), "files": {"file": file_part(*file)}}
    server = connection.backend.name
    try:
        path = TRANSLATION_PATH if translate else connection.backend.dialect.transcription_path
        async with connection.post(path, lambda: form) as response:
            if response.headers.get("content-type", "").startswith("text/event-stream"):
                async for event in connection.events(response):
                    if event is DONE:
                        reader.ended = True
                    else:
                        for found in reader.take_event(event):
                            yield found
            else:
                for found in reader.take_whole(await response.aread(), response.headers.get("content-type", "")):
                    yield found
    except errors.ServerRefused as error:
        next_step = _next_step(error, connection.backend, options.model)
        if not next_step:
            raise
        raise type(error)(
            error.cause,
            next_step,
            status=error.status,
            code=error.code,
            param=error.param,
            request_id=error.request_id,
        ) from error
    if not reader.complete:
        raise errors.ReplyCut(f"The transcript of {server} ended in the middle.", AGAIN)


def offline_ears() -> Backend:
    """The offline engine, whatever the settings say.

    Raises
    ------
    NoBackend
        If it is not installed.
    """
    if not offline_installed():
        raise errors.NoBackend("The offline engine is not installed.", "pip install 'nbaudio[offline]'")
    dialect = dialect_for(OFFLINE_URL, "offline")
    return Backend("offline engine", OFFLINE_URL, dialect.default_model, dialect)


def ready(backend: Backend) -> Backend:
    """Who hears for the backend, with the offline engine's ears fetched where it needs them."""
    backend = ears(backend)
    if backend.offline:
        from nbaudio.engine.weights.models import fetch
        from nbaudio.engine.weights.models import ready as is_here

        if not is_here("hear"):
            fetch(["hear"])
    return backend


def _next_step(error: errors.ServerRefused, backend: Backend, model: str) -> str:
    """What to do about an error whose usual advice is about chat."""
    if isinstance(error, errors.UnknownModel) or (isinstance(error, errors.BadRequest) and error.param == "model"):
        return f"{model} was asked for; choose another with %config NbAudio.transcription_model."
    if error.status in (404, 405, 501):
        return f"{backend.name} may have no speech-to-text. The offline engine has: %config NbAudio.backend = 'offline'"
    if error.status == 413:
        return "nbaudio.transcribe(...) cuts a long recording into pieces that fit."
    return ""
