"""The order in which a stream brought words and sound, with the recorded bodies and with made-up ones."""

from __future__ import annotations

import base64
import contextlib
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbaudio.errors import BadReply
from nbaudio.wire.answers import Answer, AnswerReader
from nbaudio.wire.sse import SseDecoder

CHAT = Path(__file__).parents[1] / "fixtures" / "wire" / "chat"


def delta(content: str | None = None, **audio: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": content, "audio": audio}}]}


def sound(frames: int) -> str:
    return base64.b64encode(bytes(2 * frames)).decode()


def answer_of(*chunks: dict[str, Any]) -> Answer:
    reader = AnswerReader()
    for chunk in chunks:
        reader.take_chunk(chunk)
    return reader.answer()


def streamed(name: str) -> Answer:
    events = SseDecoder().feed((CHAT / "streams" / f"{name}.sse").read_bytes())
    return answer_of(*(json.loads(event) for event in events if event != "[DONE]"))


@pytest.mark.parametrize(
    ("name", "marks"),
    [
        ("audio_transcript_first", ((31, 0), (31, 2400))),
        ("cut_before_done", ((14, 0), (14, 800))),
        ("text_only", ()),
        ("refusal", ()),
        ("tool_calls", ()),
        ("error_in_stream", ()),
    ],
)
def test_recorded_streams(name: str, marks: tuple[tuple[int, int], ...]) -> None:
    assert streamed(name).marks == marks


@pytest.mark.parametrize("path", sorted((CHAT / "responses").glob("*.json")), ids=lambda path: path.stem)
def test_a_whole_answer_has_no_order(path: Path) -> None:
    reader = AnswerReader()
    reader.take_whole(json.loads(path.read_text()))

    assert reader.answer().marks == ()


def test_as_the_offline_engine_sends_it() -> None:
    answer = answer_of(
        delta(id="audio_1"),
        delta(transcript="Yes."),
        delta(data=sound(300)),
        delta(data=sound(200)),
        delta(transcript=" It is."),
        delta(data=sound(400)),
        delta(expires_at=1),
    )

    assert answer.marks == ((4, 0), (11, 500), (11, 900))


def test_runs_are_one_and_words_of_a_chunk_come_before_its_sound() -> None:
    answer = answer_of(
        delta(data=sound(10)),
        delta(transcript="a"),
        delta(transcript="b"),
        delta(transcript="c", data=sound(5)),
        delta(data=sound(5)),
        delta(transcript="d"),
    )

    assert answer.marks == ((3, 10), (4, 20))


def test_characters_are_those_of_the_text() -> None:
    # Where a transcript comes, what is in `content` is not what is heard.
    both = answer_of(
        delta("well", transcript="Ye"), delta(data=sound(8)), delta("!"), delta(data=sound(8)), delta(transcript="s")
    )
    assert (both.text, both.marks) == ("Yes", ((2, 0), (3, 16)))

    written = answer_of(delta("Ye"), delta(data=sound(8)), delta("s"))
    assert (written.text, written.marks) == ("Yes", ((2, 0), (3, 8)))

    halves = answer_of(delta(transcript="\ud83d"), delta(transcript="\ude00"), delta(data=sound(8)))
    assert (halves.text, halves.marks) == ("\ufffd\ufffd", ((2, 0), (2, 8)))


def test_what_an_unpadded_end_held_back_counts() -> None:
    answer = answer_of(delta(transcript="a"), delta(data=sound(3)[:-2] + "AAAA"))

    assert answer.marks[-1] == (1, len(answer.audio) // 2)


def test_marks_can_be_asked_for_at_any_time() -> None:
    reader = AnswerReader()
    reader.take_chunk(delta(transcript="a"))
    assert reader.answer().marks == ()
    reader.take_chunk(delta(data=sound(3)))
    assert reader.answer().marks == ((1, 0), (1, 3))
    reader.take_chunk(delta(transcript="b"))
    assert reader.answer().marks == ((1, 0), (2, 3))


PIECES = st.sampled_from(["", "AA", "AAAA"])
TOLD = st.one_of(
    st.builds(delta, st.text(max_size=3)),
    st.builds(lambda text: delta(transcript=text), st.text(max_size=3)),
    st.builds(lambda data: delta(data=base64.b64encode(data).decode()), st.binary(max_size=7)),
    st.builds(lambda text, data: delta(transcript=text, data=data), st.text(max_size=3), PIECES),
)


@given(st.lists(TOLD, max_size=25))
def test_marks_only_grow_and_end_with_the_answer(chunks: list[dict[str, Any]]) -> None:
    reader = AnswerReader()
    for chunk in chunks:
        with contextlib.suppress(BadReply):
            reader.take_chunk(chunk)
    answer = reader.answer()

    if answer.marks:
        assert answer.marks[-1] == (len(answer.text), len(answer.audio) // 2)
    for (characters, frames), (more_characters, more_frames) in pairwise([(0, -1), *answer.marks]):
        assert characters <= more_characters
        assert frames <= more_frames
        assert (characters, frames) != (more_characters, more_frames)
