"""Turns heard in sound that comes in pieces."""

from __future__ import annotations

import numpy as np
import pytest

from nbaudio.engine.realtime.quick_rate import QuickRate
from nbaudio.engine.realtime.turn_detection import FRAME_MS, Change, TurnDetection, TurnDetector, read_turn_detection
from nbaudio.sound import codecs

from .talking import question, speech_ends_ms

pytestmark = pytest.mark.offline


@pytest.fixture(scope="module")
def spoken() -> np.ndarray:
    return codecs.resample(codecs.pcm16_to_samples(question()), 24_000, 16_000)[:, 0]


def pause(seconds: float) -> np.ndarray:
    return np.zeros(int(16_000 * seconds), np.float32)


def heard(detector: TurnDetector, sound: np.ndarray, size: int) -> list[Change]:
    return [change for at in range(0, len(sound), size) for change in detector.take(sound[at : at + size])]


@pytest.mark.parametrize("size", [100, 512, 1000, 16_000])
def test_it_hears_as_whom_the_network_comes_from_hears_all_at_once(spoken: np.ndarray, size: int) -> None:
    from faster_whisper.vad import get_vad_model

    sound = np.concatenate([spoken, pause(0.5)])
    sound = sound[: len(sound) // 512 * 512]
    detector = TurnDetector()
    streamed = [p for at in range(0, len(sound), size) for p in detector._probabilities(sound[at : at + size])]
    assert np.allclose(streamed, get_vad_model()(sound).reshape(-1), atol=1e-6)


def test_a_turn_begins_pauses_and_ends(spoken: np.ndarray) -> None:
    detector = TurnDetector(silence_ms=500)
    changes = heard(detector, np.concatenate([pause(1.0), spoken, pause(1.0), spoken, pause(1.0)]), 800)

    assert [change.kind for change in changes] == ["began", "paused", "ended"] * 2
    began, paused, ended = (change.at_ms for change in changes[:3])
    assert began == pytest.approx(1000, abs=100)
    ends_ms = 1000 + speech_ends_ms(question())
    assert ended == pytest.approx(ends_ms + 500, abs=150)
    assert paused == pytest.approx(ends_ms + 160, abs=150)
    assert not detector.speaking


def test_a_short_pause_ends_nothing(spoken: np.ndarray) -> None:
    detector = TurnDetector(silence_ms=900)
    changes = heard(detector, np.concatenate([spoken, pause(0.3), spoken, pause(2.0)]), 800)
    assert [change.kind for change in changes] == ["began", "paused", "went_on", "paused", "ended"]


def test_where_nothing_ends_a_turn_pauses_are_heard(spoken: np.ndarray) -> None:
    detector = TurnDetector()
    changes = heard(detector, np.concatenate([spoken, pause(30.0)]), 48_000)
    assert [change.kind for change in changes] == ["began", "paused"]


def test_noise_and_clicks_are_nobody() -> None:
    chance = np.random.default_rng(0)
    noise = chance.normal(0, 0.05, 16_000 * 5).astype(np.float32)
    clicks = np.zeros(16_000 * 5, np.float32)
    clicks[::8000] = 0.9
    hum = (0.2 * np.sin(2 * np.pi * 100 * np.arange(16_000 * 5) / 16_000)).astype(np.float32)
    for sound in (noise, clicks, hum):
        assert heard(TurnDetector(silence_ms=500), sound, 1600) == []


def test_a_sound_is_looked_at_once(spoken: np.ndarray) -> None:
    detector = TurnDetector()
    detector.take(spoken)
    assert detector.heard_ms == len(spoken) // 512 * FRAME_MS


@pytest.mark.parametrize("from_rate", [24_000, 8_000])
@pytest.mark.parametrize("size", [1, 7, 480, 10_000])
def test_sound_comes_to_the_rate_of_the_ears_at_once(from_rate: int, size: int) -> None:
    times = np.arange(from_rate // 10) / from_rate
    tones = sum(np.sin(2 * np.pi * hertz * times) for hertz in (200, 1000, 3000)).astype(np.float32)
    rate = QuickRate(from_rate, 16_000)
    came = np.concatenate([rate.take(tones[at : at + size]) for at in range(0, len(tones), size)])

    assert len(tones) / from_rate - len(came) / 16_000 < 0.0002
    delay = 16  # samples: 1 ms
    expected = sum(np.sin(2 * np.pi * hertz * np.arange(len(came)) / 16_000) for hertz in (200, 1000, 3000))
    error = came[delay + 40 :] - expected[40 : len(came) - delay]
    assert np.sqrt(np.mean(error**2)) < 0.02  # of tones whose own is 1.2


def test_what_the_ears_can_not_hear_does_not_come_back_as_something_else() -> None:
    high = np.sin(2 * np.pi * 10_000 * np.arange(24_000) / 24_000).astype(np.float32)
    assert np.abs(QuickRate(24_000, 16_000).take(high)[100:]).max() < 0.02


@pytest.mark.parametrize(("eagerness", "silence_ms"), [("high", 300), ("auto", 600), ("medium", 600), ("low", 1200)])
def test_eagerness_is_a_silence(eagerness: str, silence_ms: int) -> None:
    found = read_turn_detection({"type": "semantic_vad", "eagerness": eagerness}, "x")
    assert found is not None
    assert found.silence_ms == silence_ms
    assert found.as_event() == {
        "type": "semantic_vad",
        "eagerness": eagerness,
        "create_response": True,
        "interrupt_response": True,
    }


def test_nobody_listens() -> None:
    assert read_turn_detection(None, "x") is None
    assert TurnDetection().silence_ms == 500
