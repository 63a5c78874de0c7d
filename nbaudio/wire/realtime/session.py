"""What a Realtime session is set to: voice, instructions, tools, and who says that a turn is over.

Fields: https://platform.openai.com/docs/api-reference/realtime-client-events/session/update, and docs/realtime.md.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from nbaudio.errors import CellError

__all__ = ["FASTEST", "PUSH_TO_TALK", "SAMPLE_RATE", "RealtimeOptions", "TurnDetection", "turn_detection_of"]

SAMPLE_RATE = 24_000
"""Hz of the sound of both sides: PCM16, mono."""
PUSH_TO_TALK = "push_to_talk"
"""The person says that their turn is over, and nobody listens for it."""

TurnDetection: TypeAlias = "Literal['server_vad', 'semantic_vad', 'push_to_talk'] | Mapping[str, Any] | None"
_DETECTIONS = {
    "server_vad": {
        *("threshold", "prefix_padding_ms", "silence_duration_ms", "create_response", "interrupt_response"),
        "idle_timeout_ms",
    },
    "semantic_vad": {"eagerness", "create_response", "interrupt_response"},
}
FASTEST = 1.5
"""The highest `speed` of a session."""
_SLOWEST = 0.25


def turn_detection_of(wanted: TurnDetection) -> dict[str, Any] | None:
    """Who says that a turn is over, as the protocol has it; None where the person does.

    Parameters
    ----------
    wanted : str, dict or None
        ``"server_vad"`` hears silence, ``"semantic_vad"`` also whether what was said sounds finished, and
        ``"push_to_talk"`` (or None) leaves it to the person. A dict has the ``type`` and the protocol's other fields.

    Raises
    ------
    CellError
        If there is no such way, or it has no such field.

    Examples
    --------
    >>> turn_detection_of("server_vad"), turn_detection_of("push_to_talk")
    ({'type': 'server_vad'}, None)
    >>> turn_detection_of({"type": "semantic_vad", "eagerness": "high"})
    {'type': 'semantic_vad', 'eagerness': 'high'}
    """
    if wanted is None or wanted == PUSH_TO_TALK:
        return None
    given = {"type": wanted} if isinstance(wanted, str) else dict(wanted)
    kind = given.get("type", "server_vad")
    if kind not in _DETECTIONS:
        ways = [*_DETECTIONS, PUSH_TO_TALK]
        near = difflib.get_close_matches(str(kind), ways, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(ways)}."
        raise CellError(f"turn_detection can't be {kind!r}.", hint)
    for name in given:
        if name != "type" and name not in _DETECTIONS[kind]:
            raise CellError(f"{kind} has no field {name!r}.", f"It has: {', '.join(sorted(_DETECTIONS[kind]))}.")
    return {"type": kind, **{name: value for name, value in given.items() if name != "type"}}


@dataclass(frozen=True)
class RealtimeOptions:
    """What a session is set to.

    `turn_detection` is as `turn_detection_of` gives it. `transcription_model` writes down what the person says, and is
    paid apart; without it nobody does. `speed` is 0.25 to `FASTEST`. A `voice` that begins with ``voice_`` is one of
    your own, and goes as an object.

    Raises
    ------
    CellError
        If `speed` is no such number.

    Examples
    --------
    >>> options = RealtimeOptions(voice="marin", turn_detection=None, aloud=False)
    >>> options.as_session()["output_modalities"]
    ['text']
    >>> options.as_session()["audio"]["input"]["turn_detection"] is None
    True
    """

    model: str = ""
    voice: str = ""
    instructions: str = ""
    aloud: bool = True
    turn_detection: Mapping[str, Any] | None = None
    transcription_model: str = ""
    language: str = ""
    noise_reduction: Literal["", "near_field", "far_field"] = ""
    speed: float = 1.0
    max_output_tokens: int | None = None
    tools: tuple[Mapping[str, Any], ...] = ()
    tool_choice: str = ""

    def __post_init__(self) -> None:
        if not _SLOWEST <= self.speed <= FASTEST:
            raise CellError(f"speed can't be {self.speed}.", f"Give {_SLOWEST} to {FASTEST}.")

    @property
    def push_to_talk(self) -> bool:
        """Whether the person says that a turn is over."""
        return self.turn_detection is None

    def as_session(self) -> dict[str, Any]:
        """The ``session`` object of ``session.update``."""
        sound = {"type": "audio/pcm", "rate": SAMPLE_RATE}
        heard: dict[str, Any] = {"format": sound, "turn_detection": self.turn_detection}
        if self.transcription_model:
            heard["transcription"] = {"model": self.transcription_model}
            if self.language:
                heard["transcription"]["language"] = self.language
        if self.noise_reduction:
            heard["noise_reduction"] = {"type": self.noise_reduction}
        voice: Any = {"id": self.voice} if self.voice.startswith("voice_") else self.voice
        session: dict[str, Any] = {
            "type": "realtime",
            "output_modalities": ["audio"] if self.aloud else ["text"],
            "audio": {"input": heard, "output": {"format": sound, "voice": voice, "speed": self.speed}},
        }
        if self.instructions:
            session["instructions"] = self.instructions
        if self.max_output_tokens is not None:
            session["max_output_tokens"] = self.max_output_tokens
        if self.tools:
            session["tools"] = [_flat(tool) for tool in self.tools]
            session["tool_choice"] = _choice(self.tool_choice)
        return session


def _flat(tool: Mapping[str, Any]) -> dict[str, Any]:
    """A tool as Realtime writes it: what chat completions have in ``function`` stands beside ``type``."""
    return {"type": "function", **tool["function"]}


def _choice(choice: str) -> Any:
    if choice in ("", "auto", "none", "required"):
        return choice or "auto"
    return {"type": "function", "name": choice}
