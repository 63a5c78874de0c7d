"""What a recorder's page sends, made into recordings: takes that begin, arrive, end, and count or do not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from nbaudio.errors import NbaudioError, SetupError
from nbaudio.settings import NbAudio, settings
from nbaudio.sound.clip import Clip
from nbaudio.widgets.kernel_door import KernelDoor
from nbaudio.widgets.take import Take
from nbaudio.widgets.waiting import Bell, Home

if TYPE_CHECKING:
    from nbaudio.widgets.recorder import Recorder

__all__ = ["LOST_S", "MISSING_S", "Arriving", "Outcome"]

LOST_S = {"microphone": 3.0, "kernel": 3.0, "file": 30.0}
"""After how many seconds without a piece a recording is lost. Pieces of a file are large, and lines may be slow."""
MISSING_S = 1.0
"""How long pieces are waited for that have not come by the end."""

_MOST_EARLY = 50  # messages of a take whose beginning is still on its way, on another thread

Outcome = Take | Exception | None
"""How a round ended: a recording, an error, or None where the person cancelled."""


class Arriving:
    """The kernel's side of one `Recorder`: messages in, recordings out, from whatever thread.

    Attributes
    ----------
    take : Take or None
        The one that arrives, else the last.
    finished : Take or None
        The last that counts.
    rounds : int
        How many ended, in whatever way; `outcome` is the last one's.
    bell : Bell
        Rings whenever something has changed.
    listeners : list of callable
        Called with each clip.
    home : Home
        Does what is to be done later.
    kernel_door : KernelDoor
        The microphone of the kernel's computer.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.take: Take | None = None
        self.finished: Take | None = None
        self.rounds = 0
        self.outcome: Outcome = None
        self.bell = Bell()
        self.listeners: list[Callable[[Clip], object]] = []
        self._recorder = recorder
        self._lock = threading.RLock()
        self._takes: dict[str, Take] = {}
        self._over: set[str] = set()  # the names of takes that were handed over, lost or dropped
        self._accepted: set[str] = set()
        self._early: list[tuple[Any, list[Any]]] = []
        self._news: list[Clip] = []
        self._last_s = 0.0
        self.home = Home()
        self.kernel_door = KernelDoor(self, recorder)

    # -- messages -----------------------------------------------------------------------------------------

    def hear(self, content: dict[str, Any], buffers: list[Any]) -> None:
        """Take a message from the page; what can't be one is ignored."""
        kind = content.get("kind")
        if kind == "cancel":
            self.cancel()
        elif kind == "kernel":
            self.kernel_door.hear(str(content.get("action")), str(content.get("ask")))
        else:
            self._safely(self._take_in, content, buffers)
        self._tell_listeners()

    def _safely(self, do: Callable[..., None], *arguments: Any) -> None:
        with self._lock:
            try:
                do(*arguments)
            except OSError as error:
                self.fail(error)
            except (TypeError, ValueError, KeyError, IndexError) as error:  # what no page of ours sends
                self._recorder.log.warning("A recorder's message is not understood: %r", error)

    def _take_in(self, content: dict[str, Any], buffers: list[Any]) -> None:
        kind, name = content.get("kind"), str(content.get("take"))
        if kind == "begin":
            self._begin(name, int(content["sample_rate"]), str(content.get("door")))
            early, self._early = self._early, []
            for waiting in early:
                self._take_in(*waiting)
        elif kind not in ("piece", "end", "accept", "drop"):
            return
        elif name in self._takes:
            take = self._takes[name]
            if kind == "piece":
                self._add(name, take, int(content["index"]), bytes(buffers[0]))
            elif kind == "end":
                self._end(name, take, int(content["pieces"]), int(content["frames"]))
            elif kind == "accept":
                self._accepted.add(name)
                self._hand_over(name)
            else:
                self._drop(name)
        elif name not in self._over and len(self._early) < _MOST_EARLY:
            self._early.append((content, buffers))

    # -- one take -----------------------------------------------------------------------------------------

    def begin(self, name: str, sample_rate: int, door: str) -> Take:
        """A new take; what was being recorded ends.

        Raises
        ------
        OSError
            If there is no room on the disk.
        """
        with self._lock:
            return self._begin(name, sample_rate, door)

    def whole(self, name: str, *, accepted: bool) -> None:
        """All of a take is here that will come; `accepted` says that nobody will review it."""
        with self._lock:
            if accepted:
                self._accepted.add(name)
            self._safely(self._finish, name)
        self._tell_listeners()

    def drop(self, name: str) -> None:
        """Delete a take, where there is one of this name."""
        with self._lock:
            if name in self._takes:
                self._drop(name)

    def touch(self) -> None:
        """Something of the take has arrived just now."""
        self._last_s = time.monotonic()
        self.bell.ring()

    def fail(self, error: OSError) -> None:
        """The disk does not take it: tell whoever waits."""
        words = f"The recording can't be written to disk: {error.strerror or error}."
        self._recorder.trouble, self._recorder.state = words, "lost"
        self._ended(SetupError(words, "Make room, then record again."))

    def _begin(self, name: str, sample_rate: int, door: str) -> Take:
        if name in self._takes or not 8_000 <= sample_rate <= 192_000:
            raise ValueError(f"take {name!r} at {sample_rate} Hz")
        if self.take is not None and not self.take.over:
            self._settle(self.take)  # another page records now
        for old in self._over & self._takes.keys():
            self._takes.pop(old).release()
        self.take = self._takes[name] = Take(sample_rate, to_say=self._recorder.to_say)
        self._last_s = time.monotonic()
        self._watch(name, LOST_S.get(door, LOST_S["microphone"]))
        chosen = settings() if self._recorder.to_say else None
        threading.Thread(target=_get_ready, args=(chosen,), daemon=True).start()
        return self.take

    def _add(self, name: str, take: Take, index: int, pcm16: bytes) -> None:
        take.add(index, pcm16)
        self._last_s = time.monotonic()
        if take.over or take.complete:  # it came after all
            self._finish(name)

    def _end(self, name: str, take: Take, pieces: int, frames: int) -> None:
        if take.expect(pieces, frames):
            self._finish(name)
        else:
            self.home.later(MISSING_S, self._do_without, name)

    def _do_without(self, name: str) -> None:
        take = self._takes.get(name)
        if take is not None and not take.over:
            self._safely(self._finish, name)
            self._tell_listeners()

    def _finish(self, name: str) -> None:
        """End a take with what is here; it counts, if it has been accepted."""
        take = self._takes[name]
        new = not take.over
        self._settle(take)
        if new:
            self._recorder.duration_s = take.duration_s
            self._recorder.send({"kind": "got", "take": name, "duration_s": take.duration_s})
        self._hand_over(name)

    def _settle(self, take: Take) -> None:
        take.finish()
        if take.silent_frames:
            lacking_s = take.silent_frames / take.sample_rate
            self._recorder.trouble = f"{lacking_s:.1f} s of the recording did not arrive: they are silent."
        self.bell.ring()

    def _hand_over(self, name: str) -> None:
        """It counts, if the person has accepted it and all of it is here."""
        take = self._takes[name]
        if name in self._accepted and name not in self._over and take.over:
            self.finished = take
            if self._recorder.state != "done":
                self._recorder.state = "done"
            self._over_with(name, take)

    def _over_with(self, name: str, take: Take) -> None:
        self._over.add(name)  # it stays among the takes, for pieces that are late, until another one begins
        if (clip := take.clip) is not None:
            self._news.append(clip)
        self._ended(take)

    def _drop(self, name: str) -> None:
        take = self._takes.pop(name)
        self._over.add(name)
        take.discard()
        if self.take is take:
            self.take = self.finished

    def _ended(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.rounds += 1
        self.bell.ring()

    def _tell_listeners(self) -> None:
        with self._lock:
            news, self._news = self._news, []
        errors = []
        for call in [(listener, clip) for clip in news for listener in list(self.listeners)]:
            try:
                call[0](call[1])
            except Exception as error:
                errors.append(error)
        if errors:
            raise errors[0]  # ipywidgets shows it; the others have been called all the same

    # -- ends of another kind -----------------------------------------------------------------------------

    def cancel(self) -> None:
        """Delete what has not been accepted; the round is over."""
        self.kernel_door.close()
        with self._lock:
            for name in self._takes.keys() - self._over:
                self._drop(name)
            self._recorder.state = "cancelled"
            self._ended(None)

    def lose(self) -> None:
        """Nothing more will come of what is being recorded: keep what did."""
        self.kernel_door.close()
        with self._lock:
            for name, take in list(self._takes.items()):
                if not take.over:
                    self._safely(self._settle, take)
                    self.finished = take
                    kept = f"The {take.duration_s:.1f} s that arrived are kept."
                    self._recorder.trouble = f"Nothing more came of this recording. {kept}"
                    self._recorder.duration_s, self._recorder.state = take.duration_s, "lost"
                    self._over_with(name, take)
        self._tell_listeners()

    def close(self) -> None:
        """Keep what arrived, end every wait, and free the rest."""
        self.kernel_door.close()
        with self._lock:
            self.home.leave()
            self.listeners.clear()
            for take in self._takes.values():
                if take.frames or take.over:
                    self._safely(take.finish)
                else:
                    take.discard()
                take.release()
            self._takes.clear()
            self._ended(None)

    def _watch(self, name: str, limit_s: float) -> None:
        def look() -> None:
            take = self._takes.get(name)
            if take is None or take.over or take.expected:
                return
            quiet_s = time.monotonic() - self._last_s
            if quiet_s >= limit_s:
                self.lose()
            else:
                self.home.later(limit_s - quiet_s, look)

        self.home.later(limit_s, look)


def _get_ready(chosen: NbAudio | None) -> None:
    """Import what is used next while somebody still speaks: it takes longer than the recording's end.

    With settings, also what the first request by these needs.
    """
    Clip.from_pcm16(bytes(2))
    if chosen is not None:
        from nbaudio.backends.connection import get_ready

        with suppress(NbaudioError):  # whoever asks is told
            get_ready(chosen.resolve(), chosen)
