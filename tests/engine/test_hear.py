"""What the engine's ears write down: speech as it was said, and nothing where nobody speaks."""

from __future__ import annotations

import threading
import time
from functools import cache
from typing import Any

import jiwer
import numpy as np
import pytest
from numpy.typing import NDArray

from nbaudio.engine.hear import SAMPLE_RATE, Listener, speech
from nbaudio.engine.parts import engine
from nbaudio.sound.codecs import resample

pytestmark = pytest.mark.offline
Sound = NDArray[np.float32]

STORY = (
    "The sun was going down behind the hills.",
    "We walked home along the river and talked about the summer.",
    "A dog barked somewhere in the village.",
    "Nobody knew why the lights had gone out, but my brother found some candles in the kitchen.",
    "In the end we all sat around the table and played cards until midnight.",
    "The museum opens early in the morning and closes late in the afternoon.",
)


@cache
def listener() -> Listener:
    return engine().listener


@cache
def spoken(text: str, voice: str = "nova") -> Sound:
    samples = engine().speaker.speak(text, voice)
    return resample(samples[:, np.newaxis], 24_000, SAMPLE_RATE)[:, 0]


def word_errors(said: str, heard: str) -> float:
    def plain(text: str) -> str:
        return " ".join("".join(c if c.isalnum() else " " for c in text.lower()).split())

    return float(jiwer.wer(plain(said), plain(heard)))


@pytest.mark.parametrize("voice", ["nova", "ash", "coral", "onyx"])
def test_a_question_is_understood(voice: str) -> None:
    said = "Could you please tell me, is a golden retriever a good family dog?"
    assert word_errors(said, listener().hear(spoken(said, voice))) <= 0.1


@pytest.mark.parametrize("word", ["Yes.", "Thank you.", "Stop."])
def test_a_short_word_is_written_once(word: str) -> None:
    assert word_errors(word, listener().hear(spoken(word))) == 0


def test_a_sentence_that_whisper_takes_up_again_and_again_is_written_once() -> None:
    # In a short window tiny.en does not end with this one: "Please tell me, ... grow? Please tell me, ..."
    question = "Please tell me, why do plants need so much sunlight to grow?"
    [stretch] = speech(spoken(question))
    heard = listener().look(stretch, 3.0)
    assert heard is not None
    assert word_errors(question, heard) == 0


def test_long_speech_is_cut_at_its_pauses_and_nothing_is_lost() -> None:
    sound = np.concatenate([spoken(sentence) for sentence in STORY * 2])
    assert len(sound) > 30 * SAMPLE_RATE
    assert word_errors(" ".join(STORY * 2), listener().hear(sound)) <= 0.05


def test_who_repeats_themselves_is_written_down_all_the_same() -> None:
    # A text like this one compresses as well as what Whisper makes up when it is stuck.
    said = [
        f"Sentence number {one} says that the museum opens early in the morning." for one in ("6", "seven", "eight")
    ]
    sound = np.concatenate([spoken(sentence) for sentence in said])
    [passage] = listener().passages([sound], timed=True)
    assert word_errors(" ".join(said), passage.text) <= 0.1
    times_s = [word.start_s for word in passage.words]
    assert times_s == sorted(times_s)
    assert abs(times_s[-1] - len(sound) / SAMPLE_RATE) < 2


def test_a_sentence_that_is_said_four_times_is_not_taken_for_one() -> None:
    heard = listener().hear(spoken("Yes, the dog is good. " * 4))
    assert heard.count("dog is good") >= 3


@pytest.mark.parametrize("way", ["hear", "passages"])
def test_who_says_little_does_not_wait_for_all_of_a_long_recording(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    ears, heard = listener(), []
    passage, seconds = ears._passage, ears.heard.seconds
    silence = np.zeros(15 * SAMPLE_RATE, np.float32)
    long = np.concatenate([spoken(STORY[0]), silence, spoken(STORY[2]), silence, spoken(STORY[5])])
    other = threading.Thread(target=ears.hear, args=(spoken("Stop."),))

    def watched(samples: Sound, *how: Any) -> Any:
        heard.append(threading.current_thread() is other)
        if len(heard) == 1:
            other.start()
            while not ears._turn.waiting:
                assert other.is_alive()
                time.sleep(0.001)
        return passage(samples, *how)

    monkeypatch.setattr(ears, "_passage", watched)
    if way == "hear":
        ears.hear(long)
    else:
        assert len(list(ears.passages([long]))) == 3
    other.join()
    assert heard == [False, True, False, False]
    assert ears.heard.seconds - seconds == pytest.approx((len(long) + len(spoken("Stop."))) / SAMPLE_RATE)


def test_speech_between_long_silences_is_found() -> None:
    silence = np.zeros(5 * SAMPLE_RATE, np.float32)
    sound = np.concatenate([silence, spoken(STORY[0]), silence, spoken(STORY[2]), silence])
    assert word_errors(STORY[0] + STORY[2].replace("A", " A", 1), listener().hear(sound)) <= 0.1


def test_quiet_and_clipped_speech_is_understood() -> None:
    said = STORY[5]
    for gain in (0.02, 10):
        assert word_errors(said, listener().hear(np.clip(spoken(said) * gain, -1, 1))) <= 0.2


def _noises() -> dict[str, Sound]:
    generator = np.random.default_rng(0)
    time_s = np.arange(3 * SAMPLE_RATE) / SAMPLE_RATE
    white = generator.standard_normal(len(time_s))
    noises = {
        "silence": np.zeros(len(time_s)),
        "faint noise": 0.001 * white,
        "white noise": 0.1 * white,
        "loud noise": 0.5 * white,
        "brown noise": np.cumsum(white) / np.abs(np.cumsum(white)).max() * 0.5,
        "mains hum": 0.3 * np.sin(2 * np.pi * 50 * time_s),
        "tone": 0.3 * np.sin(2 * np.pi * 440 * time_s),
        "chord": sum(0.1 * np.sin(2 * np.pi * hertz * time_s) for hertz in (262, 330, 392)),
        "clicks": (generator.random(len(time_s)) < 0.001) * 0.8,
        "siren": 0.3 * np.sin(2 * np.pi * (600 * time_s + 100 * np.sin(2 * np.pi * time_s))),
        "a few samples": np.zeros(7),
    }
    return {name: np.asarray(samples, np.float32) for name, samples in noises.items()}


@pytest.mark.parametrize("name", _noises())
def test_no_words_are_invented_where_nobody_speaks(name: str) -> None:
    assert listener().hear(_noises()[name]) == ""
