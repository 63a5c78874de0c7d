"""What the person has said, as it went out: from it a turn's own sound is cut."""

from __future__ import annotations

from nbaudio.wire.realtime.session import SAMPLE_RATE

__all__ = ["SentSound"]

_BYTES_PER_MS = SAMPLE_RATE * 2 // 1000
_BEFORE_MS = 30_000  # of silence that is kept: a server says within seconds where speech began


class SentSound:
    """The sound that went out, as far back as it may still be asked for.

    Times are milliseconds from the first sound of the connection, as servers count them.

    Parameters
    ----------
    push_to_talk : bool
        Whether all that is sent belongs to a turn. Else a server says where speech begins, and while nobody speaks only
        the last half minute is kept, so that an open microphone fills no memory.

    Examples
    --------
    >>> sent = SentSound()
    >>> sent.append(bytes(48 * 100))
    >>> sent.speech_began(20)
    >>> len(sent.commit(50)) // 48
    30
    """

    def __init__(self, *, push_to_talk: bool = False) -> None:
        self._push_to_talk = push_to_talk
        self._kept = bytearray()
        self._first_ms = 0  # the time of the first sound that is kept
        self._turn_ms: int | None = None  # where the turn began that is not over yet
        self.clear()

    def append(self, pcm16: bytes) -> None:
        """Take what has gone out."""
        self._kept += pcm16
        if self._turn_ms is None:
            self._forget()

    def speech_began(self, start_ms: int) -> None:
        """Keep all from here on: it will be a turn."""
        if not self._push_to_talk:
            self._turn_ms = start_ms

    def commit(self, end_ms: int | None = None) -> bytes:
        """The sound of the turn that is over, from where it began.

        Parameters
        ----------
        end_ms : int, optional
            Where it ended; by default all that was sent is in it.
        """
        end = len(self._kept) if end_ms is None else self._at(end_ms)
        said = b"" if self._turn_ms is None else bytes(self._kept[self._at(self._turn_ms) : end])
        self.clear()
        return said

    def clear(self) -> None:
        """What was sent and is in no turn yet never will be."""
        self._turn_ms = self._now_ms if self._push_to_talk else None
        self._forget()

    def restart(self) -> bytes:
        """A new connection counts from 0: forget all; gives what is in no turn yet, to be said once more."""
        said = b"" if self._turn_ms is None else bytes(self._kept[self._at(self._turn_ms) :])
        self._kept.clear()
        self._first_ms = 0
        self.clear()
        return said if len(said) > _BYTES_PER_MS else b""  # what a turn's last millisecond has left over

    @property
    def _now_ms(self) -> int:
        return self._first_ms + len(self._kept) // _BYTES_PER_MS

    def _at(self, time_ms: int) -> int:
        return min(max(0, (time_ms - self._first_ms) * _BYTES_PER_MS), len(self._kept))

    def _forget(self) -> None:
        oldest_ms = self._now_ms - _BEFORE_MS
        if oldest_ms > self._first_ms:
            del self._kept[: (oldest_ms - self._first_ms) * _BYTES_PER_MS]
            self._first_ms = oldest_ms
