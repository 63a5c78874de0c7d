"""The voices, measured from their sound with the measures of benchmarks/voices.py."""

import dataclasses
import importlib.util
import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from nbaudio.engine.speak import SAMPLE_RATE, Speaker
from nbaudio.engine.voices import VOICES

MEN = ("ash", "cedar", "echo", "fable", "onyx", "verse")
WOMEN = ("alloy", "ballad", "coral", "marin", "nova", "sage", "shimmer")


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "voices.py"
    spec = importlib.util.spec_from_file_location("nbaudio_benchmark_voices", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def sounds(bench: ModuleType) -> dict[str, list[Any]]:
    speaker = Speaker()
    return {name: [speaker.speak(text, name) for text in bench.SENTENCES[:4]] for name in VOICES}


@pytest.fixture(scope="module")
def measured(bench: ModuleType, sounds: dict[str, list[Any]]) -> dict[str, Any]:
    words = len(" ".join(bench.SENTENCES[:4]).split())
    return {name: bench.measure(voice_sounds, words) for name, voice_sounds in sounds.items()}


def test_there_are_the_thirteen_voices_in_order() -> None:
    names = "alloy ash ballad cedar coral echo fable marin nova onyx sage shimmer verse"
    assert list(VOICES) == names.split()
    assert all(voice.name == name for name, voice in VOICES.items())
    assert set(MEN + WOMEN) == set(VOICES)


def test_table_keeps_to_the_documented_ranges_and_cannot_be_changed() -> None:
    for voice in VOICES.values():
        assert 80 <= voice.pitch <= 300
        assert 0.5 <= voice.liveliness <= 1.5
        assert 0.8 <= voice.formants <= 1.2
        assert 0.8 <= voice.pace <= 1.25
        assert -60 <= voice.breath <= -15
        assert -4 <= voice.tilt <= 3
        assert voice.description
    with pytest.raises(TypeError):
        VOICES["new"] = VOICES["alloy"]  # type: ignore[index]
    with pytest.raises(AttributeError):
        VOICES["alloy"].pitch = 100  # type: ignore[misc]


def test_pitch_track_finds_a_known_pitch(bench: ModuleType) -> None:
    time_s = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    for hertz in (90, 150, 250):
        tone = sum(np.cos(2 * np.pi * hertz * multiple * time_s) / multiple for multiple in range(1, 12))
        pitch, windows = bench.pitch_track(tone)
        assert len(pitch) == len(windows) > 50
        assert np.median(pitch) == pytest.approx(hertz, rel=0.01)


def test_each_voice_has_the_pitch_of_its_table(measured: dict[str, Any]) -> None:
    for name, voice in VOICES.items():
        assert measured[name].pitch == pytest.approx(voice.pitch, rel=0.06), name


def test_men_are_lower_than_women_and_onyx_far_below_nova(measured: dict[str, Any]) -> None:
    assert measured["onyx"].pitch < measured["nova"].pitch * 2 / 3
    assert all(80 < measured[name].pitch < 155 for name in MEN)
    assert all(165 < measured[name].pitch < 270 for name in WOMEN)


@pytest.fixture(scope="module")
def change(bench: ModuleType) -> Callable[..., Any]:
    """Measure the natural voice with some of its settings replaced."""
    speaker = Speaker()

    def measured_with(**settings: float) -> Any:
        voice = dataclasses.replace(VOICES["marin"], **settings)
        texts = bench.SENTENCES[:4]
        words = len(" ".join(texts).split())
        return bench.measure([speaker._piece(text, 0, voice, 1.0).samples for text in texts], words)

    return measured_with


def test_each_setting_moves_its_own_measure_and_leaves_the_others(change: Callable[..., Any]) -> None:
    natural = change()
    lower, longer, quicker, flatter = change(pitch=110), change(formants=0.85), change(pace=1.2), change(liveliness=0.5)
    brighter, breathy = change(tilt=3), change(breath=-15)

    assert lower.pitch / natural.pitch == pytest.approx(110 / 195, rel=0.03)
    assert quicker.words_per_minute / natural.words_per_minute == pytest.approx(1.2, rel=0.03)
    assert flatter.melody / natural.melody == pytest.approx(0.5, rel=0.15)
    assert longer.centroid < 0.95 * natural.centroid
    assert lower.centroid == pytest.approx(natural.centroid, rel=0.03)
    assert brighter.centroid > 1.1 * natural.centroid
    assert breathy.centroid > 1.1 * natural.centroid

    for other in (longer, quicker, flatter, brighter, breathy):
        assert other.pitch == pytest.approx(natural.pitch, rel=0.03)
    for other in (lower, longer, flatter, brighter, breathy):
        assert other.words_per_minute == pytest.approx(natural.words_per_minute, rel=0.03)
    for other in (lower, longer, quicker, brighter, breathy):
        assert other.melody == pytest.approx(natural.melody, rel=0.15)


def test_longer_vocal_tract_moves_the_spectrum_down(bench: ModuleType, measured: dict[str, Any]) -> None:
    """The spectrum of the deepest voice fits the natural one best when that is moved down by its formant factor."""
    natural, deep = measured["marin"].timbre, measured["onyx"].timbre
    bands = np.arange(len(natural))
    mismatch = {
        shift: float(np.std((deep - np.interp(bands + shift, bands, natural))[:-4]))
        for shift in np.arange(-3, 3.1, 0.5)
    }
    assert min(mismatch, key=mismatch.__getitem__) > 0.4


def test_lively_voices_move_more_than_calm_ones(measured: dict[str, Any]) -> None:
    lively = [measured[name].melody for name in ("verse", "fable", "coral", "ballad")]
    calm = [measured[name].melody for name in ("sage", "echo", "onyx", "alloy")]
    assert min(lively) > 1.3 * max(calm)


def test_pace_is_heard(measured: dict[str, Any]) -> None:
    assert measured["verse"].words_per_minute > 1.2 * measured["ballad"].words_per_minute
    assert all(140 < voice.words_per_minute < 240 for voice in measured.values())


def test_any_two_voices_are_told_apart(bench: ModuleType, measured: dict[str, Any]) -> None:
    for one, other in itertools.combinations(VOICES, 2):
        assert bench.distance(measured[one], measured[other]) > 2.5, (one, other)
    assert bench.distance(measured["onyx"], measured["onyx"]) == 0


def test_voices_are_equally_loud_and_clean(sounds: dict[str, list[Any]]) -> None:
    levels = []
    for parts in sounds.values():
        whole = np.concatenate(parts)
        levels.append(20 * np.log10(np.sqrt(np.square(whole).mean())))
        assert np.abs(whole).max() < 1
        assert np.mean(np.abs(whole) > 0.7) < 1e-3  # hardly a sample is bent
        assert abs(float(whole.mean())) < 1e-3
    assert max(levels) - min(levels) < 3
    assert -23 < min(levels) < max(levels) < -18
