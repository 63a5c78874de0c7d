"""What the API checks in the messages of a request, and how many tokens it counts in them."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .refusals import Refused, missing, not_among, unknown, wrong_type
from .sounds import measured_s

ROLES = ("system", "developer", "user", "assistant", "tool")
INPUT_FORMATS = ("wav", "mp3")
INPUT_TOKENS_PER_S = 10

_FIELDS = {
    "assistant": {"role", "content", "name", "audio", "refusal", "tool_calls"},
    "tool": {"role", "content", "tool_call_id"},
}
_PLAIN_FIELDS = {"role", "content", "name"}
_PART_TYPES = {"user": ("text", "input_audio"), "assistant": ("text", "refusal")}

FindAudio = Callable[[str], "int | None"]
"""From the id of an earlier spoken answer to its audio tokens; None if there is no such answer (any more)."""


@dataclass
class Prompt:
    """What was counted: tokens of text and of sound, and whether there is any sound."""

    text_tokens: int = 0
    audio_tokens: int = 0
    has_audio: bool = False


def read_messages(messages: Any, find_audio: FindAudio) -> Prompt:
    """Tokens in the messages; `Refused` where the API would refuse them."""
    if not isinstance(messages, list):
        raise wrong_type("messages", "an array of objects", messages)
    if not messages:
        raise Refused(
            "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.",
            param="messages",
            code="empty_array",
        )
    prompt = Prompt()
    for index, message in enumerate(messages):
        _read_message(message, index, prompt, find_audio)
    _check_tool_results(messages)
    return prompt


def _read_message(message: Any, index: int, prompt: Prompt, find_audio: FindAudio) -> None:
    where = f"messages[{index}]"
    if not isinstance(message, dict):
        raise wrong_type(where, "an object", message)
    role = message.get("role")
    if role is None:
        raise missing(f"{where}.role")
    if role not in ROLES:
        raise not_among(f"{where}.role", role, ROLES)
    for field in message.keys() - _FIELDS.get(role, _PLAIN_FIELDS):
        raise unknown(f"{where}.{field}")
    _read_content(message, index, prompt)
    _check_calls(message, where)
    if message.get("audio") is not None:
        _read_earlier_audio(message["audio"], index, prompt, find_audio)


def _read_content(message: dict[str, Any], index: int, prompt: Prompt) -> None:
    content, role = message.get("content"), message["role"]
    if content is None:
        if role == "assistant" and any(message.get(field) for field in ("audio", "tool_calls", "refusal")):
            return
        message_text = "Invalid value for 'content': expected a string, got null."
        raise Refused(message_text, param=f"messages.[{index}].content")
    if isinstance(content, str):
        prompt.text_tokens += len(content.split())
        return
    where = f"messages[{index}].content"
    if not isinstance(content, list):
        raise wrong_type(where, "one of a string or array of objects", content)
    for number, part in enumerate(content):
        _read_part(part, f"{where}[{number}]", _PART_TYPES.get(role, ("text",)), prompt)


def _read_part(part: Any, where: str, types: tuple[str, ...], prompt: Prompt) -> None:
    if not isinstance(part, dict):
        raise wrong_type(where, "an object", part)
    kind = part.get("type")
    if kind is None:
        raise missing(f"{where}.type")
    if kind not in types:
        raise not_among(f"{where}.type", kind, types)
    for field in part.keys() - {"type", kind}:
        raise unknown(f"{where}.{field}")
    if kind not in part:
        raise missing(f"{where}.{kind}")
    if kind == "input_audio":
        prompt.audio_tokens += _tokens_of_sound(part[kind], f"{where}.input_audio")
        prompt.has_audio = True
    elif not isinstance(part[kind], str):
        raise wrong_type(f"{where}.{kind}", "a string", part[kind])
    else:
        prompt.text_tokens += len(part[kind].split())


def _tokens_of_sound(sound: Any, where: str) -> int:
    if not isinstance(sound, dict):
        raise wrong_type(where, "an object", sound)
    for field in ("data", "format"):
        if field not in sound:
            raise missing(f"{where}.{field}")
        if not isinstance(sound[field], str):
            raise wrong_type(f"{where}.{field}", "a string", sound[field])
    for field in sound.keys() - {"data", "format"}:
        raise unknown(f"{where}.{field}")
    if sound["format"] not in INPUT_FORMATS:
        raise not_among(f"{where}.format", sound["format"], INPUT_FORMATS)
    # The wording of the next two has not been published; that both are 400s has.
    try:
        data = base64.b64decode(sound["data"], validate=True)
    except binascii.Error:
        text = f"Invalid '{where}.data': expected base64-encoded audio, without a 'data:' prefix."
        raise Refused(text, param=f"{where}.data", code="invalid_value") from None
    try:
        duration_s = measured_s(data, sound["format"])
    except ValueError:
        text = f"The data provided for 'input_audio' is not of valid {sound['format']} format."
        raise Refused(text, param=f"{where}.data", code="invalid_value") from None
    return math.ceil(duration_s * INPUT_TOKENS_PER_S)


def _read_earlier_audio(audio: Any, index: int, prompt: Prompt, find_audio: FindAudio) -> None:
    where = f"messages[{index}].audio"
    if not isinstance(audio, dict):
        raise wrong_type(where, "an object", audio)
    for field in audio.keys() - {"id"}:
        raise unknown(f"{where}.{field}")
    if "id" not in audio:
        raise missing(f"{where}.id")
    if not isinstance(audio["id"], str):
        raise wrong_type(f"{where}.id", "a string", audio["id"])
    tokens = find_audio(audio["id"])
    if tokens is None:
        # Named "content.messages" in the live answer, unlike every other param.
        param = f"content.messages[{index}].audio.id"
        raise Refused(f"Assistant audio {audio['id']} not found.", param=param, code="audio_not_found")
    prompt.audio_tokens += tokens
    prompt.has_audio = True


def _check_calls(message: dict[str, Any], where: str) -> None:
    calls = message.get("tool_calls")
    if calls is None:
        return
    if not isinstance(calls, list):
        raise wrong_type(f"{where}.tool_calls", "an array of objects", calls)
    for number, call in enumerate(calls):
        at = f"{where}.tool_calls[{number}]"
        if not isinstance(call, dict):
            raise wrong_type(at, "an object", call)
        for field in ("id", "type", "function"):
            if call.get(field) is None:
                raise missing(f"{at}.{field}")
        if not isinstance(call["id"], str):
            raise wrong_type(f"{at}.id", "a string", call["id"])
        if not isinstance(call["function"], dict):
            raise wrong_type(f"{at}.function", "an object", call["function"])
        for field in ("name", "arguments"):
            # Arguments are JSON as text, also when sent back: an object here is a common mistake.
            value = call["function"].get(field)
            if not isinstance(value, str):
                raise wrong_type(f"{at}.function.{field}", "a string", value)


def _check_tool_results(messages: list[dict[str, Any]]) -> None:
    waiting: list[str] = []
    for index, message in enumerate(messages):
        if message["role"] == "tool":
            if message.get("tool_call_id") not in waiting:
                text = "must be a response to a preceding message with 'tool_calls'."
                text = f"Invalid parameter: messages with role 'tool' {text}"
                raise Refused(text, param=f"messages.[{index}].role")
            waiting.remove(message["tool_call_id"])
            continue
        _check_none_waits(waiting, index)
        waiting = [call["id"] for call in message.get("tool_calls") or ()]
    _check_none_waits(waiting, len(messages))


def _check_none_waits(waiting: list[str], index: int) -> None:
    if waiting:
        raise Refused(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            "'tool_call_id'. The following tool_call_ids did not have response messages: " + ", ".join(waiting),
            param=f"messages.[{index}].role",
        )
