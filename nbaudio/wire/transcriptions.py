"""Speech to text on the wire: the form of ``POST /audio/transcriptions`` and ``/audio/translations``.

Source: https://platform.openai.com/docs/api-reference/audio/createTranscription. The file has to have a name with a
real ending, by which servers know what it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["ENDINGS", "FORMS", "TRANSLATION_PATH", "TranscriptionOptions", "file_part", "form_fields"]

TRANSLATION_PATH = "audio/translations"
"""Where what is said is written down in English; where it is written down as it is said, a dialect knows."""

FORMS = ("json", "text", "srt", "vtt", "verbose_json", "diarized_json")
"""What ``response_format`` can be."""

ENDINGS = {
    "flac": "audio/flac", "m4a": "audio/mp4", "mp3": "audio/mpeg", "mp4": "audio/mp4", "mpeg": "audio/mpeg",
    "mpga": "audio/mpeg", "oga": "audio/ogg", "ogg": "audio/ogg", "wav": "audio/wav", "webm": "audio/webm",
}  # fmt: skip
"""The endings that servers know, and the MIME type of each."""


@dataclass(frozen=True)
class TranscriptionOptions:
    """What is asked of a speech-to-text model.

    Parameters
    ----------
    model : str
    form : str
        ``response_format``: one of `FORMS`, or what else a server has.
    languages : tuple of str
        ISO 639-1 codes of the languages that are spoken, where known; one is sent as ``language``.
    prompt : str
        A text whose style and names the transcript follows.
    keywords : tuple of str
        Words that are likely to be said.
    temperature : float, optional
        0 to 1.
    granularities : tuple of str
        Which times a ``verbose_json`` has: ``"word"``, ``"segment"`` or both.
    log_probabilities : bool
    chunking : str or mapping, optional
        How the server cuts the sound: ``"auto"``, or a ``server_vad`` object.
    speakers : tuple of (name, data URL)
        Who may speak, with a sample of each voice.
    stream : bool
    """

    model: str
    form: str = "json"
    languages: tuple[str, ...] = ()
    prompt: str = ""
    keywords: tuple[str, ...] = ()
    temperature: float | None = None
    granularities: tuple[str, ...] = ()
    log_probabilities: bool = False
    chunking: str | Mapping[str, Any] | None = None
    speakers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    stream: bool = False


def form_fields(options: TranscriptionOptions) -> dict[str, str | list[str]]:
    """The form's fields beside the file; lists are fields that come several times.

    Examples
    --------
    >>> form_fields(TranscriptionOptions("whisper-1", "verbose_json", granularities=("word",)))
    {'model': 'whisper-1', 'response_format': 'verbose_json', 'timestamp_granularities[]': ['word']}
    """
    fields: dict[str, str | list[str]] = {"model": options.model, "response_format": options.form}
    if len(options.languages) == 1:
        fields["language"] = options.languages[0]
    elif options.languages:
        fields["languages[]"] = list(options.languages)
    if options.prompt:
        fields["prompt"] = options.prompt
    if options.keywords:
        fields["keywords[]"] = list(options.keywords)
    if options.temperature is not None:
        fields["temperature"] = f"{options.temperature:g}"
    if options.granularities:
        fields["timestamp_granularities[]"] = list(options.granularities)
    if options.log_probabilities:
        fields["include[]"] = ["logprobs"]
    if isinstance(options.chunking, str):
        fields["chunking_strategy"] = options.chunking
    elif options.chunking is not None:  # as the official SDK writes an object into a form
        fields |= {f"chunking_strategy[{name}]": str(value) for name, value in options.chunking.items()}
    if options.speakers:
        fields["known_speaker_names[]"] = [name for name, _ in options.speakers]
        fields["known_speaker_references[]"] = [sample for _, sample in options.speakers]
    if options.stream:
        fields["stream"] = "true"
    return fields


def file_part(data: bytes, ending: str) -> tuple[str, bytes, str]:
    """The form's file: name, bytes and MIME type."""
    return f"speech.{ending}", data, ENDINGS[ending]
