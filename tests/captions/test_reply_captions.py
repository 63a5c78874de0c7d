"""What `reply.captions` gives: for each way in which an answer can come, and where it has nothing to give."""

from __future__ import annotations

import base64
import pickle
from dataclasses import replace

import numpy as np
import pytest

import nbaudio
from nbaudio.captions.phrases import Captions, Phrase
from nbaudio.sound.clip import Clip
from nbaudio.turns import Reply
from nbaudio.wire.answers import Answer, AnswerReader

RATE = 24_000
TEXT = "One moment, please. Here it is."


def buzz(duration_s: float) -> bytes:
    return (np.sign(np.sin(np.arange(round(duration_s * RATE)) / 30)) * 3000).astype("<i2").tobytes()


def hush(duration_s: float) -> bytes:
    return bytes(2 * round(duration_s * RATE))


# "One moment," in 0.9 s, "please." in 0.5 s, "Here it is." in 0.8 s; an even pace would put the last at 1.71 s.
FIRST, SECOND = buzz(0.9) + hush(0.2) + buzz(0.5) + hush(0.4), buzz(0.8) + hush(0.3)


def reply_to(answer: Answer, *, offline: bool = False, whole: bool = True) -> Reply:
    return Reply.from_answer(answer, aloud=True, whole=whole, offline=offline)


def streamed(*pieces: str | bytes, **known: bool) -> Reply:
    reader = AnswerReader()
    for piece in pieces:
        audio = {"transcript": piece} if isinstance(piece, str) else {"data": base64.b64encode(piece).decode()}
        reader.take_chunk({"choices": [{"delta": {"audio": audio}}]})
    return reply_to(reader.answer(), **known)


def whole(audio_format: str = "wav", **known: bool) -> Reply:
    data = Clip.from_pcm16(FIRST + SECOND).encode(audio_format)
    message = {"audio": {"transcript": TEXT, "data": base64.b64encode(data).decode()}}
    reader = AnswerReader(audio_format)
    reader.take_whole({"choices": [{"message": message}]})
    return reply_to(reader.answer(), **known)


def starts(captions: Captions) -> dict[str, float]:
    return {phrase.text: phrase.start_s for phrase in captions}


def test_captions_are_public() -> None:
    assert nbaudio.Captions is Captions
    assert isinstance(streamed(TEXT, FIRST, SECOND).captions, nbaudio.Captions)


@pytest.mark.parametrize(
    "reply",
    [
        streamed(TEXT, FIRST, SECOND),
        streamed("One mo", FIRST[:9600], "ment, please. Here", FIRST[9600:], " it is.", SECOND),
        streamed(FIRST, SECOND, TEXT),
        whole("wav"),
        whole("mp3"),
        whole(offline=True),
    ],
    ids=["words first", "in pieces", "sound first", "whole", "whole as MP3", "whole from the offline engine"],
)
def test_however_an_answer_came_its_captions_are_at_its_pauses(reply: Reply) -> None:
    assert starts(reply.captions) == {
        "One moment, please.": pytest.approx(0, abs=0.03),
        "Here it is.": pytest.approx(2.0, abs=0.05),
    }
    assert reply.captions[-1].end_s == pytest.approx(2.8, abs=0.05)


def test_the_offline_engine_streams_exact_times() -> None:
    # The pauses would say something else: the order of arrival is believed.
    reply = streamed("One moment, please.", FIRST + SECOND[:2400], " Here it is.", SECOND[2400:], offline=True)

    assert starts(reply.captions) == {"One moment, please.": 0.0, "Here it is.": 2.05}


@pytest.mark.parametrize("offline", [True, False])
def test_what_of_a_broken_answer_was_not_heard_has_no_caption(offline: bool) -> None:
    reply = streamed("One moment, please.", FIRST[:-9600], " Here it is.", offline=offline, whole=False)

    assert reply.partial
    assert [phrase.text for phrase in reply.captions] == ["One moment, please."]
    assert reply.clip is not None
    assert reply.captions[0].end_s <= reply.clip.duration_s


def test_of_an_answer_cut_at_its_limit_the_words_may_go_on() -> None:
    reply = streamed(f"{TEXT} And there is a lot more to say about it, which nobody hears.", FIRST, SECOND)

    assert len(reply.captions) == 3
    assert [phrase.text for phrase in replace(reply, finish_reason="length").captions] == [
        "One moment, please.",
        "Here it is.",
    ]


@pytest.mark.parametrize("text", ["", " \n"])
def test_without_words_there_are_none(text: str) -> None:
    assert reply_to(Answer(text=text, audio=FIRST, audio_format="pcm16")).captions == Captions()


def test_without_sound_there_are_none() -> None:
    assert reply_to(Answer(text=TEXT)).captions == Captions()
    assert reply_to(Answer(text=TEXT, audio=b"no sound", audio_format="wav")).captions == Captions()
    assert Reply(text=TEXT).captions == Captions()


def test_silence_has_captions_within_it() -> None:
    captions = streamed(TEXT, hush(2.0)).captions

    assert [phrase.text for phrase in captions] == ["One moment, please.", "Here it is."]
    assert captions[-1].end_s <= 2.0


def test_a_model_can_forge_no_cue() -> None:
    text = "Yes.\n\n00:00:00.000 --> 00:00:09.000\n<b>Buy</b> now & here."
    captions = streamed(text, FIRST, SECOND).captions

    assert captions.vtt.count("-->") == captions.srt.count("-->") == len(captions)
    assert "<" not in captions.vtt
    assert [p.text for p in Captions.from_vtt(captions.vtt)] == [p.text for p in captions]


def test_they_are_made_once_and_the_reply_stays_a_value() -> None:
    reply, same = streamed(TEXT, FIRST, SECOND), streamed(TEXT, FIRST, SECOND)
    fresh = pickle.loads(pickle.dumps(reply))

    assert reply.captions is reply.captions
    assert reply == same == fresh
    assert hash(reply) == hash(same)
    assert pickle.loads(pickle.dumps(reply)) == reply
    assert pickle.loads(pickle.dumps(reply)).captions == fresh.captions == reply.captions
    assert "marks" not in repr(reply)
    assert replace(reply, text="Yes.").captions == Captions([Phrase("Yes.", 0.0, reply.captions[-1].end_s)])


@pytest.mark.offline
def test_with_the_offline_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBAUDIO_BACKEND", "offline")
    begins_s, frames, ended = [], 0, True
    for event in nbaudio.Conversation(temperature=0.0).stream("What is a volcano?"):
        if isinstance(event, nbaudio.TextDelta):
            if ended:  # the first sentence comes in two pieces, and only the first of them begins a phrase for sure
                begins_s.append(round(frames / RATE, 3))
            ended = event.text.rstrip().endswith((".", "!", "?"))
        elif isinstance(event, nbaudio.AudioDelta):
            frames += len(event.pcm16) // 2
    captions = event.reply.captions

    assert captions[0].start_s == 0.0
    assert set(begins_s) <= {phrase.start_s for phrase in captions}
    assert " ".join(phrase.text for phrase in captions).split() == event.reply.text.split()
    assert Captions.from_vtt(captions.vtt) == Captions.from_srt(captions.srt) == captions
