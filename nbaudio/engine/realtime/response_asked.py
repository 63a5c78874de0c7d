"""What a response is to be: the session's settings, with what its ``response.create`` asks for instead."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from nbaudio.engine.asked import Asked, Refusal, Said, check_voice
from nbaudio.engine.realtime.checked import among, record, required, text
from nbaudio.engine.realtime.items import Conversation, Item
from nbaudio.engine.realtime.settings import (
    MOST_OUTPUT_TOKENS,
    Settings,
    read_instructions,
    read_modalities,
    read_output_tokens,
    refuse_tools,
)
from nbaudio.engine.realtime.sound_formats import SoundFormat, read_format

__all__ = ["ResponseAsked", "read_response"]

_MOST_METADATA, _LONGEST_KEY, _LONGEST_VALUE = 16, 64, 512
_MOST_INPUT = 1000
_FIELDS = {
    "audio", "conversation", "input", "instructions", "max_output_tokens", "metadata", "output_modalities",
    "tools", "tool_choice", "parallel_tool_calls", "prompt", "reasoning",
}  # fmt: skip
# Where the last turn is not the person's the model has nothing to answer.
_BEGIN, _GO_ON = "Please begin.", "Please go on."


@dataclass(frozen=True)
class ResponseAsked:
    """A response that can be given.

    `instructions` are the session's, and `own_instructions` those for this response alone, which take their place.
    `items` are what it answers, and `conversation` is where it goes; None where it goes nowhere.
    """

    instructions: str
    aloud: bool
    voice: str
    speed: float
    format: SoundFormat
    most_tokens: int | None
    items: tuple[Item, ...]
    conversation: Conversation | None
    own_instructions: str | None = None
    metadata: Mapping[str, str] | None = None

    def asked(self) -> Asked:
        """As the one who answers takes it; every sound has to have been heard."""
        # Where nothing was heard of the person that is said; of all others nothing is none.
        turns = [turn for turn in (item.said() for item in self.items) if turn.role == "user" or _has_words(turn)]
        system = self.instructions
        if turns and turns[-1].role == "user":
            system = self.instructions if self.own_instructions is None else self.own_instructions
        else:
            turns.append(Said("user", (self.own_instructions or (_GO_ON if turns else _BEGIN),), param="response"))
        if system:
            turns.insert(0, Said("system", (system,), param="instructions"))
        return Asked(
            turns=tuple(turns),
            aloud=self.aloud,
            voice=self.voice,
            audio_format="",
            stream=True,
            include_usage=True,
            most_tokens=self.most_tokens or MOST_OUTPUT_TOKENS,
            speed=self.speed,
            timed=True,
        )


def _has_words(turn: Said) -> bool:
    return any(part if isinstance(part, str) else getattr(part, "text", "") for part in turn.parts)


def read_response(
    value: Any, settings: Settings, conversation: Conversation, read_item: Callable[[Any, str], Item]
) -> ResponseAsked:
    """What a ``response.create`` asks for; without `value`, what the session is set to.

    Parameters
    ----------
    value
        The event's ``response``, or None.
    settings : Settings
    conversation : Conversation
    read_item : callable
        Reads an item of its own input; takes it and where it stood.

    Raises
    ------
    Refusal
        If something of it can't be.
    """
    given = record({} if value is None else value, "response", _FIELDS)
    refuse_tools(given, "response")
    for name in ("prompt", "reasoning"):
        if given.get(name):
            raise Refusal(
                f"The offline engine can't do '{name}'. Leave it out, or use a server that can.",
                param=f"response.{name}",
                code="unsupported_parameter",
            )
    where = among(given.get("conversation") or "auto", "response.conversation", ("auto", "none"))
    form, voice = _output(given.get("audio"), settings)
    own = given.get("instructions")
    modalities, tokens = given.get("output_modalities"), given.get("max_output_tokens")
    return ResponseAsked(
        instructions=settings.instructions,
        own_instructions=read_instructions(own, "response.instructions") if own is not None else None,
        aloud=read_modalities(modalities, "response.output_modalities") if modalities is not None else settings.aloud,
        voice=voice,
        speed=settings.speed,
        format=form,
        most_tokens=read_output_tokens(tokens, "response.max_output_tokens") if tokens else settings.most_tokens,
        items=_input(given.get("input"), conversation, read_item),
        conversation=conversation if where == "auto" else None,
        metadata=_metadata(given.get("metadata")),
    )


def _output(value: Any, settings: Settings) -> tuple[SoundFormat, str]:
    audio = record({} if value is None else value, "response.audio", ("output",))
    param = "response.audio.output"
    output = record({} if audio.get("output") is None else audio["output"], param, ("format", "voice"))
    form = settings.output_format
    if output.get("format") is not None:
        form = read_format(output["format"], f"{param}.format")
    voice = settings.voice if output.get("voice") is None else check_voice(output["voice"], f"{param}.voice")
    return form, voice


def _input(value: Any, conversation: Conversation, read_item: Callable[[Any, str], Item]) -> tuple[Item, ...]:
    if value is None:
        return tuple(conversation)
    if not isinstance(value, list) or len(value) > _MOST_INPUT:
        message = f"Invalid type for 'response.input': expected a list of at most {_MOST_INPUT} items."
        raise Refusal(message, param="response.input", code="invalid_type")
    found = []
    for at, one in enumerate(value):
        param = f"response.input[{at}]"
        if isinstance(one, Mapping) and one.get("type") == "item_reference":
            reference = record(one, param, ("type", "id"))
            found.append(conversation.get(text(required(reference, "id", f"{param}.id"), f"{param}.id"), "retrieve"))
        else:
            found.append(read_item(one, param))
    return tuple(found)


def _metadata(value: Any) -> Mapping[str, str] | None:
    if value is None:
        return None
    pairs = value.items() if isinstance(value, Mapping) and len(value) <= _MOST_METADATA else [(None, None)]
    for name, said in pairs:
        fits = isinstance(name, str) and isinstance(said, str)
        if not fits or len(str(name)) > _LONGEST_KEY or len(str(said)) > _LONGEST_VALUE:
            raise Refusal(
                f"'response.metadata' is an object of at most {_MOST_METADATA} texts, with names of at most "
                f"{_LONGEST_KEY} characters and values of at most {_LONGEST_VALUE}.",
                param="response.metadata",
                code="invalid_value",
            )
    return dict(value)
