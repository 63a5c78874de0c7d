"""Speech to text on the wire: ``POST /audio/transcriptions``, a form with a sound file in, words out.

Source: https://platform.openai.com/docs/api-reference/audio/createTranscription. The file has to have a name with a
real ending, by which servers know what it is.
"""

from __future__ import annotations

import json
from typing import Any

from nbaudio.errors import BadReply

__all__ = ["file_part", "form_fields", "words_from"]

_MIME = {"wav": "audio/wav", "mp3": "audio/mpeg"}


def form_fields(model: str) -> dict[str, str]:
    """The form's fields beside the file; ``json`` is the one format that every model of every server knows."""
    return {"model": model, "response_format": "json"}


def file_part(data: bytes, ending: str) -> tuple[str, bytes, str]:
    """The form's file: name, bytes and MIME type."""
    return f"speech.{ending}", data, _MIME[ending]


def words_from(body: bytes, content_type: str) -> str:
    """The words in an answer.

    Raises
    ------
    BadReply
        If it is none.

    Examples
    --------
    >>> words_from(b'{"text": " Hello. "}', "application/json")
    'Hello.'
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "text/plain" and not body.lstrip().startswith(b"{"):  # some servers know no other form
        return body.decode("utf-8", "replace").strip()
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    text = found.get("text") if isinstance(found, dict) else None
    if not isinstance(text, str):
        raise BadReply("The server's answer holds no transcript.", "Is the address that of an OpenAI-compatible API?")
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").strip()
