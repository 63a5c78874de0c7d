"""What a client says in a Realtime session: one function an event."""

from __future__ import annotations

import base64
from typing import Any

from nbaudio.wire.realtime.session import RealtimeOptions

__all__ = [
    "append",
    "cancel",
    "clear",
    "commit",
    "create_response",
    "message",
    "recording",
    "tool_output",
    "truncate",
    "update",
]


def update(options: RealtimeOptions) -> dict[str, Any]:
    """Set the session."""
    return {"type": "session.update", "session": options.as_session()}


def append(pcm16: bytes) -> dict[str, Any]:
    """More of what the person says: PCM16, mono at 24,000 Hz; at most 15 MiB of base64 in one event."""
    return {"type": "input_audio_buffer.append", "audio": base64.b64encode(pcm16).decode("ascii")}


def commit() -> dict[str, Any]:
    """What was appended is a turn of the person."""
    return {"type": "input_audio_buffer.commit"}


def clear() -> dict[str, Any]:
    """Forget what was appended."""
    return {"type": "input_audio_buffer.clear"}


def create_response(*, may_call: bool = True) -> dict[str, Any]:
    """Have the model answer; unless it `may_call`, without tools."""
    return {"type": "response.create"} | ({} if may_call else {"response": {"tool_choice": "none"}})


def cancel() -> dict[str, Any]:
    """Have the model stop answering."""
    return {"type": "response.cancel"}


def truncate(item_id: str, audio_end_ms: int) -> dict[str, Any]:
    """Have the model know how much of an answer was heard: milliseconds from its beginning.

    A time beyond the end of the sound is an error.
    """
    return {
        "type": "conversation.item.truncate",
        "item_id": item_id,
        "content_index": 0,
        "audio_end_ms": audio_end_ms,
    }


def message(role: str, text: str) -> dict[str, Any]:
    """Words of the person, or of an earlier answer (``"assistant"``).

    Examples
    --------
    >>> message("user", "Hello.")["item"]["content"]
    [{'type': 'input_text', 'text': 'Hello.'}]
    """
    kind = "output_text" if role == "assistant" else "input_text"
    content = [{"type": kind, "text": text}]
    return {"type": "conversation.item.create", "item": {"type": "message", "role": role, "content": content}}


def recording(text: str, pcm16: bytes) -> dict[str, Any]:
    """A recording of the person, with words beside it or without: PCM16, mono at 24,000 Hz."""
    sound = {"type": "input_audio", "audio": base64.b64encode(pcm16).decode("ascii")}
    content = [sound, *([{"type": "input_text", "text": text}] if text else [])]
    return {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": content}}


def tool_output(call_id: str, text: str) -> dict[str, Any]:
    """What a tool gave."""
    item = {"type": "function_call_output", "call_id": call_id, "output": text}
    return {"type": "conversation.item.create", "item": item}
