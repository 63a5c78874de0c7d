"""The way of an answer's pieces from the kernel to its player: few messages, none late.

Servers send ten to a hundred pieces a second, and jupyter_server passes 1,000 messages a second for all outputs
together. So pieces that come within 40 ms of a message go out together; the first goes at once.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from nbaudio.wire.answers import AudioDelta, TextDelta

if TYPE_CHECKING:
    from nbaudio.captions.alignment import Follower
    from nbaudio.captions.phrases import Phrase

__all__ = ["Feed"]

PAUSE_S = 0.04  # 25 messages a second

Send = Callable[[dict[str, object], bytes], None]


class Feed:
    """Takes the pieces of one answer, and sends them on from a thread of its own.

    Parameters
    ----------
    send : callable
        Called with a message and its sound: PCM16, which may be empty.
    follower : Follower
        Knows when each phrase is heard.
    """

    def __init__(self, send: Send, follower: Follower) -> None:
        self._send, self._follower = send, follower
        self._arrived: queue.SimpleQueue[TextDelta | AudioDelta | None] = queue.SimpleQueue()
        self._index = self._frames = 0
        self._phrases: tuple[Phrase, ...] = ()
        self._sent_s = 0.0
        self._thread = threading.Thread(target=self._run, name="nbaudio-feed", daemon=True)
        self._thread.start()

    def add(self, event: TextDelta | AudioDelta) -> None:
        """Take one piece."""
        self._arrived.put(event)

    def finish(self) -> int:
        """Send what is left; gives how many frames have been sent in all."""
        self._arrived.put(None)
        self._thread.join()
        return self._frames

    def _run(self) -> None:
        while True:
            events = [self._arrived.get()]
            while events[-1] is not None:
                try:
                    events.append(self._arrived.get_nowait())
                except queue.Empty:
                    break
            self._pass_on([event for event in events if event is not None])
            if events[-1] is None:
                return
            time.sleep(max(0.0, PAUSE_S - (time.monotonic() - self._sent_s)))

    def _pass_on(self, events: list[TextDelta | AudioDelta]) -> None:
        words, sound = "", b""
        for event in events:
            if isinstance(event, TextDelta):
                words += event.text
                self._follower.words(event.text)
            else:
                sound += event.pcm16
                self._follower.sound(event.pcm16)
        if not words and not sound:
            return
        message: dict[str, object] = {"kind": "piece", "index": self._index, "frames_before": self._frames}
        message["words"] = words
        phrases = self._follower.phrases(over=False)
        if phrases != self._phrases:
            self._phrases = phrases
            message["phrases"] = [[phrase.text, phrase.start_s, phrase.end_s] for phrase in phrases]
        self._sent_s = time.monotonic()
        self._send(message, sound)
        if sound:
            self._index += 1
            self._frames += len(sound) // 2
