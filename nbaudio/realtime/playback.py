"""How much of an answer has been heard: the player's own clock, or one that stands in for a player."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from nbaudio.wire.realtime.session import SAMPLE_RATE

__all__ = ["Playback", "RealTimePlayback"]


class Playback(Protocol):
    """Who plays what is said. An item is an answer, by the server's id of it."""

    def play(self, item_id: str, pcm16: bytes) -> None:
        """Play this after all that was given before."""
        ...

    def end(self, item_id: str) -> None:
        """No more comes of an item."""
        ...

    async def stop(self) -> Sequence[str]:
        """Be silent at once, and drop what was to be played; gives the items that were not heard to their end.

        It is over when `played_ms` is final, which a player in another process says a moment later.
        """
        ...

    def played_ms(self, item_id: str) -> int | None:
        """How much of an item has been heard, in milliseconds; None where nothing was given of it."""
        ...


class RealTimePlayback:
    """Stands in for a player: whatever comes is taken to be heard at once, in real time, one after the other.

    Parameters
    ----------
    clock : callable
        Seconds that only grow.

    Examples
    --------
    >>> now = [0.0]
    >>> playback = RealTimePlayback(lambda: now[0])
    >>> playback.play("a", bytes(48_000))
    >>> now[0] = 0.25
    >>> playback.played_ms("a")
    250
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pieces: list[tuple[str, float, float]] = []  # item, when it begins to sound, for how long
        self._heard_s: dict[str, float] = {}

    def play(self, item_id: str, pcm16: bytes) -> None:
        """Take a piece that begins now, or when all before it is over."""
        self._settle()
        lasts = len(pcm16) / 2 / SAMPLE_RATE
        before, began, lasted = self._pieces[-1] if self._pieces else (None, 0.0, 0.0)
        starts = max(self._clock(), began + lasted)
        if before == item_id and starts == began + lasted:
            self._pieces[-1] = (item_id, began, lasted + lasts)  # thousands of pieces are one
        else:
            self._pieces.append((item_id, starts, lasts))
        self._heard_s.setdefault(item_id, 0.0)

    def end(self, item_id: str) -> None:
        """Nothing: it is over when its last piece is."""

    async def stop(self) -> Sequence[str]:
        """Count what was heard until now, and no more."""
        self._settle()
        unheard = list(dict.fromkeys(item for item, _, _ in self._pieces))
        self._settle(stop=True)
        return unheard

    def played_ms(self, item_id: str) -> int | None:
        """How much of an item has been heard, in milliseconds."""
        if item_id not in self._heard_s:
            return None
        now = self._clock()
        going = sum(min(max(0.0, now - starts), lasts) for item, starts, lasts in self._pieces if item == item_id)
        return int((self._heard_s[item_id] + going) * 1000)

    def _settle(self, *, stop: bool = False) -> None:
        now = self._clock()
        left = []
        for item, starts, lasts in self._pieces:
            if stop or starts + lasts <= now:
                self._heard_s[item] += min(max(0.0, now - starts), lasts)
            else:
                left.append((item, starts, lasts))
        self._pieces = left
