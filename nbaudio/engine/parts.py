"""The engine's parts, each loaded when it is first needed and kept."""

from __future__ import annotations

import math
import threading
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbaudio.engine.hear import Listener
    from nbaudio.engine.speak import Speaker
    from nbaudio.engine.think import Brain

__all__ = ["Engine", "engine"]


class Engine:
    """Ears, brain and voice.

    Parameters
    ----------
    brain : str
        As in ``%config NbAudio.brain``.
    threads : int
        CPU threads for each part.
    most_audio_s : float
        Seconds of the longest recording that is listened to.
    """

    def __init__(self, brain: str = "", threads: int = 1, most_audio_s: float = math.inf) -> None:
        self._brain_name, self._threads = brain, threads
        self.most_audio_s = most_audio_s
        self._lock = threading.Lock()
        self._listener: Listener | None = None
        self._brain: Brain | None = None
        self._speaker: Speaker | None = None

    @property
    def listener(self) -> Listener:
        """The ears."""
        with self._lock:
            if self._listener is None:
                from nbaudio.engine.hear import Listener
                from nbaudio.engine.weights.models import path

                self._listener = Listener(path("hear"), self._threads)
            return self._listener

    @property
    def brain(self) -> Brain:
        """The language model."""
        with self._lock:
            if self._brain is None:
                from nbaudio.engine.think import brain_for

                self._brain = brain_for(self._brain_name, self._threads)
            return self._brain

    @property
    def speaker(self) -> Speaker:
        """The voice."""
        with self._lock:
            if self._speaker is None:
                from nbaudio.engine.speak import Speaker

                self._speaker = Speaker(self._threads)
            return self._speaker

    @property
    def heard_s(self) -> float:
        """Seconds of sound listened to so far."""
        return self._listener.heard.seconds if self._listener is not None else 0.0

    @property
    def spoken_s(self) -> float:
        """Seconds of sound spoken so far."""
        return self._speaker.spoken.seconds if self._speaker is not None else 0.0


def engine(brain: str = "") -> Engine:
    """The engine of this process with this brain."""
    return _engine(brain)  # `engine()` and `engine("")` are two keys of one `cache`: that would be two engines


@cache
def _engine(brain: str) -> Engine:
    return Engine(brain)
