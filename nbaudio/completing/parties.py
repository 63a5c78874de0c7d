"""Who hears and who speaks, where the server that answers does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nbaudio.errors import NoBackend
from nbaudio.servers.backend import NOBODY, Backend, offline_backend
from nbaudio.settings import offline_installed
from nbaudio.turns import Reply, ToolResult, Turn
from nbaudio.wire.requests import Options

__all__ = ["Parties", "hearer", "speaker"]


@dataclass(frozen=True)
class Parties:
    """The backends that take part beside the one that answers; None for what it does itself."""

    hear: Backend | None = None
    speak: Backend | None = None

    @classmethod
    def of(cls, backend: Backend, options: Options, turns: Sequence[Turn]) -> Parties:
        """Who is needed for a request.

        Raises
        ------
        NoBackend
            If somebody is needed and nobody is there.
        """
        hears = any(_sounds(turn) for turn in turns)
        return cls(
            hear=hearer(backend, options.model) if hears else None,
            speak=speaker(backend, options.model) if options.aloud else None,
        )

    @property
    def names(self) -> tuple[str, ...]:
        """What tells these parties from others."""
        return tuple(f"{who.base_url} {who.dialect.name}" if who else "" for who in (self.hear, self.speak))

    def fetch(self) -> None:
        """Have the weights here that are needed, with a progress bar where they are still to come."""
        if self.hear is not None and self.hear.offline:
            from nbaudio.engine.weights.models import fetch, ready

            if not ready("hear"):
                fetch(["hear"])


def hearer(backend: Backend, model: str) -> Backend | None:
    """Who writes down what is said to a model; None where it hears by itself, or may do so and nobody else is there.

    Raises
    ------
    NoBackend
        If it surely does not, and nobody is there.
    """
    if backend.hear_with == NOBODY or (backend.dialect.can_hear(model) and not backend.hear_with):
        return None
    sure = not backend.dialect.hears
    who = _party(backend.hear_with, f"{model} on {backend.name} does not hear", "hear_with", sure=sure)
    if who is not None and not who.dialect.transcription_model:
        raise NoBackend(f"{who.name} has no speech to text, and can't hear for others.", "Name another as hear_with.")
    return who


def speaker(backend: Backend, model: str) -> Backend | None:
    """Who says what a model writes; None where it speaks by itself; raises as `hearer`."""
    if backend.speak_with == NOBODY or (backend.dialect.can_speak(model) and not backend.speak_with):
        return None
    sure = not backend.dialect.speaks
    who = _party(backend.speak_with, f"{model} on {backend.name} does not speak", "speak_with", sure=sure)
    if who is not None and not who.dialect.speech_model:
        raise NoBackend(f"{who.name} has no text to speech, and can't speak for others.", "Name another as speak_with.")
    return who


def _party(chosen: Backend | str, lack: str, option: str, *, sure: bool) -> Backend | None:
    if isinstance(chosen, Backend):
        return chosen  # whoever names one means it, also where the server could
    if not offline_installed():
        if not sure:  # a name of a model says little: where nobody could help, its server is asked, and answers itself
            return None
        raise NoBackend(
            f"{lack}, and there is nobody to do it instead.",
            f"pip install 'nbaudio[offline]', or name a server: nba.connect(..., {option}=...).",
        )
    return offline_backend()


def _sounds(turn: Turn) -> bool:
    return bool(turn.clips) and not (isinstance(turn, (Reply, ToolResult)) or turn.as_words)
