"""Texts spoken by the offline engine: streamed and whole, with the times of their words, understood by its own ears."""

from __future__ import annotations

import time

import jiwer
import numpy as np
import pytest

import nbaudio as nba
from nbaudio import errors

pytestmark = pytest.mark.offline
TEXT = "The museum opens early in the morning, and closes late. Would you like to come?"


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBAUDIO_BACKEND", "offline")


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_it_says_the_words_and_knows_when(stream: bool) -> None:
    from nbaudio.engine.parts import engine

    speech = nba.speak(f"# {TEXT}", voice="marin", stream=stream)
    assert speech.said == TEXT
    assert (speech.way, speech.model, speech.offline) == ("speech endpoint", "offline", True)
    assert speech.notes == ["Offline voice: spoken on this machine."]
    assert speech.cost == nba.Cost()
    assert speech.usage.output_audio_tokens == pytest.approx(20 * speech.duration_s, abs=1)
    assert speech == nba.Clip(np.round(engine().speaker.speak(TEXT, "marin") * 32768) / 32768, 24_000)
    heard = engine().listener.hear(speech.resample(16_000).samples[:, 0])
    assert jiwer.wer(plain(TEXT), plain(heard)) < 0.1
    assert [word.text for word in speech.words] == TEXT.split()
    assert [phrase.text for phrase in speech.captions] == [
        "The museum opens early in the morning, and closes late.",
        "Would you like to come?",
    ]
    second = speech.words[TEXT.split().index("Would")]
    assert speech.captions[1].start_s == second.start_s
    between = speech[speech.words[9].end_s + 0.02 : second.start_s - 0.02]
    assert between.level_dbfs < -40  # the pause before it is a pause


def test_words_come_with_their_sentence() -> None:
    events = list(nba.Speech.stream(TEXT))
    texts = [event.text for event in events if isinstance(event, nba.TextDelta)]
    assert "".join(texts) == TEXT
    assert texts[1] == " Would you like to come?"
    place = events.index(nba.TextDelta(texts[1]))
    heard_s = sum(len(event.pcm16) for event in events[:place] if isinstance(event, nba.AudioDelta)) / 48_000
    speech = events[-1]
    assert isinstance(speech, nba.Speech)
    assert heard_s == pytest.approx(speech.captions[1].start_s, abs=0.1)


def test_sound_begins_long_before_a_long_text_is_made() -> None:
    nba.speak("Hello.")  # awake
    begun = time.perf_counter()
    events = nba.Speech.stream(" ".join([TEXT] * 40))
    while not isinstance(next(events), nba.AudioDelta):
        continue
    first_s = time.perf_counter() - begun
    list(events)
    assert first_s < (time.perf_counter() - begun) / 3


def test_a_long_text_has_the_times_of_all_its_words() -> None:
    text = " ".join(f"Sentence number {n}, and so on." for n in range(200))
    speech = nba.speak(text, speed=4.0)
    assert [word.text for word in speech.words] == text.split()
    edges = [edge for word in speech.words for edge in (word.start_s, word.end_s)]
    assert edges == sorted(edges)
    assert edges[-1] <= speech.duration_s
    # each word is heard where it is said to be, also behind the joints
    for word in speech.words:
        if word.text == "Sentence":
            assert speech[word.start_s : word.end_s].level_dbfs > -30


def test_a_manner_is_left_out_and_the_output_says_so() -> None:
    speech = nba.speak("Hello.", instructions="Whisper.")
    assert speech.notes[0] == "The offline voice takes no instructions; they were left out."


@pytest.mark.parametrize("audio_format", ["wav", "mp3", "opus", "flac"])
def test_every_format_has_its_words(audio_format: str) -> None:
    speech = nba.speak("Hello there.", format=audio_format)
    assert len(speech.words) == 2
    assert 0.5 < speech.duration_s < 2


@pytest.mark.parametrize(
    ("text", "options", "kind"),
    [
        ("Quelle est la meilleure race de chien pour nous ?", {}, errors.BadRequest),
        ("漢字", {}, errors.BadRequest),
        ("Hello.", {"voice": "bob"}, errors.UnknownVoice),
        ("Hello.", {"model": "tts-1"}, errors.UnknownModel),
    ],
)
def test_what_it_can_not_do_is_an_error(text: str, options: dict[str, str], kind: type[errors.NbaudioError]) -> None:
    with pytest.raises(kind):
        nba.speak(text, **options)  # type: ignore[arg-type]


def plain(text: str) -> str:
    return "".join(c if c.isalnum() or c.isspace() else " " for c in text.lower())
