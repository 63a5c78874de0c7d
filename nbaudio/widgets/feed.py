"""The way of an answer's pieces from the kernel to its player: few messages, none late.

Servers send ten to a hundred pieces a second, and jupyter_server passes 1,000 messages a second for all outputs
together. So pieces that come within 50 ms of a message go out together. The first sound goes at once, also behind
words. So does the second where it is well ahead of its time: the page sees by it that it need not wait for late pieces,
and sounds 20 ms sooner.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from nbaudio.wire.answers import STREAM_SAMPLE_RATE, AudioDelta, TextDelta

if TYPE_CHECKING:
    from nbaudio.captions.alignment import Follower
    from nbaudio.captions.phrases import Phrase

__all__ = ["Feed"]

PAUSE_S = 0.05  # 20 messages a second; the end of a cell and what the kernel says to the player's traits are 10 more
_AHEAD_S = 0.15  # more than the pauses until the third message, and what that one takes to arrive

Send = Callable[[dict[str, object], bytes], None]


class Feed:
    """Takes the pieces of one answer, and sends them on from a thread of its own; the phrases follow their sound.

    Parameters
    ----------
    send : callable
        Called with a message and its sound: PCM16, which may be empty.
    follower : Follower, optional
        Knows when each phrase is heard; without one the page is told of no phrases.
    over : callable, optional
        Called with the number of all frames when the last message has gone.
    """

    def __init__(
        self, send: Send, follower: Follower | None = None, over: Callable[[int], object] | None = None
    ) -> None:
        self._send, self._follower, self._over = send, follower, over
        self._arrived: queue.SimpleQueue[TextDelta | AudioDelta | None] = queue.SimpleQueue()
        self._index = self._frames = 0
        self._phrases: tuple[Phrase, ...] = ()
        self._fresh = False  # whether the page has yet to hear of them
        self._due_s = self._first_s = 0.0  # when the next message may go, and when the first sound went
        self._came = 0  # frames
        self._more = threading.Event()
        self._thread = threading.Thread(target=self._run, name="nbaudio-feed", daemon=True)
        self._thread.start()

    def add(self, event: TextDelta | AudioDelta) -> None:
        """Take one piece."""
        self._arrived.put(event)
        if isinstance(event, AudioDelta):
            self._came += len(event.pcm16) // 2
            self._more.set()

    def end(self) -> None:
        """Have what is left be sent, and wait for nothing."""
        self._arrived.put(None)

    def finish(self) -> int:
        """Send what is left; gives how many frames have been sent in all."""
        self.end()
        self._thread.join()
        return self._frames

    def _run(self) -> None:
        over = False
        while not over:
            events = self._next()
            over = bool(events) and events[-1] is None
            pieces = [event for event in events if event is not None]
            self._pass_on(pieces)
            if not over:  # whoever ends it knows all of its phrases
                # Behind a piece's back: of much sound at once it takes a while to find out when the phrases sound, and
                # the page may have nothing left to play. The next message has them.
                self._follow(pieces)
                self._rest()
        if self._over is not None:
            self._over(self._frames)

    def _rest(self) -> None:
        """Wait until the next message may go."""
        while (left_s := self._due_s - time.monotonic()) > 0:
            self._more.clear()
            if self._index > 1:
                time.sleep(left_s)
            elif self._hurries():
                return
            else:
                self._more.wait(left_s)

    def _hurries(self) -> bool:
        """Whether sound waits that makes the page begin sooner."""
        ahead_s = self._came / STREAM_SAMPLE_RATE - (time.monotonic() - self._first_s)
        return self._came > self._frames and (self._index == 0 or ahead_s >= _AHEAD_S)

    def _next(self) -> list[TextDelta | AudioDelta | None]:
        """What has arrived; where that is nothing, what arrives next, unless there are phrases to be told of."""
        events: list[TextDelta | AudioDelta | None] = []
        with suppress(queue.Empty):
            events.append(self._arrived.get(block=not self._fresh))
            while events[-1] is not None:
                events.append(self._arrived.get_nowait())
        return events

    def _pass_on(self, pieces: list[TextDelta | AudioDelta]) -> None:
        words = "".join(piece.text for piece in pieces if isinstance(piece, TextDelta))
        sound = b"".join(piece.pcm16 for piece in pieces if isinstance(piece, AudioDelta))
        message: dict[str, object] = {"kind": "piece", "index": self._index, "frames_before": self._frames}
        message["words"] = words
        if self._fresh:
            self._fresh = False
            message["phrases"] = [[phrase.text, phrase.start_s, phrase.end_s] for phrase in self._phrases]
        if not (words or sound or "phrases" in message):
            return
        now_s = time.monotonic()
        # The second sound takes the place of the third: in a second there are no more messages for it.
        self._due_s = (max(now_s, self._due_s) if self._index == 1 else now_s) + PAUSE_S
        self._send(message, sound)
        if sound:
            self._first_s = self._first_s or now_s
            self._index += 1
            self._frames += len(sound) // 2

    def _follow(self, pieces: list[TextDelta | AudioDelta]) -> None:
        if self._follower is None:
            return
        for piece in pieces:
            if isinstance(piece, TextDelta):
                self._follower.words(piece.text)
            else:
                self._follower.sound(piece.pcm16)
        phrases = self._follower.phrases(over=False) if pieces else self._phrases
        if phrases != self._phrases:
            self._phrases, self._fresh = phrases, True
