"""What an error of a Realtime session means: whether the session goes on, and what to tell the person.

Mostly it goes on (https://platform.openai.com/docs/api-reference/realtime-server-events/error).
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from nbaudio import errors
from nbaudio.wire.errors import error_from_stream
from nbaudio.wire.realtime.events import Response, Wrong, wrong_of

__all__ = ["Gravity", "error_of", "failure_of", "gravity"]

Gravity: TypeAlias = Literal["harmless", "refused", "fatal"]

_HARMLESS = {
    "input_audio_buffer_commit_empty",  # less than 100 ms were said
    "conversation_already_has_active_response",  # it answers already
    "response_cancel_not_active",  # it had ended by itself
}
_FATAL = {
    "beta_api_shape_disabled",
    "insufficient_quota",
    "invalid_api_key",
    "model_not_found",
    "session_expired",
}


def gravity(wrong: Wrong) -> Gravity:
    """What becomes of the session.

    ``"harmless"``: what was asked for is so, or is not needed; ``"refused"``: one event of ours was refused, and the
    session goes on; ``"fatal"``: nothing more will come.

    Examples
    --------
    >>> gravity(Wrong(code="response_cancel_not_active")), gravity(Wrong(code="invalid_value"))
    ('harmless', 'refused')
    >>> gravity(Wrong(code="session_expired"))
    'fatal'
    """
    code = wrong.code or ""
    if code in _HARMLESS:
        return "harmless"
    return "fatal" if code in _FATAL or wrong.type == "authentication_error" else "refused"


def error_of(wrong: Wrong, *, server: str, key_from: str = "", key_env: str = "") -> errors.ServerRefused:
    """The exception for an error event, with a next step; parameters as of `nbaudio.wire.errors`."""
    told = {"error": {"message": "", **msgspec.to_builtins(wrong)}}
    found = error_from_stream(told, server=server, key_from=key_from, key_env=key_env)
    assert found is not None  # there is an error in it
    return found


def failure_of(response: Response) -> Wrong | None:
    """Why the server could not answer; None where it could.

    Examples
    --------
    >>> failure_of(Response(status="failed", status_details={"error": {"code": "server_error"}})).code
    'server_error'
    >>> failure_of(Response(status="completed")) is None
    True
    """
    if response.status != "failed":
        return None
    told = wrong_of((response.status_details or {}).get("error")) or Wrong()
    return Wrong(type=told.type, code=told.code, message=told.message or "it gave no reason")
