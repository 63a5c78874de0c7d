"""When each word sounds, as Whisper's attention tells it, mended where the sound itself knows better.

CTranslate2 lays a text over the sound by the attention of some of the decoder's heads (dynamic time warping, as
openai/whisper does in timing.py). Two things come out wrong that can be put right: a word before a pause is given the
pause, so edges are moved to the silence that lies there; and now and then a word gets no time at all, because the one
before it has taken all, so the two share by their letters. `benchmarks/word_times.py` measures what is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbaudio.captions.pauses import Loudness

__all__ = ["TimedWord", "mended", "word_times"]

_S_A_STEP = 0.02  # of the encoder's output
_SHORTEST_S = 0.05  # nobody says a word faster
_PAUSE_S = 0.1  # what is shorter is as often the closure of a p, t or k within a word
_NEAR_S = 0.15  # an edge this close to a pause belongs to it
_FAR_S = 0.5  # a first word that begins further from the speech's beginning is left where it is


@dataclass(frozen=True)
class TimedWord:
    """A word as it is written, with its marks; the seconds between which it sounds; and how likely it is, 0 to 1."""

    text: str
    start_s: float
    end_s: float
    probability: float


def word_times(
    model: Any, tokenizer: Any, seen: Any, tokens: Sequence[int], frames: int
) -> tuple[list[TimedWord], list[float]]:
    """The words of a window with their times in it, and the probability of each token.

    Parameters
    ----------
    model : ctranslate2.models.Whisper
    tokenizer : faster_whisper.tokenizer.Tokenizer
    seen : ctranslate2.StorageView
        What the encoder made of the window.
    tokens : sequence of int
        Of the text, without special ones.
    frames : int
        How many of the window's frames are sound, 100 a second.
    """
    if not tokens:
        return [], []
    aligned = model.align(seen, tokenizer.sot_sequence, [list(tokens)], frames)[0]
    path = np.asarray(aligned.alignments, np.int64)
    # Where each token is first heard; the last entry is the end of the text.
    firsts = np.searchsorted(path[:, 0], np.arange(len(tokens) + 1))
    times_s = path[np.minimum(firsts, len(path) - 1), 1] * _S_A_STEP
    chances = [float(chance) for chance in aligned.text_token_probs]
    written, parts = tokenizer.split_to_word_tokens([*tokens, tokenizer.eot])
    words: list[TimedWord] = []
    counts: list[int] = []
    at = 0
    for text, part in zip(written[:-1], parts[:-1], strict=True):
        start_s, end_s = float(times_s[at]), float(times_s[at + len(part)])
        chance = float(np.mean(chances[at : at + len(part)]))
        at += len(part)
        if words and not text.startswith(" "):  # a mark, or the rest of a word with a hyphen: it belongs to the word
            word, count = words[-1], counts[-1]
            sounds = any(map(str.isalnum, text))
            joined = (word.probability * count + chance * len(part)) / (count + len(part))
            words[-1] = TimedWord(word.text + text, word.start_s, end_s if sounds else word.end_s, joined)
            counts[-1] += len(part)
        else:
            words.append(TimedWord(text, start_s, end_s, chance))
            counts.append(len(part))
    stripped = (replace(word, text=word.text.strip()) for word in words)
    return [word for word in stripped if word.text], chances


def mended(words: Sequence[TimedWord], sound: NDArray[np.float32], sample_rate: int) -> list[TimedWord]:
    """The words with times that fit the sound: in order, at its pauses, each with a time of its own."""
    if not words:
        return []
    duration_s = len(sound) / sample_rate
    starts = [min(word.start_s, duration_s) for word in words]
    ends = [min(word.end_s, duration_s) for word in words]
    loudness = Loudness(sample_rate)
    loudness.add(sound)
    speech = loudness.speech()
    if speech is not None:
        if abs(starts[0] - speech.start_s) <= _FAR_S:
            starts[0] = speech.start_s
        ends[-1] = max(starts[-1], min(ends[-1], speech.end_s))
        for pause_start_s, pause_end_s in speech.pauses.tolist():
            if pause_end_s - pause_start_s >= _PAUSE_S:
                _meet(starts, ends, pause_start_s, pause_end_s)
    _share(words, starts, ends)
    made, last_s = [], 0.0
    for word, start_s, end_s in zip(words, starts, ends, strict=True):
        start_s = max(last_s, start_s)
        last_s = max(start_s, end_s)
        made.append(replace(word, start_s=round(start_s, 3), end_s=round(last_s, 3)))
    return made


def _meet(starts: list[float], ends: list[float], pause_start_s: float, pause_end_s: float) -> None:
    """Have the two words whose border is nearest to a pause end before it and begin behind it."""
    away = [max(pause_start_s - start_s, start_s - pause_end_s, 0.0) for start_s in starts[1:]]
    if not away or min(away) > _NEAR_S:
        return
    right = away.index(min(away)) + 1
    if starts[right - 1] < pause_start_s and (right + 1 == len(starts) or pause_end_s < starts[right + 1]):
        ends[right - 1], starts[right] = pause_start_s, pause_end_s
        ends[right] = max(ends[right], pause_end_s)


def _share(words: Sequence[TimedWord], starts: list[float], ends: list[float]) -> None:
    """Give a word that has hardly any time a part of its neighbour's, by their letters."""
    for at in range(1, len(words)):
        if ends[at] - starts[at] >= _SHORTEST_S or starts[at] - ends[at - 1] > _SHORTEST_S:
            continue
        first_s, last_s = starts[at - 1], max(ends[at], starts[at])
        left, right = len(words[at - 1].text), len(words[at].text)
        if last_s - first_s > 2 * _SHORTEST_S:
            ends[at - 1] = starts[at] = first_s + (last_s - first_s) * left / (left + right)
            ends[at] = last_s
