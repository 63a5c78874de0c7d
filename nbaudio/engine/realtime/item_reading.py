"""Items that a client adds to the conversation, read and checked."""

from __future__ import annotations

from typing import Any, cast

from nbaudio.engine.asked import Refusal
from nbaudio.engine.language import other_language
from nbaudio.engine.realtime.checked import among, decoded, invalid, record, required, text
from nbaudio.engine.realtime.items import Item, Part, Role, new_id
from nbaudio.engine.realtime.sound_formats import Sound, SoundFormat

__all__ = ["read_item"]

_LONGEST_ID = 64
_PARTS: dict[str, tuple[str, ...]] = {
    "user": ("input_text", "input_audio"),
    "assistant": ("output_text",),
    "system": ("input_text",),
}


def read_item(value: Any, param: str, form: SoundFormat, most_s: float) -> Item:
    """An item; its sounds are not heard yet.

    Parameters
    ----------
    value
        As it came.
    param : str
        Where in the event it stood.
    form : SoundFormat
        Of its sounds.
    most_s : float
        Seconds of the longest of them.

    Raises
    ------
    Refusal
        If it is none that the engine can take.
    """
    if isinstance(value, dict) and value.get("type") not in (None, "message"):
        raise _not_a_message(value["type"], param)
    fields = record(value, param, ("id", "object", "type", "status", "role", "content"))
    required(fields, "type", f"{param}.type")
    role = among(required(fields, "role", f"{param}.role"), f"{param}.role", _PARTS)
    content = required(fields, "content", f"{param}.content")
    if not isinstance(content, list) or not content:
        raise Refusal(
            f"Invalid type for '{param}.content': expected a list with a part.",
            param=f"{param}.content",
            code="invalid_type",
        )
    item_id = text(fields["id"], f"{param}.id") if fields.get("id") is not None else new_id("item")
    if not 0 < len(item_id) <= _LONGEST_ID or item_id == "root":
        raise Refusal(
            f"Invalid '{param}.id': 1 to {_LONGEST_ID} characters, and not 'root'.",
            param=f"{param}.id",
            code="invalid_value",
        )
    parts = [_part(part, role, f"{param}.content[{at}]", form, most_s) for at, part in enumerate(content)]
    return Item(cast("Role", role), parts, item_id)


def _part(value: Any, role: str, param: str, form: SoundFormat, most_s: float) -> Part:
    fields = record(value, param, ("type", "text", "audio", "transcript", "image_url", "detail"))
    kind = required(fields, "type", f"{param}.type")
    if kind not in _PARTS[role]:
        raise invalid(kind, f"{param}.type", _PARTS[role])
    if kind == "input_audio":
        data = decoded(required(fields, "audio", f"{param}.audio"), f"{param}.audio")
        sound = Sound(form, data[: len(data) - len(data) % form.frame_bytes])
        if sound.duration_ms > most_s * 1000:
            message = f"This sound is longer than {most_s:g} s, which is the longest that is listened to."
            raise Refusal(message, param=f"{param}.audio", code="audio_too_long")
        return Part("input_audio", None, sound, sound.duration_ms)
    words = text(required(fields, "text", f"{param}.text"), f"{param}.text")
    if kind == "output_text":
        return Part("output_text", words)
    if language := other_language(words):
        raise Refusal(
            f"The offline engine knows English only, and this is in {language}. "
            "Write in English, or set OPENAI_API_KEY or OPENAI_BASE_URL for another model.",
            param=f"{param}.text",
            code="unsupported_language",
        )
    return Part("input_text", words)


def _not_a_message(kind: Any, param: str) -> Refusal:
    if kind == "function_call_output":  # OpenAI's answer to an output without its call, and here there never is one
        return Refusal(
            "This call_id is of no call in the conversation: the offline engine calls no tools.",
            param=f"{param}.call_id",
            code="invalid_tool_call_id",
        )
    return invalid(kind, f"{param}.type", ("message",))
