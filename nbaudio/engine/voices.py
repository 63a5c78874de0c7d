"""The thirteen offline voices: one recorded voice, bent in six independent ways.

The speech model knows a single voice, a woman at about 195 Hz. What makes a listener hear somebody else is mostly
pitch and the length of the vocal tract, which moves all formants by one factor, then pace, melody and colour. The
model gives its pitch curve and its spectra apart, so each can be set without touching the others.

The names are those that OpenAI's models use, so that a notebook runs unchanged offline. The voices aren't copies of
OpenAI's: nobody real or hosted is imitated. The numbers were tuned with ``benchmarks/voices.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["VOICES", "Voice"]


@dataclass(frozen=True)
class Voice:
    """How one voice differs from the recorded one.

    Parameters
    ----------
    name : str
        As in a request.
    pitch : float
        Median fundamental frequency in Hz, 80 to 300.
    liveliness : float
        Factor on the melody's distance from the median, measured in semitones. 1 is the recorded melody,
        0 would be a monotone; 0.5 to 1.5.
    formants : float
        Factor on all resonance frequencies, 0.8 to 1.2; below 1 is a longer vocal tract. Adult men's formants lie
        about 15 % below women's (Peterson and Barney 1952).
    pace : float
        Factor on the speed, 0.8 to 1.25.
    breath : float
        Level of breath noise against the voiced sound at 1 kHz, roughly, in dB; -60 is none, -15 very breathy.
    tilt : float
        Slope added to the voiced sound's spectrum, in dB per octave about 1 kHz, -4 to 3. Negative is dark and
        soft, positive bright and pressed.
    description : str
        A few words for a list of voices.
    """

    name: str
    pitch: float
    liveliness: float
    formants: float
    pace: float
    breath: float
    tilt: float
    description: str


_TABLE = (
    Voice("alloy", 168, 0.7, 0.93, 1.05, -60, 1.0, "neutral, between low and high, even"),
    Voice("ash", 112, 1.0, 0.89, 1.06, -60, 1.0, "man, clear and direct"),
    Voice("ballad", 168, 1.35, 1.02, 0.84, -18, -2.5, "woman, low, slow and breathy"),
    Voice("cedar", 100, 0.9, 0.87, 0.88, -26, -2.5, "man, deep, warm and unhurried"),
    Voice("coral", 220, 1.4, 1.03, 1.08, -60, 2.0, "woman, bright and lively"),
    Voice("echo", 134, 0.55, 0.92, 0.98, -60, 1.0, "man, level and calm"),
    Voice("fable", 144, 1.5, 0.9, 0.9, -24, -0.5, "man, light, a storyteller"),
    Voice("marin", 195, 1.0, 1.0, 1.0, -60, 0.0, "woman, natural; the recorded voice"),
    Voice("nova", 240, 0.9, 1.12, 1.18, -60, 0.0, "woman, young and quick"),
    Voice("onyx", 86, 0.6, 0.81, 0.95, -60, 0.0, "man, very deep and steady"),
    Voice("sage", 190, 0.55, 1.05, 0.89, -28, -2.0, "woman, calm and soft"),
    Voice("shimmer", 258, 0.8, 1.14, 0.93, -20, -1.0, "woman, high, light and airy"),
    Voice("verse", 126, 1.5, 0.86, 1.16, -60, 2.0, "man, quick and expressive"),
)

VOICES: Mapping[str, Voice] = MappingProxyType({voice.name: voice for voice in _TABLE})
"""Every voice by its name, in the order of the alphabet."""
