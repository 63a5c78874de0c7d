"""The chunks that a spoken answer mostly consists of, read in one go: some sound, and nothing else that is new.

To look through a chunk as plain data, and then to decode its sound, takes twice as long. Whatever is not just like
that, with a field more or of another kind, is for `nbaudio.wire.answers.AnswerReader.take_chunk`, which takes all
there is.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

__all__ = ["SoundChunk", "sound_chunk"]


class _Audio(msgspec.Struct, forbid_unknown_fields=True):
    data: bytes
    id: str = ""


class _Delta(msgspec.Struct, forbid_unknown_fields=True):
    audio: _Audio
    role: Any = None
    content: Literal["", None] = None
    refusal: Literal["", None] = None


class _Choice(msgspec.Struct, forbid_unknown_fields=True):
    delta: _Delta
    index: Any = None
    logprobs: Any = None
    finish_reason: Literal["", None] = None


class SoundChunk(msgspec.Struct, forbid_unknown_fields=True):
    """A chunk of a stream that brings whole groups of base64."""

    choices: tuple[_Choice]
    model: str = ""
    usage: None = None
    # These say nothing of an answer.
    id: Any = None
    object: str = ""
    created: Any = None
    service_tier: Any = None
    system_fingerprint: Any = None
    obfuscation: Any = None

    @property
    def pcm16(self) -> bytes:
        """Its sound."""
        return self.choices[0].delta.audio.data

    @property
    def audio_id(self) -> str:
        """By which the server knows the sound; mostly empty."""
        return self.choices[0].delta.audio.id


_SHORTEST = 500  # characters; less is 5 ms of sound
_decoder = msgspec.json.Decoder(SoundChunk)


def sound_chunk(text: str) -> SoundChunk | None:
    """The chunk of a text, where it is one of sound; else None.

    Examples
    --------
    >>> chunk = '{"choices": [{"delta": {"audio": {"data": "%s"}}}]}' % ("A" * 1000)
    >>> len(sound_chunk(chunk).pcm16)
    750
    >>> sound_chunk(chunk.replace('{"audio"', '{"content": "So", "audio"'))
    """
    if len(text) < _SHORTEST:  # words: to try takes a while too
        return None
    try:
        found = _decoder.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None
    return found if found.pcm16 and found.object != "error" else None
