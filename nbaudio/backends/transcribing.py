"""The words of recordings, from the backend's speech-to-text endpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import TypeVar

import anyio

from nbaudio import errors
from nbaudio.backends import loop
from nbaudio.backends.connection import Connection, connection_to
from nbaudio.servers.backend import ears
from nbaudio.settings import Backend, NbAudio, settings
from nbaudio.sound.clip import Clip
from nbaudio.wire.transcriptions import file_part, form_fields, words_from

__all__ = ["begin", "begin_each"]

K = TypeVar("K")
_AT_ONCE = 4  # requests; more would soon be too many for a free account


def begin(clips: Sequence[Clip], backend: Backend | None = None) -> Future[str]:
    """Have the words of a recording written down, while something else goes on.

    Parameters
    ----------
    clips : sequence of Clip
        In one or several pieces.
    backend : Backend, optional
        By default the one that the settings say. `transcription_model` of the settings, else of the server's dialect,
        is the model.

    Raises
    ------
    RequestError
        By the future's ``result()``, in one of its kinds; its text names the setting that may be wrong.
    """
    chosen = settings()
    return loop.start(_words, tuple(clips), _ready(backend or chosen.resolve()), chosen)


def begin_each(
    recordings: Mapping[K, Sequence[Clip]], backend: Backend | None, came: Callable[[K, str], None]
) -> Future[None]:
    """As `begin`, of several recordings, a few at a time; `came` gets each as it is there, on the loop of requests.

    Raises
    ------
    RequestError
        By the future's ``result()``: the first that comes. Requests that are still on their way are given up.
    """
    chosen = settings()
    return loop.start(_words_of_each, recordings, _ready(backend or chosen.resolve()), chosen, came)


async def _words_of_each(
    recordings: Mapping[K, Sequence[Clip]], backend: Backend, chosen: NbAudio, came: Callable[[K, str], None]
) -> None:
    free, failures = anyio.CapacityLimiter(_AT_ONCE), []

    async def one(key: K, clips: Sequence[Clip]) -> None:
        async with free:
            try:
                came(key, await _words(clips, backend, chosen))
            except errors.NbaudioError as error:  # caught here: the group would raise it in a group of exceptions
                failures.append(error)
                group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        for key, clips in recordings.items():
            group.start_soon(one, key, clips)
    if failures:
        raise failures[0]


def _ready(backend: Backend) -> Backend:
    """Who hears for the backend, with the offline engine's ears fetched where it needs them."""
    backend = ears(backend)
    if backend.offline:
        from nbaudio.engine.weights.models import fetch, ready

        if not ready("hear"):
            fetch(["hear"])
    return backend


async def _words(clips: Sequence[Clip], backend: Backend, chosen: NbAudio) -> str:
    model = chosen.transcription_model or backend.dialect.transcription_model
    connection = connection_to(backend, chosen)
    try:
        return " ".join(filter(None, [await _transcribe(connection, *clip.for_model(), model) for clip in clips]))
    except errors.ServerRefused as error:
        next_step = _next_step(error, backend, model)
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


async def _transcribe(connection: Connection, data: bytes, ending: str, model: str) -> str:
    form = {"data": form_fields(model), "files": {"file": file_part(data, ending)}}
    async with connection.post("audio/transcriptions", lambda: form) as response:
        return words_from(await response.aread(), response.headers.get("content-type", ""))


def _next_step(error: errors.ServerRefused, backend: Backend, model: str) -> str:
    """What to do about an error whose usual advice is about chat."""
    if isinstance(error, errors.UnknownModel) or (isinstance(error, errors.BadRequest) and error.param == "model"):
        return f"{model} was asked for; choose another with %config NbAudio.transcription_model."
    if error.status in (404, 405, 501):
        return f"{backend.name} may have no speech-to-text. The offline engine has: %config NbAudio.backend = 'offline'"
    return ""
