"""The habits of servers that speak the protocol: data in ``dialects.json``, chosen by address or by name.

A new server is a new row there, or in a file of the user's own (see ``docs/servers.md``): what a row says is all that
the rest of nbaudio asks, never its name.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from nbaudio.errors import SetupError

__all__ = ["Dialect", "dialect_for", "dialect_of_row", "known_dialects"]

_ONE_OF = {
    "streams": ("as asked", "aloud", "always"),
    "sound_in": ("input_audio", "data_url", "string", "audio_url"),
    "sound_at": ("delta.audio", "content"),
    "stream_sound": ("pcm16", "any"),
}


@dataclass(frozen=True)
class Dialect:
    """One server's habits. Patterns are those of file names, as ``*.example.org``, and take small letters for capitals.

    What a row leaves out is as with OpenAI, but for audio ids, which no other server is trusted with.
    """

    name: str
    title: str = ""
    """What people call it."""

    # by what it is known
    url: str = ""
    """Its address, where there is only one; ``connect(name)`` goes there."""
    hosts: tuple[str, ...] = ()
    """Patterns of host names."""
    ports: tuple[int, ...] = ()
    """Ports that nobody else uses, for a host that no row names."""
    paths: tuple[str, ...] = ()
    """Patterns of the address's path; where there are hosts too, both have to fit."""
    models: tuple[str, ...] = ()
    """Patterns of names of models, for an address that no row names."""

    # the way in
    key_header: str = "Authorization"
    key_prefix: str = "Bearer "
    key_env: str = ""
    """The environment variable that holds its key by custom."""
    query: Mapping[str, str] = field(default_factory=dict, hash=False)
    """What stands behind ``?`` in each request."""
    chat_path: str = "chat/completions"
    """Below the address, as the next two."""
    speech_path: str = "audio/speech"
    transcription_path: str = "audio/transcriptions"

    # what it can do
    hears: tuple[str, ...] = ("*",)
    """Patterns of its models that take sound in a chat."""
    speaks: tuple[str, ...] = ("*",)
    """Patterns of its models that answer with sound."""
    realtime_models: tuple[str, ...] = ("*realtime*",)
    """Patterns of its models that speak in Realtime sessions only."""
    keeps_audio_ids: bool = False
    """Whether an earlier answer may be sent back as ``audio: {id}``."""

    # what a request has to look like
    streams: str = "as asked"
    """When it has to be asked for a stream: as asked, aloud (where sound is to come), always."""
    stream_format: str = "pcm16"
    """What ``audio.format`` says in a stream."""
    audio_formats: tuple[str, ...] = ("wav", "mp3", "flac", "opus", "pcm16")
    """What ``audio.format`` may say otherwise; the first takes the place of one that it can't."""
    sound_in: str = "input_audio"
    """How sound goes in: ``input_audio`` (an object), ``data_url`` (such an object with a data URL in it), ``string``
    (base64 in the place of the object), ``audio_url``."""
    leaves_out: tuple[str, ...] = ()
    """Fields that are not sent, for they are refused; ``outer.inner`` is a field of a field."""
    renames: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Fields that it knows by another name."""
    extra_body: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Fields that are sent besides."""

    # what its answers look like
    sound_at: str = "delta.audio"
    """Where sound is in a stream: ``delta.audio``, or ``content`` of chunks whose modality is audio."""
    stream_sound: str = "pcm16"
    """What it is: ``pcm16``, always and without a header; or ``any``, which is looked at."""
    sample_rate: int = 24_000
    """Hz of PCM that says nothing of its rate."""

    # what is taken where nobody chooses
    voice: str = ""
    default_model: str = "gpt-audio-1.5"
    transcription_model: str = "whisper-1"
    """Empty where the server has no speech to text; and the next, where it has no text to speech."""
    speech_model: str = "tts-1"
    realtime_model: str = ""
    """Empty where the server has no Realtime sessions, or none that nbaudio could name a model of."""

    # text to speech
    speech_events: bool = False
    """Whether it is streamed as events with the tokens used."""
    speech_instructions: bool = True
    """Whether it can be told the manner."""
    longest_speech: int = 4096
    """The most code points of one request, and the most tokens, 0 for any."""
    longest_speech_tokens: int = 0
    speeches_at_once: int = 4
    """How many parts of a longer text at a time; more would soon be too many for a free account."""

    # speech to text
    word_times_model: str = ""
    """The models that can what `transcription_model` can't, where there are such; and the next two."""
    diarizing_model: str = ""
    translating_model: str = ""
    transcription_max_bytes: int = 26_214_400
    """The most bytes of an upload, with its whole form, and the most seconds of sound."""
    transcription_max_s: float = 1800.0
    transcription_piece_s: float = 600.0
    """About how long the pieces of a longer recording are, as what they go out, and how many at a time."""
    transcription_upload: str = "mp3"
    transcriptions_at_once: int = 4

    source: str = ""
    """Where this is written down."""
    tried: str = ""
    """With which real server it was tried; empty where only with a stand-in."""

    def can_hear(self, model: str) -> bool:
        """Whether a model of this server takes sound."""
        return _fits(model, self.hears)

    def can_speak(self, model: str) -> bool:
        """Whether a model of this server answers with sound."""
        return _fits(model, self.speaks)

    def is_realtime(self, model: str) -> bool:
        """Whether a model of this server speaks in Realtime sessions only."""
        return _fits(model, self.realtime_models)

    @property
    def streams_as_openai(self) -> bool:
        """Whether its streams are of the one shape that needs no second look."""
        return (self.sound_at, self.stream_sound, self.sample_rate) == ("delta.audio", "pcm16", 24_000)


_DEFAULTS: dict[str, Any] = {
    one.name: {} if one.default_factory is not MISSING else "" if one.default is MISSING else one.default
    for one in fields(Dialect)
}


@cache
def known_dialects() -> tuple[Dialect, ...]:
    """All rows of nbaudio's own file; the last is for servers that no other names."""
    found = json.loads(files("nbaudio.wire").joinpath("dialects.json").read_text(encoding="utf-8"))
    return tuple(dialect_of_row(row) for row in found["dialects"])


def dialect_of_row(row: Mapping[str, Any], base: Dialect | None = None) -> Dialect:
    """The habits that a row of a file describes.

    Parameters
    ----------
    row : mapping
        Fields of `Dialect`.
    base : Dialect, optional
        Whose habits hold where the row says nothing.

    Raises
    ------
    SetupError
        If it has a field that there is none of, or a value that can't be one.

    Examples
    --------
    >>> dialect_of_row({"name": "mine", "ports": [9000], "speaks": []}).can_speak("any-model")
    False
    """
    made: dict[str, Any] = {}
    for name, value in row.items():
        if name not in _DEFAULTS:
            near = difflib.get_close_matches(name, _DEFAULTS, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(_DEFAULTS)}."
            raise SetupError(f"The dialect {row.get('name', '')!r} has {name!r}, which is no habit.", hint)
        made[name] = _checked(row.get("name", ""), name, value, _DEFAULTS[name])
    if base is not None:
        return replace(base, **made)
    if not made.get("name"):
        raise SetupError("A dialect has no name.", 'Give it one: name = "..."')
    return Dialect(**made)


def _checked(dialect: Any, name: str, value: Any, default: Any) -> Any:
    """A value of the kind of its default; lists become tuples."""
    if isinstance(default, tuple):
        kind: type = int if name == "ports" else str
        good = isinstance(value, (list, tuple)) and all(type(one) is kind for one in value)
        value = tuple(value) if good else value
    elif isinstance(default, Mapping):
        good = isinstance(value, Mapping) and (
            name == "extra_body" or all(isinstance(one, str) for one in value.values())
        )
        value = dict(value) if good else value
    else:
        if type(default) is float and type(value) is int:
            value = float(value)
        good = type(value) is type(default) and value in _ONE_OF.get(name, (value,))
        good = good and not (name == "sample_rate" and not 4_000 <= value <= 384_000)
    if not good:
        hint = f"One of: {', '.join(_ONE_OF[name])}." if name in _ONE_OF else f"As with OpenAI it is {default!r}."
        raise SetupError(f"The dialect {dialect!r} has a {name} that can't be: {value!r}.", hint)
    return value


def dialect_for(url: str, name: str = "", model: str = "", more: Sequence[Dialect] = ()) -> Dialect:
    """The habits of the server at this address, or those of this name.

    Parameters
    ----------
    url : str
        Its host decides, else its port, else its path.
    name : str
        Of a dialect; goes before the address.
    model : str
        Decides where the address does not.
    more : sequence of Dialect
        The user's own, which go before those of the same name, and before all others.

    Raises
    ------
    SetupError
        If there is no dialect of this name.

    Examples
    --------
    >>> dialect_for("https://api.openai.com/v1").keeps_audio_ids
    True
    >>> dialect_for("http://localhost:11434/v1").name, dialect_for("http://localhost:8000/v1").name
    ('ollama', 'compatible')
    """
    own = {dialect.name for dialect in more}
    rows = [*more, *(dialect for dialect in known_dialects() if dialect.name not in own)]
    if name:
        for dialect in rows:
            if dialect.name == name:
                return dialect
        raise SetupError(
            f"There is no dialect {name!r}.", f"Known ones: {', '.join(sorted(dialect.name for dialect in rows))}."
        )
    try:
        parts = urlsplit(url)
        host, port, path = parts.hostname or "", parts.port or 0, parts.path
    except ValueError:  # which is no address, and will be told so by whoever goes there
        host, port, path = "", 0, ""
    for fits in (
        lambda row: _fits(host, row.hosts) and (not row.paths or _fits(path, row.paths)),
        lambda row: port in row.ports,
        lambda row: not row.hosts and _fits(path, row.paths),
        lambda row: _fits(model, row.models),
    ):
        if (found := next(filter(fits, rows), None)) is not None:
            return found
    fallback = known_dialects()[-1].name
    return next(row for row in rows if row.name == fallback)


def _fits(text: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(text.lower(), pattern.lower()) for pattern in patterns)
