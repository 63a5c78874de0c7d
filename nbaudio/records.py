"""Turns as plain data, and back: what saved files, the journal and the cache of answers hold.

Sounds are not in a record: each is named by a text of the keeper's choice, and kept beside it. A record that is read is
checked, for a file may come from anybody.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec

from nbaudio.errors import NbaudioError
from nbaudio.sound.clip import Clip
from nbaudio.turns import Reply, ToolResult, Turn
from nbaudio.wire.tool_calls import ToolCall
from nbaudio.wire.usage import Usage

__all__ = ["Record", "record_of", "turn_of_record"]


class Record(msgspec.Struct, omit_defaults=True, kw_only=True):
    """One turn. Fields as in `nbaudio.turns`; what a later version adds is left out by an earlier one.

    `sounds` are the names of its clips, in order. What has no value of its own is not written.
    """

    role: Literal["user", "assistant", "tool"]
    id: str = ""
    text: str = ""
    sounds: list[str] = []
    time: float = 0.0
    transcript: str = ""
    as_words: bool = False
    # an answer's
    model: str = ""
    voice: str = ""
    backend: str = ""
    usage: dict[str, int] = {}
    audio_id: str = ""
    expires_at: int = 0
    finish_reason: str = ""
    refusal: str = ""
    partial: bool = False
    note: str = ""
    offline: bool = False
    cached: bool = False
    heard_by: str = ""
    spoken_by: str = ""
    tool_calls: list[dict[str, str]] = []
    marks: list[tuple[int, int]] = []
    # a tool's result
    name: str = ""
    call_id: str = ""
    failed: bool = False


_SHARED = ("id", "text", "time", "transcript", "as_words")
_OF_REPLY = (
    "model", "voice", "backend", "audio_id", "expires_at", "finish_reason", "refusal", "partial", "note", "offline",
    "cached", "heard_by", "spoken_by",
)  # fmt: skip
_OF_RESULT = ("name", "call_id", "failed")


def record_of(turn: Turn, name_sound: Callable[[Clip], str]) -> dict[str, Any]:
    """A turn as plain data, ready for JSON.

    Parameters
    ----------
    turn : Turn
    name_sound : callable
        Keeps a clip, and gives the name that it has there.

    Examples
    --------
    >>> record_of(Turn("user", "Hello.", time=1.5, id="a"), lambda clip: "")
    {'role': 'user', 'id': 'a', 'text': 'Hello.', 'time': 1.5}
    """
    more: dict[str, Any] = {}
    if isinstance(turn, Reply):
        more = {name: getattr(turn, name) for name in _OF_REPLY}
        more["usage"] = {name: count for name, count in turn.usage.to_dict().items() if count}
        more["tool_calls"] = [{"id": one.id, "name": one.name, "arguments": one.arguments} for one in turn.tool_calls]
        more["marks"] = list(turn.marks)
    elif isinstance(turn, ToolResult):
        more = {name: getattr(turn, name) for name in _OF_RESULT}
    shared = {name: getattr(turn, name) for name in _SHARED}
    record = Record(role=turn.role, sounds=[name_sound(clip) for clip in turn.clips], **shared, **more)
    plain: dict[str, Any] = msgspec.to_builtins(record)
    return plain


def turn_of_record(record: Any, sound: Callable[[str], Clip]) -> Turn:
    """The turn that plain data stand for.

    Parameters
    ----------
    record : dict
    sound : callable
        Gives the clip of a name.

    Raises
    ------
    NbaudioError
        If it is no record of a turn.

    Examples
    --------
    >>> turn_of_record({"role": "user", "text": "Hello."}, Clip).text
    'Hello.'
    """
    try:
        found = msgspec.convert(record, Record)
    except msgspec.ValidationError as error:
        raise NbaudioError(f"This is no turn of a conversation: {error}.", "The file may be damaged.") from error
    clips = tuple(sound(name) for name in found.sounds)
    shared = {name: getattr(found, name) for name in _SHARED if name != "id" or found.id}
    if found.role == "user":
        return Turn("user", clips=clips, **shared)
    if found.role == "tool":
        return ToolResult(clips=clips, **shared, **{name: getattr(found, name) for name in _OF_RESULT})
    return Reply(
        clips=clips,
        usage=Usage.from_dict(found.usage),
        tool_calls=tuple(ToolCall(**_texts(call)) for call in found.tool_calls),
        marks=tuple(found.marks),
        **shared,
        **{name: getattr(found, name) for name in _OF_REPLY},
    )


def _texts(call: dict[str, str]) -> dict[str, str]:
    return {name: call.get(name, "") for name in ("id", "name", "arguments")}
