"""What a server says in a Realtime session, as values; what nobody knows is kept as it is, and harms nothing.

The events and their fields are those of the GA protocol, see docs/realtime.md. Every field but those that an event
can't do without has a default, and fields that are new are passed over.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

__all__ = [
    "ArgumentsDone",
    "AudioCame",
    "Committed",
    "Item",
    "ItemAdded",
    "ItemDone",
    "ItemTruncated",
    "PassedOver",
    "RateLimits",
    "ResponseCreated",
    "ResponseDone",
    "ServerEvent",
    "SessionCreated",
    "SessionUpdated",
    "SpeechStarted",
    "SpeechStopped",
    "TextCame",
    "TranscriptCame",
    "TranscriptionDelta",
    "TranscriptionDone",
    "TranscriptionFailed",
    "Trouble",
    "Unknown",
    "Wrong",
    "read_event",
    "wrong_of",
]


class _Event(msgspec.Struct, frozen=True, tag_field="type", kw_only=True):
    event_id: str | None = None


class SessionCreated(_Event, tag="session.created", frozen=True):
    """The session is there, as the server sets it by itself."""

    session: dict[str, Any] = {}


class SessionUpdated(_Event, tag="session.updated", frozen=True):
    """The session is set as was asked."""

    session: dict[str, Any] = {}


class SpeechStarted(_Event, tag="input_audio_buffer.speech_started", frozen=True):
    """The person begins to speak; `audio_start_ms` counts from the first sound of the session."""

    item_id: str
    audio_start_ms: int = 0


class SpeechStopped(_Event, tag="input_audio_buffer.speech_stopped", frozen=True):
    """The person has ended."""

    item_id: str
    audio_end_ms: int = 0


class Committed(_Event, tag="input_audio_buffer.committed", frozen=True):
    """What was appended is a turn now."""

    item_id: str
    previous_item_id: str | None = None


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """A message, a call of a tool, or what it gave; servers write null for what does not apply."""

    id: str | None = None
    type: str | None = None
    role: str | None = None
    status: str | None = None
    content: list[dict[str, Any]] | None = None
    name: str | None = None
    call_id: str | None = None
    arguments: str | None = None


class ItemAdded(_Event, tag="conversation.item.added", frozen=True):
    """An item is in the conversation, maybe still without its content."""

    item: Item
    previous_item_id: str | None = None


class ItemDone(_Event, tag="conversation.item.done", frozen=True):
    """An item is complete."""

    item: Item
    previous_item_id: str | None = None


class ItemTruncated(_Event, tag="conversation.item.truncated", frozen=True):
    """The model knows now how much of an answer was heard."""

    item_id: str
    audio_end_ms: int = 0


class TranscriptionDelta(_Event, tag="conversation.item.input_audio_transcription.delta", frozen=True):
    """Words of the person."""

    item_id: str
    delta: str = ""


class TranscriptionDone(_Event, tag="conversation.item.input_audio_transcription.completed", frozen=True):
    """All words of a turn of the person; may come after the answer to it."""

    item_id: str
    transcript: str = ""
    usage: dict[str, Any] | None = None


class Wrong(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong."""

    type: str | None = None
    code: str | None = None
    message: str | None = None
    param: str | None = None
    event_id: str | None = None


class TranscriptionFailed(_Event, tag="conversation.item.input_audio_transcription.failed", frozen=True):
    """A turn of the person could not be written down."""

    item_id: str
    error: Wrong = Wrong()


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """An answer: `status` is ``in_progress``, ``completed``, ``cancelled``, ``incomplete`` or ``failed``."""

    id: str = ""
    status: str | None = None
    status_details: dict[str, Any] | None = None
    output: list[Item] | None = None
    usage: dict[str, Any] | None = None


class ResponseCreated(_Event, tag="response.created", frozen=True):
    """The model begins to answer."""

    response: Response


class ResponseDone(_Event, tag="response.done", frozen=True):
    """The answer is over, whatever became of it."""

    response: Response


class OutputItemAdded(_Event, tag="response.output_item.added", frozen=True):
    """An answer has a part: a message, or a call of a tool."""

    response_id: str
    item: Item


class AudioCame(_Event, tag="response.output_audio.delta", frozen=True):
    """Sound of an answer."""

    item_id: str
    response_id: str = ""
    delta: bytes = b""


class TranscriptCame(_Event, tag="response.output_audio_transcript.delta", frozen=True):
    """Words of an answer that is spoken."""

    item_id: str
    response_id: str = ""
    delta: str = ""


class TextCame(_Event, tag="response.output_text.delta", frozen=True):
    """Words of an answer that is not."""

    item_id: str
    response_id: str = ""
    delta: str = ""


class ArgumentsDone(_Event, tag="response.function_call_arguments.done", frozen=True):
    """A call of a tool is complete."""

    item_id: str
    call_id: str
    response_id: str = ""
    name: str | None = None
    arguments: str | None = None


class RateLimits(_Event, tag="rate_limits.updated", frozen=True):
    """How much may still be asked for."""

    rate_limits: list[dict[str, Any]] | None = None


class Trouble(_Event, tag="error", frozen=True):
    """The server says that something went wrong; mostly the session goes on, see `nbaudio.wire.realtime.troubles`."""

    error: Wrong


class PassedOver(msgspec.Struct, frozen=True, kw_only=True):
    """An event that says what others say as well, or that nothing here needs."""

    type: str


class Unknown(msgspec.Struct, frozen=True, kw_only=True):
    """An event that nbaudio does not know, or whose fields are not what they should be: all of it as it came."""

    type: str
    fields: Any = None


_Known: TypeAlias = (
    SessionCreated
    | SessionUpdated
    | SpeechStarted
    | SpeechStopped
    | Committed
    | ItemAdded
    | ItemDone
    | ItemTruncated
    | TranscriptionDelta
    | TranscriptionDone
    | TranscriptionFailed
    | ResponseCreated
    | ResponseDone
    | OutputItemAdded
    | AudioCame
    | TranscriptCame
    | TextCame
    | ArgumentsDone
    | RateLimits
    | Trouble
)
ServerEvent: TypeAlias = _Known | PassedOver | Unknown
_PASSED_OVER = {
    "conversation.created",
    "conversation.item.created",
    "conversation.item.deleted",
    "conversation.item.input_audio_transcription.segment",
    "conversation.item.retrieved",
    "input_audio_buffer.cleared",
    "input_audio_buffer.timeout_triggered",
    "output_audio_buffer.cleared",
    "output_audio_buffer.started",
    "output_audio_buffer.stopped",
    "response.content_part.added",
    "response.content_part.done",
    "response.function_call_arguments.delta",
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.output_item.done",
    "response.output_text.done",
}
_decoder = msgspec.json.Decoder(_Known)


def wrong_of(told: Any) -> Wrong | None:
    """What went wrong, as servers write it that do so in another way: a number as its text, or words alone.

    Examples
    --------
    >>> wrong_of({"code": 401, "message": "Incorrect API key.", "param": ["key"]})
    Wrong(type=None, code='401', message='Incorrect API key.', param=None, event_id=None)
    >>> wrong_of("No.").message
    'No.'
    """
    if isinstance(told, str):
        return Wrong(message=told)
    if not isinstance(told, dict):
        return None
    known = {name: told.get(name) for name in Wrong.__struct_fields__}
    return Wrong(**{name: str(value) for name, value in known.items() if type(value) in (str, int, float)})


def read_event(text: str | bytes) -> ServerEvent:
    """The event that a message of the server is; never an error.

    Examples
    --------
    >>> read_event('{"type": "response.output_audio_transcript.delta", "item_id": "a", "delta": "Hi"}').delta
    'Hi'
    >>> read_event('{"type": "response.sung", "key": "C"}')
    Unknown(type='response.sung', fields={'type': 'response.sung', 'key': 'C'})
    >>> read_event("no JSON").type
    ''
    """
    try:
        known: ServerEvent = _decoder.decode(text)
        return known
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    try:
        fields = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Unknown(type="", fields=text)
    kind = fields.get("type") if isinstance(fields, dict) else None
    if isinstance(kind, str) and kind in _PASSED_OVER:
        return PassedOver(type=kind)
    if kind == "error" and (wrong := wrong_of(fields.get("error"))) is not None:
        return Trouble(error=wrong)
    return Unknown(type=kind if isinstance(kind, str) else "", fields=fields)
