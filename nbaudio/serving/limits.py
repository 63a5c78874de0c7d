"""How much a server takes on."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True)
class Limits:
    """The most of everything.

    Attributes
    ----------
    workers : int
        Requests that are worked on at once. The engine has one pair of ears and one brain, so that more than three
        share out no more work between its parts (`benchmarks/serving.py` prints it).
    queue : int
        Requests that may wait for their turn.
    sessions : int
        Realtime sessions at once; where there is a token, half of them of one client. Nobody waits for a turn in them,
        so that many who speak at once are slow.
    timeout_s : float
        Seconds that a request may wait for its turn, and again that it may be worked on.
    request_bytes : int
        Bytes of one request. Sound in base64 is a third longer than the sound itself.
    audio_s : float
        Seconds of one recording.
    stop_s : float
        Seconds that running answers and sessions have to end when the server stops.
    """

    workers: int = 3
    queue: int = 64
    sessions: int = 8
    timeout_s: float = 300.0
    request_bytes: int = 40_000_000
    audio_s: float = 1800.0
    stop_s: float = 30.0
