"""Where the sounds of a conversation are: of the latest turns in memory, of all others on disk until they are used."""

from __future__ import annotations

from collections.abc import Sequence

from nbaudio.sound.spool import park
from nbaudio.turns import Reply, Turn

__all__ = ["park_earlier"]

_IN_MEMORY = 4  # turns at the end whose sound is likely to be used next


def park_earlier(turns: Sequence[Turn]) -> None:
    """Put the sounds of all but the latest turns on disk, where they are not yet, however they came in.

    Examples
    --------
    >>> from nbaudio.sound.clip import Clip
    >>> turns = [Turn("user", clips=(Clip.from_pcm16(bytes(480)),)) for _ in range(6)]
    >>> park_earlier(turns)
    >>> [turn.clip.parked for turn in turns]
    [True, True, False, False, False, False]
    """
    for turn in turns[:-_IN_MEMORY]:
        for clip in turn.clips:
            if not clip.parked:
                park(clip, sent=not isinstance(turn, Reply))
