"""What each speech-to-text model can do: data in ``transcription_models.json``, chosen by the model's name."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files

__all__ = ["TranscriptionModel", "transcription_model"]


@dataclass(frozen=True)
class TranscriptionModel:
    """One row: the abilities of the models whose names fit one of the patterns in `names`.

    `forms` are the values of ``response_format`` that it takes, the plainest first; `streams` says whether words come
    as they are written; `log_probabilities`, `many_languages`, `keywords`, `prompt`, `known_speakers` and `translates`
    whether it takes these; `billed_by` is ``"minutes"`` or ``"tokens"``; `longest_s` is the longest recording that it
    takes, in seconds; `source` is where this is written.
    """

    names: tuple[str, ...]
    forms: tuple[str, ...]
    source: str
    streams: bool = False
    log_probabilities: bool = False
    many_languages: bool = False
    keywords: bool = False
    prompt: bool = True
    known_speakers: bool = False
    translates: bool = False
    billed_by: str = "minutes"
    longest_s: float = math.inf

    @property
    def times_words(self) -> bool:
        """Whether it says when words and segments sound."""
        return "verbose_json" in self.forms

    @property
    def tells_speakers_apart(self) -> bool:
        """Whether it says who speaks."""
        return "diarized_json" in self.forms


@cache
def _known() -> tuple[TranscriptionModel, ...]:
    rows = json.loads(files("nbaudio.wire").joinpath("transcription_models.json").read_text(encoding="utf-8"))
    return tuple(
        TranscriptionModel(**{**row, "names": tuple(row["names"]), "forms": tuple(row["forms"])})
        for row in rows["models"]
    )


def transcription_model(name: str) -> TranscriptionModel:
    """What is known of the model of this name.

    Examples
    --------
    >>> transcription_model("whisper-1").times_words, transcription_model("gpt-transcribe").times_words
    (True, False)
    >>> transcription_model("somebody/whisper-large-v3").forms[0]
    'json'
    """
    return next(row for row in _known() if any(fnmatchcase(name, pattern) for pattern in row.names))
