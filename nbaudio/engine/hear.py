"""Hear: speech to English text, by Whisper on CTranslate2 (https://github.com/SYSTRAN/faster-whisper).

Whisper invents words for silence and noise. So a voice-activity detector (Silero's, which ships in faster-whisper)
looks first and passes only speech on, and what Whisper itself holds for no speech, or repeats like a stuck record,
is dropped.

Whisper looks at windows of 30 s, and faster-whisper fills them up with silence. Its encoder takes a shorter window
as well, at a cost that falls with the length. But with too little silence behind the speech Whisper takes up the
sentence again from the start ("Thank you. Thank you."), often until its tokens end. Nobody speaks that fast, so an
answer that does not end is cut to what it repeats; what comes just twice may have been said twice, and is listened to
again with more silence, and at last in the whole window. And people do repeat themselves: where that too gives a stuck
record, each half of the sound is listened to by itself, in which less comes twice. `benchmarks/hearing.py` measures
words wrong and time by the silence behind.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbaudio.engine.in_turn import InTurn
from nbaudio.engine.meter import Meter
from nbaudio.engine.word_times import TimedWord, mended, word_times

__all__ = ["SAMPLE_RATE", "Listener", "Passage", "speech", "stretches"]

SAMPLE_RATE = 16_000
"""Hz that `Listener.hear` takes, as Whisper does."""

# The limits of Whisper's own decoder (openai/whisper, transcribe.py): above the first and below the second it is
# no speech; text that compresses better than the third repeats itself.
_NO_SPEECH, _LOG_PROBABILITY, _COMPRESSION = 0.6, -1.0, 2.4
_BEFORE_S, _AFTER_S = 0.1, 0.2  # kept around the speech: a first or last sound is easily missed
_PAUSE_MS = 250  # where longer speech may be cut
_LONGEST_SPEECH_S = 14.0  # in one window; with 22 s the small model skipped whole sentences
_SHORTEST_WINDOW_S = 8.0
_SHORTEST_SPLIT_S = 4.0  # speech that is longer is listened to by halves where nothing else helps
_ROOMS_S = (5.0, 11.0)  # silence behind the speech, at the first look and at the second
_FRAMES_A_SECOND = 100  # of Whisper's spectrum
_MOST_TOKENS = 224  # Whisper's own limit for a window
_TOKENS_A_SECOND = 12  # nobody speaks faster: what is longer is a sentence taken up again
_FEWEST_LETTERS_A_SECOND = 5  # of speech in which there are no long pauses; 12 are usual
_CONTEXT = 448  # tokens that its decoder holds
_MOST_PROMPT_TOKENS = _CONTEXT // 2 - 1  # as openai/whisper: half of the context, with the mark before them
_LOOK_AHEAD_S = 30.0  # of sound that is gathered before it is cut into stretches


@dataclass(frozen=True)
class Passage:
    """What is said in one stretch of speech.

    `start_s` and `end_s` are seconds in the whole sound, as are those of `words`, which are there if they were asked
    for. `log_probability` is the mean of its `tokens`, whose own are `token_log_probabilities`, as far as they are
    known; `no_speech` how likely it is that nobody speaks; `compression` how often the text repeats itself; and
    `temperature` is the one at which it was written down.
    """

    text: str
    start_s: float
    end_s: float
    words: tuple[TimedWord, ...] = ()
    tokens: tuple[int, ...] = ()
    token_log_probabilities: tuple[float, ...] = ()
    log_probability: float = 0.0
    no_speech: float = 0.0
    compression: float = 0.0
    temperature: float = 0.0


@dataclass(frozen=True)
class _How:
    """How a sound is to be listened to: words that stand before it, a temperature, and whether words get times."""

    prompt: tuple[int, ...] = ()
    temperature: float = 0.0
    timed: bool = False


_PLAINLY = _How()


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
        self._turn = InTurn()
        self.heard = Meter()

    def hear(self, samples: NDArray[np.float32]) -> str:
        """The words in a sound; empty where nobody speaks.

        Parameters
        ----------
        samples : float32, shape (frames,), full scale ±1.0, at `SAMPLE_RATE`
        """
        said = [self._in_turn(stretch, _PLAINLY) for stretch in speech(samples)]
        self.heard.add(len(samples) / SAMPLE_RATE)
        return " ".join(passage.text for passage in said if passage is not None)

    def passages(
        self,
        blocks: Iterable[NDArray[np.float32]],
        *,
        prompt: str = "",
        temperature: float = 0.0,
        timed: bool = False,
    ) -> Iterator[Passage]:
        """What is said in a sound of any length, stretch by stretch; no more of it is held than half a minute.

        Parameters
        ----------
        blocks : iterable of float32, shape (frames,), full scale ±1.0, at `SAMPLE_RATE`
            The sound, one part after the other.
        prompt : str
            A text that might stand before what is said: names in it are written as they are there. Its end counts,
            where it is longer than Whisper holds.
        temperature : float
            0 always takes the likeliest word; above it chance has a part.
        timed : bool
            Whether words get their times, which takes a fiftieth of the time of hearing.
        """
        ids = self._tokenizer.encode(f" {prompt.strip()}")[-_MOST_PROMPT_TOKENS:] if prompt.strip() else []
        how = _How((self._tokenizer.sot_prev, *ids) if ids else (), temperature, timed)
        for start, samples in stretches(self._counted(blocks)):
            passage = self._in_turn(samples, how)
            if passage is not None:
                yield _moved(passage, start / SAMPLE_RATE)

    def tokens_of(self, text: str) -> list[int]:
        """A text as Whisper's tokens."""
        return list(map(int, self._tokenizer.encode(text)))

    def token_text(self, token: int) -> str:
        """What a token of a passage stands for."""
        return str(self._tokenizer.decode([token]))

    def look(self, speech: NDArray[np.float32], room_s: float) -> str | None:
        """The words, from a window that fits; None where Whisper is unsure of them."""
        passage = self._look(speech, room_s, _PLAINLY)
        return None if passage is None else passage.text

    def _in_turn(self, speech: NDArray[np.float32], how: _How) -> Passage | None:
        with self._turn:  # others take theirs between two stretches
            return self._passage(speech, how)

    def _counted(self, blocks: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        for block in blocks:
            self.heard.add(len(block) / SAMPLE_RATE)
            yield block

    def _passage(self, speech: NDArray[np.float32], how: _How) -> Passage | None:
        """What is said in one stretch of speech; None for nothing."""
        looks = (self._look(speech, room_s, how) for room_s in _ROOMS_S)
        heard = next((passage for passage in looks if passage is not None), None)
        if heard is None:
            heard, dropped = self._with_all_means(speech, how)
            if dropped and speech.size > _SHORTEST_SPLIT_S * SAMPLE_RATE:
                heard = self._by_halves(speech, how)
        text = heard.text
        if not any(map(str.isalnum, text)):
            return None
        first = heard.words[:1]
        if first and first[0].text[:1] == text[:1]:
            first = (replace(first[0], text=_capital(first[0].text)),)
        # the small model sometimes begins a sentence without its capital
        text = _capital(text)
        tokens = tuple(self.tokens_of(f" {text}")) if text != heard.text else heard.tokens
        return replace(
            heard,
            text=text,
            words=(*first, *heard.words[1:]),
            tokens=tokens if len(tokens) == len(heard.tokens) else heard.tokens,
            compression=_compression(text),
        )

    def _look(self, speech: NDArray[np.float32], room_s: float, how: _How) -> Passage | None:
        duration_s = speech.size / SAMPLE_RATE
        frames = int(max(_SHORTEST_WINDOW_S, duration_s + room_s) * _FRAMES_A_SECOND)
        prompt = [*how.prompt, *self._prompt]
        most_tokens = min(_MOST_TOKENS, 16 + int(duration_s * _TOKENS_A_SECOND), _CONTEXT - len(prompt))
        spectrum = self._whisper.feature_extractor(speech)[:, :frames]
        # Silence in the spectrum is its lowest value, as in the 30 s that Whisper was trained on.
        quiet = np.full((spectrum.shape[0], frames - spectrum.shape[1]), spectrum.min(), spectrum.dtype)
        seen = self._whisper.encode(np.ascontiguousarray(np.concatenate([spectrum, quiet], axis=1)))
        chance = {"sampling_topk": 0, "sampling_temperature": how.temperature} if how.temperature else {}
        result: Any = self._whisper.model.generate(
            seen,
            [prompt],
            beam_size=1,
            # CTranslate2 gives half of it to the answer, or what the prompt leaves, if that is less (whisper.cc).
            max_length=max(2 * most_tokens, len(prompt) + most_tokens),
            return_scores=True,
            return_no_speech_prob=True,
            **chance,
        )[0]
        tokens = [token for token in result.sequences_ids[0] if token < self._tokenizer.eot]
        text = self._tokenizer.decode(tokens).strip()
        if len(result.sequences_ids[0]) >= most_tokens:  # more than can be said in this time
            once = _once(text)
            slow = once is not None and len(once) < duration_s * _FEWEST_LETTERS_A_SECOND
            if once is None or (slow and duration_s > _SHORTEST_SPLIT_S):  # so slow nobody is: it was said again
                return None
            text, tokens = once, self._tokenizer.encode(f" {once}")
        else:
            unsure = result.scores[0] < _LOG_PROBABILITY
            if unsure and result.no_speech_prob > _NO_SPEECH:
                text, tokens = "", []
            elif unsure or _compression(text) > _COMPRESSION or _repeats_itself(text):
                return None
        words: list[TimedWord] = []
        chances: list[float] = []
        if how.timed:
            sounding = min(frames, int(duration_s * _FRAMES_A_SECOND))
            words, chances = word_times(self._whisper.model, self._tokenizer, seen, tokens, sounding)
        return Passage(
            text,
            0.0,
            duration_s,
            tuple(mended(words, speech, SAMPLE_RATE)),
            tuple(tokens),
            tuple(np.log(np.maximum(chances, 1e-10)).tolist()),
            log_probability=float(result.scores[0]),
            no_speech=float(result.no_speech_prob),
            temperature=how.temperature,
        )

    def _by_halves(self, speech: NDArray[np.float32], how: _How) -> Passage:
        """What is said before and behind the softest moment in the middle."""
        middle = _softest(speech)
        halves = ((0, speech[:middle]), (middle, speech[middle:]))
        heard = [(start, self._passage(half, how)) for start, half in halves]
        parts = [_moved(passage, start / SAMPLE_RATE) for start, passage in heard if passage is not None]
        return Passage(
            " ".join(part.text for part in parts),
            0.0,
            speech.size / SAMPLE_RATE,
            tuple(word for part in parts for word in part.words),
            tuple(token for part in parts for token in part.tokens),
            tuple(chance for part in parts for chance in part.token_log_probabilities),
            log_probability=min((part.log_probability for part in parts), default=0.0),
            no_speech=max((part.no_speech for part in parts), default=0.0),
            temperature=max((part.temperature for part in parts), default=0.0),
        )

    def _with_all_means(self, speech: NDArray[np.float32], how: _How) -> tuple[Passage, bool]:
        """The words by Whisper's own loop, which tries again with chance where it is unsure.

        And whether words were dropped that it was sure of, because they repeat themselves.
        """
        found, _ = self._whisper.transcribe(
            speech,
            language="en",
            beam_size=1,
            temperature=(how.temperature, how.temperature + 0.4),
            condition_on_previous_text=False,
            initial_prompt=list(how.prompt[1:]) or None,
            word_timestamps=how.timed,
            no_speech_threshold=_NO_SPEECH,
            log_prob_threshold=_LOG_PROBABILITY,
            compression_ratio_threshold=_COMPRESSION,
        )
        sure = [segment for segment in found if segment.avg_logprob >= _LOG_PROBABILITY]
        kept = [segment for segment in sure if segment.compression_ratio <= _COMPRESSION]
        words = [
            TimedWord(word.word.strip(), float(word.start), float(word.end), float(word.probability))
            for segment in kept
            for word in segment.words or ()
        ]
        passage = Passage(
            " ".join(segment.text.strip() for segment in kept),
            0.0,
            speech.size / SAMPLE_RATE,
            tuple(mended(words, speech, SAMPLE_RATE)),
            tuple(token for segment in kept for token in segment.tokens if token < self._tokenizer.eot),
            log_probability=min((float(segment.avg_logprob) for segment in kept), default=0.0),
            no_speech=max((float(segment.no_speech_prob) for segment in kept), default=0.0),
            temperature=max((float(segment.temperature or 0.0) for segment in kept), default=0.0),
        )
        return passage, len(kept) < len(sure)


def _moved(passage: Passage, by_s: float) -> Passage:
    """A passage of a stretch that begins so many seconds into the sound."""
    words = tuple(
        replace(word, start_s=round(word.start_s + by_s, 3), end_s=round(word.end_s + by_s, 3))
        for word in passage.words
    )
    start_s, end_s = (words[0].start_s, words[-1].end_s) if words else (passage.start_s + by_s, passage.end_s + by_s)
    return replace(passage, start_s=round(start_s, 3), end_s=round(end_s, 3), words=words)


def stretches(blocks: Iterable[NDArray[np.float32]]) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """As `speech`, of a sound that comes in parts: where each stretch begins, in frames, and its samples."""
    waiting: list[NDArray[np.float32]] = []
    begins = size = 0
    for block in blocks:
        waiting.append(block)
        size += len(block)
        if size < _LOOK_AHEAD_S * SAMPLE_RATE:
            continue
        sound = np.concatenate(waiting)
        found = _spans(sound)
        # The last one may go on in what is still to come.
        *whole, (rest, _) = found or [(max(0, len(sound) - int(_BEFORE_S * SAMPLE_RATE)), 0)]
        if not whole and rest == 0:  # nobody pauses that long
            whole, rest = found, found[0][1]
        for start, end in whole:
            yield begins + start, sound[start:end]
        waiting, size = [sound[rest:].copy()], len(sound) - rest
        begins += rest
    if waiting:
        sound = np.concatenate(waiting)
        for start, end in _spans(sound):
            yield begins + start, sound[start:end]


def speech(samples: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """The stretches in which somebody speaks, with their pauses, each short enough for one window."""
    return [samples[start:end] for start, end in _spans(samples)]


def _spans(samples: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Where those stretches begin and end, in frames."""
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    options = VadOptions(
        threshold=0.5,
        min_speech_duration_ms=120,
        min_silence_duration_ms=_PAUSE_MS,
        speech_pad_ms=100,
        max_speech_duration_s=_LONGEST_SPEECH_S,
    )
    spans: list[tuple[int, int]] = []
    for span in get_speech_timestamps(samples, options):
        start = max(0, span["start"] - int(_BEFORE_S * SAMPLE_RATE))
        end = min(len(samples), span["end"] + int(_AFTER_S * SAMPLE_RATE))
        if spans and end - spans[-1][0] <= _LONGEST_SPEECH_S * SAMPLE_RATE:
            start = spans.pop()[0]
        elif spans:
            start = max(start, spans[-1][1])
        spans.append((start, end))
    return spans


def _softest(samples: NDArray[np.float32]) -> int:
    """The frame in the middle half about which 0.2 s are softer than anywhere else there."""
    step = SAMPLE_RATE // 100
    power = np.square(samples[: len(samples) // step * step], dtype=np.float64).reshape(-1, step).mean(axis=1)
    smooth = np.convolve(power, np.ones(20), mode="same")
    first, last = len(smooth) // 4, 3 * len(smooth) // 4
    return int(first + np.argmin(smooth[first:last])) * step


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


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
