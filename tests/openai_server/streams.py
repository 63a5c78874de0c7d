"""The chunks of a streamed answer, in the orders that have been observed.

``transcript_first``
    All transcript pieces; one chunk with ``role``, the id and the first sound; the other sound; the end
    marker. The default (openai-node#1206).
``mixed``
    ``role``, id and transcript first, then chunks with sound and transcript, each with ``content: ""``; the
    end marker (seen through OpenRouter).
``finish_on_last_data``
    As ``transcript_first``, with the ``finish_reason`` on the last sound (openai-java).

The end marker is a chunk with nothing but ``delta.audio.expires_at``. In the first two orders no chunk has a
``finish_reason``, not even for an answer that was cut at its token limit.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from .replies import Reply, Spoken, ToolCall, word_pieces

StreamOrder = Literal["transcript_first", "mixed", "finish_on_last_data"]


@dataclass(frozen=True)
class Step:
    """One chunk's delta. A gate holds and counts pieces; the end marker has no ``finish_reason`` at all."""

    delta: dict[str, Any]
    finish_reason: str | None = None
    is_piece: bool = False
    is_end_marker: bool = False


def steps(reply: Reply, order: StreamOrder, piece_bytes: int) -> list[Step]:
    """The deltas of an answer, in order, without the usage chunk and without ``[DONE]``."""
    if reply.spoken is not None:
        if order == "mixed":
            return list(_mixed(reply.spoken, piece_bytes))
        finish_reason = reply.finish_reason if order == "finish_on_last_data" else None
        return list(_transcript_first(reply.spoken, piece_bytes, finish_reason))
    last = Step({}, finish_reason=reply.finish_reason)
    return [*_unspoken(reply), last]


def chunk(reply: Reply, step: Step, *, include_usage: bool) -> dict[str, Any]:
    """The JSON object of one step."""
    choice: dict[str, Any] = {"index": 0, "delta": step.delta}
    if not step.is_end_marker:
        choice |= {"logprobs": None, "finish_reason": step.finish_reason}
    # With include_usage every chunk has the field, null on all but the last.
    nothing_yet = {"usage": None} if include_usage else {}
    return {**reply.envelope("chat.completion.chunk"), "choices": [choice], **nothing_yet}


def usage_chunk(reply: Reply) -> dict[str, Any]:
    """The chunk after the last, with the usage and no choices."""
    return {**reply.envelope("chat.completion.chunk"), "choices": [], "usage": reply.usage}


def _transcript_first(spoken: Spoken, piece_bytes: int, finish_reason: str | None) -> Iterator[Step]:
    for words in word_pieces(spoken.transcript):
        yield Step({"audio": {"transcript": words}})
    opening = {"role": "assistant", "content": None, "refusal": None}
    pieces = _sound_pieces(spoken, piece_bytes)
    if not pieces:
        yield Step({**opening, "audio": {"id": spoken.id}}, finish_reason)
    for index, data in enumerate(pieces):
        is_first, is_last = index == 0, index == len(pieces) - 1
        delta = {**opening, "audio": {"id": spoken.id, "data": data}} if is_first else {"audio": {"data": data}}
        yield Step(delta, finish_reason if is_last else None, is_piece=True)
    yield _end_marker(spoken)


def _mixed(spoken: Spoken, piece_bytes: int) -> Iterator[Step]:
    first, *rest = word_pieces(spoken.transcript)
    yield Step({"role": "assistant", "content": "", "audio": {"id": spoken.id, "transcript": first}})
    pieces = _sound_pieces(spoken, piece_bytes)
    for index, data in enumerate(pieces):
        audio = {"data": data}
        # The words spread evenly over the sound; text and sound are not aligned in time.
        begin, end = (len(rest) * place // len(pieces) for place in (index, index + 1))
        if begin < end:
            audio["transcript"] = "".join(rest[begin:end])
        yield Step({"content": "", "audio": audio}, is_piece=True)
    if rest and not pieces:
        yield Step({"content": "", "audio": {"transcript": "".join(rest)}})
    yield _end_marker(spoken)


def _sound_pieces(spoken: Spoken, piece_bytes: int) -> list[str]:
    # Each piece is encoded on its own, so padding stands in the middle of the joined strings.
    data = spoken.data or b""
    starts = range(0, len(data), piece_bytes)
    return [base64.b64encode(data[start : start + piece_bytes]).decode() for start in starts]


def _end_marker(spoken: Spoken) -> Step:
    return Step({"audio": {"expires_at": spoken.expires_at}}, is_end_marker=True)


def _unspoken(reply: Reply) -> Iterator[Step]:
    if reply.tool_calls:
        for index, call in enumerate(reply.tool_calls):
            yield from _call_steps(call, index)
    elif reply.refusal is not None:
        yield Step({"role": "assistant", "content": None, "refusal": ""})
        for words in word_pieces(reply.refusal):
            yield Step({"refusal": words}, is_piece=True)
    else:
        yield Step({"role": "assistant", "content": "", "refusal": None})
        for words in word_pieces(reply.content) if reply.content else ():
            yield Step({"content": words}, is_piece=True)


def _call_steps(call: ToolCall, index: int) -> Iterator[Step]:
    function = {"name": call.name, "arguments": ""}
    head = {"index": index, "id": call.id, "type": "function", "function": function}
    opening: dict[str, Any] = {"role": "assistant", "content": None} if index == 0 else {}
    yield Step({**opening, "tool_calls": [head]})
    text = call.arguments_text
    # Cut where no JSON token ends: arguments are only JSON once they are joined.
    half = (len(text) + 1) // 2
    for part in (text[:half], text[half:]):
        yield Step({"tool_calls": [{"index": index, "function": {"arguments": part}}]}, is_piece=True)
