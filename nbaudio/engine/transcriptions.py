"""Speech to text over HTTP: the protocol's ``/v1/audio/transcriptions``, by the engine's ears."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from nbaudio.engine.answer import Answerer
from nbaudio.engine.asked import MODEL, Refusal

__all__ = ["transcribed"]

_FORMATS = ("json", "text")
_MOST_SOUND_BYTES = 25 * 1024 * 1024
_DONE = {"file", "model", "language", "response_format", "temperature", "stream"}


async def transcribed(answerer: Answerer, request: Request) -> Response:
    """The words in the form's file, as JSON or as text.

    Raises
    ------
    Refusal
        With the protocol's own status, code and parameter.
    """
    try:
        async with request.form() as form:
            file = form.get("file")
            data = await file.read() if isinstance(file, UploadFile) else b""
            fields = {name: value for name, value in form.multi_items() if isinstance(value, str)}
    except HTTPException as error:
        raise Refusal(f"We could not read the form of your request: {error.detail}.") from None
    _check(fields, data)
    text, duration_s = await run_in_threadpool(answerer.hear, data, "file")
    if fields.get("response_format") == "text":
        return PlainTextResponse(f"{text}\n")
    return JSONResponse({"text": text, "usage": {"type": "duration", "seconds": math.ceil(duration_s)}})


def _check(fields: Mapping[str, str], data: bytes) -> None:
    if fields.get("model") != MODEL:
        raise Refusal(
            f"The model `{fields.get('model', '')}` does not exist: the offline engine has one model, `{MODEL}`.",
            status=404,
            param="model",
            code="model_not_found",
        )
    if not data:
        raise Refusal("Missing required parameter: 'file'.", param="file", code="missing_required_parameter")
    if len(data) > _MOST_SOUND_BYTES:
        raise Refusal(f"Maximum content size limit ({_MOST_SOUND_BYTES}) exceeded ({len(data)} bytes read)", status=413)
    for name, allowed, what in (
        ("response_format", (*_FORMATS, ""), "answer in another form than 'json' and 'text'"),
        ("language", ("en", ""), "hear another language than English ('en')"),
        ("stream", ("false", ""), "stream a transcript"),
    ):
        if fields.get(name, "") not in allowed:
            raise _not_done(name, what)
    for name in fields:
        if name not in _DONE:
            raise _not_done(name, f"take '{name}'")


def _not_done(name: str, what: str) -> Refusal:
    value: dict[str, Any] = {"param": name, "code": "unsupported_value"}
    return Refusal(f"The offline engine can't {what}. Leave out '{name}', or use a server that can.", **value)
