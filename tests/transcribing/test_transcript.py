"""A transcript as a value: its captions, files, plain data, and how it is shown."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from signals import voice

import nbaudio as nba
from nbaudio import Captions, Clip, Segment, Transcript, Word
from nbaudio.captions.phrases import Phrase
from nbaudio.errors import NbaudioError
from nbaudio.wire.usage import Usage

CLIP = Clip(voice(duration_s=2.0), 24_000)
TIMED = Transcript(
    "Yes, it is. It is loyal.",
    words=(
        Word("Yes", 0.1, 0.3),
        Word("it", 0.3, 0.4),
        Word("is", 0.4, 0.6),
        Word("It", 1.0, 1.1),
        Word("is", 1.1, 1.2),
        Word("loyal", 1.2, 1.7, 0.9),
    ),
    segments=(Segment("Yes, it is.", 0.1, 0.6), Segment("It is loyal.", 1.0, 1.7)),
    languages=("en",),
    duration_s=2.0,
    times_from="server",
    model="whisper-1",
    backend="OpenAI",
    usage=Usage(input_tokens=3),
    billed_s=2.0,
    clip=CLIP,
)
TALK = Transcript(
    "Hello. Hi Ada. How are you?",
    segments=(
        Segment("Hello.", 0.0, 0.7, "Ada"),
        Segment("Hi Ada.", 0.8, 1.2, "Bob"),
        Segment("How are you?", 1.2, 1.9, "Bob"),
    ),
    duration_s=2.0,
    clip=CLIP,
)


class TestCaptions:
    def test_by_the_times_of_words(self) -> None:
        assert TIMED.captions.phrases == (Phrase("Yes, it is.", 0.1, 0.6), Phrase("It is loyal.", 1.0, 1.7))

    def test_by_the_times_of_segments(self) -> None:
        assert replace(TIMED, words=()).captions == TIMED.captions

    def test_of_words_that_are_not_in_the_text(self) -> None:
        other = replace(TIMED, words=tuple(replace(word, text="x" + word.text) for word in TIMED.words))
        assert other.captions == TIMED.captions, "the segments tell"

    def test_by_the_pauses_of_the_sound(self) -> None:
        hush = np.zeros((12_000, 1), np.float32)
        sound = np.concatenate([voice(duration_s=1.0), hush, voice(duration_s=1.0)])
        bare = Transcript("One sentence here. Another sentence.", clip=Clip(sound, 24_000), duration_s=2.5)
        first, second = bare.captions
        assert first.text == "One sentence here."
        assert second.start_s == pytest.approx(1.5, abs=0.1)

    def test_of_nothing(self) -> None:
        for bare in (Transcript(""), Transcript("Words."), Transcript("", clip=CLIP)):
            assert bare.captions == Captions()
            assert (bare.srt, bare.vtt) == ("", "WEBVTT\n")

    def test_a_player_marks_words(self) -> None:
        assert [phrase.text for phrase in TIMED.marks] == [word.text for word in TIMED.words]
        assert TALK.marks == TALK.captions


class TestFiles:
    def test_speakers_in_subtitles(self) -> None:
        assert "<v Ada>Hello." in TALK.vtt
        assert "Bob: Hi Ada." in TALK.srt
        assert [phrase.text for phrase in Captions.from_vtt(TALK.vtt)] == ["Hello.", "Hi Ada.", "How are you?"]

    def test_subtitles(self) -> None:
        assert Captions.from_vtt(TIMED.vtt) == Captions.from_srt(TIMED.srt) == TIMED.captions

    def test_saved(self, tmp_path: Path) -> None:
        assert TIMED.save(tmp_path / "a.vtt").read_text() == TIMED.vtt
        assert TIMED.save(tmp_path / "a.SRT").read_text() == TIMED.srt
        assert TIMED.save(tmp_path / "a.txt").read_text() == "Yes, it is. It is loyal.\n"
        read = json.loads(TIMED.save(tmp_path / "a.json").read_text())
        assert Transcript.from_dict(read) == TIMED
        with pytest.raises(NbaudioError, match=r"End the name in \.vtt"):
            TIMED.save(tmp_path / "a.doc")


class TestPlainData:
    @pytest.mark.parametrize("made", [TIMED, TALK, Transcript(""), replace(TIMED, partial=True, offline=True)])
    def test_there_and_back(self, made: Transcript) -> None:
        plain = json.loads(json.dumps(made.to_dict()))
        found = Transcript.from_dict(plain, clip=made.clip)
        assert found == made
        assert found.clip is made.clip
        assert hash(found) == hash(made)

    def test_what_a_later_version_adds_is_left_out(self) -> None:
        assert Transcript.from_dict({"text": "Hi.", "mood": "good", "clip": "x"}) == Transcript("Hi.")

    @pytest.mark.parametrize(
        "data",
        [
            {},
            {"text": 3},
            {"text": "", "words": [{"start_s": 1}]},
            {"text": "a", "segments": [{"text": "a", "start_s": 2.0, "end_s": 1.0}]},
            {"text": "a", "segments": [{"text": "a", "start_s": -1.0, "end_s": 1.0}]},
            {"text": "a", "usage": []},
        ],
    )
    def test_what_is_none(self, data: dict[str, Any]) -> None:
        with pytest.raises(NbaudioError):
            Transcript.from_dict(data)

    def test_pickled(self) -> None:
        assert pickle.loads(pickle.dumps(TIMED)) == TIMED


class TestShown:
    def test_a_player_with_its_words(self) -> None:
        bundle = TIMED._repr_mimebundle_()
        assert bundle["text/plain"] == "Yes, it is. It is loyal.\n[recording, 2.0 s]"
        assert '<audio controls preload="metadata" title="Recording, 2.0 s"' in bundle["text/html"]
        assert '<p style="margin:.4em 0">Yes, it is. It is loyal.</p>' in bundle["text/html"]
        assert "whisper-1" in bundle["text/html"]
        assert bundle["text/markdown"] == "Yes, it is. It is loyal."

    def test_who_speaks(self) -> None:
        bundle = TALK._repr_mimebundle_()
        assert bundle["text/plain"].splitlines()[:2] == ["Ada: Hello.", "Bob: Hi Ada. How are you?"]
        assert "<strong>Bob:</strong> Hi Ada. How are you?" in bundle["text/html"]
        assert "**Bob:** Hi Ada. How are you?" in bundle["text/markdown"]

    def test_what_a_reader_should_know(self) -> None:
        made = replace(TIMED, note="Broke off.", offline=True)
        assert made.notes == ["Broke off.", "Offline ears: a small model on this machine, which mishears now and then."]
        for mime in ("text/plain", "text/html", "text/markdown"):
            assert "Broke off" in made._repr_mimebundle_()[mime]

    def test_once_in_another_way(self) -> None:
        made = replace(TIMED)
        made.show_once_with({"text/plain": "[once]"}, live="abc")
        first, then = made._repr_mimebundle_(), made._repr_mimebundle_()
        assert first["text/plain"] == "[once]"
        assert "nbaudio-live-abc" in first["text/html"]
        assert then == TIMED._repr_mimebundle_()

    def test_in_a_line(self) -> None:
        assert repr(TIMED) == "Transcript('Yes, it is. It is loyal.', 2.0 s)"
        assert str(TALK) == TALK.text
        assert (TALK.language, TIMED.language) == ("", "en")


class TestThePlayer:
    def test_follows_its_words(self) -> None:
        player = nba.Player(TIMED)
        assert player.words == TIMED.text
        assert player.phrases == [[word.text, word.start_s, word.end_s] for word in TIMED.words]
        assert (player.title, player.state, player.duration_s) == ("Recording", "whole", 2.0)
        bundle, _ = player._repr_mimebundle_()
        assert f"nbaudio-live-{player.key}" in bundle["text/html"]
        assert "It is loyal." in bundle["text/html"]
        player.close()

    def test_says_who_speaks(self) -> None:
        player = nba.Player(TALK)
        assert player.words == "Ada: Hello.\n\nBob: Hi Ada. How are you?"
        assert [phrase[0] for phrase in player.phrases] == ["Hello.", "Hi Ada.", "How are you?"]
        player.close()

    def test_of_one_that_broke_off(self) -> None:
        player = nba.Player(replace(TIMED, partial=True, note="Not all of it: it broke off."))
        assert player.state == "broken"
        assert player.notes == ["Not all of it: it broke off."]
        player.close()

    def test_without_a_sound(self) -> None:
        with pytest.raises(nba.errors.ClipError, match="no sound that can be played"):
            nba.Player(replace(TIMED, clip=None))
