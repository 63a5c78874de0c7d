"""What is asked of the engine's ears: a form, checked, with the protocol's errors for what can't be done."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import FormData

from nbaudio.engine.asked import MODEL, Refusal

__all__ = ["TranscriptionAsked", "read_form", "refuse_translation"]

_FORMS = ("json", "text", "srt", "verbose_json", "vtt")
_STREAMED = ("json", "text")
_GRANULARITIES = ("word", "segment")
_DONE = {
    "file", "model", "language", "languages", "prompt", "response_format", "temperature", "timestamp_granularities",
    "include", "chunking_strategy", "stream",
}  # fmt: skip


@dataclass(frozen=True)
class TranscriptionAsked:
    """A form that the ears can answer.

    `timed` says whether words need times for it, be it to cut subtitles at them.
    """

    form: str
    prompt: str = ""
    temperature: float = 0.0
    granularities: tuple[str, ...] = ()
    log_probabilities: bool = False
    stream: bool = False

    @property
    def timed(self) -> bool:
        """Whether words need times."""
        return self.form in ("srt", "verbose_json", "vtt")

    @property
    def plain(self) -> bool:
        """Whether nothing but the usual words is wanted, and those at once."""
        return not (self.timed or self.prompt or self.temperature or self.log_probabilities or self.stream)


def read_form(form: FormData) -> TranscriptionAsked:
    """A form, checked.

    Raises
    ------
    Refusal
        With the protocol's own status, code and parameter, and a message that says what to do.
    """
    fields: dict[str, list[str]] = {}
    for name, value in form.multi_items():
        if isinstance(value, str):
            fields.setdefault(name.removesuffix("[]").partition("[")[0], []).append(value)
    one = {name: values[-1] for name, values in fields.items()}
    _check_model(one.get("model", ""))
    wanted = one.get("response_format") or "json"
    if wanted == "diarized_json" or any(name.startswith("known_speaker") for name in fields):
        name = "response_format" if wanted == "diarized_json" else "known_speaker_names"
        raise _not_done(name, "tell speakers apart")
    if wanted not in _FORMS:
        known = ", ".join(map(repr, _FORMS))
        raise Refusal(
            f"Invalid value: {wanted!r}. Supported values are: {known}.", param="response_format", code="invalid_value"
        )
    for name in ("language", "languages"):
        if any(code not in ("en", "") for code in fields.get(name, [])):
            raise _not_done(name, "hear another language than English ('en')")
    if one.get("chunking_strategy", "auto") != "auto":
        raise _not_done("chunking_strategy", "be told how to cut a recording: it cuts at pauses ('auto')")
    for name in fields.keys() - _DONE:
        raise _not_done(name, f"take '{name}'")
    return TranscriptionAsked(
        wanted,
        one.get("prompt", ""),
        _temperature(one.get("temperature", "")),
        _granularities(fields.get("timestamp_granularities", []), wanted),
        _log_probabilities(fields.get("include", []), wanted),
        # Where the answer can't come in pieces, `stream` is passed over, as whisper-1 does.
        one.get("stream") == "true" and wanted in _STREAMED,
    )


def refuse_translation() -> Refusal:
    """What is said of ``/v1/audio/translations``."""
    return Refusal(
        "The offline engine can't translate: it hears English only. Use '/audio/transcriptions', or a server that can.",
        param="model",
        code="unsupported_value",
    )


def _check_model(model: str) -> None:
    if model != MODEL:
        raise Refusal(
            f"The model `{model}` does not exist: the offline engine has one model, `{MODEL}`.",
            status=404,
            param="model",
            code="model_not_found",
        )


def _temperature(text: str) -> float:
    try:
        value = float(text or 0.0)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise Refusal("'temperature' is a number from 0 to 1.", param="temperature", code="invalid_value")
    return value


def _granularities(asked: list[str], form: str) -> tuple[str, ...]:
    if asked and form != "verbose_json":
        raise Refusal(
            "'timestamp_granularities' needs the response_format 'verbose_json'.",
            param="timestamp_granularities",
            code="invalid_value",
        )
    for value in asked:
        if value not in _GRANULARITIES:
            raise Refusal(
                f"Invalid value: {value!r}. Supported values are: 'word' and 'segment'.",
                param="timestamp_granularities",
                code="invalid_value",
            )
    return tuple(dict.fromkeys(asked)) or ("segment",)


def _log_probabilities(asked: list[str], form: str) -> bool:
    if any(value != "logprobs" for value in asked):
        raise Refusal("'include' can hold 'logprobs' only.", param="include", code="invalid_value")
    if asked and form != "json":
        raise Refusal("'logprobs' need the response_format 'json'.", param="include", code="invalid_value")
    return bool(asked)


def _not_done(name: str, what: str) -> Refusal:
    value: dict[str, Any] = {"param": name, "code": "unsupported_value"}
    return Refusal(f"The offline engine can't {what}. Leave out '{name}', or use a server that can.", **value)
