"""What the API checks in a request before a model sees it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from .messages import FindAudio, Prompt, read_messages
from .refusals import Refused, missing, not_among, unknown, wrong_type
from .sounds import FORMATS

MODELS = ("gpt-audio-1.5", "gpt-audio", "gpt-audio-mini")
VOICES = (
    *("alloy", "echo", "fable", "onyx", "nova", "shimmer", "coral"),
    *("verse", "ballad", "ash", "sage", "marin", "cedar"),
)
LONGEST_ANSWER_TOKENS = 16_384

_TOOL_CHOICES = ("none", "auto", "required")
_TOOL_NAME = "[a-zA-Z0-9_-]{1,64}"

_NOUNS = {
    bool: "a boolean",
    int: "an integer",
    float: "a decimal",
    str: "a string",
    list: "an array",
    dict: "an object",
}
_TYPES: dict[str, type] = {
    "model": str,
    **dict.fromkeys(("stream", "store", "logprobs", "parallel_tool_calls"), bool),
    **dict.fromkeys(("max_completion_tokens", "max_tokens", "n", "seed", "top_logprobs"), int),
    **dict.fromkeys(("temperature", "top_p", "frequency_penalty", "presence_penalty"), float),
    **dict.fromkeys(("user", "prompt_cache_key", "safety_identifier", "service_tier"), str),
    **dict.fromkeys(("prompt_cache_retention", "reasoning_effort", "verbosity"), str),
    **dict.fromkeys(("modalities", "tools"), list),
    **dict.fromkeys(("audio", "stream_options", "response_format", "metadata", "logit_bias"), dict),
    **dict.fromkeys(("prediction", "web_search_options", "moderation", "prompt_cache_options"), dict),
}
_OTHER_FIELDS = {"messages", "stop", "tool_choice"}
_RANGES: dict[str, tuple[float, float | None]] = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "frequency_penalty": (-2, 2),
    "presence_penalty": (-2, 2),
    "max_completion_tokens": (1, None),
    "max_tokens": (1, None),
}


@dataclass(frozen=True)
class Asked:
    """A request that passed: what it asks for, and the tokens of its prompt."""

    model: str
    speaks: bool
    audio_format: str
    stream: bool
    include_usage: bool
    include_obfuscation: bool
    token_limit: int | None
    may_call_tools: bool
    text_tokens: int
    audio_tokens: int


def check_request(body: Any, find_audio: FindAudio) -> Asked:
    """What a request body asks for; `Refused`, as the API would, where it can't be answered."""
    if not isinstance(body, dict):
        raise wrong_type("body", "an object", body)
    given = {field: value for field, value in body.items() if value is not None}
    _check_fields(given)
    _check_options(given)
    speaks = _check_modalities(given)
    audio_format = _check_audio(given) if speaks else ""
    prompt = read_messages(given["messages"], find_audio)
    if not (speaks or prompt.has_audio):
        text = "This model requires that either input content or output modality contain audio."
        raise Refused(text, param="model", code="invalid_value")
    return _asked(given, speaks, audio_format, prompt)


def _asked(given: dict[str, Any], speaks: bool, audio_format: str, prompt: Prompt) -> Asked:
    options = given.get("stream_options", {})
    # A model that has just got a result answers with it, or a loop of calls would never end.
    has_result = given["messages"][-1]["role"] == "tool"
    return Asked(
        model=given["model"],
        speaks=speaks,
        audio_format=audio_format,
        stream=given.get("stream", False),
        include_usage=options.get("include_usage", False),
        include_obfuscation=options.get("include_obfuscation", True),
        token_limit=given.get("max_completion_tokens", given.get("max_tokens")),
        may_call_tools=bool(given.get("tools")) and given.get("tool_choice") != "none" and not has_result,
        text_tokens=prompt.text_tokens,
        audio_tokens=prompt.audio_tokens,
    )


def _check_fields(given: dict[str, Any]) -> None:
    for field in given.keys() - _TYPES.keys() - _OTHER_FIELDS:
        raise unknown(field)
    if "model" not in given:
        raise Refused("you must provide a model parameter")
    if "messages" not in given:
        raise missing("messages")
    for field, expected in _TYPES.items():
        if field in given and not _is_a(given[field], expected):
            raise wrong_type(field, _NOUNS[expected], given[field])
    if given["model"] not in MODELS:
        text = f"The model `{given['model']}` does not exist or you do not have access to it."
        raise Refused(text, status=404, code="model_not_found")


def _is_a(value: Any, expected: type) -> bool:
    if isinstance(value, bool):
        return expected is bool
    return isinstance(value, (int, float) if expected is float else expected)


def _check_options(given: dict[str, Any]) -> None:
    for field, (least, most) in _RANGES.items():
        if field in given:
            _check_range(field, given[field], least, most)
    if given.get("max_completion_tokens", 0) > LONGEST_ANSWER_TOKENS:
        value = given["max_completion_tokens"]
        raise Refused(
            f"max_tokens is too large: {value}. This model supports at most {LONGEST_ANSWER_TOKENS} "
            f"completion tokens, whereas you provided {value}.",
            param="max_completion_tokens",
            code="invalid_value",
        )
    if given.get("n", 1) != 1:
        raise Refused("This model does not support 'n' other than 1.", param="n", code="unsupported_value")
    if given.get("response_format", {}).get("type") == "json_schema":
        text = "'response_format' of type 'json_schema' is not supported with this model."
        raise Refused(f"Invalid parameter: {text}")
    if "stream_options" in given and not given.get("stream"):
        text = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise Refused(text, param="stream_options")
    _check_booleans(given.get("stream_options", {}), "stream_options", ("include_usage", "include_obfuscation"))
    _check_tools(given)


def _check_booleans(options: dict[str, Any], where: str, fields: tuple[str, ...]) -> None:
    for field, value in options.items():
        if field not in fields:
            raise unknown(f"{where}.{field}")
        if value is not None and not isinstance(value, bool):
            raise wrong_type(f"{where}.{field}", "a boolean", value)


def _check_tools(given: dict[str, Any]) -> None:
    choice = given.get("tool_choice")
    if choice is not None and "tools" not in given:
        text = "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified."
        raise Refused(text, param="tool_choice")
    if isinstance(choice, str) and choice not in _TOOL_CHOICES:
        raise not_among("tool_choice", choice, _TOOL_CHOICES)
    for index, tool in enumerate(given.get("tools", ())):
        where = f"tools[{index}]"
        if not isinstance(tool, dict):
            raise wrong_type(where, "an object", tool)
        if tool.get("type") != "function":
            raise not_among(f"{where}.type", tool.get("type"), ("function",))
        function = tool.get("function")
        if not isinstance(function, dict):
            raise wrong_type(f"{where}.function", "an object", function)
        for field in function.keys() - {"name", "description", "parameters", "strict"}:
            raise unknown(f"{where}.function.{field}")
        name = function.get("name")
        if not isinstance(name, str):
            raise wrong_type(f"{where}.function.name", "a string", name)
        if not re.fullmatch(_TOOL_NAME, name):
            text = f"Invalid '{where}.function.name': string does not match pattern. Expected a string that"
            text = f"{text} matches the pattern '^{_TOOL_NAME}$'."
            raise Refused(text, param=f"{where}.function.name", code="invalid_value")


def _check_range(field: str, value: float, least: float, most: float | None) -> None:
    noun = "integer" if _TYPES[field] is int else "decimal"
    if value < least:
        words, sign, bound, code = "below minimum", ">=", least, "below_min"
    elif most is not None and value > most:
        words, sign, bound, code = "above maximum", "<=", most, "above_max"
    else:
        return
    text = f"Invalid '{field}': {noun} {words} value. Expected a value {sign} {bound}"
    raise Refused(f"{text}, but got {value} instead.", param=field, code=f"{noun}_{code}_value")


def _check_modalities(given: dict[str, Any]) -> bool:
    modalities = given.get("modalities", ["text"])
    for index, modality in enumerate(modalities):
        if modality not in ("text", "audio"):
            raise not_among(f"modalities[{index}]", modality, ("text", "audio"))
    if "text" not in modalities:
        # Reported unusable; how the API words it is not known.
        text = "Invalid modalities. Supported combinations are: ['text'] and ['text', 'audio']."
        raise Refused(text, param="modalities", code="invalid_value")
    return "audio" in modalities


def _check_audio(given: dict[str, Any]) -> str:
    audio = given.get("audio")
    if audio is None:
        raise missing("audio")
    for field in audio.keys() - {"voice", "format"}:
        raise unknown(f"audio.{field}")
    for field in ("voice", "format"):
        if audio.get(field) is None:
            raise missing(f"audio.{field}")
    _check_voice(audio["voice"])
    audio_format = audio["format"]
    if audio_format not in FORMATS:
        raise not_among("audio.format", audio_format, FORMATS)
    if given.get("stream") and audio_format != "pcm16":
        text = f"'audio.format' does not support '{audio_format}' when stream=true"
        text = f"Unsupported value: {text}. Supported values are: 'pcm16'."
        raise Refused(text, param="audio.format", code="unsupported_value")
    return str(audio_format)


def _check_voice(voice: Any) -> None:
    is_custom = isinstance(voice, dict) and voice.keys() == {"id"} and str(voice["id"]).startswith("voice_")
    if voice not in VOICES and not is_custom:
        raise not_among("audio.voice", voice, VOICES)
