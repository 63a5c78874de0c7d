"""Passages that arrive side by side, joined in their order: no click, and no longer pause than a speaker makes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from nbaudio.speaking.spilling import LongSound, Pieces, Spill
from nbaudio.wire.answers import STREAM_SAMPLE_RATE, AudioDelta, TextDelta

__all__ = ["Joining"]

Samples = npt.NDArray[np.int16]

_QUIET = 104  # of 32,768: -50 dBFS
_PAUSE = round(0.6 * STREAM_SAMPLE_RATE)
"""The longest pause between two passages, in frames; voices put half a second of silence at either end of a text."""
_FADE = 120  # frames, 5 ms: where a passage begins or ends in the middle of a sound


class Joining:
    """Takes the pieces of each passage whenever they come, and passes them on in order.

    The sound is mono PCM16 at 24,000 Hz. Of a single passage nothing is changed. Between two passages what is quiet is
    cut to `_PAUSE`, and a sound that is cut off is faded; all else goes through as it is.

    Parameters
    ----------
    put : callable
        Gets the pieces.
    count : int
        How many passages there are.
    spill : Spill, optional
        Where the sound of passages waits for those before them.

    Attributes
    ----------
    sound : LongSound
        All sound that has been passed on.
    words : list of str
        The words that have been passed on, of each passage that has begun.
    begins : list of int
        The frame at which each of these passages begins to be heard.
    offsets : list of int
        The frame at which its first one stands, or would stand if it had not been cut.
    """

    def __init__(self, put: Callable[[TextDelta | AudioDelta], None], count: int, spill: Spill | None = None) -> None:
        self._put, self._count = put, count
        self._waiting = [Pieces(spill) for _ in range(count)]
        self._done = [False] * count
        self._turn = 0
        self._held = np.zeros(0, np.int16)  # the end of the sound so far, which may be the end of its passage
        # Of a later passage, until it is heard: what is quiet before its first sound, and its words. The first one has
        # nothing to be joined to.
        self._opening: Samples | None = None
        self._first_words: list[str] = []
        self._heard = False  # whether any sound has come that is not quiet
        self.sound = LongSound()
        self.words = [""] * min(count, 1)
        self.begins = [0] * min(count, 1)
        self.offsets = [0] * min(count, 1)

    def add(self, index: int, event: TextDelta | AudioDelta) -> None:
        """Take a piece of a passage."""
        if index == self._turn:
            self._take(event)
        else:
            self._waiting[index].append(event)

    def end(self, index: int) -> None:
        """All of a passage has come."""
        self._done[index] = True
        while self._turn < self._count and self._done[self._turn]:
            self._begin()
            self._turn += 1
            self._opening = np.zeros(0, np.int16)
            if self._turn < self._count:
                for event in self._waiting[self._turn]:
                    self._take(event)
                self._waiting[self._turn].clear()
        if self._turn == self._count:
            self._release(0)

    def stop(self) -> None:
        """No more will come: pass on what is held back."""
        if self._opening is not None and len(self._opening):
            self._begin()
        self._release(0)

    def _take(self, event: TextDelta | AudioDelta) -> None:
        if isinstance(event, TextDelta):
            if self._opening is not None:
                self._first_words.append(event.text)
            else:
                self._release(0)  # the passage goes on: what is quiet is a pause within it
                self.words[-1] += event.text
                self._put(event)
            return
        sound = np.frombuffer(event.pcm16, "<i2")
        if self._opening is not None:
            self._opening = np.concatenate([self._opening, sound])
            if len(_loud(self._opening)):
                self._begin()
            return
        if not self._heard and len(loud := _loud(sound)):
            self._heard = True
            self.begins[0] = self.sound.frames + len(self._held) + int(loud[0])
        self._held = np.concatenate([self._held, sound])
        if self._count == 1:
            self._release(0)
        else:
            loud = _loud(self._held)
            self._release(len(self._held) - (int(loud[-1]) + 1 if len(loud) else 0), _FADE)

    def _begin(self) -> None:
        """The passage is heard from now on."""
        opening, self._opening = self._opening, None
        if opening is None:
            return
        loud = _loud(opening)
        quiet = int(loud[0]) if len(loud) else len(opening)
        opening = opening.copy()
        cut = self._shorten(quiet)
        if not quiet:
            opening[:_FADE] = _faded(opening[:_FADE])
        if not self._quiet_end():
            self._held[-_FADE:] = _faded(self._held[-_FADE:][::-1])[::-1]
        self._release(0)
        before = self.sound.frames
        self.offsets.append(before - cut)
        self.begins.append(before - cut + quiet)
        self._sound(opening[cut:quiet])
        words, self._first_words = "".join(self._first_words), []
        self.words.append(words)
        if words:
            self._put(TextDelta(words))
        self._take(AudioDelta(opening[quiet:].tobytes()))

    def _shorten(self, quiet: int) -> int:
        """Cut the pause that ends with so many quiet frames; gives how many of these are to be left out."""
        behind = self._quiet_end()
        kept_behind = min(behind, max(_PAUSE // 2, _PAUSE - quiet))
        self._held = self._held[: len(self._held) - (behind - kept_behind)]
        return quiet - min(quiet, _PAUSE - kept_behind)

    def _quiet_end(self) -> int:
        """How many of the frames that are held back are quiet, up to their end."""
        loud = _loud(self._held)
        return len(self._held) - (int(loud[-1]) + 1 if len(loud) else 0)

    def _release(self, *kept: int) -> None:
        """Pass on what is held back, but for the last so many frames, the largest of `kept`."""
        count = max(0, len(self._held) - max(kept))
        sound, self._held = self._held[:count], self._held[count:].copy()
        self._sound(sound)

    def _sound(self, samples: Samples) -> None:
        if len(samples):
            pcm16 = samples.astype("<i2").tobytes()
            self.sound.add(pcm16)
            self._put(AudioDelta(pcm16))


def _loud(samples: Samples) -> npt.NDArray[np.intp]:
    """Where it is not quiet."""
    return np.flatnonzero((samples > _QUIET) | (samples < -_QUIET))


def _faded(samples: Samples) -> Samples:
    """The samples, rising from nothing."""
    faded: Samples = np.rint(samples * np.linspace(0, 1, len(samples))).astype(np.int16)
    return faded
