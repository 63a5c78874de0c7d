"""Where a long recording is cut: in pauses, so that no word is torn."""

from __future__ import annotations

import math
from typing import NamedTuple

from nbaudio.captions.pauses import SHORTEST_PAUSE_S, Loudness
from nbaudio.transcribing.recording import Recording

__all__ = ["Limits", "Piece", "cut"]

_EARLIEST = 0.75  # of a piece's length, from which on a pause is a place to cut
_LONG_ENOUGH_S = 0.6  # a pause of a breath; of longer ones the nearer is as good
_MIDDLE_DB = 6.0  # so much louder than the ends of a pause its middle may be, to be the place
_LAST_RESORT_S = 5.0  # without a pause the cut is at the softest moment of so many seconds


class Piece(NamedTuple):
    """A part of a recording: its number, and the seconds at which it begins and ends.

    The end of one whose length is not known is infinite. `silent` says that nothing sounds in it: there is nothing to
    be sent.
    """

    number: int
    start_s: float
    end_s: float
    silent: bool = False

    @property
    def duration_s(self) -> float:
        """How long it is; 0 where that is not known."""
        return self.end_s - self.start_s if math.isfinite(self.end_s) else 0.0


class Limits(NamedTuple):
    """What one request can hold: bytes of a sound file, and seconds; longer recordings go in pieces of `piece_s`.

    `bytes_per_s` is how large a second of a piece is.
    """

    most_bytes: int
    longest_s: float
    piece_s: float
    bytes_per_s: float

    @property
    def most_s(self) -> float:
        """The longest piece, in seconds."""
        return min(self.longest_s, self.most_bytes / self.bytes_per_s)


def cut(recording: Recording, limits: Limits) -> list[Piece]:
    """The pieces of a recording, in order: one where it fits whole.

    It is read once, in blocks, for its pauses.

    Raises
    ------
    ClipError
        If it can't be read.
    """
    assert recording.duration_s is not None  # one that can't be read here can't be cut
    duration_s = recording.duration_s
    if duration_s <= limits.most_s:
        return [Piece(0, 0.0, duration_s)]
    loudness = Loudness(recording.clip.sample_rate if recording.clip else 1)
    with recording.reader() as reader:
        for block in reader.blocks():
            loudness.add(block)
        duration_s = reader.position / reader.sample_rate  # a header's length may be an estimate
    longest_s = min(limits.most_s, limits.piece_s)
    pieces: list[Piece] = []
    start_s = 0.0
    while duration_s - start_s > longest_s:
        # Of about the same length: a last one of a few seconds would be heard without what belongs to it.
        even_s = (duration_s - start_s) / math.ceil((duration_s - start_s) / longest_s)
        most_s = min(longest_s, even_s * 1.1)
        end_s = _place(loudness, start_s + most_s * _EARLIEST, start_s + even_s, start_s + most_s)
        pieces.append(_piece(loudness, len(pieces), start_s, end_s))
        start_s = end_s
    return [*pieces, _piece(loudness, len(pieces), start_s, duration_s)]


def _piece(loudness: Loudness, number: int, start_s: float, end_s: float) -> Piece:
    return Piece(number, start_s, end_s, silent=loudness.speech(start_s, end_s) is None)


def _place(loudness: Loudness, earliest_s: float, wished_s: float, latest_s: float) -> float:
    """A place in the best pause between two times: a long one near to where the cut is wished for.

    Beside a bang soft words count as a pause too, and so it is the softest place in it, near the middle.
    """
    speech = loudness.speech(earliest_s, latest_s, pauses_at_its_end=True)
    if speech is None:  # silence throughout
        return round(wished_s, 2)
    pauses = [(earliest_s, speech.start_s), *((float(start), float(end)) for start, end in speech.pauses)]
    window_s = latest_s - earliest_s

    def good(start: float, end: float) -> float:
        return min(end - start, _LONG_ENOUGH_S) - abs((start + end) / 2 - wished_s) / window_s / 10

    rated = [(good(start, end), start, end) for start, end in pauses if end - start >= SHORTEST_PAUSE_S]
    if rated:
        _, start, end = max(rated)
        return round(loudness.softest(start, end, middle_db=_MIDDLE_DB), 2)
    return loudness.softest(max(earliest_s, latest_s - _LAST_RESORT_S), latest_s)
