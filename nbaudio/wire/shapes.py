"""The shapes that servers give their answers, made the standard one before `AnswerReader` sees them.

Sound stands in ``delta.audio.data`` or, at vLLM-Omni, in ``delta.content`` of chunks whose ``modality`` is audio; it is
PCM16 of any rate, a WAV in each piece, or an MP3 in one; whole answers may have it in a second choice. Of what is
standard already nothing is changed, and streams of dialects that are known to be standard do not come by here.
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Mapping
from typing import Any, Protocol

from nbaudio.errors import BadReply, ClipError
from nbaudio.wire.answers import AnswerReader, AudioDelta, TextDelta

__all__ = ["Shaped", "Sound"]

_HINT = "Try again, or with another server."
_RIFF = "UklGR"  # what a WAV begins with, in base64
_FORMATS = {b"fLaC": "flac", b"OggS": "opus"}  # by how a file begins; MP3s begin in many ways
_LOOKED_AT = 8192  # characters of a first piece: two frames of an MP3


class Sound(Protocol):
    """What takes pieces of sound of any form, and gives PCM16 at 24,000 Hz, mono; may raise ClipError."""

    file: bytes
    """A compressed file, where that is what comes."""

    def take(self, data: bytes, sample_rate: int = 0, channels: int = 0) -> bytes:
        """What a piece brings."""
        ...

    def is_plain(self, data: bytes) -> bool:
        """Whether a first piece is what `take` would give back as it is, and so are those that follow it."""
        ...

    def flush(self) -> bytes:
        """What is still held back."""
        ...


class Shaped:
    """Takes in an answer as `AnswerReader` does, whatever its shape, and hands it on to one.

    Parameters
    ----------
    reader : AnswerReader
    sound : Sound
    """

    def __init__(self, reader: AnswerReader, sound: Sound) -> None:
        self._reader, self._sound = reader, sound
        self._base64_rest = ""
        self._sounding = self._plain = False

    def take_chunk(self, chunk: Any) -> list[TextDelta | AudioDelta]:
        """Take in one chunk of a stream.

        Raises
        ------
        BadReply
            If it is no JSON object, or its sound is none.
        """
        choices = chunk.get("choices") if isinstance(chunk, Mapping) else None
        if not isinstance(choices, list) or not choices or self._is_standard(chunk, choices):
            return self._reader.take_chunk(chunk)
        made = _merged(choices, is_sound=chunk.get("modality") == "audio")
        delta = made["delta"]
        if isinstance(delta.get("content"), list):
            delta["content"] = _joined(delta["content"])
        if isinstance(delta.get("audio"), Mapping):
            delta["audio"] = self._standard(delta["audio"])
        return self._reader.take_chunk({**chunk, "choices": [made]})

    def _is_standard(self, chunk: Mapping[str, Any], choices: list[Any]) -> bool:
        """Whether a chunk can go on as it is: most are words, or more of a sound that is known to be plain."""
        if len(choices) > 1 or chunk.get("modality") == "audio" or not isinstance(choices[0], Mapping):
            return False
        delta = choices[0].get("delta")
        if not isinstance(delta, Mapping) or isinstance(delta.get("content"), list):
            return False
        audio = _mapping(delta.get("audio"))
        data = audio.get("data")
        if not isinstance(data, str) or not data:
            return True
        if not self._sounding and not data.startswith("data:") and "sample_rate" not in audio:
            self._sounding = True
            with contextlib.suppress(ValueError):  # the reader says what is wrong with it
                self._plain = self._sound.is_plain(base64.b64decode(data[: len(data) // 4 * 4][:_LOOKED_AT]))
        return self._plain and not data.startswith(_RIFF)

    def take_whole(self, body: Any) -> list[TextDelta | AudioDelta]:
        """Take in a whole answer, as it comes when it is not streamed."""
        choices = body.get("choices") if isinstance(body, Mapping) else None
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], Mapping):
            return self._reader.take_whole(body)
        message: dict[str, Any] = {}
        for choice in choices:
            for name, value in _mapping(_mapping(choice).get("message")).items():
                message[name] = message.get(name) or value
        if isinstance(message.get("content"), list):
            message["content"] = _joined(message["content"])
        return self._reader.take_whole({**body, "choices": [{**choices[0], "message": message}]})

    def flush(self) -> list[TextDelta | AudioDelta]:
        """The stream is over: what is still held back; a file that came takes the place of what was made of it."""
        try:
            last = self._sound.flush()
        except ClipError as error:
            raise BadReply(f"The server's sound can't be read: {error.cause}", _HINT) from error
        if not self._sound.file:
            return self._reader.take_chunk(_chunk_of(last)) if last else []
        self.keep_file()
        return [AudioDelta(last)] if last else []

    def keep_file(self) -> None:
        """Hand on a file that came, or its beginning, where nothing more will."""
        if self._sound.file:
            self._reader.take_file(self._sound.file, _FORMATS.get(self._sound.file[:4], "mp3"))

    def _standard(self, audio: Mapping[str, Any]) -> Mapping[str, Any]:
        """The audio of a chunk, with its data as PCM16 at 24,000 Hz, mono."""
        data = audio.get("data")
        if not isinstance(data, str) or not data:
            return audio
        joined = self._base64_rest + data.partition(",")[2] if data.startswith("data:") else self._base64_rest + data
        keep = len(joined) % 4
        self._base64_rest = joined[len(joined) - keep :]
        try:
            raw = base64.b64decode(joined[: len(joined) - keep], validate=True)
        except ValueError as error:  # a binascii.Error, or a plain one for what is not ASCII
            raise BadReply("The server's sound is no base64.", _HINT) from error
        try:
            rate, channels = audio.get("sample_rate"), audio.get("channels")
            pcm16 = self._sound.take(raw, rate if type(rate) is int else 0, channels if type(channels) is int else 0)
        except ClipError as error:
            raise BadReply(error.cause, _HINT) from error
        return {**audio, "data": base64.b64encode(pcm16).decode("ascii")}


def _merged(choices: list[Any], *, is_sound: bool) -> dict[str, Any]:
    """The choices of index 0 as one: vLLM-Omni once gave the sound one of its own (vllm-project/vllm-omni#7376)."""
    delta: dict[str, Any] = {}
    finish_reason = None
    for choice in choices:
        if not isinstance(choice, Mapping) or choice.get("index", 0) not in (0, None):
            continue
        finish_reason = choice.get("finish_reason") or finish_reason
        for name, value in _mapping(choice.get("delta")).items():
            if is_sound and name == "content":
                name, value = "audio", {"data": value, **_rate_beside(choice)}
            delta[name] = value if value or name not in delta else delta[name]
    return {"delta": delta, "finish_reason": finish_reason}


def _rate_beside(choice: Mapping[str, Any]) -> dict[str, Any]:
    told = _mapping(choice.get("audio_metadata"))
    return {"sample_rate": told.get("sample_rate_hz"), "channels": told.get("channels")}


def _chunk_of(pcm16: bytes) -> dict[str, Any]:
    return {"choices": [{"delta": {"audio": {"data": base64.b64encode(pcm16).decode("ascii")}}}]}


def _joined(parts: list[Any]) -> str:
    """The words of a content that is a list of parts; what is thought and not said is left out."""
    texts = [part.get("text") for part in parts if isinstance(part, Mapping) and part.get("type") == "text"]
    return "".join(text for text in texts if isinstance(text, str))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
