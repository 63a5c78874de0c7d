"""The words of an answer while it is still coming, by display updates."""

from __future__ import annotations

import time
from typing import Any

from IPython.display import DisplayHandle, clear_output

from nbaudio.display.reply import words_html
from nbaudio.wire.answers import AudioDelta, TextDelta

__all__ = ["LiveWords"]

_PAUSE_S = 0.1  # jupyter_server passes 1,000 messages a second for all outputs together: ten a second are enough


class LiveWords:
    """Shows words as they come, in a kernel; in a terminal, where nothing can be shown twice, it shows nothing.

    Parameters
    ----------
    shell : InteractiveShell
    """

    def __init__(self, shell: Any) -> None:
        self._handle = DisplayHandle() if hasattr(shell, "kernel") else None
        self._shown = False
        self._words: list[str] = []
        self._last_s = 0.0

    def add(self, event: TextDelta | AudioDelta) -> None:
        """Show what has come, at most ten times a second."""
        if not isinstance(event, TextDelta) or self._handle is None:
            return
        self._words.append(event.text)
        now = time.monotonic()
        if now - self._last_s >= _PAUSE_S:
            self._last_s = now
            words = "".join(self._words)
            bundle = {"text/html": str(words_html(words)), "text/plain": words}
            (self._handle.update if self._shown else self._handle.display)(bundle, raw=True)
            self._shown = True

    def clear(self) -> None:
        """Make room for the whole answer; the words stay until it is there."""
        if self._shown:
            clear_output(wait=True)
