"""Hear: speech to English text, by Whisper on CTranslate2 (https://github.com/SYSTRAN/faster-whisper).

Whisper invents words for silence and noise. So a voice-activity detector (Silero's, which ships in faster-whisper)
looks first and passes only speech on, and what Whisper itself holds for no speech, or repeats like a stuck record,
is dropped.
"""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["SAMPLE_RATE", "Listener"]

SAMPLE_RATE = 16_000
"""Hz that `Listener.hear` takes, as Whisper does."""

# The limits of Whisper's own decoder (openai/whisper, transcribe.py): above the first and below the second it is
# no speech; text that compresses better than the third repeats itself.
_NO_SPEECH, _LOG_PROBABILITY, _COMPRESSION = 0.6, -1.0, 2.4
_PADDING_FRAMES = SAMPLE_RATE // 4  # a clip that ends on its last phoneme loses its last word without some silence


class Listener:
    """Writes down what is said.

    Parameters
    ----------
    model : Path
        Folder of a Whisper model in CTranslate2 form.
    threads : int
        CPU threads. On a machine with two busy cores one is faster than two.
    """

    def __init__(self, model: Path, threads: int = 1) -> None:
        from faster_whisper import WhisperModel

        self._whisper = WhisperModel(str(model), device="cpu", compute_type="int8", cpu_threads=threads)
        self._english_only = not self._whisper.model.is_multilingual
        self._lock = threading.Lock()

    def hear(self, samples: NDArray[np.float32]) -> str:
        """The words in a sound; empty where nobody speaks.

        Parameters
        ----------
        samples : float32, shape (frames,), full scale ±1.0, at `SAMPLE_RATE`
        """
        padded = np.concatenate([samples, np.zeros(_PADDING_FRAMES, np.float32)])
        with self._lock:
            segments, _ = self._whisper.transcribe(
                padded,
                language="en",
                beam_size=1,
                temperature=(0.0, 0.4),
                condition_on_previous_text=False,
                without_timestamps=len(samples) < 29 * SAMPLE_RATE,  # one window needs none, and is faster so
                vad_filter=True,
                vad_parameters={"threshold": 0.5, "min_speech_duration_ms": 120},
                no_speech_threshold=_NO_SPEECH,
                log_prob_threshold=_LOG_PROBABILITY,
                compression_ratio_threshold=_COMPRESSION,
            )
            said = [
                segment.text.strip()
                for segment in segments
                if not (segment.no_speech_prob > _NO_SPEECH and segment.avg_logprob < _LOG_PROBABILITY)
                and segment.compression_ratio <= _COMPRESSION
            ]
        heard = " ".join(text for text in said if any(character.isalnum() for character in text))
        return heard[:1].upper() + heard[1:]  # the small model sometimes begins a sentence without its capital
