"""The habits of servers that speak the protocol: data in ``dialects.json``, chosen by address or by name."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from importlib.resources import files
from urllib.parse import urlsplit

from nbaudio.errors import SetupError

__all__ = ["Dialect", "dialect_for"]


@dataclass(frozen=True)
class Dialect:
    """One server's habits.

    `hosts` are patterns of host names; `keeps_audio_ids` says whether an earlier answer may be sent back as
    ``audio: {id}``; `key_header` and `key_prefix` say how the key travels; `default_model` is the one for chat and
    `transcription_model` the one for speech to text; `source` is where this is written.

    Of text to speech: `speech_model` is the model, empty where the server has no ``/audio/speech``; `speech_events`
    says whether it streams it as events with the tokens used, `speech_instructions` whether it can be told the manner;
    `longest_speech` is the most code points of one request, `longest_speech_tokens` the most tokens, 0 for any.

    Of speech to text: `word_times_model`, `diarizing_model` and `translating_model` are those that can what
    `transcription_model` can't, where there are such; an upload has at most `transcription_max_bytes`, with its whole
    form, and `transcription_max_s` seconds of sound; a recording that is longer goes in pieces of about
    `transcription_piece_s` seconds, as `transcription_upload` (``"mp3"`` or ``"flac"``), `transcriptions_at_once` at a
    time.
    """

    name: str
    hosts: tuple[str, ...]
    keeps_audio_ids: bool
    key_header: str
    key_prefix: str
    default_model: str
    transcription_model: str
    source: str
    speech_model: str = "tts-1"
    speech_events: bool = False
    speech_instructions: bool = True
    longest_speech: int = 4096
    longest_speech_tokens: int = 0
    word_times_model: str = ""
    diarizing_model: str = ""
    translating_model: str = ""
    transcription_max_bytes: int = 26_214_400
    transcription_max_s: float = 1800.0
    transcription_piece_s: float = 600.0
    transcription_upload: str = "mp3"
    transcriptions_at_once: int = 4


@cache
def _known() -> tuple[Dialect, ...]:
    rows = json.loads(files("nbaudio.wire").joinpath("dialects.json").read_text(encoding="utf-8"))
    return tuple(Dialect(**{**row, "hosts": tuple(row["hosts"])}) for row in rows["dialects"])


def dialect_for(url: str, name: str = "") -> Dialect:
    """The habits of the server at this address, or those of this name.

    Raises
    ------
    SetupError
        If there is no dialect of this name.

    Examples
    --------
    >>> dialect_for("https://api.openai.com/v1").keeps_audio_ids
    True
    >>> dialect_for("http://localhost:8000/v1").name
    'compatible'
    """
    if name:
        for dialect in _known():
            if dialect.name == name:
                return dialect
        raise SetupError(
            f"There is no dialect {name!r}.", f"Known ones: {', '.join(dialect.name for dialect in _known())}."
        )
    host = urlsplit(url).hostname or ""
    return next((d for d in _known() if any(fnmatch(host, pattern) for pattern in d.hosts)), _known()[-1])
