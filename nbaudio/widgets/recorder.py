"""Recorder: a microphone in the page, or a file, or the kernel's own microphone, as a clip.

The messages between this side and ``static/recorder.js``; sound is mono PCM16, little endian.

    browser -> kernel   {kind: "ready"}                    there is a page
                        {kind: "begin", take, sample_rate, channels: 1, door, name?}    a take (uuid) begins
                        {kind: "piece", take, index} + [PCM16]    from 0; 100 ms each, or 480,000 bytes of a file.
                            None is acknowledged: jupyter_server answers a small message only after 40 ms.
                        {kind: "end", take, pieces, frames, reason}    "stopped", "silence", "longest", "file" or
                            "device lost"; what is missing by then may still come, on another thread
                        {kind: "accept", take}             it is good: after "end" at once, or after the review
                        {kind: "drop", take}               it is not: it is deleted
                        {kind: "cancel"}                   nothing will be recorded
                        {kind: "kernel", action, ask}      the kernel's own microphone: "start", which `ask` (uuid)
                            names, "stop", or of that start "drop" or "lose" what it has recorded
    kernel -> browser   {kind: "start"} {kind: "stop"} {kind: "cancel"}    as the buttons do
                        {kind: "got", take, duration_s}    the take is whole, and on disk
                        {kind: "answered", ask}            the kernel has come to that "start"

Everything else is a trait. While the kernel's microphone records, the kernel sets `state`, `elapsed_s`, `level_dbfs`.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import anywidget
from traitlets import Bool, Dict, Enum, Float, Int, List, Unicode, default

from nbaudio.display.html import tag
from nbaudio.display.player import live_class
from nbaudio.errors import CellError, Interrupted
from nbaudio.sound.clip import Clip
from nbaudio.sound.codecs import Samples
from nbaudio.widgets.arriving import Arriving, Outcome
from nbaudio.widgets.front_end import front_end, widget_view
from nbaudio.widgets.modules import module_text, style_text
from nbaudio.widgets.take import Take
from nbaudio.widgets.waiting import widgets_heard

__all__ = ["Cancelled", "Recorder"]

READY_S = 3.0
"""How long a page may take to answer where there may be none."""
PATIENT_S = 10.0
"""The same where a person sits at a page, which loads the widget over a slow line the first time."""


class Cancelled(Interrupted, asyncio.CancelledError):
    """Cancelled by the person, in the page or by an interrupt.

    It is raised while something is awaited, and there a `KeyboardInterrupt` alone would end the event loop.
    """


class Recorder(anywidget.AnyWidget):
    """A recorder for a notebook: ``clip = await Recorder().record()``, or shown, with `on_clip`.

    What it records is on disk while it is still spoken (`path`), and stays there until fifty newer recordings are.

    Attributes
    ----------
    max_s : float
        The longest recording, 60 s.
    silence_s : float
        A silence of so many seconds after speech ends the recording; 0: none does.
    review : bool
        Whether it can be listened to, and recorded again, before it counts.
    auto_start : bool
        Whether it begins to record when it is shown.
    door : {"microphone", "file", "kernel"}
        Where sound comes from: the browser's microphone, a file, the microphone of the kernel's computer.
    shut : dict
        Why a door is shut, in plain words.
    prompt : str
        What is shown of what the cell asks.
    state : {"idle", "asking", "recording", "review", "done", "cancelled", "lost"}
    elapsed_s, level_dbfs : float
        While it records: for how long, and how loud the last 100 ms were (-90 to 0 dBFS).
    duration_s : float
        The length of the finished recording.
    trouble : str
        What went wrong, in plain words.
    to_say : bool
        Whether what it records is said in a conversation at once: then the journal gets it while it is recorded.

    Examples
    --------
    >>> recorder = Recorder(max_s=10, review=True)
    >>> recorder.state, recorder.clip
    ('idle', None)
    >>> recorder.close()
    """

    key = Unicode().tag(sync=True)
    state = Enum(["idle", "asking", "recording", "review", "done", "cancelled", "lost"], "idle").tag(sync=True)
    max_s = Float(60.0, min=0.1).tag(sync=True)
    silence_s = Float(1.5, min=0.0).tag(sync=True)
    review = Bool(False).tag(sync=True)
    auto_start = Bool(False).tag(sync=True)
    sample_rate = Int(24_000, min=8_000, max=192_000).tag(sync=True)
    device = Unicode().tag(sync=True)
    devices: Any = List().tag(sync=True)
    elapsed_s = Float(0.0).tag(sync=True)
    level_dbfs = Float(-90.0).tag(sync=True)
    door = Enum(["microphone", "file", "kernel"], "microphone").tag(sync=True)
    shut: Any = Dict().tag(sync=True)
    prompt = Unicode().tag(sync=True)
    trouble = Unicode().tag(sync=True)
    duration_s = Float(0.0).tag(sync=True)
    active = Bool(True).tag(sync=True)
    _esm = Unicode().tag(sync=True)
    _css = Unicode().tag(sync=True)

    def __init__(self, *, to_say: bool = False, **traits: Any) -> None:
        self.to_say = to_say
        self._arriving: Arriving | None = None  # `__del__` closes what was never made, too
        self._ready = self._shown = False
        super().__init__(key=uuid.uuid4().hex, shut={**_shut_doors(), **traits.pop("shut", {})}, **traits)
        self._arriving = Arriving(self)
        self.on_msg(self._hear)
        if self.comm is not None:
            self.comm.on_close(lambda _: self._parts.lose())

    @default("_esm")
    def _default_esm(self) -> str:
        return module_text("recorder.js")

    @default("_css")
    def _default_css(self) -> str:
        return style_text("recorder.css")

    # -- what was recorded --------------------------------------------------------------------------------

    @property
    def take(self) -> Take | None:
        """The recording that arrives now, else the last one; None where there was none."""
        return self._arriving.take if self._arriving else None

    @property
    def clip(self) -> Clip | None:
        """The last recording that was finished; None where there was none."""
        take = self._arriving.finished if self._arriving else None
        return take.clip if take is not None else None

    @property
    def path(self) -> Path | None:
        """The WAV file of `take`."""
        return self.take.path if self.take is not None else None

    def on_clip(self, call: Callable[[Clip], object]) -> Callable[[], None]:
        """Have a function called with each recording; calling what comes back ends that.

        Parameters
        ----------
        call : callable
            Gets the `Clip`. Other cells may be running: it is called as soon as the kernel hears of the recording.
        """
        listeners = self._parts.listeners
        listeners.append(call)
        return lambda: listeners.remove(call) if call in listeners else None

    async def record(self) -> Clip:
        """The next recording. The recorder is shown, where it is not yet, and the cell waits.

        Raises
        ------
        Cancelled
            If the person cancelled it. It is an `asyncio.CancelledError` too, so that only this cell ends.
        CellError
            If no page answers, or nothing was recorded.
        SetupError
            If the recording can't be written to disk.
        """
        parts = self._parts
        async with widgets_heard():
            known, round_ = self._ready, parts.rounds
            parts.home.follow()
            if self.state in ("done", "cancelled", "lost"):
                self.state, self.elapsed_s = "idle", 0.0
            self.active, self.trouble = True, ""
            if not self._shown:
                from IPython.display import display

                display(self)  # type: ignore[no-untyped-call]
            await self._wait_for_page()
            if known and self.auto_start:
                self.start()
            try:
                await parts.bell.until(lambda: parts.rounds > round_ or None)
            except asyncio.CancelledError:
                self.stop()  # what was said so far is kept
                raise
        return _clip_of(parts.outcome)

    async def stream(self) -> AsyncIterator[Samples]:
        """The sound of the recording that arrives now, else of the next one, piece by piece from its beginning.

        Yields
        ------
        numpy.ndarray
            float32, shape ``(frames, 1)``, full scale ±1.0, at ``recorder.take.sample_rate``: what came since the last
            piece, usually 100 ms, at most one second.
        """
        parts = self._parts
        async with widgets_heard():
            parts.home.follow()
            before = parts.take if parts.take is None or parts.take.over else None
            take = await parts.bell.until(lambda: parts.take if parts.take is not before else None)
            start = 0
            while await parts.bell.until(partial(_goes_on, take, start)):
                samples = take.read(start, take.sample_rate)
                start += len(samples)
                yield samples

    # -- what the buttons do ------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to record, as the button does. A browser that was not asked before asks the person first."""
        if self.door == "kernel":
            self._parts.kernel_door.start()
        else:
            self.send({"kind": "start"})

    def stop(self) -> None:
        """End the recording, as the button does."""
        if not self._parts.kernel_door.stop():
            self.send({"kind": "stop"})

    def cancel(self) -> None:
        """Record nothing: a recording that has begun is deleted, and `record` raises `Cancelled`."""
        self._parts.cancel()  # first: a page that knows that it is over does not cancel the next one
        self.send({"kind": "cancel"})

    def close(self) -> None:
        """Free everything. A recording that has begun ends, and its file is kept."""
        if self._arriving is not None:
            self._arriving.close()
        super().close()

    # -- the page -----------------------------------------------------------------------------------------

    @property
    def _parts(self) -> Arriving:
        assert self._arriving is not None  # from the end of `__init__` on
        return self._arriving

    def _hear(self, _: Any, content: Any, buffers: list[Any]) -> None:
        self._ready = True
        try:
            if isinstance(content, dict):
                self._parts.hear(content, buffers)
        finally:
            self._parts.bell.ring()

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take traits from the page; a change of one is as good an answer as ``ready``."""
        super().set_state(sync_data)
        self._ready = True
        if self._arriving is not None:
            self._arriving.bell.ring()

    async def _wait_for_page(self) -> None:
        from IPython import get_ipython

        place = front_end(get_ipython())
        limit_s = PATIENT_S if place == "live" else READY_S
        try:
            await self._parts.bell.until(lambda: self._ready or None, limit_s)
        except TimeoutError:
            raise CellError(
                f"No front end answered within {limit_s:.0f} s: a recorder needs a notebook that somebody looks at.",
                "%%listen question.wav works everywhere.",
            ) from None

    @property
    def said(self) -> str:
        """What a saved notebook says of it."""
        return f"Recording, {self.duration_s:.1f} s" if self.duration_s else "Recorder"

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        self._shown = True
        # The living recorder takes the place of the line, which is what is saved.
        line = tag("p", self.said, class_=live_class(self.key).strip())
        return {"text/plain": self.said, "text/html": str(line), **widget_view(self.model_id)}, {}


def _goes_on(take: Take, start: int) -> bool | None:
    """Whether there is more of it than so many frames; None where that is not known yet."""
    return True if take.frames > start else False if take.over else None


def _clip_of(outcome: Outcome) -> Clip:
    if isinstance(outcome, Exception):
        raise outcome
    if outcome is None:
        raise Cancelled("Nothing was sent.", "Run the cell again to speak.")
    clip = outcome.clip
    if clip is None:
        raise CellError("Nothing was recorded.", "Run the cell again, and speak.")
    return clip


def _shut_doors() -> dict[str, str]:
    from nbaudio.widgets.kernel_microphone import shut_reason

    reason = shut_reason()
    return {"kernel": reason} if reason else {}
