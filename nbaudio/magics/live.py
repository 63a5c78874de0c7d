"""What a cell does while its answer is still coming: words appear, and the player's sound is got ready."""

from __future__ import annotations

import queue
import threading
import time
from concurrent.futures import Future
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
        self._sound: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._mp3: Future[bytes] | None = None

    def add(self, event: TextDelta | AudioDelta) -> None:
        """Take one piece."""
        if isinstance(event, AudioDelta):
            if self._mp3 is None:
                self._mp3 = Future()
                threading.Thread(target=self._encode, args=(event.sample_rate, self._mp3), daemon=True).start()
            self._sound.put(event.pcm16)
            return
        self._words.append(event.text)
        now = time.monotonic()
        if self._handle is not None and now - self._last_s >= _PAUSE_S:
            self._last_s = now
            words = "".join(self._words)
            bundle = {"text/html": str(words_html(words)), "text/plain": words}
            show = self._handle.update if self._shown else self._handle.display
            self._shown = True  # before it is: an interrupt in between leaves words that are to be cleared
            show(bundle, raw=True)

    def finish(self, reply: Reply | None) -> None:
        """The answer is over: hand it the encoded sound, and make room for it; the words stay until it is shown."""
        if self._mp3 is not None:
            self._sound.put(None)
            data = self._mp3.result()
            if reply is not None and reply.clip is not None and not reply.partial:
                reply.clip.adopt_mp3(data)
        if self._shown:
            clear_output(wait=True)

    def _encode(self, sample_rate: int, mp3: Future[bytes]) -> None:
        """Make the MP3, in a thread of its own.

        libsndfile calls back into Python for every block, and an interrupt that came in there would be lost
        ("Exception ignored from cffi callback"). It comes in the main thread only.
        """
        try:
            writer = Mp3Writer(sample_rate)
            while (pcm16 := self._sound.get()) is not None:
                writer.write(pcm16_to_samples(pcm16))
            mp3.set_result(writer.finish())
        except Exception as error:
            mp3.set_exception(error)
