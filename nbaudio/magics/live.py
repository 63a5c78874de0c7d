"""What a cell does while its answer is still coming: words appear, and the player's sound is got ready."""

from __future__ import annotations

import time
from typing import Any

from IPython.display import DisplayHandle, clear_output

from nbaudio.codecs import Mp3Writer, pcm16_to_samples
from nbaudio.display.reply import words_html
from nbaudio.turns import Reply
from nbaudio.wire.answers import AudioDelta, TextDelta

__all__ = ["LiveAnswer"]

_PAUSE_S = 0.1  # jupyter_server passes 1,000 messages a second for all outputs together: ten a second are enough


class LiveAnswer:
    """Takes the pieces of an answer as they come.

    In a kernel their words are shown by display updates; in a terminal, where nothing can be shown twice, they are not.
    The sound is encoded meanwhile: for a minute of it that takes half a second, which nobody then has to wait for.

    Parameters
    ----------
    shell : InteractiveShell, optional
    """

    def __init__(self, shell: Any = None) -> None:
        self._handle = DisplayHandle() if hasattr(shell, "kernel") else None
        self._shown = False
        self._words: list[str] = []
        self._last_s = 0.0
        self._mp3: Mp3Writer | None = None

    def add(self, event: TextDelta | AudioDelta) -> None:
        """Take one piece."""
        if isinstance(event, AudioDelta):
            self._mp3 = self._mp3 or Mp3Writer(event.sample_rate)
            self._mp3.write(pcm16_to_samples(event.pcm16))
            return
        self._words.append(event.text)
        now = time.monotonic()
        if self._handle is not None and now - self._last_s >= _PAUSE_S:
            self._last_s = now
            words = "".join(self._words)
            bundle = {"text/html": str(words_html(words)), "text/plain": words}
            (self._handle.update if self._shown else self._handle.display)(bundle, raw=True)
            self._shown = True

    def finish(self, reply: Reply | None) -> None:
        """The answer is over: hand it the encoded sound, and make room for it; the words stay until it is shown."""
        if self._mp3 is not None:
            data = self._mp3.finish()
            if reply is not None and reply.clip is not None and not reply.partial:
                reply.clip.adopt_mp3(data)
        if self._shown:
            clear_output(wait=True)
