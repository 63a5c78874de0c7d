"""The form of speech to text, and what the API checks in it before a model hears anything."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request

from .refusals import Refused, missing, not_among, unknown
from .sounds import measured_s

ENDINGS = ("flac", "m4a", "mp3", "mp4", "mpeg", "mpga", "oga", "ogg", "wav", "webm")
MOST_BYTES = 26_214_400

_FORMS = ("json", "text", "srt", "verbose_json", "vtt", "diarized_json")
_FIELDS = {
    "file", "model", "response_format", "language", "languages", "prompt", "keywords", "temperature",
    "timestamp_granularities", "include", "chunking_strategy", "known_speaker_names", "known_speaker_references",
    "stream",
}  # fmt: skip
_TRANSLATION_FIELDS = {"file", "model", "response_format", "prompt", "temperature"}
_SHORTEST_S = 0.1
_DATA_URL = re.compile(r"data:audio/([a-z0-9.+-]+);base64,(.+)", re.S)


@dataclass(frozen=True)
class Model:
    """What one model takes."""

    forms: tuple[str, ...]
    streams: bool = True
    keywords: bool = False
    log_probabilities: bool = False
    prompt: bool = True
    speakers: bool = False
    counts_tokens: bool = False
    longest_s: float | None = None


MODELS = {
    "gpt-transcribe": Model(("json",), keywords=True),
    "gpt-4o-transcribe": Model(("json",), log_probabilities=True, counts_tokens=True, longest_s=1400),
    "gpt-4o-mini-transcribe": Model(("json",), log_probabilities=True, counts_tokens=True, longest_s=1400),
    "gpt-4o-transcribe-diarize": Model(
        ("json", "text", "diarized_json"), prompt=False, speakers=True, counts_tokens=True, longest_s=1400
    ),
    "whisper-1": Model(("json", "text", "srt", "verbose_json", "vtt"), streams=False),
}


@dataclass(frozen=True)
class Asked:
    """A form that passed."""

    model: Model
    form: str
    duration_s: float
    granularities: tuple[str, ...]
    log_probabilities: bool
    stream: bool
    known_speakers: tuple[str, ...]
    translates: bool


async def read_form(request: Request) -> dict[str, Any]:
    """The fields of a form; empty where the body is no form.

    A file is its name, its MIME type and its bytes; a field whose name ends in ``[]`` is a list.
    """
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        return {}
    found: dict[str, Any] = {}
    async with request.form() as form:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                found[name] = (value.filename, value.content_type, await value.read())
            elif name.endswith("[]"):
                found.setdefault(name, []).append(value)
            else:
                found[name] = value
    return found


def check_form(form: dict[str, Any], size: int, *, translates: bool) -> Asked:
    """What a form asks for; `Refused`, as the API would, where it can't be answered. `size` is the whole body's."""
    if size > MOST_BYTES:
        text = f"Maximum content size limit ({MOST_BYTES}) exceeded ({size} bytes read)"
        raise Refused(text, status=413, kind="server_error")
    plain = {name.removesuffix("[]").partition("[")[0] for name in form}
    for field in plain - (_TRANSLATION_FIELDS if translates else _FIELDS):
        raise unknown(field)
    for field in ("file", "model"):
        if field not in form:
            raise missing(field)
    model = MODELS.get(form["model"])
    if model is None or (translates and form["model"] != "whisper-1"):
        text = f"The model `{form['model']}` does not exist or you do not have access to it."
        raise Refused(text, status=404, code="model_not_found")
    wanted = form.get("response_format", "json")
    if wanted not in model.forms:
        if wanted not in _FORMS:
            raise not_among("response_format", wanted, _FORMS)
        text = f"response_format '{wanted}' is not compatible with model '{form['model']}'. Use one of {model.forms}."
        raise Refused(text, param="response_format", code="unsupported_value")
    _check_fields(form, model, wanted)
    duration_s = _check_sound(form, model)
    return Asked(
        model,
        wanted,
        duration_s,
        tuple(form.get("timestamp_granularities[]", ())),
        bool(form.get("include[]")),
        form.get("stream") == "true" and model.streams,
        _check_speakers(form, model, wanted, duration_s),
        translates,
    )


def _check_fields(form: dict[str, Any], model: Model, wanted: str) -> None:
    name = form["model"]
    if "language" in form and "languages[]" in form:
        raise Refused("Only one of 'language' and 'languages' can be given.", param="languages")
    for field, allowed in (
        ("languages[]", model.keywords),
        ("keywords[]", model.keywords),
        ("prompt", model.prompt),
        ("known_speaker_names[]", model.speakers),
    ):
        if field in form and not allowed:
            plain = field.removesuffix("[]")
            text = f"'{plain}' is not supported for model '{name}'."
            raise Refused(text, param=plain, code="unsupported_parameter")
    for value in form.get("timestamp_granularities[]", ()):
        if value not in ("word", "segment"):
            raise not_among("timestamp_granularities[0]", value, ("word", "segment"))
        if wanted != "verbose_json":
            text = "timestamp_granularities needs response_format 'verbose_json'."
            raise Refused(text, param="timestamp_granularities")
    if form.get("include[]") and not (form["include[]"] == ["logprobs"] and model.log_probabilities):
        raise Refused(f"'include' is not supported for model '{name}'.", param="include")
    try:
        temperature = float(form.get("temperature", 0))
    except ValueError:
        temperature = -1.0
    if not 0 <= temperature <= 1:
        raise Refused("Invalid 'temperature': expected a value between 0 and 1.", param="temperature")
    if form.get("stream") not in (None, "true", "false"):
        raise Refused("Invalid type for 'stream': expected a boolean.", param="stream", code="invalid_type")


def _check_sound(form: dict[str, Any], model: Model) -> float:
    name, _, data = form["file"]
    ending = name.rpartition(".")[2]
    if ending not in ENDINGS:
        raise Refused(f"Invalid file format. Supported formats: {list(ENDINGS)}", param="file")
    try:
        duration_s = measured_s(data, ending)
    except ValueError:
        raise Refused("Audio file might be corrupted or unsupported", param="file", code="invalid_value") from None
    if duration_s < _SHORTEST_S:
        raise Refused(f"Audio file is too short. Minimum audio length is {_SHORTEST_S} seconds.", param="file")
    if model.longest_s is not None and duration_s > model.longest_s:
        text = f"audio duration {duration_s} seconds is longer than {model.longest_s:g} seconds which is the maximum"
        raise Refused(f"{text} for this model", code="invalid_value")
    return duration_s


def _check_speakers(form: dict[str, Any], model: Model, wanted: str, duration_s: float) -> tuple[str, ...]:
    names, samples = form.get("known_speaker_names[]", []), form.get("known_speaker_references[]", [])
    if len(names) != len(samples) or len(names) > 4:
        raise Refused("Give as many names as references, at most 4.", param="known_speaker_names")
    for sample in samples:
        found = _DATA_URL.fullmatch(sample)
        if found is None:
            raise Refused("A speaker reference is a data URL.", param="known_speaker_references")
        kind = {"mpeg": "mp3"}.get(found[1], found[1])
        if not 2 <= measured_s(base64.b64decode(found[2], validate=True), kind) <= 10.2:
            raise Refused("A speaker reference lasts 2 to 10 seconds.", param="known_speaker_references")
    if model.speakers and wanted == "diarized_json" and duration_s > 30 and "chunking_strategy" not in form:
        raise Refused("chunking_strategy is required for diarization models", param="chunking_strategy")
    return tuple(names)
