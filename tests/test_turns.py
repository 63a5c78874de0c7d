"""Turn and Reply: values that never change, and what a reply says of how it came about."""

from __future__ import annotations

import base64
import dataclasses
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from signals import voice

from nbaudio.sound.clip import Clip
from nbaudio.sound.parts import PART_BYTES
from nbaudio.sound.spool import SpooledSound
from nbaudio.turns import Reply, Turn
from nbaudio.wire.answers import Answer, AnswerReader
from nbaudio.wire.tool_calls import ToolCall
from nbaudio.wire.usage import Usage

RESPONSES = Path(__file__).parent / "fixtures" / "wire" / "chat" / "responses"
CLIP = Clip(voice(), 24_000)
PCM = CLIP.encode("pcm16")


def reply_to(answer: Answer, *, aloud: bool = True, whole: bool = True, **known: Any) -> Reply:
    return Reply.from_answer(answer, aloud=aloud, whole=whole, offline=False, **known)


def from_fixture(name: str) -> Reply:
    reader = AnswerReader("wav")
    reader.take_whole(json.loads((RESPONSES / f"{name}.json").read_text()))
    return reply_to(reader.answer(), time=1.0, voice="coral", backend="OpenAI")


def test_a_spoken_answer() -> None:
    reply = from_fixture("text_and_audio")

    assert reply.text == str(reply) == "Yes, they are loyal and gentle."
    assert reply.clip is not None
    assert (reply.clip.sample_rate, reply.clip.channels, reply.clip.duration_s) == (24_000, 1, 0.1)
    assert (reply.model, reply.voice, reply.backend) == ("gpt-audio-1.5", "coral", "OpenAI")
    assert reply.usage == Usage(24, 14, 23, 1, 0, 12, 2)
    assert (reply.finish_reason, reply.partial, reply.note) == ("stop", False, "")
    assert repr(reply) == "Reply('Yes, they are loyal and gentle.', 0.1 s)"


def test_a_wav_of_unknown_size_is_the_same_sound() -> None:
    assert from_fixture("wav_with_unknown_sizes").clip == from_fixture("text_and_audio").clip


def test_streamed_sound_is_pcm() -> None:
    reply = reply_to(Answer(text="Yes.", audio=PCM, audio_format="pcm16"))

    assert reply.clip is not None
    assert reply.clip.encode("pcm16") == PCM


@pytest.mark.parametrize("gathering", [None, SpooledSound])
def test_streamed_sound_is_not_decoded_before_it_is_used(
    gathering: type[SpooledSound] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nbaudio.sound.codecs.decode", None)
    reader, times = AnswerReader(gathering=gathering), 2 * PART_BYTES // len(PCM) + 1
    for _ in range(times):
        reader.take_chunk({"choices": [{"delta": {"audio": {"data": base64.b64encode(PCM).decode()}}}]})

    reply = reply_to(reader.answer())

    assert reply.clip is not None
    assert (reply.clip.recorded is None) is (gathering is None)
    assert reply.clip.duration_s == pytest.approx(times * CLIP.duration_s)
    monkeypatch.undo()
    assert reply.clip.encode("pcm16") == times * PCM


@pytest.mark.parametrize(
    ("answer", "options", "note"),
    [
        (Answer(text="Yes.", audio=PCM, audio_format="pcm16", finish_reason="stop"), {}, ""),
        (Answer(text="Yes."), {"aloud": False}, ""),
        (Answer(text="Yes."), {}, "The server sent words only, although sound was asked for."),
        (Answer(text="No.", refusal="No."), {}, ""),
        (Answer(text="Ye"), {"whole": False}, "This answer broke off; what came of it is kept."),
        (Answer(text="Ye", finish_reason="length"), {}, "Cut at the token limit; --max-completion-tokens allows more."),
        (Answer(finish_reason="content_filter"), {}, "The server's content filter stopped this answer."),
        (
            Answer(tool_calls=(ToolCall(name="f"), ToolCall(name="g")), finish_reason="tool_calls"),
            {},
            "The model asks for a tool instead of answering: f, g.",
        ),
        (
            Answer(text="Yes.", audio=b"<html>", audio_format="wav"),
            {},
            "The server's sound can't be played: These 6 bytes are no sound file that can be read.",
        ),
        (
            Answer(text="Yes.", audio=CLIP.encode("flac")[:9_000], audio_format="flac"),
            {},
            "The server's sound can't be played: This FLAC file is damaged or cut short: it can't be read to its end.",
        ),
        (
            Answer(text="Yes.", audio=b"\0", audio_format="pcm16"),
            {},
            "The server's sound can't be played: The sound is empty: not one whole frame of PCM.",
        ),
    ],
)
def test_what_the_reader_should_know_is_noted_and_the_words_are_kept(
    answer: Answer, options: dict[str, bool], note: str
) -> None:
    reply = reply_to(answer, **options)  # type: ignore[arg-type]

    assert reply.note == note
    assert reply.text == answer.text
    assert note.rstrip(".") in reply._repr_mimebundle_()["text/plain"]
    if "can't be played" in note:
        assert reply.clip is None


def test_the_answers_own_model_counts_more_than_the_one_asked_for() -> None:
    assert reply_to(Answer(text="x", model="m-2026"), model="m").model == "m-2026"
    assert reply_to(Answer(text="x"), model="m").model == "m"


def test_turns_are_values() -> None:
    turn, same = Turn("user", "Hello", (CLIP,)), Turn("user", "Hello", (Clip(CLIP.samples, 24_000),))
    reply = Reply(text="Hi", clips=(CLIP,), tool_calls=(ToolCall(name="f"),))

    assert turn == same
    assert len({turn, same}) == 1
    assert hash(reply) == hash(pickle.loads(pickle.dumps(reply)))
    assert reply.role == "assistant"
    with pytest.raises(dataclasses.FrozenInstanceError):
        turn.text = "changed"  # type: ignore[misc]


def test_the_clip_of_a_turn_is_all_its_sounds_in_order() -> None:
    quiet = Clip(np.zeros(24_000), 24_000)

    assert Turn("user", "x").clip is None
    assert Turn("user", "x", (CLIP,)).clip is CLIP
    assert Turn("user", "x", (CLIP, quiet)).clip == CLIP + quiet


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(text="Yes."), "Reply('Yes.')"),
        (Reply(text="Ye", partial=True), "Reply('Ye', partial)"),
        (Reply(text="x" * 100, clips=(CLIP,)), f"Reply('{'x' * 57}...', 1.0 s)"),
        (Reply(text="a\n<b>"), "Reply('a\\n<b>')"),
    ],
)
def test_a_repr_is_one_short_line(reply: Reply, said: str) -> None:
    assert repr(reply) == said


def test_the_details_name_only_what_is_known() -> None:
    assert Reply(text="x")._details() == {}
    assert Reply(text="x", voice="coral", model="m")._details() == {"Model": "m"}  # the voice of no sound says nothing
    assert Reply(text="x", usage=Usage(3, 4))._details() == {
        "Tokens": "3 in, 4 out",
        "Cost": "unknown",
    }
    assert Reply(text="x", usage=Usage(3, 4, output_audio_tokens=2))._details() == {
        "Tokens": "3 in, 4 out (sound: 0 in, 2 out)",
        "Cost": "unknown",
    }
    paid = Usage(3, 4, input_text_tokens=3, output_text_tokens=4)
    assert Reply(text="x", model="gpt-audio-1.5", usage=paid)._details()["Cost"] == "$0.000048"
    assert Reply(text="x", offline=True, usage=Usage(3, 4))._details()["Cost"] == "$0"


def test_a_bundle_has_three_forms_and_the_sound_in_one() -> None:
    bundle = Reply(text="Yes.", clips=(CLIP,))._repr_mimebundle_()

    assert set(bundle) == {"text/plain", "text/html", "text/markdown"}
    assert bundle["text/plain"] == "Yes.\n[spoken, 1.0 s]"
    start = bundle["text/html"].index("base64,") + 7
    sound = bundle["text/html"][start : bundle["text/html"].index('"', start)]
    assert Clip(base64.b64decode(sound)).duration_s == pytest.approx(1.0, abs=0.1)
