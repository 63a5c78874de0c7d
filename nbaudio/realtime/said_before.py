"""Turns as they go out to a server: a recording as sound, and what was said before as words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from nbaudio.sound.clip import Clip
from nbaudio.turns import Turn
from nbaudio.wire.realtime import sending
from nbaudio.wire.realtime.session import SAMPLE_RATE

__all__ = ["as_heard", "items_of", "recordings_of", "sound_of"]

_LONGEST_BYTES = 4 * 60 * SAMPLE_RATE * 2  # in one message: in base64 14.7 MiB, of 15 that servers take


def as_heard(clip: Clip) -> bytes:
    """A clip as it goes out: PCM16, mono at 24,000 Hz."""
    return clip.mono().resample(SAMPLE_RATE).encode("pcm16")


def sound_of(turn: Turn) -> bytes:
    """All sound of a turn, as `as_heard` gives it."""
    return b"".join(map(as_heard, turn.clips))


def recordings_of(turn: Turn) -> list[dict[str, Any]]:
    """A recording as items, with its words behind the last: one, or as many as it takes where it is long."""
    pcm16 = sound_of(turn)
    count = max(1, math.ceil(len(pcm16) / _LONGEST_BYTES))
    size = math.ceil(len(pcm16) / 2 / count) * 2  # of one length: in a rest of some ms nobody hears a word
    pieces = [pcm16[place * size : (place + 1) * size] for place in range(count)]
    return [*(sending.recording("", piece) for piece in pieces[:-1]), sending.recording(turn.text, pieces[-1])]


def items_of(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    """A conversation as the items of a new session: words; a recording that nobody has written down as sound."""
    items = []
    for turn in turns:
        if turn.role == "tool":
            continue  # what was made of it stands in the answer behind it
        if turn.words.strip():
            items.append(sending.message(turn.role, turn.words))
        elif turn.role == "user" and turn.clips:
            items += recordings_of(turn)
    return items
