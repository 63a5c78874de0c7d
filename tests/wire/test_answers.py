"""Answers, whole and in pieces: every fixture, every missing field, hostile types, pieces of sound."""

from __future__ import annotations

import base64
import contextlib
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbaudio.errors import BadReply, ServerFailed
from nbaudio.wire.answers import Answer, AnswerReader, AudioDelta, TextDelta
from nbaudio.wire.errors import error_from_stream
from nbaudio.wire.sse import SseDecoder
from nbaudio.wire.tool_calls import ToolCall
from nbaudio.wire.usage import Usage

CHAT = Path(__file__).parents[1] / "fixtures" / "wire" / "chat"
RESPONSES = {path.stem: path for path in sorted((CHAT / "responses").glob("*.json"))}
STREAMS = {path.stem: path for path in sorted((CHAT / "streams").glob("*.sse"))}
TONE = base64.b64decode((CHAT.parent / "audio" / "reply_tone_24k.wav.b64").read_text())[44:]
AUDIO_ID = "audio_6a0f00000000819000000000000000a1"
USAGE = Usage(24, 14, 23, 1, 0, 12, 2)


def take(stream: bytes, cuts: list[int] | None = None) -> tuple[AnswerReader, list[TextDelta | AudioDelta]]:
    """What the client does with a stream's bytes, in the pieces that they arrive in; quick or not it is the same."""
    came: list[tuple[AnswerReader, list[TextDelta | AudioDelta]]] = []
    failed: list[str] = []
    for quick in (True, False):
        try:
            came.append(_taken(stream, cuts, quick=quick))
        except BadReply as error:
            failed.append(str(error))
    if failed:
        assert len(set(failed)) == 1
        assert len(failed) == 2
        raise BadReply(failed[0])
    (reader, events), (plain, plainly) = came
    assert events == plainly
    assert reader.answer() == plain.answer()
    assert (reader.complete, reader.started) == (plain.complete, plain.started)
    return reader, events


def _taken(stream: bytes, cuts: list[int] | None, *, quick: bool) -> tuple[AnswerReader, list[TextDelta | AudioDelta]]:
    reader, decoder, events = AnswerReader(), SseDecoder(), []
    marks = [0, *sorted(place % (len(stream) + 1) for place in cuts or []), len(stream)]
    found = [event for at, to in pairwise(marks) for event in decoder.feed(stream[at:to])]
    for event in [*found, *decoder.flush()]:
        if event == "[DONE]":
            reader.ended = True
            continue
        if quick and (sound := reader.sound_in(event)) is not None:
            events += reader.take_chunk(sound)
            continue
        chunk = json.loads(event)
        if error_from_stream(chunk, server="it", key_from="") is None:
            events += reader.take_chunk(chunk)
    return reader, events


def whole(body: Any, audio_format: str = "wav") -> Answer:
    reader = AnswerReader(audio_format)
    reader.take_whole(body)
    return reader.answer()


def delta(**audio: Any) -> dict[str, Any]:
    """A chunk with a piece of a spoken answer."""
    return {"choices": [{"index": 0, "delta": {"audio": audio}}]}


# -- the fixtures -------------------------------------------------------------------------------------------

EXPECTED_WHOLE = {
    "text_and_audio": {"text": "Yes, they are loyal and gentle.", "finish_reason": "stop", "audio_id": AUDIO_ID},
    "wav_with_unknown_sizes": {"text": "Yes, they are loyal and gentle.", "finish_reason": "stop"},
    "length_cut": {"text": "Yes, they", "finish_reason": "length"},
    "text_only": {"text": "A single steady tone.", "finish_reason": "stop", "audio": b"", "audio_format": ""},
    "audio_requested_but_text_returned": {"text": "Yes, they are loyal.", "audio": b"", "audio_id": ""},
    "content_filter": {"text": "", "refusal": "", "finish_reason": "content_filter", "audio": b""},
    "refusal": {"text": "I can't help with that.", "refusal": "I can't help with that.", "finish_reason": "stop"},
    "tool_calls": {
        "text": "",
        "finish_reason": "tool_calls",
        "tool_calls": (ToolCall("call_Fx01", "get_weather", '{"city":"Paris"}'),),
    },
}


def test_every_fixture_has_an_expectation() -> None:
    assert set(EXPECTED_WHOLE) == set(RESPONSES)
    assert set(EXPECTED_STREAMED) == set(STREAMS)


@pytest.mark.parametrize("name", RESPONSES)
def test_a_whole_answer(name: str) -> None:
    reader = AnswerReader()
    events = reader.take_whole(json.loads(RESPONSES[name].read_text()))
    answer = reader.answer()

    assert {field: getattr(answer, field) for field in EXPECTED_WHOLE[name]} == EXPECTED_WHOLE[name]
    assert reader.complete
    assert answer.model == "gpt-audio-1.5"
    assert answer.usage.input_tokens == 24
    assert [event.text for event in events if isinstance(event, TextDelta)] == ([answer.text] if answer.text else [])
    if answer.audio:
        assert answer.audio[:4] == b"RIFF"
        assert answer.audio_format == "wav"
        assert TONE.startswith(answer.audio[44:])
        assert answer.expires_at == 1795375254


EXPECTED_STREAMED = {
    "audio_transcript_first": {
        "text": "Yes, they are loyal and gentle.",
        "audio": TONE,
        "audio_format": "pcm16",
        "audio_id": AUDIO_ID,
        "expires_at": 1795375254,
        "finish_reason": "stop",
        "usage": USAGE,
        "model": "gpt-audio-1.5",
    },
    "text_only": {"text": "A single steady tone.", "audio": b"", "finish_reason": "stop", "usage": USAGE},
    "refusal": {"text": "I can't help with that.", "refusal": "I can't help with that.", "finish_reason": "stop"},
    "tool_calls": {
        "finish_reason": "tool_calls",
        "tool_calls": (ToolCall("call_Fx01", "get_weather", '{"city":"Paris"}'),),
    },
    "cut_before_done": {"finish_reason": "", "usage": Usage(), "audio": TONE[:1600], "expires_at": 0},
    "error_in_stream": {"finish_reason": "", "usage": Usage(), "audio": b""},
}


@pytest.mark.parametrize("name", STREAMS)
def test_a_streamed_answer(name: str) -> None:
    reader, events = take(STREAMS[name].read_bytes())
    answer = reader.answer()

    assert {field: getattr(answer, field) for field in EXPECTED_STREAMED[name]} == EXPECTED_STREAMED[name]
    assert reader.complete is (name not in ("cut_before_done", "error_in_stream"))
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == answer.text
    assert b"".join(event.pcm16 for event in events if isinstance(event, AudioDelta)) == answer.audio


@settings(max_examples=20)
@given(st.sampled_from(sorted(STREAMS)), st.lists(st.integers(0, 10**6), max_size=10))
def test_the_answer_is_the_same_however_its_stream_is_cut(name: str, cuts: list[int]) -> None:
    stream = STREAMS[name].read_bytes()

    (reader, events), (cut_reader, cut_events) = take(stream), take(stream, cuts)

    assert cut_reader.answer() == reader.answer()
    assert cut_reader.complete is reader.complete
    assert cut_events == events


def test_an_error_in_a_stream_is_one_and_what_came_is_kept() -> None:
    *_, last = SseDecoder().feed(STREAMS["error_in_stream"].read_bytes())
    reader, _ = take(STREAMS["error_in_stream"].read_bytes())

    error = error_from_stream(json.loads(last), server="OpenAI", key_from="OPENAI_API_KEY")

    assert type(error) is ServerFailed
    assert reader.answer().audio_id == AUDIO_ID
    assert not reader.complete


# -- missing and hostile ------------------------------------------------------------------------------------


def paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every part of a JSON value."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else []
    return [here, *(path for key, part in parts for path in paths(part, (*here, key)))]


def replaced(value: Any, path: tuple[Any, ...], by: Any) -> Any:
    if not path:
        return by
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(copy[path[0]], path[1:], by)
    return copy


def without(value: Any, path: tuple[Any, ...]) -> Any:
    copy = dict(value) if isinstance(value, dict) else list(value)
    if len(path) == 1:
        del copy[path[0]]
    else:
        copy[path[0]] = without(copy[path[0]], path[1:])
    return copy


BODIES = {name: json.loads(path.read_text()) for name, path in RESPONSES.items()}
CHUNKS = {
    name: [json.loads(event) for event in SseDecoder().feed(path.read_bytes()) if event != "[DONE]"]
    for name, path in STREAMS.items()
}
HOSTILE = [
    None,
    True,
    False,
    0,
    -1,
    1.5,
    float("nan"),
    float("inf"),
    1e400,
    10**400,
    "",
    "x",
    "AAA=",
    [],
    [1],
    {},
    {"a": 1},
]


@pytest.mark.parametrize("name", BODIES)
def test_any_field_of_a_whole_answer_may_be_missing(name: str) -> None:
    for path in paths(BODIES[name])[1:]:
        body = without(BODIES[name], path)
        if path == ("choices",) or path == ("choices", 0):
            with pytest.raises(BadReply, match="holds no choices"):
                whole(body)
        else:
            assert isinstance(whole(body), Answer)


@pytest.mark.parametrize("name", BODIES)
def test_any_field_of_a_whole_answer_may_be_anything(name: str) -> None:
    for path in paths(BODIES[name]):
        for hostile in HOSTILE:
            with contextlib.suppress(BadReply):  # any other error fails the test
                assert_well_typed(whole(replaced(BODIES[name], path, hostile)))


@pytest.mark.parametrize("name", CHUNKS)
def test_any_field_of_a_stream_may_be_missing_or_anything(name: str) -> None:
    for at, chunk in enumerate(CHUNKS[name]):
        for path in paths(chunk):
            changed = [without(chunk, path)] if path else []
            for bad in [*changed, *(replaced(chunk, path, hostile) for hostile in HOSTILE)]:
                reader = AnswerReader()
                with contextlib.suppress(BadReply):
                    for each in [*CHUNKS[name][:at], bad, *CHUNKS[name][at + 1 :]]:
                        reader.take_chunk(each)
                assert_well_typed(reader.answer())


def assert_well_typed(answer: Answer) -> None:
    for text in (answer.text, answer.refusal, answer.audio_format, answer.audio_id, answer.finish_reason, answer.model):
        assert type(text) is str
        text.encode()
    assert type(answer.audio) is bytes
    assert type(answer.expires_at) is int
    assert isinstance(answer.usage, Usage)
    for call in answer.tool_calls:
        assert {type(value) for value in (call.id, call.name, call.arguments)} == {str}


FIELDS = [
    *("choices", "message", "delta", "audio", "data", "id", "transcript", "expires_at", "content", "refusal", "usage"),
    *("tool_calls", "function", "index", "name", "arguments", "model", "finish_reason", "error"),
]
JSON = st.recursive(
    st.sampled_from(HOSTILE) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(FIELDS),
            inner,
            max_size=6,
        )
    ),
    max_leaves=25,
)


@given(JSON, st.lists(JSON, max_size=4))
def test_no_json_raises_anything_but_a_bad_reply(body: Any, chunks: list[Any]) -> None:
    with contextlib.suppress(BadReply):
        assert_well_typed(whole(body))
    reader = AnswerReader()
    for chunk in chunks:
        with contextlib.suppress(BadReply):
            reader.take_chunk(chunk)
    assert_well_typed(reader.answer())


def test_half_a_character_becomes_one_that_can_be_written() -> None:
    lone = json.loads('"a\\ud83d!"')

    assert whole({"choices": [{"message": {"content": lone}}]}).text == "a\ufffd!"
    assert whole({"choices": [{"message": {"content": "a 🙂!"}}]}).text == "a 🙂!"


# -- pieces of sound ----------------------------------------------------------------------------------------


def streamed(*pieces: str) -> bytes:
    reader = AnswerReader()
    for piece in pieces:
        reader.take_chunk(delta(data=piece))
    return reader.answer().audio


@given(st.binary(max_size=300), st.lists(st.integers(0, 10**6), max_size=6))
def test_padded_pieces_of_any_length_join_as_bytes(sound: bytes, cuts: list[int]) -> None:
    marks = [0, *sorted(cut % (len(sound) + 1) for cut in cuts), len(sound)]
    pieces = [base64.b64encode(sound[at:to]).decode() for at, to in pairwise(marks)]

    assert streamed(*pieces) == sound[: len(sound) - len(sound) % 2]


@given(st.binary(max_size=300), st.lists(st.integers(0, 10**6), max_size=6), st.booleans())
def test_one_base64_text_cut_anywhere_padded_at_its_end_or_not(sound: bytes, cuts: list[int], padded: bool) -> None:
    text = base64.b64encode(sound).decode()
    text = text if padded else text.rstrip("=")
    marks = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    pieces = [text[at:to] for at, to in pairwise(marks)]

    assert streamed(*pieces) == sound[: len(sound) - len(sound) % 2]


@pytest.mark.parametrize("size", [10, 11, 12])
@pytest.mark.parametrize("end", ["", "="])
def test_one_base64_text_in_two_pieces_wherever_it_is_cut(size: int, end: str) -> None:
    sound = bytes(range(1, size + 1))
    text = base64.b64encode(sound).decode().rstrip("=")
    text += end * (-len(text) % 4)

    for cut in range(len(text) + 1):
        assert streamed(text[:cut], text[cut:]) == sound[: size - size % 2]


def test_an_odd_byte_waits_for_its_other_half() -> None:
    reader = AnswerReader()

    events = [reader.take_chunk(delta(data=base64.b64encode(piece).decode())) for piece in (b"abc", b"d", b"e", b"f")]

    assert events == [[AudioDelta(b"ab")], [AudioDelta(b"cd")], [], [AudioDelta(b"ef")]]


@pytest.mark.parametrize("data", ["!!!!", "a", "Ünïc", "data:audio/wav;base64,AAAA"])
def test_what_is_no_base64_is_a_bad_reply(data: str) -> None:
    with pytest.raises(BadReply, match="sound is no base64"):
        whole({"choices": [{"message": {"audio": {"data": data}}}]})


def test_unpadded_base64_of_a_whole_answer_is_read() -> None:
    assert whole({"choices": [{"message": {"audio": {"data": "AAECAw"}}}]}, "pcm16").audio == b"\0\1\2\3"


def called(*deltas: dict[str, Any]) -> tuple[ToolCall, ...]:
    """The calls of a stream of these pieces, each in a chunk of its own."""
    reader = AnswerReader()
    for delta in deltas:
        reader.take_chunk({"choices": [{"delta": {"tool_calls": [delta]}}]})
    return reader.answer().tool_calls


def piece(arguments: str, name: str | None = None, **more: Any) -> dict[str, Any]:
    return {"function": {"arguments": arguments} | ({"name": name} if name else {}), **more}


@pytest.mark.parametrize("place", [{"index": 0}, {}], ids=["index 0", "no index"])
def test_calls_of_one_index_are_told_apart_by_their_ids(place: dict[str, int]) -> None:
    assert called(
        piece('{"city":"Bern"}', "weather", id="call_0", **place),
        piece('{"city":', "weather", id="call_1", **place),
        piece('"Rome"', **place),
        piece("}", id="", **place),
    ) == (ToolCall("call_0", "weather", '{"city":"Bern"}'), ToolCall("call_1", "weather", '{"city":"Rome"}'))


def test_a_call_whose_pieces_have_each_an_id_is_one_call() -> None:
    assert called(
        piece("", "weather", id="tool-a1", index=0),
        piece('{"city":', id="tool-b2", index=0),
        piece('"Rome"}', id="tool-c3", index=0),
    ) == (ToolCall("tool-a1", "weather", '{"city":"Rome"}'),)


def test_a_call_may_have_its_id_with_each_piece_or_late() -> None:
    rome = ToolCall("call_0", "weather", '{"city":"Rome"}')
    often = (piece('{"city":', "weather", id="call_0", index=0), piece('"Rome"}', "weather", id="call_0", index=0))
    late = (piece('{"city":', "weather", index=0), piece('"Rome"}', id="call_0", index=0))
    assert called(*often) == called(*late) == (rome,)
