"""Sounds whose frequency, level and length are known, for tests to measure."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]


def tone(hertz: float, *, sample_rate: int = 24_000, duration_s: float = 0.5, peak: float = 0.5) -> Samples:
    """A sine, shape ``(frames, 1)``."""
    time_s = np.arange(round(sample_rate * duration_s)) / sample_rate
    return (peak * np.sin(2 * math.pi * hertz * time_s)).astype(np.float32)[:, np.newaxis]


def voice(*, sample_rate: int = 24_000, duration_s: float = 1.0, channels: int = 1) -> Samples:
    """Something like a voice: a gliding pitch with 19 harmonics, in syllables; later channels are quieter."""
    time_s = np.arange(round(sample_rate * duration_s)) / sample_rate
    phase = 2 * math.pi * np.cumsum(120 + 20 * np.sin(2 * math.pi * 3 * time_s)) / sample_rate
    buzz = sum(np.sin(harmonic * phase) / harmonic for harmonic in range(1, 20))
    spoken = 0.075 * (1 + np.sin(2 * math.pi * 4 * time_s)) * buzz
    return np.stack([spoken * 0.7**channel for channel in range(channels)], axis=1).astype(np.float32)


def pitch_of(samples: Any, sample_rate: int) -> float:
    """The loudest frequency of the first channel, Hz."""
    heard = np.asarray(samples)[:, 0]
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard)), n=8 * len(heard)))
    return float(np.argmax(spectrum)) * sample_rate / (8 * len(heard))


def decibel(samples: Any) -> float:
    """Root mean square level, dB relative to full scale."""
    return 20 * math.log10(math.sqrt(float(np.mean(np.square(np.asarray(samples), dtype=np.float64)))))
