"""Tokens of a request and its answer, parted into text and sound as the server counted them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

__all__ = ["Usage"]


@dataclass(frozen=True)
class Usage:
    """Tokens used, all of them the server's own count; 0 where it says nothing.

    `input_tokens` and `output_tokens` are totals, the others the parts of them that the server names. Usages add.

    Examples
    --------
    >>> Usage(input_tokens=3, output_tokens=4) + Usage(output_tokens=1)
    Usage(input_tokens=3, output_tokens=5)
    """

    input_tokens: int = 0
    output_tokens: int = 0
    input_text_tokens: int = 0
    input_audio_tokens: int = 0
    cached_tokens: int = 0
    output_text_tokens: int = 0
    output_audio_tokens: int = 0
    characters: int = 0
    """Of a text that was spoken, in code points: nobody reports them, but some models are paid by them."""
    cached_audio_tokens: int = 0
    """Those of `cached_tokens` that are sound, where the server parts them, as in a Realtime session."""

    @classmethod
    def from_wire(cls, usage: Mapping[str, Any]) -> Usage:
        """From a ``usage`` object of a chat completion; every field of it is optional."""
        return cls._counted(
            usage, ("prompt_tokens", "prompt_tokens_details"), ("completion_tokens", "completion_tokens_details")
        )

    @classmethod
    def of_speech(cls, usage: Mapping[str, Any]) -> Usage:
        """From a ``usage`` object of a text that was spoken: words in, sound out."""
        into, out = _count(usage.get("input_tokens")), _count(usage.get("output_tokens"))
        return cls(into, out, input_text_tokens=into, output_audio_tokens=out)

    @classmethod
    def of_realtime(cls, usage: Mapping[str, Any]) -> Usage:
        """From the ``usage`` of a Realtime response; every field of it is optional."""
        return cls._counted(usage, ("input_tokens", "input_token_details"), ("output_tokens", "output_token_details"))

    @classmethod
    def _counted(cls, usage: Mapping[str, Any], names_in: tuple[str, str], names_out: tuple[str, str]) -> Usage:
        """From totals and their parts, under the names that they have there."""
        into, out = _mapping(usage.get(names_in[1])), _mapping(usage.get(names_out[1]))
        return cls(
            input_tokens=_count(usage.get(names_in[0])),
            output_tokens=_count(usage.get(names_out[0])),
            input_text_tokens=_count(into.get("text_tokens")),
            input_audio_tokens=_count(into.get("audio_tokens")),
            cached_tokens=_count(into.get("cached_tokens")),
            output_text_tokens=_count(out.get("text_tokens")),
            output_audio_tokens=_count(out.get("audio_tokens")),
            cached_audio_tokens=_count(_mapping(into.get("cached_tokens_details")).get("audio_tokens")),
        )

    @classmethod
    def from_dict(cls, counts: Mapping[str, Any]) -> Usage:
        """From what `to_dict` gave; what is missing is 0, and what is unknown is left out."""
        return cls(**{f.name: _count(counts.get(f.name)) for f in fields(cls)})

    def to_dict(self) -> dict[str, int]:
        """Plain numbers by name."""
        return asdict(self)

    def __add__(self, other: Usage) -> Usage:
        if not isinstance(other, Usage):
            return NotImplemented
        return Usage(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})

    def __repr__(self) -> str:
        said = ", ".join(f"{f.name}={getattr(self, f.name)}" for f in fields(self) if getattr(self, f.name))
        return f"Usage({said})"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0
