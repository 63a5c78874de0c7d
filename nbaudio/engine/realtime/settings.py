"""What a Realtime session is set to, and what a client may change in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from nbaudio.engine.asked import MODEL, Refusal, check_model, check_voice
from nbaudio.engine.realtime.checked import among, boolean, invalid, number, record, required, text, whole
from nbaudio.engine.realtime.sound_formats import PCM, SoundFormat, read_format
from nbaudio.engine.realtime.turn_detection import SERVER_VAD, TurnDetection, read_turn_detection

__all__ = ["MOST_OUTPUT_TOKENS", "Settings", "Transcription", "read_output_tokens", "refuse_tools"]

MOST_OUTPUT_TOKENS = 4096
_LONGEST_INSTRUCTIONS = 100_000  # characters; the model holds far fewer, and says so itself
_SESSION = {
    "type", "id", "object", "expires_at", "model", "output_modalities", "instructions", "audio", "include",
    "max_output_tokens", "tools", "tool_choice", "parallel_tool_calls", "truncation", "tracing", "prompt", "reasoning",
}  # fmt: skip
_NOT_DONE = {
    "tracing": "keep traces",
    "prompt": "fetch prompts that are stored elsewhere",
    "reasoning": "reason before it answers",
    "include": "give log probabilities",
}


@dataclass(frozen=True)
class Transcription:
    """That the person's words are to be told, and what might stand before them."""

    prompt: str = ""

    def as_event(self) -> dict[str, Any]:
        """As it stands in a session."""
        return {"model": MODEL, "language": "en"} | ({"prompt": self.prompt} if self.prompt else {})


@dataclass(frozen=True)
class Settings:
    """What a session is set to; `most_tokens` is None where the engine's own limit is enough."""

    instructions: str = ""
    aloud: bool = True
    voice: str = "alloy"
    speed: float = 1.0
    most_tokens: int | None = None
    input_format: SoundFormat = PCM
    output_format: SoundFormat = PCM
    turn_detection: TurnDetection | None = SERVER_VAD
    transcription: Transcription | None = None
    noise_reduction: str = ""

    def as_event(self) -> dict[str, Any]:
        """As it stands in an event."""
        return {
            "type": "realtime",
            "object": "realtime.session",
            "model": MODEL,
            "output_modalities": ["audio"] if self.aloud else ["text"],
            "instructions": self.instructions,
            "max_output_tokens": self.most_tokens or "inf",
            "tools": [],
            "tool_choice": "auto",
            "truncation": "auto",
            "audio": {
                "input": {
                    "format": self.input_format.as_event(),
                    "turn_detection": self.turn_detection.as_event() if self.turn_detection else None,
                    "transcription": self.transcription.as_event() if self.transcription else None,
                    "noise_reduction": {"type": self.noise_reduction} if self.noise_reduction else None,
                },
                "output": {"format": self.output_format.as_event(), "voice": self.voice, "speed": self.speed},
            },
        }

    def updated(self, value: Any) -> Settings:
        """With the changes that a ``session.update`` asks for; what it does not name stays.

        Raises
        ------
        Refusal
            If one of them can't be; then none is made.
        """
        if isinstance(value, Mapping):
            kind = required(value, "type", "session.type")
            if kind == "transcription":
                raise Refusal(
                    "The offline engine can't do transcription sessions. Use '/audio/transcriptions'.",
                    param="session.type",
                    code="unsupported_value",
                )
            among(kind, "session.type", ("realtime",))
        given = record(value, "session", _SESSION)
        refuse_tools(given, "session")
        for name, what in _NOT_DONE.items():
            if given.get(name):
                raise _not_done(f"session.{name}", what)
        if given.get("truncation") not in (None, "auto"):
            raise invalid(given["truncation"], "session.truncation", ("auto",))
        if given.get("model") is not None:
            check_model(given["model"])
        made = self
        if given.get("output_modalities") is not None:
            made = replace(made, aloud=read_modalities(given["output_modalities"], "session.output_modalities"))
        if given.get("instructions") is not None:
            made = replace(made, instructions=read_instructions(given["instructions"], "session.instructions"))
        if given.get("max_output_tokens") is not None:
            tokens = read_output_tokens(given["max_output_tokens"], "session.max_output_tokens")
            made = replace(made, most_tokens=tokens)
        if given.get("audio") is not None:
            audio = record(given["audio"], "session.audio", ("input", "output"))
            made = made._with_input(audio.get("input"))._with_output(audio.get("output"))
        return made

    def _with_input(self, value: Any) -> Settings:
        if value is None:
            return self
        param = "session.audio.input"
        given = record(value, param, ("format", "turn_detection", "transcription", "noise_reduction"))
        made = self
        if given.get("format") is not None:
            made = replace(made, input_format=read_format(given["format"], f"{param}.format"))
        if "turn_detection" in given:
            detection = read_turn_detection(given["turn_detection"], f"{param}.turn_detection")
            made = replace(made, turn_detection=detection)
        if "transcription" in given:
            made = replace(made, transcription=_transcription(given["transcription"], f"{param}.transcription"))
        if "noise_reduction" in given:
            made = replace(made, noise_reduction=_noise(given["noise_reduction"], f"{param}.noise_reduction"))
        return made

    def _with_output(self, value: Any) -> Settings:
        if value is None:
            return self
        param = "session.audio.output"
        given = record(value, param, ("format", "voice", "speed"))
        made = self
        if given.get("format") is not None:
            made = replace(made, output_format=read_format(given["format"], f"{param}.format"))
        if given.get("voice") is not None:
            made = replace(made, voice=check_voice(given["voice"], f"{param}.voice"))
        if given.get("speed") is not None:
            made = replace(made, speed=number(given["speed"], f"{param}.speed", 0.25, 1.5))
        return made


def refuse_tools(given: Mapping[str, Any], param: str) -> None:
    """Nothing, where no tools are asked for.

    Raises
    ------
    Refusal
        Else.
    """
    for name in ("tools", "tool_choice"):
        if given.get(name) and given[name] not in ("auto", "none"):
            raise _not_done(f"{param}.{name}", "call tools: its model is too small to choose them")
    if given.get("parallel_tool_calls") is not None:
        boolean(given["parallel_tool_calls"], f"{param}.parallel_tool_calls")


def read_modalities(value: Any, param: str) -> bool:
    """Whether answers are spoken."""
    if value not in (["audio"], ["text"]):
        raise Refusal(
            f"Invalid modalities: {str(value)[:100]}. Supported combinations are: ['text'] and ['audio'].",
            param=param,
            code="invalid_value",
        )
    return bool(value == ["audio"])


def read_instructions(value: Any, param: str) -> str:
    """How the engine is to answer."""
    instructions = text(value, param)
    if len(instructions) > _LONGEST_INSTRUCTIONS:
        message = f"Invalid '{param}': at most {_LONGEST_INSTRUCTIONS} characters."
        raise Refusal(message, param=param, code="string_above_max_length")
    return instructions


def read_output_tokens(value: Any, param: str) -> int | None:
    """The most tokens of an answer; None for ``inf``."""
    return None if value == "inf" else whole(value, param, 1, MOST_OUTPUT_TOKENS)


def _transcription(value: Any, param: str) -> Transcription | None:
    if value is None:
        return None
    given = record(value, param, ("model", "language", "languages", "prompt"))
    if given.get("model") not in (None, MODEL):
        raise invalid(given["model"], f"{param}.model", (MODEL,))
    if given.get("language") not in (None, "", "en"):
        raise invalid(given["language"], f"{param}.language", ("en",))
    if given.get("languages") not in (None, [], ["en"]):
        raise invalid(given["languages"], f"{param}.languages", ("en",))
    prompt = given.get("prompt")
    return Transcription(read_instructions(prompt, f"{param}.prompt") if prompt is not None else "")


def _noise(value: Any, param: str) -> str:
    if value is None:
        return ""
    given = record(value, param, ("type", "strength"))
    if given.get("strength") is not None:
        number(given["strength"], f"{param}.strength", 0.0, 1.0)
    return among(required(given, "type", f"{param}.type"), f"{param}.type", ("near_field", "far_field"))


def _not_done(param: str, what: str) -> Refusal:
    name = param.rpartition(".")[2]
    return Refusal(
        f"The offline engine can't {what}. Leave out '{name}', or use a server that can.",
        param=param,
        code="unsupported_parameter",
    )
