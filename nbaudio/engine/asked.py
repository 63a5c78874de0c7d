"""What is asked of the engine: a request's body, checked, with the protocol's own errors for what can't be done."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nbaudio.engine.voices import VOICES
from nbaudio.errors import mask
from nbaudio.legible import without_halves

__all__ = [
    "Asked",
    "Heard",
    "HeardBefore",
    "Refusal",
    "Said",
    "check_model",
    "check_voice",
    "failure",
    "read_json",
    "read_request",
]

MODEL = "offline"
FORMATS = ("wav", "mp3", "flac", "opus", "pcm16")
_MOST_SOUND_BYTES = 25 * 1024 * 1024
_DEFAULT_MOST_TOKENS = 2048


class Refusal(Exception):
    """An error of the protocol: status, and the fields of its envelope."""

    def __init__(self, message: str, *, status: int = 400, param: str | None = None, code: str | None = None) -> None:
        super().__init__(without_halves(message))  # it may repeat what was sent, and has to be sent itself
        self.status, self.param, self.code = status, param, code

    def body(self) -> dict[str, Any]:
        """The envelope."""
        kind = "server_error" if self.status >= 500 else "requests" if self.status == 429 else "invalid_request_error"
        return {"error": {"message": str(self), "type": kind, "param": self.param, "code": self.code}}


def failure(error: Exception) -> Refusal:
    """What a client is told of an error that nobody expected; a brain's may hold its key."""
    return Refusal(mask(f"The offline engine failed: {error}"), status=500)


def read_json(body: bytes) -> Any:
    """What a body in JSON holds.

    Raises
    ------
    Refusal
        If it is none.
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Refusal("We could not parse the JSON body of your request.") from None


@dataclass(frozen=True)
class Heard:
    """A sound in a user's turn: a file's bytes."""

    data: bytes


@dataclass(frozen=True)
class HeardBefore:
    """A sound whose words are known already, and its length."""

    text: str
    duration_s: float


@dataclass(frozen=True)
class Said:
    """One turn: `parts` are words and sounds in their order; `audio_id` names an earlier answer instead."""

    role: str
    parts: tuple[str | Heard | HeardBefore, ...] = ()
    audio_id: str = ""
    param: str = ""


@dataclass(frozen=True)
class Asked:
    """A request that the engine can answer.

    `timed` says whether it has to be known when each word sounds; only then is `speed`, a factor on the voice's pace,
    looked at.
    """

    turns: tuple[Said, ...]
    aloud: bool
    voice: str
    audio_format: str
    stream: bool
    include_usage: bool
    most_tokens: int
    temperature: float = 0.0
    seed: int = 1
    speed: float = 1.0
    timed: bool = False


def read_request(body: Any) -> Asked:
    """A request's body, checked.

    Raises
    ------
    Refusal
        With the protocol's own status, code and parameter, and a message that says what to do.
    """
    if not isinstance(body, Mapping):
        raise Refusal("The body of the request is not a JSON object.")
    _refuse_what_is_not_done(body)
    modalities = body.get("modalities") or ["text"]
    if not isinstance(modalities, list) or any(one not in ("text", "audio") for one in modalities):
        raise Refusal("'modalities' is a list of 'text' and 'audio'.", param="modalities", code="invalid_value")
    aloud, stream = "audio" in modalities, body.get("stream") is True
    voice, audio_format = _voice_and_format(body.get("audio"), stream) if aloud else ("", "")
    turns = _turns(body.get("messages"))
    if not aloud and not any(isinstance(part, Heard) for turn in turns for part in turn.parts):
        # The audio models of OpenAI refuse this, so a notebook made offline must not come to rely on it.
        raise Refusal(
            "This model requires that either input content or output modality contain audio.",
            param="model",
            code="invalid_value",
        )
    options = body.get("stream_options")
    return Asked(
        turns=turns,
        aloud=aloud,
        voice=voice,
        audio_format=audio_format,
        stream=stream,
        include_usage=isinstance(options, Mapping) and options.get("include_usage") is True,
        most_tokens=_number(body, ("max_completion_tokens", "max_tokens"), _DEFAULT_MOST_TOKENS, 1, 1_000_000),
        temperature=_number(body, ("temperature",), 0.0, 0, 2),
        seed=_number(body, ("seed",), 1, -(2**63), 2**63 - 1) % 2**31,
    )


def check_model(model: Any) -> None:
    """Nothing, where it is the engine's; else `Refusal`."""
    if model != MODEL:
        raise Refusal(
            f"The model `{model}` does not exist: the offline engine has one model, `{MODEL}`. "
            "For others set OPENAI_API_KEY or OPENAI_BASE_URL.",
            status=404,
            param="model",
            code="model_not_found",
        )


def check_voice(voice: Any, param: str) -> str:
    """The voice, where the engine has it; else `Refusal`."""
    if not voice:
        raise Refusal(f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter")
    if not isinstance(voice, str) or voice not in VOICES:
        known = ", ".join(f"'{name}'" for name in VOICES)
        raise Refusal(f"Invalid value: {voice!r}. Supported values are: {known}.", param=param, code="invalid_value")
    return voice


def _refuse_what_is_not_done(body: Mapping[str, Any]) -> None:
    check_model(body.get("model"))
    not_done = {
        "tools": "call tools: its model is too small to choose them",
        "functions": "call functions: its model is too small to choose them",
        "response_format": "promise an answer in JSON",
        "logprobs": "give log probabilities",
        "prediction": "take predicted outputs",
        "web_search_options": "search the web",
    }
    for name, what in not_done.items():
        value = body.get(name)
        if value and not (name == "response_format" and value == {"type": "text"}):
            raise Refusal(
                f"The offline engine can't {what}. Leave out '{name}', or use a server that can.",
                param=name,
                code="unsupported_parameter",
            )
    if body.get("n") not in (None, 1):
        raise Refusal("The offline engine gives one answer: 'n' must be 1.", param="n", code="unsupported_value")


def _voice_and_format(audio: Any, stream: bool) -> tuple[str, str]:
    given = audio if isinstance(audio, Mapping) else {}
    voice, audio_format = check_voice(given.get("voice"), "audio.voice"), given.get("format")
    if stream and audio_format != "pcm16":
        raise Refusal(
            f"Unsupported value: 'audio.format' does not support {audio_format!r} when stream=true. "
            "Supported values are: 'pcm16'.",
            param="audio.format",
            code="unsupported_value",
        )
    if audio_format not in FORMATS:
        known = ", ".join(f"'{name}'" for name in FORMATS)
        raise Refusal(
            f"Invalid value: {audio_format!r}. Supported values are: {known}.",
            param="audio.format",
            code="invalid_value",
        )
    return voice, audio_format


def _turns(messages: Any) -> tuple[Said, ...]:
    if not isinstance(messages, list) or not messages:
        raise Refusal("'messages' is a list with at least one message.", param="messages", code="invalid_type")
    turns = tuple(_turn(message, f"messages[{index}]") for index, message in enumerate(messages))
    if turns[-1].role != "user":
        raise Refusal("The last message is the user's.", param=f"messages[{len(turns) - 1}].role", code="invalid_value")
    return turns


def _turn(message: Any, param: str) -> Said:
    role = message.get("role") if isinstance(message, Mapping) else None
    role = "system" if role == "developer" else role
    if role not in ("system", "user", "assistant"):
        raise Refusal(f"The offline engine can't take messages of the role {role!r}.", param=f"{param}.role")
    audio = message.get("audio")
    if role == "assistant" and isinstance(audio, Mapping):
        return Said(role, audio_id=str(audio.get("id") or ""), param=f"content.{param}.audio.id")
    content = message.get("content")
    if isinstance(content, str):
        return Said(role, (content,), param=param)
    if not isinstance(content, list):
        raise Refusal("A message's 'content' is text or a list of parts.", param=f"{param}.content")
    return Said(role, tuple(_part(part, role, f"{param}.content[{i}]") for i, part in enumerate(content)), param=param)


def _part(part: Any, role: str, param: str) -> str | Heard:
    kind = part.get("type") if isinstance(part, Mapping) else None
    if kind == "text" and isinstance(part.get("text"), str):
        return str(part["text"])
    if kind != "input_audio" or role != "user":
        raise Refusal(f"The offline engine can't take a part of the type {kind!r} here.", param=param)
    audio = part.get("input_audio")
    data = audio.get("data") if isinstance(audio, Mapping) else None
    if not isinstance(data, str) or audio.get("format") not in ("wav", "mp3"):
        raise Refusal(
            "'input_audio' needs 'data' in base64, and the 'format' wav or mp3.", param=f"{param}.input_audio"
        )
    try:
        sound = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise Refusal("'input_audio.data' is no base64.", param=f"{param}.input_audio.data") from None
    if len(sound) > _MOST_SOUND_BYTES:
        raise Refusal(
            f"Maximum content size limit ({_MOST_SOUND_BYTES}) exceeded ({len(sound)} bytes read)",
            status=413,
            param=param,
        )
    return Heard(sound)


def _number(body: Mapping[str, Any], names: tuple[str, ...], default: Any, lowest: float, highest: float) -> Any:
    for name in names:
        value = body.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not lowest <= value <= highest:
            raise Refusal(f"'{name}' is a number from {lowest} to {highest}.", param=name, code="invalid_value")
        return type(default)(value)
    return default
