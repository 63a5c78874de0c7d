"""Captions of a transcript whose words or sentences have times already."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from nbaudio.captions.phrases import Captions, Phrase
from nbaudio.captions.phrasing import Span, Wording
from nbaudio.captions.subtitles import Cue, lines_of

__all__ = ["captions_of_segments", "captions_of_words", "phrases_within"]

_LOOK_AHEAD = 400  # characters in which the next word is looked for; further on it is another one of the same letters
_ENOUGH = 0.8  # of the words have to be found


def captions_of_words(text: str, words: Sequence[Cue]) -> Captions | None:
    """The phrases of a text, each from its first word's beginning to its last word's end.

    Parameters
    ----------
    text : str
    words : sequence of (text, start_s, end_s)
        In order. They need not be written quite as in the text: Whisper's have no marks.

    Returns
    -------
    Captions or None
        None where most of the words are not in the text.

    Examples
    --------
    >>> captions_of_words("Yes. It is.", [("yes", 0.1, 0.4), ("it", 1.0, 1.2), ("is", 1.2, 1.5)]).phrases
    (Phrase(text='Yes.', start_s=0.1, end_s=0.4), Phrase(text='It is.', start_s=1.0, end_s=1.5))
    """
    spans = _spans(text)
    times: list[list[tuple[float, float]]] = [[] for _ in spans]
    lowered, cursor, found = text.lower(), 0, 0
    for word, start_s, end_s in words:
        plain = word.strip().lower()
        at = lowered.find(plain, cursor, cursor + _LOOK_AHEAD) if plain else -1
        if at < 0:
            continue
        cursor, found = at + len(plain), found + 1
        place = bisect_right(spans, at, key=lambda span: span.start) - 1
        if place >= 0:
            times[place].append((start_s, end_s))
    if not words or found < _ENOUGH * len(words):
        return None
    phrases: list[Phrase] = []
    for span, inside in zip(spans, times, strict=True):
        said = _one_line(text[span.start : span.end])
        if inside:
            last_s = phrases[-1].end_s if phrases else 0.0
            start_s = max(last_s, min(start for start, _ in inside))
            phrases.append(Phrase(said, start_s, max(start_s, *(end for _, end in inside))))
        elif phrases:  # none of its words has a time: it goes on with the one before
            before = phrases.pop()
            phrases.append(Phrase(f"{before.text} {said}", before.start_s, before.end_s))
    return Captions(phrases)


def captions_of_segments(segments: Iterable[Cue]) -> Captions:
    """The phrases of sentences that have times; of a long one, each gets the share that its letters ask for.

    Examples
    --------
    >>> captions_of_segments([("Yes.", 0.0, 0.8), ("It is.", 0.8, 1.5)]).phrases[1]
    Phrase(text='It is.', start_s=0.8, end_s=1.5)
    """
    return Captions(phrase for text, start_s, end_s in segments for phrase in phrases_within(text, start_s, end_s))


def phrases_within(text: str, start_s: float, end_s: float) -> list[Phrase]:
    """The phrases of a text that is said evenly between two times."""
    spans = _spans(text)
    letters = spans[-1].ends if spans else 0.0
    if not letters:
        said = _one_line(text)
        return [Phrase(said, start_s, end_s)] if said else []
    pace = (end_s - start_s) / letters
    return [
        Phrase(
            _one_line(text[span.start : span.end]),
            round(start_s + span.begins * pace, 3),
            round(start_s + span.ends * pace, 3),
        )
        for span in spans
    ]


def _spans(text: str) -> list[Span]:
    wording = Wording()
    wording.add(text)
    return wording.phrases()


def _one_line(text: str) -> str:
    return " ".join(" ".join(lines_of(text)).split())
