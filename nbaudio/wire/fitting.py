"""A standard request, made what one server takes: the row of its dialect says how."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from nbaudio.wire.dialects import Dialect
from nbaudio.wire.requests import Inline, Message, Options, Stored

__all__ = ["fitted_body", "fitted_message", "fitted_options"]

_MIME = {"wav": "audio/wav", "mp3": "audio/mpeg"}


@dataclass(frozen=True)
class _DataUrl(Inline):
    """Bytes that stand in a request as a ``data:`` address."""

    mime: str = ""

    @property
    def _prefix(self) -> bytes:
        return f"data:{self.mime};base64,".encode()

    def pieces(self) -> Iterator[bytes]:
        """The prefix, then the base64."""
        yield self._prefix
        yield from super().pieces()

    def __len__(self) -> int:
        return len(self._prefix) + super().__len__()


def fitted_options(options: Options, dialect: Dialect) -> Options:
    """The options that a server can be asked with: streamed where it knows no other way, in a format that it has."""
    streams = options.stream or dialect.streams == "always" or (dialect.streams == "aloud" and options.aloud)
    known = options.audio_format in dialect.audio_formats
    return replace(options, stream=streams, audio_format=options.audio_format if known else dialect.audio_formats[0])


def fitted_message(message: Message, dialect: Dialect) -> Message:
    """A message whose sounds go in as a server wants them; of one without sound, and for most servers, itself."""
    if not message.sounds or dialect.sound_in == "input_audio":
        return message
    return _SoundMessage(message.role, message.text, message.sounds, form=dialect.sound_in)


def fitted_body(body: Mapping[str, Any], dialect: Dialect) -> dict[str, Any]:
    """The JSON object of a request with the fields that a server takes, by the names that it knows.

    Parameters
    ----------
    body : mapping
        Of `nbaudio.wire.requests.request_body`, with `fitted_options`; its messages stay as they are.
    dialect : Dialect

    Examples
    --------
    >>> from nbaudio.wire.dialects import dialect_for
    >>> from nbaudio.wire.requests import Message, request_body
    >>> body = request_body([Message("user", "Hello")], Options("voxtral-small-latest", "", aloud=False, stream=False))
    >>> sorted(fitted_body(body, dialect_for("https://api.mistral.ai/v1")))
    ['max_tokens', 'messages', 'model']
    """
    made = dict(body)
    if body.get("stream") and "audio" in body:
        made["audio"] = {**body["audio"], "format": dialect.stream_format}
    for field in dialect.leaves_out:
        outer, _, inner = field.partition(".")
        if not inner:
            made.pop(outer, None)
        elif isinstance(made.get(outer), Mapping):
            made[outer] = {name: value for name, value in made[outer].items() if name != inner}
    made = {dialect.renames.get(name, name): value for name, value in made.items()}
    return {**made, **{name: value for name, value in dialect.extra_body.items() if name not in made}}


@dataclass(frozen=True)
class _SoundMessage(Message):
    """A message whose sounds are not ``input_audio`` objects with bare base64 in them."""

    form: str = ""

    def to_wire(self) -> dict[str, Any]:
        made = super().to_wire()
        forms = iter([_FORMS[self.form](data, format) for data, format in self.sounds])
        made["content"] = [next(forms) if part["type"] == "input_audio" else part for part in made["content"]]
        return made


def _as_data_url(data: bytes | Stored, format: str) -> dict[str, Any]:
    return {"type": "input_audio", "input_audio": {"data": _DataUrl(data, _MIME[format]), "format": format}}


def _as_string(data: bytes | Stored, _: str) -> dict[str, Any]:
    return {"type": "input_audio", "input_audio": Inline(data)}


def _as_audio_url(data: bytes | Stored, format: str) -> dict[str, Any]:
    return {"type": "audio_url", "audio_url": {"url": _DataUrl(data, _MIME[format])}}


_FORMS: Mapping[str, Callable[[bytes | Stored, str], dict[str, Any]]] = {
    "data_url": _as_data_url,
    "string": _as_string,
    "audio_url": _as_audio_url,
}
