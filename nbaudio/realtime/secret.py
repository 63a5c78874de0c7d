"""A key for a short time, with which somebody else may open one Realtime session: a web page, for one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from nbaudio import errors
from nbaudio.backends import loop
from nbaudio.backends.connection import Connection, connection_to
from nbaudio.errors import register_secret
from nbaudio.settings import Backend, settings
from nbaudio.wire.realtime.session import RealtimeOptions, TurnDetection, turn_detection_of

__all__ = ["RealtimeSecret", "realtime_secret"]

_SHORTEST_S, _LONGEST_S = 10, 7200


@dataclass(frozen=True)
class RealtimeSecret:
    """A key that ends soon; no repr shows it.

    `value` is the key; `expires_at` is when it ends, in Unix seconds.
    """

    value: str = field(repr=False)
    expires_at: int = 0


def realtime_secret(
    *,
    expires_after_s: int = 600,
    model: str = "",
    voice: str = "",
    instructions: str = "",
    turn_detection: TurnDetection = "server_vad",
    backend: Backend | None = None,
) -> RealtimeSecret:
    """A key for one session, with what that session is set to: ``POST /v1/realtime/client_secrets``.

    Parameters
    ----------
    expires_after_s : int
        10 to 7,200 seconds in which the session has to be opened.
    model, voice, instructions, turn_detection, backend
        As of `nbaudio.Realtime`.

    Raises
    ------
    CellError
        If a value can't be, or the offline engine of this process would be asked, which nobody else can reach.
    RequestError
        In one of its kinds.
    """
    if not _SHORTEST_S <= expires_after_s <= _LONGEST_S:
        raise errors.CellError(f"expires_after_s can't be {expires_after_s}.", "Give 10 to 7200 seconds.")
    chosen = settings()
    backend = backend or chosen.resolve()
    if backend.offline:
        raise errors.CellError(
            "The offline engine of this process has no address at which a session could be opened.",
            "Put it on a port: python -m nbaudio serve (docs/serving.md).",
        )
    options = RealtimeOptions(
        model=model or backend.dialect.realtime_model,
        voice=voice or backend.voice or chosen.voice,
        instructions=instructions or chosen.instructions,
        turn_detection=turn_detection_of(turn_detection),
    )
    body = {
        "expires_after": {"anchor": "created_at", "seconds": expires_after_s},
        "session": {**options.as_session(), "model": options.model},
    }
    return loop.wait(loop.start(_ask, connection_to(backend, chosen), body))


async def _ask(connection: Connection, body: dict[str, Any]) -> RealtimeSecret:
    async with connection.post("realtime/client_secrets", lambda: {"json": body}) as response:
        found = connection.read_json(await response.aread())
    if not isinstance(found, dict) or not isinstance(found.get("value"), str):
        raise errors.BadReply(f"{connection.backend.name} sent no key.", "Does it speak the Realtime protocol?")
    register_secret(found["value"])
    expires_at = found.get("expires_at")
    return RealtimeSecret(found["value"], expires_at if isinstance(expires_at, int) else 0)
