"""A conversation as the messages of OpenAI's chat completions, and back.

The form is that of ``messages`` in a request, as the types of the ``openai`` package have it
(https://platform.openai.com/docs/api-reference/chat/create); what a server answers, ``choice.message``, is taken too.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from typing import Any

from nbaudio.errors import CellError, ClipError
from nbaudio.sound.clip import Clip
from nbaudio.turns import Reply, ToolResult, Turn
from nbaudio.wire.tool_calls import ToolCall

__all__ = ["from_messages", "to_messages"]

_ONLY_ID = "Known by its audio id only: its words were not among the messages."


def to_messages(turns: Sequence[Turn], instructions: str = "", *, audio_ids: bool = False) -> list[dict[str, Any]]:
    """The turns as messages: plain dicts, ready for JSON.

    Parameters
    ----------
    turns : sequence of Turn
    instructions : str
        Become a system message at the beginning.
    audio_ids : bool
        Refer to spoken answers by their audio ids where these have not expired, instead of giving their words. Only
        the server that gave an id understands it.

    Examples
    --------
    >>> to_messages([Turn("user", "Hello."), Reply(text="Hi.")], "Be brief.")[1:]
    [{'role': 'user', 'content': 'Hello.'}, {'role': 'assistant', 'content': 'Hi.'}]
    """
    made: list[dict[str, Any]] = [{"role": "system", "content": instructions}] if instructions else []
    now, open_calls = time.time(), set[str]()
    for place, turn in enumerate(turns):
        if isinstance(turn, ToolResult):
            if turn.call_id in open_calls:  # of a call that is not there the protocol takes no result
                open_calls.remove(turn.call_id)
                made.append({"role": "tool", "tool_call_id": turn.call_id, "content": turn.text})
            continue
        open_calls = set()
        if not isinstance(turn, Reply):
            made.append({"role": "user", "content": _user_content(turn)})
            continue
        following = takewhile(lambda later: isinstance(later, ToolResult), turns[place + 1 :])
        answered = {result.call_id for result in following if isinstance(result, ToolResult)}
        calls = [call for call in turn.tool_calls if call.id in answered]  # nor calls without their results
        open_calls = {call.id for call in calls}
        by_id = audio_ids and turn.audio_id and (not turn.expires_at or now < turn.expires_at)
        if not (turn.text or calls or by_id):
            continue  # it says nothing
        message: dict[str, Any] = {"role": "assistant"}
        message |= {"audio": {"id": turn.audio_id}} if by_id else {"content": turn.text or None}
        made.append(message | ({"tool_calls": [call.to_wire() for call in calls]} if calls else {}))
    return made


def _user_content(turn: Turn) -> str | list[dict[str, Any]]:
    if turn.as_words or not turn.clips:
        return turn.words
    parts: list[dict[str, Any]] = [{"type": "text", "text": turn.text}] if turn.text else []
    for clip in turn.clips:
        data, format = clip.for_model()
        sound = {"data": base64.b64encode(data).decode("ascii"), "format": format}
        parts.append({"type": "input_audio", "input_audio": sound})
    return parts


def from_messages(messages: Iterable[Any]) -> tuple[list[Turn], str]:
    """The turns that messages stand for, and the instructions.

    Parameters
    ----------
    messages : iterable of mapping
        Or of objects of the ``openai`` package that have ``model_dump``.

    Raises
    ------
    CellError
        If one of them is none, or holds what a conversation can't: it says which, and why.

    Examples
    --------
    >>> from_messages([{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Hello."}])[1]
    'Be brief.'
    """
    if isinstance(messages, (str, bytes, Mapping)):
        raise CellError(f"A {type(messages).__name__} is no list of messages.", "Give a list of dicts.")
    reader = _Reader()
    for number, message in enumerate(messages):
        reader.take(message, f"messages[{number}]")
    reader.end()
    return reader.turns, "\n\n".join(reader.instructions)


class _Reader:
    """Takes the messages in their order."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.instructions: list[str] = []
        self._waiting: dict[str, ToolCall] = {}
        self._asked_at = ""

    def take(self, message: Any, where: str) -> None:
        if callable(dump := getattr(message, "model_dump", None)):
            message = dump(exclude_none=True)
        message = _mapping(message, where)
        role = message.get("role")
        if role == "tool":
            self.turns.append(self._result(message, where))
            return
        self.end()
        if role in ("system", "developer"):
            if self.turns:
                raise CellError(
                    f"{where} has the role {role!r} in the middle of the talk.",
                    "A conversation has its instructions at the beginning: move it there, or leave it out.",
                )
            self.instructions.append(_words(message, where))
        elif role == "user":
            self.turns.append(_user(message, where))
        elif role == "assistant":
            reply = _assistant(message, where)
            self.turns.append(reply)
            self._waiting, self._asked_at = {call.id: call for call in reply.tool_calls}, where
        else:
            raise CellError(f"{where} has the role {role!r}.", "Known: system, developer, user, assistant, tool.")

    def end(self) -> None:
        """Everything that was called has to have its result by now."""
        if self._waiting:
            call = next(iter(self._waiting.values()))
            raise CellError(
                f"{self._asked_at} calls {call.name} ({call.id}), and no result of it follows.",
                "Put the message with the role 'tool' behind it, or take the call out.",
            )

    def _result(self, message: Mapping[str, Any], where: str) -> ToolResult:
        call = self._waiting.pop(_text(message, "tool_call_id", where), None)
        if call is None:
            raise CellError(
                f"{where} is the result of a call that is not in the message before it.",
                "Its tool_call_id has to be the id of one of the tool_calls there.",
            )
        return ToolResult(text=_words(message, where), name=call.name, call_id=call.id)


def _user(message: Mapping[str, Any], where: str) -> Turn:
    words: list[str] = []
    clips: list[Clip] = []
    for part, kind, place in _parts(message, where):
        if kind == "text":
            words.append(_text(part, "text", place))
        elif kind == "input_audio":
            clips.append(_clip(_mapping(part.get("input_audio"), f"{place}.input_audio"), f"{place}.input_audio"))
        else:
            raise CellError(f"{place} is of the type {kind!r}, which a conversation can't hold.", "Leave it out.")
    text = "\n\n".join(word for word in words if word)
    if not text and not clips:
        raise CellError(f"{where} says nothing.", "Give it words or a sound, or leave it out.")
    return Turn("user", text, tuple(clips))


def _assistant(message: Mapping[str, Any], where: str) -> Reply:
    text = refusal = ""
    if message.get("content") is not None:
        found = list(_parts(message, where))
        text = "\n\n".join(_text(part, "text", place) for part, kind, place in found if kind == "text")
        refusal = "\n\n".join(_text(part, "refusal", place) for part, kind, place in found if kind == "refusal")
        for _, kind, place in found:
            if kind not in ("text", "refusal"):
                raise CellError(f"{place} is of the type {kind!r}, which no answer is.", "Leave it out.")
    if message.get("refusal") is not None:
        refusal = _text(message, "refusal", where)
    known: dict[str, Any] = {}
    if message.get("audio") is not None:
        audio = _mapping(message["audio"], f"{where}.audio")
        known["audio_id"] = _text(audio, "id", f"{where}.audio")
        if audio.get("transcript") is not None:  # a server's answer, as it came
            text = _text(audio, "transcript", f"{where}.audio") or text
        if audio.get("data"):
            known["clips"] = (_sound(_text(audio, "data", f"{where}.audio"), f"{where}.audio"),)
        expires_at = audio.get("expires_at")
        if isinstance(expires_at, int) and 0 < expires_at < 2**53:
            known["expires_at"] = expires_at
    calls = _calls(message, where)
    text = text or refusal
    if not text and not calls:
        if "audio_id" not in known:
            raise CellError(f"{where} says nothing.", "Give it content, or leave it out.")
        known["note"] = _ONLY_ID
    return Reply(text=text, refusal=refusal, tool_calls=calls, **known)


def _calls(message: Mapping[str, Any], where: str) -> tuple[ToolCall, ...]:
    given = message.get("tool_calls")
    if given is None:
        return ()
    if not isinstance(given, list):
        raise CellError(f"{where}.tool_calls is no list.", "Give a list of calls.")
    calls: dict[str, ToolCall] = {}
    for number, call in enumerate(given):
        place = f"{where}.tool_calls[{number}]"
        call = _mapping(call, place)
        if call.get("type") != "function":
            raise CellError(f"{place} is of the type {call.get('type')!r}.", "Only functions can be held.")
        function = _mapping(call.get("function"), f"{place}.function")
        name, arguments = (_text(function, key, f"{place}.function") for key in ("name", "arguments"))
        called = ToolCall(_text(call, "id", place), name, arguments)
        if called.id in calls:
            raise CellError(f"{place} has the id of another call, {called.id!r}.", "Give each call its own.")
        calls[called.id] = called
    return tuple(calls.values())


def _words(message: Mapping[str, Any], where: str) -> str:
    found = list(_parts(message, where))
    for _, kind, place in found:
        if kind != "text":
            raise CellError(f"{place} is of the type {kind!r}.", "Only text can stand here.")
    return "\n\n".join(_text(part, "text", place) for part, _, place in found)


def _parts(message: Mapping[str, Any], where: str) -> Iterable[tuple[Mapping[str, Any], str, str]]:
    """The parts of a message's content, each with its type and its place; a str is one of text."""
    content = message.get("content")
    if isinstance(content, str):
        yield {"text": content}, "text", f"{where}.content"
        return
    if not isinstance(content, list):
        raise CellError(
            f"{where}.content is neither text nor a list of parts.", 'Give {"role": ..., "content": "..."}.'
        )
    for number, part in enumerate(content):
        place = f"{where}.content[{number}]"
        part = _mapping(part, place)
        yield part, str(part.get("type", "")), place


def _clip(sound: Mapping[str, Any], where: str) -> Clip:
    if sound.get("format") not in ("wav", "mp3"):
        raise CellError(f"{where}.format is {sound.get('format')!r}.", "The protocol has 'wav' and 'mp3'.")
    return _sound(_text(sound, "data", where), where)


def _sound(data: str, where: str) -> Clip:
    if data.startswith("data:"):
        raise CellError(f"{where}.data is a data: address.", "Give the base64 alone, what follows the comma.")
    try:
        return Clip(base64.b64decode(data, validate=True))
    except (binascii.Error, ValueError) as error:
        why = error.cause if isinstance(error, ClipError) else "It is no base64."
        raise CellError(f"{where}.data is no sound. {why}", "Give the base64 of a sound file.") from error


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise CellError(f"{where} is {'missing' if value is None else f'a {type(value).__name__}'}.", "Give a dict.")
    return value


def _text(holder: Mapping[str, Any], key: str, where: str) -> str:
    value = holder.get(key)
    if not isinstance(value, str):
        raise CellError(
            f"{where}.{key} is {'missing' if value is None else f'a {type(value).__name__}'}.", "Give a str."
        )
    return value
