"""Text to speech, offline: hibari's model with thirteen voices.

hibari (Apache-2.0) predicts how long each phoneme lasts and, for every 12.5 ms, a pitch and three spectra: of the
voiced sound, of noise, and of what remains (consonants mostly). Its `synth` turns them into a wave. Between the two
this module bends them into a `Voice`, and after it sets the level, the ends and the pause; and it follows each word
through all of that, so that it knows when each one sounds. hibari's parts are used one by one because its own call has
none of these settings; hence the exact pin of its version.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nbaudio.engine.meter import Meter
from nbaudio.engine.reading import Reader, Reading, plain
from nbaudio.engine.voices import VOICES, Voice
from nbaudio.sentences import pieces

__all__ = ["FASTEST", "SAMPLE_RATE", "SLOWEST", "Said", "SaidWord", "Speaker"]

SAMPLE_RATE = 24_000
"""Samples per second of everything spoken here."""

SLOWEST, FASTEST = 0.25, 4.0  # OpenAI's range for the speed of its speech endpoint

Floats = npt.NDArray[np.float32]

_MODEL_PITCH = 192.0  # Hz, the median of the recorded voice
_LOWEST, _HIGHEST = 60.0, 500.0  # Hz, of any voice at any moment
_BIN_HZ = 20.0  # the model's spectra have 601 bins from 0 to 12 kHz
_FRAME = 300  # samples
_VOICED = 40.0  # Hz; the model's pitch is below this where the voice is silent or unvoiced
_NO_BREATH = -60.0  # dB
_INAUDIBLE = -7.0  # largest logarithm in a frame's spectrum of consonants; silence has -9, speech some 0
_EVERY_BIN, _FLOOR = 10, -4.0  # for changes of spectra: one bin in so many, and nothing softer than this
_MOST_PHONEMES = 400  # what the model was made for; digits can grow 300 characters far beyond

_LEVEL = 0.1  # -20 dBFS, root mean square of the frames with speech in them
_KNEE = 0.7  # samples above this are bent towards 1 instead of being clipped
_SILENT = 1e-3  # -60 dBFS; softer frames at the ends are cut off
_MARGIN = 2  # frames kept around what is louder
_FADE = 120  # samples, 5 ms

_SENTENCE_PAUSE, _CLAUSE_PAUSE, _OTHER_PAUSE = 0.3, 0.12, 0.2  # seconds at speed 1
_CLOSERS = "\"'”’»)]}*_ "

_STEP = 2  # frames in which the model counts the lengths of phonemes
_EARLY = 3  # frames by which a phoneme is heard before its counted beginning; see benchmarks/word_times.py


class SaidWord(NamedTuple):
    """One word that is heard: characters `start` to `end` of the text, and when it begins and ends in seconds."""

    start: int
    end: int
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Said:
    """A piece of a text, spoken.

    `samples` are as `Speaker.speak` gives them. `words` have their places in the whole text, and their times from the
    beginning of this piece.
    """

    text: str
    samples: Floats = field(repr=False)
    words: tuple[SaidWord, ...] = ()


def _pause_s(piece: str) -> float:
    """Seconds of silence that belong behind a piece."""
    last = piece.rstrip(_CLOSERS)[-1:]
    if last in ".!?…。！？":
        return _SENTENCE_PAUSE
    return _CLAUSE_PAUSE if last in ",;:—–-" else _OTHER_PAUSE


class _Harmonics:
    """Where the multiples of a pitch lie in the model's spectra.

    The model means its spectrum of the voiced sound only at the multiples of the pitch that it gives along; between
    them, and below the lowest, lies whatever its training left there, which a moved pitch would make heard. So the
    spectrum is read at the multiples and filled in between.
    """

    def __init__(self, pitch: Floats, bins: int) -> None:
        spacing = np.where(pitch > _VOICED, pitch, _MODEL_PITCH) / np.float32(_BIN_HZ)
        position = np.arange(bins, dtype=np.float32)[:, None] / spacing
        below = np.floor(position)
        self._share = position - below
        # Indices into the spectrum of shape (bins, frames) laid out flat: several times faster than two indices.
        frames = np.arange(len(pitch))
        last = np.float32(bins - 1)
        self._lower = np.rint(np.minimum(np.maximum(below, 1) * spacing, last)).astype(np.intp) * len(pitch) + frames
        self._upper = np.rint(np.minimum((below + 1) * spacing, last)).astype(np.intp) * len(pitch) + frames

    def joined(self, spectrum: Floats) -> Floats:
        """`spectrum` at the multiples, joined by straight lines; for magnitudes."""
        lower, upper = spectrum.take(self._lower), spectrum.take(self._upper)
        joined: Floats = lower + self._share * (upper - lower)
        return joined

    def nearest(self, spectrum: Floats) -> Floats:
        """`spectrum` at the nearest multiple; for phases, which have no sensible middle."""
        return spectrum.take(np.where(self._share < 0.5, self._lower, self._upper))


def _kept_frames(voiced: Floats, rest: Floats, pitch: Floats, rate: float) -> npt.NDArray[np.intp]:
    """Which frames to use, some twice or not at all, to go through them at `rate`.

    Quick speakers hurry over vowels and pauses more than over consonants. So from rate 1 on, more and more up to
    2, frames count by how fast the spectrum changes there. Of what five voices said at twice the speed, Whisper
    tiny.en then mistook 1 to 20 % of the words instead of 3 to 32 %.
    """
    frames = len(pitch)
    weight = np.ones(frames)
    if rate > 1:
        either = np.where(pitch > _VOICED, np.maximum(voiced, rest), rest)[::_EVERY_BIN].clip(_FLOOR)
        change = np.abs(np.diff(either, axis=1, prepend=either[:, :1])).mean(axis=0)
        change = np.convolve(change, np.ones(5) / 5)[2:-2]
        sounding = (rest.max(axis=0) > _INAUDIBLE) | (pitch > _VOICED)
        if change[sounding].any():
            relative = (change / change[sounding].mean() + 1) / 2
            weight = np.where(sounding, 1 + min(rate - 1, 1) * (relative - 1), 1)
    ends = np.cumsum(weight)
    count = max(round(frames / rate), 1)
    middles = (np.arange(count) + 0.5) * (ends[-1] / count)
    kept: npt.NDArray[np.intp] = np.minimum(np.searchsorted(ends, middles), frames - 1)
    return kept


def _amplitude(decibels: npt.NDArray[np.float64]) -> Floats:
    """Decibels as natural logarithms of an amplitude, which is what the model's spectra are in."""
    amplitude: Floats = (decibels * (np.log(10) / 20)).astype(np.float32)
    return amplitude


def _heard(wave: Floats) -> tuple[int, int, float]:
    """Where in a wave, in samples, what can be heard begins and ends, with a margin; and its level, 0 for silence."""
    frames = len(wave) // _FRAME
    power = np.square(wave[: frames * _FRAME]).reshape(frames, _FRAME).mean(axis=1)
    if not power.any():
        return 0, 0, 0.0
    level = float(np.sqrt(power[power > power.max() / 1000].mean()))
    heard = np.flatnonzero(power > (level * _SILENT / _LEVEL) ** 2)
    first, last = max(heard[0] - _MARGIN, 0), min(heard[-1] + 1 + _MARGIN, frames)
    return int(first) * _FRAME, int(last) * _FRAME, level


def _finished(wave: Floats, pause_s: float) -> Floats:
    """The wave at its level, without silence at its ends and clicks, and with the pause behind it."""
    first, last, level = _heard(wave)
    if not level:
        return np.zeros(0, np.float32)
    wave = wave[first:last] * np.float32(_LEVEL / level)

    size = np.abs(wave)
    bent = _KNEE + (1 - _KNEE) * np.tanh((size - _KNEE) / (1 - _KNEE))
    wave = np.where(size > _KNEE, np.copysign(bent, wave), wave).astype(np.float32)
    fade = np.linspace(0, 1, _FADE, dtype=np.float32)
    wave[:_FADE] *= fade
    wave[-_FADE:] *= fade[::-1]
    return np.concatenate([wave, np.zeros(round(pause_s * SAMPLE_RATE), np.float32)])


def _as_heard(words: list[SaidWord], samples: Floats) -> list[SaidWord]:
    """The words without what is silent behind them: the model counts half of a pause to the sound before it.

    And the first begins, and the last ends, with what is heard, whatever the model counts.
    """
    steps = len(samples) // _FADE
    power = np.square(samples[: steps * _FADE]).reshape(steps, _FADE).mean(axis=1)
    edges_s = np.flatnonzero(np.diff(power > (_LEVEL / 10) ** 2, prepend=False, append=False)) * (_FADE / SAMPLE_RATE)
    begins_s, ends_s = edges_s[::2], edges_s[1::2]  # of what is louder than -40 dBFS
    heard: list[SaidWord] = []
    for place, word in enumerate(words if len(begins_s) else ()):
        start_s = float(begins_s[0]) if not place else word.start_s
        end_s = float(ends_s[-1]) if place == len(words) - 1 else word.end_s
        before = int(np.searchsorted(begins_s, end_s)) - 1  # the last sound that begins before the word ends
        if before >= 0 and ends_s[before] > start_s:
            end_s = min(end_s, float(ends_s[before]))
        heard.append(word._replace(start_s=min(start_s, end_s), end_s=end_s))
    return heard


class Speaker:
    """The offline voice. Loading takes a second and 170 MB; keep one, for all threads.

    Parameters
    ----------
    threads : int
        Threads of the model's runtime. One speaks some seventy times as fast as a person.

    Examples
    --------
    >>> sound = Speaker().speak("Hello there.", "onyx")
    >>> sound.dtype, sound.ndim, 0.5 < len(sound) / SAMPLE_RATE < 2
    (dtype('float32'), 1, True)
    """

    def __init__(self, threads: int = 1) -> None:
        import soxr
        from hibari import dsp, tts

        self._reader = Reader()  # loads the dictionaries now and not in the first answer
        self._model = _session(Path(tts.voice_path(tts.DEFAULT)), threads)
        self._ids = json.loads(Path(tts.ASSETS, "vocab.json").read_text(encoding="utf-8"))
        self._synth = dsp.synth
        self._resample = soxr.resample
        self.spoken = Meter()

    def speak(self, text: str, voice: str = "alloy", speed: float = 1.0) -> Floats:
        """Speech of a text.

        Parameters
        ----------
        text : str
            English text of any length and kind. What the model can't say (emoji, most other scripts, control
            characters) is left out; no markup is interpreted.
        voice : str
            A name of `nbaudio.engine.voices.VOICES`.
        speed : float
            Factor on the voice's own pace, 0.25 to 4; the pitch stays.

        Returns
        -------
        numpy.ndarray
            float32, shape (frames,), `SAMPLE_RATE`, full scale ±1.0, speech at -20 dBFS (root mean square). It ends
            with a pause that fits its last punctuation, so arrays of successive pieces can be joined as they are.
            Empty if the text has nothing to say. The same arguments give the same samples.

        Raises
        ------
        ValueError
            If the voice is unknown or the speed out of range.
        """
        parts = [said.samples for said in self.say(text, voice, speed)]
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)

    def say(self, text: str, voice: str = "alloy", speed: float = 1.0) -> Iterator[Said]:
        """As `speak`, piece by piece, each as soon as it is made, with the times of its words.

        Pieces that have nothing to say are left out.

        Examples
        --------
        >>> [(said.text, len(said.words)) for said in Speaker().say("Hello there. 😀 How are you?")]
        [('Hello there.', 2), ('😀 How are you?', 3)]
        """
        if voice not in VOICES:
            raise ValueError(f"There is no voice {voice!r}; the voices are {', '.join(VOICES)}.")
        if not SLOWEST <= speed <= FASTEST:
            raise ValueError(f"The speed {speed!r} is not between {SLOWEST} and {FASTEST}.")
        return self._said(text, VOICES[voice], speed)

    def _said(self, text: str, voice: Voice, speed: float) -> Iterator[Said]:
        at = 0
        for piece in pieces(text):
            at = text.index(piece, at)
            said = self._piece(piece, at, voice, speed)
            if len(said.samples):
                yield said
            at += len(piece)

    def _piece(self, piece: str, at: int, voice: Voice, speed: float) -> Said:
        rate = speed * voice.pace
        reading = self._reader.read(piece)
        wave, edges = self._waves(reading, voice, rate)
        if not len(wave):
            return Said(piece, wave)
        first, last, level = _heard(wave)
        if not level:
            return Said(piece, wave[:0])
        samples = _finished(wave, _pause_s(plain(piece)) / rate)
        edges_s = (np.clip(edges, first, last) - first) / SAMPLE_RATE
        phonemes = np.arange(len(edges))
        words = [
            SaidWord(at + word.start, at + word.end, *np.interp([word.first, word.last], phonemes, edges_s).tolist())
            for word in reading.words
            if word.first < word.last
        ]
        self.spoken.add(len(samples) / SAMPLE_RATE)
        return Said(piece, samples, tuple(_as_heard(words, samples)))

    def _waves(self, reading: Reading, voice: Voice, rate: float) -> tuple[Floats, npt.NDArray[np.float64]]:
        """All of a piece at no particular level, and the sample at which each of its phonemes begins."""
        edges = np.full(len(reading.phonemes) + 1, np.nan)
        parts, at, frames = [], 0, 0
        for phonemes in textwrap.wrap(reading.phonemes, _MOST_PHONEMES):
            at = reading.phonemes.index(phonemes, at)
            if any(symbol.isalpha() for symbol in phonemes):
                wave, begins = self._wave(phonemes, voice, rate)
                edges[at : at + len(begins)] = frames + begins
                parts.append(wave)
                frames += len(wave)
            at += len(phonemes)
        known = np.flatnonzero(~np.isnan(edges))
        if not len(known):
            return np.zeros(0, np.float32), edges
        return np.concatenate(parts), np.interp(np.arange(len(edges)), known, edges[known])

    def _wave(self, phonemes: str, voice: Voice, rate: float) -> tuple[Floats, npt.NDArray[np.float64]]:
        """The voice saying phonemes, at no particular level; and the sample at which each begins, and the last ends."""
        # Formants move by resampling: the sound is made with a pitch and a pace that are off by the factor, and
        # played slower or faster. This keeps the phases whole, which stretching spectra would not.
        frames_rate = rate / voice.formants
        known = [symbol in self._ids for symbol in phonemes]
        ids = np.asarray([[0, *(self._ids[symbol] for symbol in phonemes if symbol in self._ids), 0]], np.int64)
        # The model rounds each sound's length to whole steps, so that between its speeds of 0.9 and 1.2 hardly anything
        # changes. Halves of its natural speed come out right; the remainder is made by repeating or leaving out frames.
        model_speed = 1.0 if frames_rate > 0.7 else 0.5 if frames_rate > 0.35 else 0.25
        inputs = {"ids": ids, "speed": np.asarray([model_speed], np.float32)}
        *made, ends = self._model.run(None, inputs)
        outputs: list[Any] = [output[0] for output in made]
        # A symbol that the model does not know takes no time.
        begins = np.maximum(ends[np.concatenate([[0], np.cumsum(known)])] * _STEP - _EARLY / model_speed, 0)
        if frames_rate != model_speed:
            kept = _kept_frames(outputs[0], outputs[3], outputs[5], frames_rate / model_speed)
            outputs = [output[..., kept] for output in outputs]
            begins = np.searchsorted(kept, begins)
        # The model puts half a second of silence around a sentence; the ends are made in `_finished`.
        sounding = np.flatnonzero((outputs[3].max(axis=0) > _INAUDIBLE) | (outputs[5] > _VOICED))
        if not sounding.size:
            return np.zeros(0, np.float32), np.zeros(len(phonemes) + 1)
        outputs = [output[..., sounding[0] : sounding[-1] + 1] for output in outputs]
        edges = np.clip(begins - sounding[0], 0, sounding[-1] + 1 - sounding[0]) * (_FRAME / voice.formants)
        voiced, phase, noise, rest, rest_phase, pitch = outputs

        is_voiced = pitch > _VOICED
        harmonics = _Harmonics(pitch, len(voiced))
        octaves = np.log2(np.arange(1, len(voiced) + 1) * (_BIN_HZ * voice.formants / 1000)).clip(-3, 3)[:, None]
        voiced = harmonics.joined(voiced) + _amplitude(voice.tilt * octaves)
        if voice.breath > _NO_BREATH:
            # Breath is nearly white where the voice falls by 12 dB per octave, so against it it rises.
            breath = voiced + _amplitude(voice.breath + 6 * octaves)
            noise = np.where(is_voiced, np.maximum(noise, breath), noise)
        melody = (pitch[is_voiced] / _MODEL_PITCH) ** voice.liveliness
        pitch = np.zeros_like(pitch)
        pitch[is_voiced] = np.clip(voice.pitch * melody, _LOWEST, _HIGHEST) / voice.formants

        wave: Floats = self._synth(
            voiced, harmonics.nearest(phase), noise, rest, rest_phase, pitch, np.random.default_rng(0)
        )
        if voice.formants == 1:
            return wave, edges
        resampled: Floats = self._resample(wave, SAMPLE_RATE * voice.formants, SAMPLE_RATE)
        return resampled, edges


def _session(path: Path, threads: int) -> Any:
    """The model of hibari, which also gives the end of each phoneme in steps of 25 ms."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = threads
    options.log_severity_level = 3
    # The graph sums up the lengths of phonemes and keeps the sums to itself. Protobuf merges a message that comes
    # twice: so this adds an output to the graph (ModelProto.graph is field 7, GraphProto.output 12, its name 1).
    name = b"/CumSum_output_0"
    model = path.read_bytes() + _message(7, _message(12, _message(1, name)))
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _message(number: int, content: bytes) -> bytes:
    """A field of a protobuf message, with a content of at most 127 bytes."""
    return bytes([number << 3 | 2, len(content)]) + content
