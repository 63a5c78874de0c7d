"""Speech to text: the form, what the API checks in it, and the answer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from starlette.datastructures import UploadFile
from starlette.requests import Request

from .refusals import Refused, missing, not_among, unknown
from .sounds import measured_s

if TYPE_CHECKING:
    from .server import OpenAIServer

TRANSCRIBING_MODELS = ("gpt-transcribe", "gpt-4o-transcribe", "gpt-4o-mini-transcribe", "whisper-1")
_ENDINGS = ("flac", "m4a", "mp3", "mp4", "mpeg", "mpga", "oga", "ogg", "wav", "webm")
_FIELDS = {"file", "model", "response_format", "language", "prompt", "temperature"}


async def read_form(request: Request) -> dict[str, Any]:
    """The fields of a form; a file is its name, its MIME type and its bytes. Empty where the body is no form."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        return {}
    async with request.form() as form:
        return {
            name: (value.filename, value.content_type, await value.read()) if isinstance(value, UploadFile) else value
            for name, value in form.items()
        }


def transcription(server: OpenAIServer, form: dict[str, Any]) -> dict[str, Any]:
    """The body of the answer; `Refused` where the API would refuse the form."""
    for field in form.keys() - _FIELDS:
        raise unknown(field)
    for field in ("file", "model"):
        if field not in form:
            raise missing(field)
    if form["model"] not in TRANSCRIBING_MODELS:
        text = f"The model `{form['model']}` does not exist or you do not have access to it."
        raise Refused(text, status=404, code="model_not_found")
    if form.get("response_format", "json") != "json":
        raise not_among("response_format", form["response_format"], ("json",))
    name, _, data = form["file"]
    ending = name.rpartition(".")[2]
    if ending not in _ENDINGS:
        text = f"Invalid file format. Supported formats: {list(_ENDINGS)}"
        raise Refused(text, param="file")
    try:
        duration_s = measured_s(data, ending)
    except (ValueError, KeyError):
        raise Refused("Audio file might be corrupted or unsupported", param="file", code="invalid_value") from None
    words = server.heard if isinstance(server.heard, str) else server.heard(form)
    return {
        "text": words,
        "languages": [{"code": "en"}],
        "usage": {"type": "duration", "seconds": math.ceil(duration_s)},
    }
