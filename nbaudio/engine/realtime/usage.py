"""What a response used, in tokens: by text and by sound, and how much of what it read had been read before."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from nbaudio.engine.answer import TOKENS_HEARD, Tally, text_tokens
from nbaudio.engine.asked import Heard, Said

__all__ = ["Read", "cached_tokens", "read_of", "usage"]


class Read(NamedTuple):
    """A turn that the model has read: whose, its words, and the seconds of its sound."""

    role: str
    words: str
    seconds: float = 0.0


def read_of(turn: Said) -> Read:
    """What is read of a turn."""
    parts = [part for part in turn.parts if not isinstance(part, Heard)]
    words = "\n".join(part if isinstance(part, str) else part.text for part in parts)
    return Read(turn.role, words, sum(part.duration_s for part in parts if not isinstance(part, str)))


def cached_tokens(before: Sequence[Read], now: Sequence[Read]) -> tuple[int, int]:
    """Tokens of text and of sound that two readings have in common from their beginning on.

    The model keeps what it has read, and reads on from where the next text differs.

    Examples
    --------
    >>> hello = Read("user", "Hello there.", 1.0)
    >>> cached_tokens([hello], [hello, Read("assistant", "Hi.")]), cached_tokens([hello], [Read("user", "Hello?")])
    ((4, 10), (0, 0))
    """
    text = sound = 0
    for one, other in zip(before, now, strict=False):
        if one != other:
            break
        text += text_tokens(one.words)
        sound += math.ceil(one.seconds * TOKENS_HEARD)
    return text, sound


def usage(tally: Tally, cached: tuple[int, int]) -> dict[str, Any]:
    """As it stands in ``response.done``."""
    text, sound = min(cached[0], tally.input_text_tokens), min(cached[1], tally.input_audio_tokens)
    read = tally.input_text_tokens + tally.input_audio_tokens
    said = tally.output_text_tokens + tally.output_audio_tokens
    return {
        "total_tokens": read + said,
        "input_tokens": read,
        "output_tokens": said,
        "input_token_details": {
            "text_tokens": tally.input_text_tokens,
            "audio_tokens": tally.input_audio_tokens,
            "image_tokens": 0,
            "cached_tokens": text + sound,
            "cached_tokens_details": {"text_tokens": text, "audio_tokens": sound, "image_tokens": 0},
        },
        "output_token_details": {"text_tokens": tally.output_text_tokens, "audio_tokens": tally.output_audio_tokens},
    }
