"""What tests of a session are made of: a voice, a microphone, a clock, and waiting for events."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from nbaudio.events import RealtimeEvent
from nbaudio.realtime.session import Realtime

QUESTION = Path(__file__).parents[1] / "notebooks" / "question.wav"
WORDS = "Yes, they are good family dogs."
"""What the server answers."""
QUIET = bytes(48 * 700)
"""700 ms, which ends a turn."""


def tone(duration_s: float, frequency: float = 300) -> bytes:
    """What the server takes for speech."""
    phase = np.arange(int(duration_s * 24_000)) * (2 * np.pi * frequency / 24_000)
    return bytes((np.sin(phase) * 12_000).astype("<i2").tobytes())


def pieces(pcm16: bytes, size: int = 4800) -> Iterator[bytes]:
    return (pcm16[start : start + size] for start in range(0, len(pcm16), size))


class Clock:
    """Seconds that a test sets; a playback on it has heard as much."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def until(session: Realtime, wanted: Callable[[RealtimeEvent], bool]) -> list[RealtimeEvent]:
    """What happens up to and with an event."""
    seen = []
    for event in session:
        seen.append(event)
        if wanted(event):
            return seen
    raise AssertionError(f"it ended before: {seen}")


def is_a(kind: type) -> Callable[[RealtimeEvent], bool]:
    return lambda event: isinstance(event, kind)


def noticed(words: str) -> Callable[[RealtimeEvent], bool]:
    """Whether an event tells the person something with these words in it."""
    from nbaudio.events import Noticed

    return lambda event: isinstance(event, Noticed) and words in event.text
