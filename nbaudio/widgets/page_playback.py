"""What a model says in an open session, on its way to the page that plays it, and how much of it was heard there.

The messages are those of `nbaudio.widgets.chat_session`: "said", "all said" and "hush" go out; "played", "hushed" and
"interrupt" come in.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nbaudio.widgets.feed import Feed
from nbaudio.wire.answers import STREAM_SAMPLE_RATE, AudioDelta

__all__ = ["PagePlayback"]

_ANSWER_S = 0.3  # a page that lives answers within 30 ms
_TOLD_S = 0.2  # how often it says how far it is

Send = Callable[[dict[str, Any], list[bytes]], None]


class PagePlayback:
    """A `nbaudio.realtime.playback.Playback` in a page: the clock is that of its loudspeaker.

    Parameters
    ----------
    send : callable
        Sends a message with its sounds to the page, from whatever thread.
    clock : callable
        Seconds that only grow.
    """

    def __init__(self, send: Send, clock: Callable[[], float] = time.monotonic) -> None:
        self._send, self._clock = send, clock
        self._lock = threading.Lock()
        self._items: dict[str, _Item] = {}
        self._hushes = 0
        self._hushed: tuple[int, asyncio.AbstractEventLoop, asyncio.Event] | None = None

    def play(self, item_id: str, pcm16: bytes) -> None:
        """Have the page play this behind all that it was given before."""
        with self._lock:
            item = self._items.get(item_id)
            if item is None:
                item = self._items[item_id] = _Item(item_id, self._send)
        item.add(pcm16)

    def end(self, item_id: str) -> None:
        """No more comes of an item."""
        with self._lock:
            item = self._items.get(item_id)
        if item is not None:
            item.end()

    async def stop(self) -> Sequence[str]:
        """Have the page be silent, and wait for what it says of how much was heard.

        A page that does not answer soon is taken to have played on from what it said last.
        """
        unheard = self._drop()
        if not all(item.stopped for item in unheard):
            answered = asyncio.Event()
            with self._lock:
                self._hushes += 1
                self._hushed = (self._hushes, asyncio.get_running_loop(), answered)
                message = {"kind": "hush", "number": self._hushes}
            self._send(message, [])
            try:
                await asyncio.wait_for(answered.wait(), _ANSWER_S)
            except asyncio.TimeoutError:
                for item in unheard:
                    item.suppose(self._clock())
        return [item.id for item in unheard if not item.is_heard]

    def _drop(self) -> list[_Item]:
        """Send no more of what was not heard to its end; gives that."""
        with self._lock:
            unheard = [item for item in self._items.values() if not item.is_over]
        for item in unheard:
            item.drop()
        return unheard

    def played_ms(self, item_id: str) -> int | None:
        """How much of an item has been heard, in milliseconds."""
        with self._lock:
            item = self._items.get(item_id)
        return item.heard_frames(self._clock()) * 1000 // STREAM_SAMPLE_RATE if item is not None else None

    def hear(self, content: Mapping[str, Any]) -> None:
        """Take what the page says: "played", "hushed" or "interrupt"."""
        now_s = self._clock()
        if content.get("kind") == "played":
            with self._lock:
                item = self._items.get(str(content.get("item")))
            if item is not None:
                item.told(content.get("frames"), now_s, sounding=bool(content.get("sounding")))
            return
        played = content.get("played")
        for item_id, frames in played.items() if isinstance(played, Mapping) else ():
            with self._lock:
                item = self._items.get(str(item_id))
            if item is not None:
                item.told(frames, now_s, sounding=False, stopped=True)
        with self._lock:
            if self._hushed is not None and content.get("number") == self._hushed[0]:
                _, loop, answered = self._hushed
                loop.call_soon_threadsafe(answered.set)

    def close(self) -> None:
        """Send nothing more; the page is silent."""
        if self._drop():
            self._send({"kind": "hush", "number": 0}, [])


class _Item:
    """One answer: what was given of it, and what the page has said of it."""

    def __init__(self, item_id: str, send: Send) -> None:
        self.id = item_id
        self._to_page = send
        self._given = self._heard = 0  # frames
        self._since_s: float | None = None  # when the page said that it sounds
        self._ended = self._dropped = False
        self.stopped = False
        """Whether the page has said where it stopped."""
        self._sending = threading.Lock()  # nothing of it goes out any more once it is dropped
        self._feed = Feed(self._said, over=self._all_said)

    def add(self, pcm16: bytes) -> None:
        if not self._dropped:
            self._given += len(pcm16) // 2
            self._feed.add(AudioDelta(pcm16))

    def end(self) -> None:
        self._ended = True
        self._feed.end()

    def drop(self) -> None:
        with self._sending:
            self._dropped = True
        self._feed.end()

    @property
    def is_heard(self) -> bool:
        """Whether it was heard to its end."""
        return self._ended and self._heard >= self._given

    @property
    def is_over(self) -> bool:
        """Whether nothing is to be heard of it any more."""
        return self._dropped or self.is_heard

    def told(self, frames: object, now_s: float, *, sounding: bool, stopped: bool = False) -> None:
        """The page says how much has been heard; of what it was told to stop it says so once."""
        if isinstance(frames, (int, float)) and not self.stopped:
            self._heard = int(max(0, min(frames, self._given)))
            self._since_s = now_s if sounding else None
            self.stopped = stopped

    def suppose(self, now_s: float) -> None:
        """The page has not said where it stopped."""
        self._heard, self._since_s = self.heard_frames(now_s), None

    def heard_frames(self, now_s: float) -> int:
        if self._since_s is None:
            return self._heard
        since = round(min(now_s - self._since_s, 2 * _TOLD_S) * STREAM_SAMPLE_RATE)
        return min(self._heard + since, self._given)

    def _said(self, message: dict[str, object], pcm16: bytes) -> None:
        with self._sending:
            if not self._dropped:
                self._to_page({**message, "kind": "said", "item": self.id}, [pcm16])

    def _all_said(self, frames: int) -> None:
        with self._sending:
            if not self._dropped:
                self._to_page({"kind": "all said", "item": self.id, "frames": frames}, [])
