"""What goes to the server: the body of ``POST /v1/chat/completions``.

Protocol: https://platform.openai.com/docs/guides/audio and docs/protocol.md.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from nbaudio.wire.tool_calls import ToolCall

__all__ = ["Inline", "Message", "Options", "Stored", "joined", "request_body", "serialized", "written_body"]


class Stored(Protocol):
    """A sound file that lies somewhere, and is read while it is sent."""

    def __len__(self) -> int:
        """How many bytes it has."""
        ...

    def blocks(self, size: int) -> Iterator[bytes]:
        """All of it, so many bytes at a time."""
        ...


@dataclass(frozen=True)
class Inline:
    """Bytes that stand in a request as base64; `serialized` writes them, piece by piece."""

    data: bytes | Stored

    def pieces(self) -> Iterator[bytes]:
        """The base64, bare: the protocol takes no ``data:`` prefix."""
        data = self.data
        if isinstance(data, bytes):
            starts = range(0, len(data), _PIECE_BYTES)
            yield from (base64.b64encode(data[start : start + _PIECE_BYTES]) for start in starts)
        else:
            yield from map(base64.b64encode, data.blocks(_PIECE_BYTES))

    def __len__(self) -> int:
        return (len(self.data) + 2) // 3 * 4


@dataclass(frozen=True)
class Message:
    """One turn as it is sent.

    A user's has `text`, sounds as (bytes, ``"wav"`` or ``"mp3"``), or both; an assistant's has the `audio_id`
    of what it said, or else its `text`, and the `tool_calls` that it asked for; a tool's has its result as `text`, and
    the `call_id` that it answers.
    """

    role: str
    text: str = ""
    sounds: tuple[tuple[bytes | Stored, str], ...] = ()
    audio_id: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    call_id: str = ""

    def to_wire(self) -> dict[str, Any]:
        """The message's JSON object."""
        if self.role == "tool":
            return {"role": self.role, "tool_call_id": self.call_id, "content": self.text}
        if self.tool_calls:
            said: dict[str, Any] = {"audio": {"id": self.audio_id}} if self.audio_id else {"content": self.text or None}
            return {"role": self.role, **said, "tool_calls": [call.to_wire() for call in self.tool_calls]}
        if self.audio_id:
            return {"role": self.role, "audio": {"id": self.audio_id}}  # `content` beside it is not needed
        if not self.sounds:
            return {"role": self.role, "content": self.text}
        parts: list[dict[str, Any]] = [{"type": "text", "text": self.text}] if self.text else []
        for data, format in self.sounds:
            parts.append({"type": "input_audio", "input_audio": {"data": Inline(data), "format": format}})
        return {"role": self.role, "content": parts}

    def parts(self) -> list[bytes | Inline]:
        """Its JSON text, and the sounds in it."""
        return serialized(self.to_wire())[1]

    @property
    def text_bytes(self) -> int:
        """How long its words are in UTF-8, and those of its calls."""
        texts = (self.text, *(call.name + call.arguments for call in self.tool_calls))
        return sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)


@dataclass(frozen=True)
class _Written:
    """A list of a request that is JSON text already."""

    parts: tuple[bytes | Inline, ...]


@dataclass(frozen=True)
class Options:
    """How to answer: see `nbaudio.settings.NbAudio` for each; `aloud` asks for sound beside the words.

    `tools` are the schemas of functions that the model may call; `tool_choice` is ``"auto"``, ``"none"``,
    ``"required"`` or the name of the one that it must call.
    """

    model: str
    voice: str
    aloud: bool = True
    stream: bool = True
    audio_format: str = "wav"
    instructions: str = ""
    max_completion_tokens: int = 2048
    temperature: float | None = None
    tools: tuple[Mapping[str, Any], ...] = field(default=(), hash=False)
    tool_choice: str = ""
    parallel_tool_calls: bool | None = None


def request_body(messages: Iterable[Message], options: Options) -> dict[str, Any]:
    """The request's JSON object.

    A streamed answer is always asked for as ``pcm16``: the protocol streams no other format.

    Examples
    --------
    >>> body = request_body([Message("user", "Hello")], Options("gpt-audio-1.5", "alloy"))
    >>> body["modalities"], body["audio"]
    (['text', 'audio'], {'voice': 'alloy', 'format': 'pcm16'})
    """
    told = [{"role": "system", "content": options.instructions}] if options.instructions else []
    body: dict[str, Any] = {
        "model": options.model,
        "modalities": ["text", "audio"] if options.aloud else ["text"],
        "messages": told + [message.to_wire() for message in messages],
        "max_completion_tokens": options.max_completion_tokens,
    }
    if options.aloud:
        # A custom voice is named by an object: {"id": "voice_..."}.
        voice: Any = {"id": options.voice} if options.voice.startswith("voice_") else options.voice
        body["audio"] = {"voice": voice, "format": "pcm16" if options.stream else options.audio_format}
    if options.temperature is not None:
        body["temperature"] = options.temperature
    if options.tools:
        body["tools"] = list(options.tools)
        if options.tool_choice in ("auto", "none", "required"):
            body["tool_choice"] = options.tool_choice
        elif options.tool_choice:
            body["tool_choice"] = {"type": "function", "function": {"name": options.tool_choice}}
        if options.parallel_tool_calls is not None:
            body["parallel_tool_calls"] = options.parallel_tool_calls
    if options.stream:
        body["stream"] = True
        # Obfuscation pads every chunk against onlookers who measure sizes; over TLS to one's own notebook it is
        # only weight.
        body["stream_options"] = {"include_usage": True, "include_obfuscation": False}
    return body


def written_body(messages: Iterable[Iterable[bytes | Inline]], options: Options) -> dict[str, Any]:
    """As `request_body`, of messages that are JSON text already; `serialized` gives the same bytes for both.

    Parameters
    ----------
    messages : iterable
        Texts with one or more messages each, as of `joined`.
    options : Options
    """
    told = [Message("system", options.instructions).parts()] if options.instructions else []
    return {**request_body([], options), "messages": _Written((b"[", *joined([*told, *messages]), b"]"))}


def joined(texts: Iterable[Iterable[bytes | Inline]]) -> list[bytes | Inline]:
    """The parts of JSON texts, one behind the other with commas between them; what is empty is left out.

    Examples
    --------
    >>> joined([[b"1"], [], [b"2", b"3"]])
    [b'1', b',', b'2', b'3']
    """
    parts: list[bytes | Inline] = []
    for text in texts:
        before = len(parts)
        parts += text
        if 0 < before < len(parts):
            parts.insert(before, b",")
    return parts


_PIECE_BYTES = 768 * 1024  # a multiple of 3, so that the base64 of pieces is the base64 of the whole


def serialized(body: Mapping[str, Any]) -> tuple[int, list[bytes | Inline]]:
    """How long the request's JSON text is, in bytes, and the parts that it is made of.

    Sound is not turned into text before it goes: ten minutes of it take a third of a second, and a person waits.

    Examples
    --------
    >>> serialized({"data": Inline(b"RIFF")})
    (19, [b'{"data":"', Inline(data=b'RIFF'), b'"}'])
    """
    mark = secrets.token_hex(16)  # not to be guessed by a text that is part of the request
    left_out: list[Inline | _Written] = []

    def marked(value: Any) -> str:
        left_out.append(value)
        return mark

    texts = json.dumps(body, separators=(",", ":"), default=marked).encode().split(mark.encode())
    parts: list[bytes | Inline] = [texts[0]]
    for value, text in zip(left_out, texts[1:], strict=True):
        if isinstance(value, Inline):
            parts += [value, text]
        else:  # it takes the place of its mark, and of the quotes around that
            last = parts.pop()
            assert isinstance(last, bytes)
            parts += [last[:-1], *value.parts, text[1:]]
    parts = _merged(parts)
    return sum(map(len, parts)), parts


def _merged(parts: Iterable[bytes | Inline]) -> list[bytes | Inline]:
    """With texts that follow each other as one: each part is written to the connection by itself."""
    merged: list[bytes | Inline] = []
    texts: list[bytes] = []
    for part in parts:
        if isinstance(part, bytes):
            texts.append(part)
        else:
            merged += [b"".join(texts), part]
            texts = []
    return [*merged, b"".join(texts)]
