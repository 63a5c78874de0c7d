"""What a server's error means: status and body to an exception with a next step.

The envelope is ``{"error": {"message", "type", "param", "code"}}``; it is read whatever the content type says
(OpenAI sends 401 as text/plain), and servers that write ``{"detail": ...}`` or plain text are understood too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from nbaudio import errors
from nbaudio.wire.rate_limits import until_reset_s, wait_in_words

__all__ = ["error_from_response", "error_from_stream", "is_retryable"]

_KEY_ENV = "OPENAI_API_KEY"
_LONGEST_MESSAGE = 600  # characters of a server's words that go into one readable line


def error_from_response(
    status: int, headers: Mapping[str, str], body: bytes, *, server: str, key_from: str, key_env: str = _KEY_ENV
) -> errors.ServerRefused:
    """The exception for an answer whose status is 400 or more.

    Parameters
    ----------
    status, headers, body
        Of the HTTP response.
    server : str
        The name of the server, as the person knows it.
    key_from : str
        Where the key came from, as the environment variable; empty where there is none.
    key_env : str
        The environment variable that it would come from; empty where none is known.
    """
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):  # RecursionError: brackets in brackets without end
        parsed = body.decode("utf-8", "replace")
    wait = wait_in_words(until_reset_s(headers))
    return _classify(status, parsed, headers.get("x-request-id"), server, key_from, key_env, wait)


def error_from_stream(
    chunk: Any, *, server: str, key_from: str, key_env: str = _KEY_ENV
) -> errors.ServerRefused | None:
    """The exception for an error that comes inside a stream after status 200; None for any other chunk."""
    if not isinstance(chunk, Mapping) or not (chunk.get("error") or chunk.get("object") == "error"):
        return None
    code = str(_detail(chunk).get("code"))  # some servers put the status here, as a number or as text
    status = int(code) if re.fullmatch("[45][0-9][0-9]", code) else 200
    return _classify(status, chunk, None, server, key_from, key_env, wait_in_words(None))


def is_retryable(status: int, body: bytes, headers: Mapping[str, str]) -> bool:
    """Whether the same request may succeed later, by the rules of the official SDK, but not without credit.

    Source: https://github.com/openai/openai-python, ``_base_client.py``, ``_should_retry``.
    """
    if b"insufficient_quota" in body:
        return False
    should = headers.get("x-should-retry")
    if should in ("true", "false"):
        return should == "true"
    return status in (408, 409, 429) or status >= 500


def _detail(parsed: Any) -> Mapping[str, Any]:
    """The object with the message in it, however it is wrapped."""
    if isinstance(parsed, list) and parsed:  # Gemini's endpoint answers with a list of one
        parsed = parsed[0]
    if isinstance(parsed, Mapping):
        for name in ("error", "detail", "message"):
            found = parsed.get(name)
            if isinstance(found, Mapping) and name == "message":  # Mistral's: {"message": {"detail": [...]}}
                return {**parsed, "message": _detail(found).get("message")}
            if isinstance(found, Mapping):
                return found
            if found and name == "message":
                return {**parsed, "message": _said(found)}
            if found:
                return {"message": _said(found)}
    return {"message": parsed if isinstance(parsed, str) else ""}


def _said(found: Any) -> str:
    """A message that is text, or a list of what a validator found: ``[{"loc": ["body", "model"], "msg": "..."}]``."""
    if isinstance(found, str):
        return found
    if isinstance(found, list) and found and all(isinstance(one, Mapping) and "msg" in one for one in found):
        places = [
            ".".join(map(str, one["loc"][1:] or one["loc"])) if isinstance(one.get("loc"), list) else ""
            for one in found
        ]
        return "; ".join(f"{place}: {one['msg']}".lstrip(": ") for place, one in zip(places, found, strict=True))
    return json.dumps(found)


def _classify(
    status: int, parsed: Any, request_id: str | None, server: str, key_from: str, key_env: str, wait: str
) -> errors.ServerRefused:
    detail = _detail(parsed)
    words = f"{detail.get('message') or ''} {_of_provider(detail)}".encode("utf-8", "replace").decode("utf-8")
    message = " ".join("".join(letter if letter.isprintable() else " " for letter in words).split())
    if message.startswith("<"):
        message = "it sent a web page instead of an answer"
    if len(message) > _LONGEST_MESSAGE:
        message = message[:_LONGEST_MESSAGE] + "…"
    code, param = str(detail.get("code") or ""), str(detail.get("param") or "")
    kind, next_step = _kind(status, code or str(detail.get("type") or ""), param, message, key_from, key_env, wait)
    said = message or "it gave no reason"
    number = f" ({status})" if status >= 400 else ""
    report = f" [request {request_id}]" if request_id and status >= 500 else ""
    return kind(
        f"{server} said{number}: {said.rstrip('.')}.{report}",
        next_step,
        status=status,
        code=code or None,
        param=param or None,
        request_id=request_id,
    )


def _of_provider(detail: Mapping[str, Any]) -> str:
    """What the provider behind a router said, of which the router's own words say nothing."""
    metadata = detail.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, Mapping) else None
    if not isinstance(raw, str) or not raw:
        return ""
    try:
        return f"({_detail(json.loads(raw)).get('message') or raw})"
    except (ValueError, RecursionError):
        return f"({raw})"


def _kind(
    status: int, code: str, param: str, message: str, key_from: str, key_env: str, wait: str
) -> tuple[type[errors.ServerRefused], str]:
    if status in (401, 403) or code == "invalid_api_key":
        if key_from:
            return errors.AuthenticationFailed, f"Check the key in {key_from}, and that it may use this model."
        if key_env:
            return errors.AuthenticationFailed, f"Set the key in the environment: {key_env}."
        return errors.AuthenticationFailed, "Give it a key: nba.connect(..., key='env:NAME'); see docs/servers.md."
    if code == "audio_not_found" or (param.endswith(".audio.id") and "not found" in message):
        return errors.AudioIdNotFound, "Send the answer's words instead of its audio id."
    if code == "model_not_found" or (status == 404 and "model" in message.lower()):
        return errors.UnknownModel, "Choose another with --model or %config NbAudio.model; %nbaudio says which is set."
    if status == 404:
        return errors.ServerRefused, "Is the address right, up to and with /v1? %nbaudio says which is set."
    if code == "insufficient_quota" or status == 402:
        return errors.QuotaExceeded, "Add credit to the account, or work offline: %config NbAudio.backend = 'offline'."
    if status == 429 or code == "rate_limit_exceeded":
        return errors.RateLimited, f"Wait {wait} and run the cell again."
    if status == 413:
        return errors.BadRequest, "Send a shorter recording, or start afresh with --new."
    if status >= 500 or status in (408, 409) or (status < 400 and code == "server_error"):
        return errors.ServerFailed, "It is the server's fault: run the cell again, later if need be."
    if param.rpartition(".")[2] == "voice":
        return errors.UnknownVoice, "Choose another with --voice or %config NbAudio.voice."
    return errors.BadRequest, "Change what it names, and run the cell again."
