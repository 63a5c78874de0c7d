"""Hear: speech to English text, by Whisper on CTranslate2 (https://github.com/SYSTRAN/faster-whisper).

Whisper invents words for silence and noise. So a voice-activity detector (Silero's, which ships in faster-whisper)
looks first and passes only speech on, and what Whisper itself holds for no speech, or repeats like a stuck record,
is dropped.

Whisper looks at windows of 30 s, and faster-whisper fills them up with silence. Its encoder takes a shorter window
as well, at a cost that falls with the length. But with too little silence behind the speech Whisper takes up the
sentence again from the start ("Thank you. Thank you."), often until its tokens end. Nobody speaks that fast, so an
answer that does not end is cut to what it repeats; what comes just twice may have been said twice, and is listened to
again with more silence, and at last in the whole window. `benchmarks/hearing.py` measures words wrong and time by the
silence behind.
"""

from __future__ import annotations

import threading
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbaudio.engine.meter import Meter

__all__ = ["SAMPLE_RATE", "Listener", "speech"]

SAMPLE_RATE = 16_000
"""Hz that `Listener.hear` takes, as Whisper does."""

# The limits of Whisper's own decoder (openai/whisper, transcribe.py): above the first and below the second it is
# no speech; text that compresses better than the third repeats itself.
_NO_SPEECH, _LOG_PROBABILITY, _COMPRESSION = 0.6, -1.0, 2.4
_BEFORE_S, _AFTER_S = 0.1, 0.2  # kept around the speech: a first or last sound is easily missed
_PAUSE_MS = 250  # where longer speech may be cut
_LONGEST_SPEECH_S = 14.0  # in one window; with 22 s the small model skipped whole sentences
_SHORTEST_WINDOW_S = 8.0
_ROOMS_S = (5.0, 11.0)  # silence behind the speech, at the first look and at the second
_FRAMES_A_SECOND = 100  # of Whisper's spectrum
_MOST_TOKENS = 224  # Whisper's own limit for a window
_TOKENS_A_SECOND = 12  # nobody speaks faster: what is longer is a sentence taken up again


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
        from faster_whisper.tokenizer import Tokenizer

        self._whisper = WhisperModel(str(model), device="cpu", compute_type="int8", cpu_threads=threads)
        multilingual = self._whisper.model.is_multilingual
        self._tokenizer = Tokenizer(self._whisper.hf_tokenizer, multilingual, task="transcribe", language="en")
        self._prompt = [*self._tokenizer.sot_sequence, self._tokenizer.no_timestamps]
        self._lock = threading.Lock()
        self.heard = Meter()

    def hear(self, samples: NDArray[np.float32]) -> str:
        """The words in a sound; empty where nobody speaks.

        Parameters
        ----------
        samples : float32, shape (frames,), full scale ±1.0, at `SAMPLE_RATE`
        """
        with self._lock:
            said = [self._window(speech) for speech in speech(samples)]
        self.heard.add(len(samples) / SAMPLE_RATE)
        return " ".join(text for text in said if any(character.isalnum() for character in text))

    def _window(self, speech: NDArray[np.float32]) -> str:
        """The words of one stretch of speech."""
        looks = (self.look(speech, room_s) for room_s in _ROOMS_S)
        heard = next((text for text in looks if text is not None), None)
        if heard is None:
            heard = self._with_all_means(speech)
        return heard[:1].upper() + heard[1:]  # the small model sometimes begins a sentence without its capital

    def look(self, speech: NDArray[np.float32], room_s: float) -> str | None:
        """The words, from a window that fits; None where Whisper is unsure of them."""
        duration_s = speech.size / SAMPLE_RATE
        frames = int(max(_SHORTEST_WINDOW_S, duration_s + room_s) * _FRAMES_A_SECOND)
        most_tokens = min(_MOST_TOKENS, 16 + int(duration_s * _TOKENS_A_SECOND))
        spectrum = self._whisper.feature_extractor(speech)[:, :frames]
        # Silence in the spectrum is its lowest value, as in the 30 s that Whisper was trained on.
        quiet = np.full((spectrum.shape[0], frames - spectrum.shape[1]), spectrum.min(), spectrum.dtype)
        seen = self._whisper.encode(np.ascontiguousarray(np.concatenate([spectrum, quiet], axis=1)))
        result: Any = self._whisper.model.generate(
            seen,
            [self._prompt],
            beam_size=1,
            max_length=2 * most_tokens,  # CTranslate2 gives half of it to the answer, half to the prompt (whisper.cc)
            return_scores=True,
            return_no_speech_prob=True,
        )[0]
        text = self._tokenizer.decode(result.sequences_ids[0]).strip()
        if len(result.sequences_ids[0]) >= most_tokens:  # more than can be said in this time
            return _once(text)
        unsure = result.scores[0] < _LOG_PROBABILITY
        if unsure and result.no_speech_prob > _NO_SPEECH:
            return ""
        return None if unsure or _compression(text) > _COMPRESSION or _repeats_itself(text) else text

    def _with_all_means(self, speech: NDArray[np.float32]) -> str:
        """The words by Whisper's own loop, which tries again with chance where it is unsure."""
        segments, _ = self._whisper.transcribe(
            speech,
            language="en",
            beam_size=1,
            temperature=(0.0, 0.4),
            condition_on_previous_text=False,
            no_speech_threshold=_NO_SPEECH,
            log_prob_threshold=_LOG_PROBABILITY,
            compression_ratio_threshold=_COMPRESSION,
        )
        kept = [
            segment.text.strip()
            for segment in segments
            if segment.avg_logprob >= _LOG_PROBABILITY and segment.compression_ratio <= _COMPRESSION
        ]
        return " ".join(kept)


def speech(samples: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """The stretches in which somebody speaks, with their pauses, each short enough for one window."""
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    options = VadOptions(
        threshold=0.5,
        min_speech_duration_ms=120,
        min_silence_duration_ms=_PAUSE_MS,
        speech_pad_ms=100,
        max_speech_duration_s=_LONGEST_SPEECH_S,
    )
    stretches: list[tuple[int, int]] = []
    for span in get_speech_timestamps(samples, options):
        start = max(0, span["start"] - int(_BEFORE_S * SAMPLE_RATE))
        end = min(len(samples), span["end"] + int(_AFTER_S * SAMPLE_RATE))
        if stretches and end - stretches[-1][0] <= _LONGEST_SPEECH_S * SAMPLE_RATE:
            start = stretches.pop()[0]
        elif stretches:
            start = max(start, stretches[-1][1])
        stretches.append((start, end))
    return [samples[start:end] for start, end in stretches]


def _repeats_itself(text: str) -> bool:
    """Whether a text ends with the same words twice, as when Whisper takes a sentence up again."""
    words = ["".join(filter(str.isalnum, word)) for word in text.lower().split()]
    shortest = 1 if len(words) == 2 else 2
    return any(words[-size:] == words[-2 * size : -size] for size in range(shortest, len(words) // 2 + 1))


def _once(text: str) -> str | None:
    """The words that a text repeats until it is cut off; None where it does not."""
    written = text.split()
    words = ["".join(filter(str.isalnum, word)) for word in text.lower().split()]
    words.pop()  # may be cut in the middle
    for size in range(1, len(words) // 2 + 1):
        if words[size:] == words[:-size]:
            return " ".join(written[:size])
    return None


def _compression(text: str) -> float:
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if data else 0.0
