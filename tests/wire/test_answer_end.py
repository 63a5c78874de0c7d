"""When an answer is over: the marks of the protocol, and what looks like one and is none."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from nbaudio.wire.answers import AnswerReader
from nbaudio.wire.tool_calls import ToolCall


def delta(**audio: Any) -> dict[str, Any]:
    """A chunk with a piece of a spoken answer."""
    return {"choices": [{"index": 0, "delta": {"audio": audio}}]}


SOUND = base64.b64encode(b"\1\2\3\4").decode()
SPOKEN = [delta(id="a"), delta(transcript="Yes."), delta(data=SOUND)]
EXPIRY = delta(expires_at=1795375254)


@pytest.mark.parametrize(
    ("chunks", "complete"),
    [
        ([*SPOKEN, EXPIRY], True),
        ([*SPOKEN, EXPIRY, delta(data=SOUND)], False),
        ([*SPOKEN, EXPIRY, delta(transcript="More.")], False),
        ([*SPOKEN, EXPIRY, delta(data=SOUND), EXPIRY], True),
        (SPOKEN, False),
        ([delta(transcript="Yes."), delta(data=SOUND), EXPIRY], False),
        ([delta(id="a"), delta(data=SOUND), EXPIRY], False),
        ([delta(id="a"), delta(transcript="Yes."), EXPIRY], False),
        # Some servers put the id and the expiry on every piece: then it marks no end.
        ([delta(id="a", expires_at=9, transcript="Yes."), delta(id="a", expires_at=9, data=SOUND)], False),
        ([{"choices": [{"delta": {"content": "Yes."}, "finish_reason": "stop"}]}], True),
        ([{"choices": [{"delta": {"content": "Yes."}}]}], False),
        ([], False),
    ],
)
def test_the_end_of_a_stream_without_done(chunks: list[Any], complete: bool) -> None:
    reader = AnswerReader()
    for chunk in chunks:
        reader.take_chunk(chunk)

    assert reader.complete is complete
    assert reader.answer().finish_reason == ("stop" if complete else "")


def test_done_ends_anything_and_the_servers_reason_counts_more() -> None:
    reader = AnswerReader()
    reader.take_chunk({"choices": [{"delta": {"content": "Ye"}, "finish_reason": "length"}]})
    reader.ended = True

    assert reader.complete
    assert reader.answer().finish_reason == "length"


def test_the_first_id_and_the_last_expiry_are_kept() -> None:
    reader = AnswerReader()
    for chunk in (delta(id="first", expires_at=1), delta(id="second", expires_at=2)):
        reader.take_chunk(chunk)

    assert (reader.answer().audio_id, reader.answer().expires_at) == ("first", 2)


def test_nothing_has_started_before_words_or_sound() -> None:
    reader = AnswerReader()
    reader.take_chunk(delta(id="a"))
    assert not reader.started
    reader.take_chunk(delta(data=SOUND))
    assert reader.started


def test_tool_calls_are_joined_by_their_index() -> None:
    def call(index: int, **function: str) -> dict[str, Any]:
        return {"index": index, "id": f"call_{index}", "function": function}

    reader = AnswerReader()
    for calls in ([call(1, name="b", arguments='{"x"')], [call(0, name="a", arguments="{}"), call(1, arguments=":1}")]):
        reader.take_chunk({"choices": [{"delta": {"tool_calls": calls}}]})

    assert reader.answer().tool_calls == (
        ToolCall("call_0", "a", "{}"),
        ToolCall("call_1", "b", '{"x":1}'),
    )
