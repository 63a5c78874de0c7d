"""For graders: what a sound has to say, asserted."""

from __future__ import annotations

from typing import Any

from nbaudio.backends.transcribing import offline_ears
from nbaudio.comparing import compared
from nbaudio.errors import CellError
from nbaudio.settings import Backend
from nbaudio.transcribing.calls import transcribe

__all__ = ["assert_said"]


def assert_said(sound: Any, text: str, wer: float = 0.2, *, backend: Backend | None = None) -> None:
    """Nothing, where a sound says a text; it is listened to, whatever words come with it.

    Parameters
    ----------
    sound : Reply, Turn, Clip, path, or what `Clip` takes
    text : str
    wer : float
        The highest word error rate that is let pass. The offline ears mishear some words themselves, and write numbers
        in digits or in words as they like.
    backend : Backend, optional
        Who listens; by default the offline engine.

    Raises
    ------
    AssertionError
        Where more differs; it says what was heard, and which words differ.
    CellError
        If there is no word in `text`.
    ClipError
        If there is no sound.
    RequestError
        In one of its kinds.
    """
    if not any(map(str.isalnum, text)):
        raise CellError("There is no word in the text that is to be said.", "Give the words that you expect.")
    heard = transcribe(sound, backend=backend or offline_ears(), progress=False).text
    found = compared(text, heard)
    if found.word_error_rate > wer:
        raise AssertionError(f"Expected {text!r}, heard {heard!r}. {found} At most {wer:.0%} is let pass.")
