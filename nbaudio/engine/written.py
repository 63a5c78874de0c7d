"""What the ears have heard, in the protocol's words: sentences with times, words, segments, log probabilities."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from nbaudio.captions.known_times import captions_of_words
from nbaudio.captions.subtitles import Cue
from nbaudio.engine.hear import Listener, Passage
from nbaudio.engine.word_times import TimedWord

__all__ = ["Sentence", "cues", "log_probabilities", "segments", "sentences", "words"]

_ENDS = (".", "!", "?", "…")
_CLOSERS = "\"'”’)]"
_FRAMES_A_SECOND = 100  # of Whisper's spectrum, in which `seek` counts


class Sentence(NamedTuple):
    """A sentence of a passage, and the seconds between which it sounds."""

    text: str
    start_s: float
    end_s: float


def sentences(passage: Passage) -> list[Sentence]:
    """The sentences of a passage; all of it is one where its words have no times."""
    if not passage.words:
        return [Sentence(passage.text, passage.start_s, passage.end_s)]
    found: list[Sentence] = []
    begun: list[TimedWord] = []
    for word in passage.words:
        begun.append(word)
        if word.text.rstrip(_CLOSERS).endswith(_ENDS):
            found.append(_sentence(begun))
            begun = []
    return [*found, _sentence(begun)] if begun else found


def _sentence(said: list[TimedWord]) -> Sentence:
    return Sentence(" ".join(word.text for word in said), said[0].start_s, said[-1].end_s)


def segments(passages: Iterable[Passage], listener: Listener) -> list[dict[str, Any]]:
    """The segments of a ``verbose_json``: sentences, with what is known of the stretch in which each is said."""
    made: list[dict[str, Any]] = []
    for passage in passages:
        for sentence in sentences(passage):
            made.append(
                {
                    "id": len(made),
                    "seek": int(passage.start_s * _FRAMES_A_SECOND),
                    "start": sentence.start_s,
                    "end": sentence.end_s,
                    "text": f" {sentence.text}",
                    "tokens": listener.tokens_of(f" {sentence.text}"),
                    "temperature": passage.temperature,
                    "avg_logprob": passage.log_probability,
                    "compression_ratio": passage.compression,
                    "no_speech_prob": passage.no_speech,
                }
            )
    return made


def words(passages: Iterable[Passage]) -> list[dict[str, Any]]:
    """The words of a ``verbose_json``."""
    return [
        {"word": word.text, "start": word.start_s, "end": word.end_s} for passage in passages for word in passage.words
    ]


def cues(passages: Iterable[Passage]) -> list[Cue]:
    """The phrases of subtitles, none longer than a line or two."""
    found: list[Cue] = []
    for passage in passages:
        timed = [(word.text, word.start_s, word.end_s) for word in passage.words]
        phrases = captions_of_words(passage.text, timed)
        if phrases is None:
            found.append((passage.text, passage.start_s, passage.end_s))
        else:
            found += [(phrase.text, phrase.start_s, phrase.end_s) for phrase in phrases]
    return found


def log_probabilities(passage: Passage, listener: Listener) -> list[dict[str, Any]]:
    """The tokens of a passage with the logarithms of their probabilities, as ``include[]=logprobs`` has them."""
    made = []
    for token, likely in zip(passage.tokens, passage.token_log_probabilities, strict=False):
        text = listener.token_text(token)
        half = "\ufffd" in text  # of a character, which no text can be
        made.append({"token": text, "bytes": None if half else list(text.encode()), "logprob": round(likely, 6)})
    return made
