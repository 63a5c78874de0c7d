"""Text to speech, offline: hibari's model with thirteen voices.

hibari (Apache-2.0) predicts, for every 12.5 ms, a pitch and three spectra: of the voiced sound, of noise, and of
what remains (consonants mostly). Its `synth` turns them into a wave. Between the two this module bends them into a
`Voice`, and after it sets the level, the ends and the pause. hibari's parts are used one by one because its own
call has none of these settings; hence the exact pin of its version.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from typing import Any

import numpy as np
import numpy.typing as npt

from nbaudio.engine.meter import Meter
from nbaudio.engine.sentences import pieces
from nbaudio.engine.voices import VOICES, Voice

__all__ = ["FASTEST", "SAMPLE_RATE", "SLOWEST", "Speaker"]

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

_MARKUP = re.compile(r"\[([^\[\]]*)\]\([^()]*\)")
_LONG_NUMBER = re.compile(r"\d{13,}|\d[\d,.]{24,}\d")  # read digit by digit: nobody says them as numbers


def _plain(text: str) -> str:
    """Text that hibari reads as words and nothing else.

    hibari takes ``[word](/phonemes/)`` for an instruction, and fails on digits like ① and ⁷, on numbers beyond its
    number words, and on İ, which becomes two characters when lowered. A language model may write any of these.
    """
    kept = []
    for character in text.replace("İ", "I"):
        kind = unicodedata.category(character)
        if kind == "Cc":
            kept.append("\n" if character == "\n" else " ")
        elif kind[0] == "C":
            continue
        elif character.isdigit() and not character.isdecimal() and character not in "²³":
            kept.append(f" {unicodedata.digit(character)} ")
        else:
            kept.append(character)
    plain = _MARKUP.sub(r"\1", "".join(kept)).replace("](", "] (")
    return _LONG_NUMBER.sub(lambda number: " ".join(filter(str.isdecimal, number[0])), plain)


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


def _finished(wave: Floats, pause_s: float) -> Floats:
    """The wave at its level, without silence at its ends and clicks, and with the pause behind it."""
    frames = len(wave) // _FRAME
    power = np.square(wave[: frames * _FRAME]).reshape(frames, _FRAME).mean(axis=1)
    if not power.any():
        return np.zeros(0, np.float32)
    level = np.sqrt(power[power > power.max() / 1000].mean())
    heard = np.flatnonzero(power > (level * _SILENT / _LEVEL) ** 2)
    first, last = max(heard[0] - _MARGIN, 0), min(heard[-1] + 1 + _MARGIN, frames)
    wave = wave[first * _FRAME : last * _FRAME] * np.float32(_LEVEL / level)

    size = np.abs(wave)
    bent = _KNEE + (1 - _KNEE) * np.tanh((size - _KNEE) / (1 - _KNEE))
    wave = np.where(size > _KNEE, np.copysign(bent, wave), wave).astype(np.float32)
    fade = np.linspace(0, 1, _FADE, dtype=np.float32)
    wave[:_FADE] *= fade
    wave[-_FADE:] *= fade[::-1]
    return np.concatenate([wave, np.zeros(round(pause_s * SAMPLE_RATE), np.float32)])


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
        import hibari
        import soxr

        self._hibari = hibari.Hibari(threads=threads)
        self._synth = hibari.tts.dsp.synth
        self._resample = soxr.resample
        self._phonemes_of = self._hibari.g2p  # loads the dictionaries now and not in the first answer
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
        if voice not in VOICES:
            raise ValueError(f"There is no voice {voice!r}; the voices are {', '.join(VOICES)}.")
        if not SLOWEST <= speed <= FASTEST:
            raise ValueError(f"The speed {speed!r} is not between {SLOWEST} and {FASTEST}.")
        parts = [self._piece(piece, VOICES[voice], speed) for piece in pieces(_plain(text))]
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)

    def _piece(self, piece: str, voice: Voice, speed: float) -> Floats:
        rate = speed * voice.pace
        said = [
            self._wave(phonemes, voice, rate)
            for phonemes in textwrap.wrap(self._phonemes_of(piece), _MOST_PHONEMES)
            if any(symbol.isalpha() for symbol in phonemes)
        ]
        wave = _finished(np.concatenate(said), _pause_s(piece) / rate) if said else np.zeros(0, np.float32)
        self.spoken.add(len(wave) / SAMPLE_RATE)
        return wave

    def _wave(self, phonemes: str, voice: Voice, rate: float) -> Floats:
        """The voice saying phonemes, at no particular level."""
        # Formants move by resampling: the sound is made with a pitch and a pace that are off by the factor, and
        # played slower or faster. This keeps the phases whole, which stretching spectra would not.
        frames_rate = rate / voice.formants
        ids = np.asarray([self._hibari.ids(phonemes)], np.int64)
        # The model rounds each sound's length to whole steps, so that between its speeds of 0.9 and 1.2 hardly anything
        # changes. Halves of its natural speed come out right; the remainder is made by repeating or leaving out frames.
        model_speed = 1.0 if frames_rate > 0.7 else 0.5 if frames_rate > 0.35 else 0.25
        inputs = {"ids": ids, "speed": np.asarray([model_speed], np.float32)}
        outputs: list[Any] = [output[0] for output in self._hibari.sess.run(None, inputs)]
        if frames_rate != model_speed:
            kept = _kept_frames(outputs[0], outputs[3], outputs[5], frames_rate / model_speed)
            outputs = [output[..., kept] for output in outputs]
        # The model puts half a second of silence around a sentence; the ends are made in `_finished`.
        sounding = np.flatnonzero((outputs[3].max(axis=0) > _INAUDIBLE) | (outputs[5] > _VOICED))
        if not sounding.size:
            return np.zeros(0, np.float32)
        outputs = [output[..., sounding[0] : sounding[-1] + 1] for output in outputs]
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
            return wave
        resampled: Floats = self._resample(wave, SAMPLE_RATE * voice.formants, SAMPLE_RATE)
        return resampled
