"""How the offline voices sound, measured from what they say, not from their settings.

    python benchmarks/voices.py                    with the engine's own Whisper weights
    python benchmarks/voices.py --whisper FOLDER   with others
    python benchmarks/voices.py --no-whisper       without word error rates, in a few seconds

For each voice: median pitch and its range (10th to 90th percentile), centroid of the voiced spectrum between 200 and
4000 Hz (which follows formants, tilt and breath, but hardly the pitch), words per minute, word error rate of a round
trip through Whisper, real-time factor on one thread (best of three), level and peak. Then the voices that are hardest
to tell apart. It fails (exit code 1) if a voice is not understood or two are too much alike.

The distance of two voices has no unit. It is the root of the sum of squares of four differences, each divided by a
step that a listener just notices or nearly so:

    pitch    1 semitone between the medians (in sentences people notice 3 to 15 Hz, Harris and Umeda 1987)
    melody   2 semitones between the ranges (our choice)
    pace     5 % between the words per minute (Quené 2007)
    timbre   2 dB between the long-term spectra of the voiced sound in 24 mel bands, root mean square (our choice)
"""

from __future__ import annotations

import argparse
import itertools
import re
import sys
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nbaudio.engine.speak import SAMPLE_RATE, Speaker
from nbaudio.engine.voices import VOICES

SENTENCES = (
    "The museum opens early in the morning and closes late in the afternoon.",
    "My sister bought three green apples, a loaf of bread and some cheese.",
    "Would you like to hear the story again, or shall we try another one?",
    "Heavy rain is expected along the coast tonight, with strong winds from the west.",
    "Please turn left at the second bridge and then walk straight ahead for a mile.",
    "I never thought that such a small garden could hold so many different flowers!",
    "Computers follow simple instructions very quickly, but they do not understand jokes.",
    "He whispered a few words to the doctor, smiled, and quietly left the room.",
)
WORST_WORD_ERROR_RATE = 0.06
SMALLEST_DISTANCE = 3.0

Floats = npt.NDArray[np.floating[Any]]

_WINDOW, _HOP = 1200, 240  # 50 ms and 10 ms
_LOWEST, _HIGHEST = 60, 500  # Hz, pitches that are looked for
_PERIODIC = 0.6  # of the autocorrelation at 0; above it a window counts as voiced
_BANDS = 24


@dataclass(frozen=True)
class Measured:
    """What a listener would notice about a voice. Pitch and centroid in Hz, melody in semitones, timbre in dB."""

    pitch: float
    melody: float
    centroid: float
    words_per_minute: float
    timbre: Floats


def _windows(sound: Floats) -> Floats:
    """Overlapping windows of a sound that aren't near silence, each without its mean; shape (windows, samples)."""
    cut = np.lib.stride_tricks.sliding_window_view(sound, _WINDOW)[::_HOP]
    loud = np.sqrt(np.square(cut).mean(axis=1))
    kept: Floats = cut[loud > loud.max() / 10]
    return (kept - kept.mean(axis=1, keepdims=True)) * np.hanning(_WINDOW)


def pitch_track(sound: Floats) -> tuple[Floats, Floats]:
    """Pitch in Hz of the voiced windows of a sound, and those windows.

    Autocorrelation divided by the window's own (Boersma 1993), with a small bonus for short lags against octaves
    too low.
    """
    windows = _windows(sound)
    correlation = np.fft.irfft(np.square(np.abs(np.fft.rfft(windows, 4096))))[:, :_WINDOW]
    own = np.fft.irfft(np.square(np.abs(np.fft.rfft(np.hanning(_WINDOW), 4096))))[:_WINDOW]
    correlation /= correlation[:, :1]
    shortest, longest = SAMPLE_RATE // _HIGHEST, SAMPLE_RATE // _LOWEST
    lags = np.arange(shortest, longest)
    strength = correlation[:, shortest:longest] / (own / own[0])[shortest:longest]
    best = (strength - 0.05 * np.log2(lags / shortest)).argmax(axis=1)
    voiced = strength[np.arange(len(best)), best] > _PERIODIC
    return SAMPLE_RATE / lags[best[voiced]], windows[voiced]


def measure(sounds: list[Floats], words: int) -> Measured:
    """Measurements of a voice over its sounds, which hold this many words together."""
    tracks = [pitch_track(sound) for sound in sounds]
    pitch = np.concatenate([track[0] for track in tracks])
    low, middle, high = np.percentile(pitch, [10, 50, 90])
    power = np.square(np.abs(np.fft.rfft(np.concatenate([track[1] for track in tracks])))).mean(axis=0)
    frequency = np.fft.rfftfreq(_WINDOW, 1 / SAMPLE_RATE)
    formants = (frequency > 200) & (frequency < 4000)
    weight = (power * frequency)[formants]  # half the lift that speech needs to be level; the first formants dominate
    mel = 2595 * np.log10(1 + frequency / 700)
    edges = np.linspace(2595 * np.log10(1 + 100 / 700), 2595 * np.log10(1 + 8000 / 700), _BANDS + 1)
    bands = [power[(mel >= start) & (mel < end)].mean() for start, end in itertools.pairwise(edges)]
    decibels = 10 * np.log10(np.asarray(bands))
    return Measured(
        pitch=float(middle),
        melody=float(12 * np.log2(high / low)),
        centroid=float((weight * frequency[formants]).sum() / weight.sum()),
        words_per_minute=60 * words * SAMPLE_RATE / sum(map(len, sounds)),
        timbre=decibels - decibels.mean(),
    )


def distance(one: Measured, other: Measured) -> float:
    """How different two voices are; 1 is about just noticeable. See the module's docstring."""
    steps = (
        12 * np.log2(one.pitch / other.pitch),
        (one.melody - other.melody) / 2,
        np.log(one.words_per_minute / other.words_per_minute) / np.log(1.05),
        np.sqrt(np.square(one.timbre - other.timbre).mean()) / 2,
    )
    return float(np.sqrt(np.square(steps).sum()))


def _words(text: str) -> str:
    """Lower-case words of a text, without punctuation."""
    return " ".join(re.findall(r"[a-z']+", text.lower().replace("-", " ")))


class _Listener:
    def __init__(self, folder: str) -> None:
        import faster_whisper

        self._model = faster_whisper.WhisperModel(folder, device="cpu", compute_type="int8", cpu_threads=1)

    def word_error_rate(self, sounds: list[Floats]) -> float:
        import jiwer
        import soxr

        heard = []
        for sound in sounds:
            resampled = soxr.resample(sound, SAMPLE_RATE, 16_000)
            segments, _ = self._model.transcribe(resampled, language="en", beam_size=1, temperature=0)
            heard.append(_words(" ".join(segment.text for segment in segments)) or "nothing")
        return float(jiwer.wer([_words(sentence) for sentence in SENTENCES], heard))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--whisper", metavar="FOLDER", help="Whisper weights for faster-whisper")
    parser.add_argument("--no-whisper", action="store_true", help="leave the word error rates out")
    arguments = parser.parse_args()
    listener = None
    if not arguments.no_whisper:
        if arguments.whisper is None:
            from nbaudio.engine.weights.models import path

            arguments.whisper = str(path("hear"))
        listener = _Listener(arguments.whisper)

    speaker = Speaker()
    speaker.speak("Warm up.")
    words = sum(len(_words(sentence).split()) for sentence in SENTENCES)
    measured, failed = {}, False
    print("voice    pitch Hz  range st  centroid Hz  words/min  word errors  real time   dBFS    peak")
    for name in VOICES:
        seconds = []
        for _ in range(3):
            start = time.perf_counter()
            sounds = [speaker.speak(sentence, name) for sentence in SENTENCES]
            seconds.append(time.perf_counter() - start)
        whole = np.concatenate(sounds)
        voice = measured[name] = measure(list(sounds), words)
        errors = listener.word_error_rate(list(sounds)) if listener else float("nan")
        failed |= errors > WORST_WORD_ERROR_RATE
        print(
            f"{name:8} {voice.pitch:8.0f} {voice.melody:9.1f} {voice.centroid:12.0f} {voice.words_per_minute:10.0f}"
            f" {errors:12.1%} {min(seconds) * SAMPLE_RATE / len(whole):10.4f}"
            f" {20 * np.log10(np.sqrt(np.square(whole).mean())):6.1f} {np.abs(whole).max():7.3f}",
            flush=True,
        )
    pairs = sorted((distance(measured[a], measured[b]), a, b) for a, b in itertools.combinations(VOICES, 2))
    print("nearest:", ", ".join(f"{a}-{b} {value:.1f}" for value, a, b in pairs[:6]))
    failed |= pairs[0][0] < SMALLEST_DISTANCE
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
