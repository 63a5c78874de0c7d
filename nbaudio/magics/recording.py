"""``%%listen`` where no recording is named: the cell shows a recorder, waits, and goes on with what was said."""

from __future__ import annotations

import asyncio
import select
import sys
import threading
import time
from typing import Any

from IPython.display import DisplayHandle, clear_output, display

from nbaudio.display.html import tag
from nbaudio.display.player import NOTE
from nbaudio.errors import CellError, NbaudioError, SetupError
from nbaudio.magics.above import Above
from nbaudio.magics.asking import aask, ask
from nbaudio.settings import settings
from nbaudio.sound.clip import Clip
from nbaudio.turns import Reply
from nbaudio.widgets.front_end import front_end
from nbaudio.widgets.kernel_microphone import KernelMicrophone
from nbaudio.widgets.recorder import Cancelled, Recorder
from nbaudio.widgets.take import Take
from nbaudio.widgets.waiting import widgets_heard

__all__ = ["record_and_ask"]

_AGAIN = "%listen --again sends it once more."


async def record_and_ask(
    shell: Any,
    names: dict[str, Any],
    text: str,
    how: dict[str, Any],
    *,
    aloud: bool,
    shows: bool,
    name: str | None,
    **options: Any,
) -> Reply:
    """The reply to what the person says now.

    Parameters
    ----------
    shell, names, text, aloud, shows, name, options
        As `nbaudio.magics.asking.ask` takes them.
    how : dict
        Traits of the `Recorder`: `max_s`, `silence_s`, `review`, `door`.

    Raises
    ------
    NbaudioError
        In one of its kinds. Where something was recorded it is kept, and the error says so.
    """
    settings().resolve()  # nobody should speak before there is somebody to send it to
    if front_end(shell) == "terminal":
        take = _record_in_terminal(how.get("max_s", 60.0), how.get("silence_s", 1.5))
        return ask(shell, names, text, str(take.path), aloud=aloud, shows=shows, name=name, **options)
    async with widgets_heard():
        recorder = Recorder(prompt=text.strip(), to_say=True, **how)
        shown: DisplayHandle = display(recorder, display_id=True)
        replied, above = False, None
        try:
            clip = await _recorded(recorder)
            recorder.active = False
            try:
                above = Above.for_options(shell, options) if shows else None
                reply = await aask(
                    shell, names, text, clip, aloud=aloud, shows=shows, name=name, above=above, **options
                )
            except NbaudioError as error:
                raise _with_advice(error, f"What you said is kept: {_AGAIN}") from error.__cause__
            replied = True
            return reply
        finally:
            # Not a widget: it is kept with the notebook, where nobody can record any more.
            line = {"text/plain": recorder.said, "text/html": str(tag("p", tag("small", recorder.said), style=NOTE))}
            if replied and shows:
                clear_output(wait=True)  # what was shown meanwhile, and the recorder with it, makes room for the reply
                display(line, raw=True)
                if above is not None:
                    above.stay(cleared=True)
            else:
                shown.update(line, raw=True)
            recorder.close()


async def _recorded(recorder: Recorder) -> Clip:
    try:
        clip = await recorder.record()
    except Cancelled:
        raise
    except asyncio.CancelledError:
        recorder.close()  # ends what is being recorded, and keeps it
        raise _stopped(recorder.take) from None
    if recorder.state == "lost":
        raise CellError(
            f"Nothing more came after {clip.duration_s:.1f} s: the page was closed, or its connection broke.",
            f"What came is kept: {_AGAIN}",
        )
    return clip


def _stopped(take: Take | None) -> Cancelled:
    if take is None or not take.frames:
        return Cancelled("Stopped before anything was recorded.", "Run the cell again to speak.")
    kept = f"Stopped; the {take.duration_s:.1f} s that were recorded are kept."
    return Cancelled(kept, "%listen --again sends them once more.")


def _with_advice(error: NbaudioError, advice: str) -> NbaudioError:
    error.next_step = f"{error.next_step} {advice}".strip()
    error.args = (f"{error.cause} {error.next_step}",)
    return error


def _record_in_terminal(max_s: float, silence_s: float) -> Take:
    """What the person says at a terminal, by the microphone of this computer; Enter ends it.

    Raises
    ------
    SetupError
        If there is no such microphone, or what it needs is not installed.
    """
    try:
        microphone = KernelMicrophone(max_s=max_s, silence_s=silence_s)
    except SetupError as error:
        raise SetupError(error.cause, f"{error.next_step} %listen question.wav works everywhere.") from None
    take, over = Take(microphone.sample_rate), threading.Event()
    silence = f", and so do {silence_s:g} s of silence" if silence_s else ""
    print(f"Recording: Enter ends it{silence}.")  # noqa: T201 - what the person is to do now
    stopped = False
    try:
        microphone.start(take, heard=lambda level_dbfs, elapsed_s: None, ended=lambda why: over.set())
        while not over.is_set() and not _enter_pressed():
            continue
        microphone.stop()
    except KeyboardInterrupt:
        stopped = True
    finally:
        microphone.close()
        take.finish()
    if stopped:
        raise _stopped(take)  # only now is all of it there that will be
    if not take.frames:
        take.discard()
        raise CellError("Nothing was recorded.", "Try again.")
    return take


_TICK_S = 0.1


def _enter_pressed() -> bool:
    """Whether Enter was pressed within a tenth of a second."""
    if sys.platform == "win32":
        import msvcrt

        time.sleep(_TICK_S)
        return msvcrt.kbhit() and msvcrt.getwch() in "\r\n"
    if not select.select([sys.stdin], [], [], _TICK_S)[0]:
        return False
    sys.stdin.readline()
    return True
