"""A recorder's third door: the microphone of the kernel's computer. The page asks for it, the kernel reports on it."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from nbaudio.errors import SetupError
from nbaudio.widgets.kernel_microphone import KernelMicrophone

if TYPE_CHECKING:
    from nbaudio.widgets.arriving import Arriving
    from nbaudio.widgets.recorder import Recorder

__all__ = ["KernelDoor"]

_ONLY_ZEROS = (
    "Nothing but digital silence came: the system may keep this program from the microphone. "
    "Allow it in the privacy settings."
)


class KernelDoor:
    """Records into a recorder's takes from the kernel's own microphone.

    Parameters
    ----------
    arriving : Arriving
        Where the sound goes.
    recorder : Recorder
        What shows it: its `state`, `elapsed_s` and `level_dbfs` are set here meanwhile.
    """

    def __init__(self, arriving: Arriving, recorder: Recorder) -> None:
        self._arriving, self._recorder = arriving, recorder
        self._microphone: KernelMicrophone | None = None
        self._name = self._ask = ""  # of the take, and of the page's message that began it

    def hear(self, action: str, ask: str) -> None:
        """What a page asks for. It may have waited behind a cell, and what takes it back comes right behind it."""
        here = self._microphone is not None and self._ask == ask
        if action == "start":
            self.start(ask)
            self._recorder.send({"kind": "answered", "ask": ask})
        elif action == "stop":
            self.stop()
        elif action == "drop" and here:
            self.close()
            self._arriving.drop(self._name)
            self._recorder.state = "idle"
        elif action == "lose" and here:
            self._arriving.lose()

    def start(self, ask: str = "") -> None:
        """Record; where that can't be, the recorder's `shut` says why."""
        arriving, recorder = self._arriving, self._recorder
        if self._microphone is not None:
            return
        name = uuid.uuid4().hex
        try:
            microphone = KernelMicrophone(
                max_s=recorder.max_s, silence_s=recorder.silence_s, sample_rate=recorder.sample_rate
            )
            take = arriving.begin(name, microphone.sample_rate, "kernel")
            microphone.start(take, heard=self._heard, ended=lambda why: arriving.home.do(self._stopped, name, why))
        except SetupError as error:
            arriving.drop(name)
            recorder.shut, recorder.state = {**recorder.shut, "kernel": str(error)}, "idle"
        except OSError as error:
            arriving.fail(error)
        else:
            self._microphone, self._name, self._ask = microphone, name, ask
            with recorder.hold_sync():
                recorder.door, recorder.elapsed_s, recorder.trouble, recorder.state = "kernel", 0.0, "", "recording"

    def stop(self) -> bool:
        """End the recording; tells whether there was one."""
        microphone = self._microphone
        if microphone is not None:
            microphone.stop()
        return microphone is not None

    def close(self) -> None:
        """Give the microphone back, and what it heard last up."""
        microphone, self._microphone = self._microphone, None
        if microphone is not None:
            microphone.close()

    def _heard(self, level_dbfs: float, elapsed_s: float) -> None:
        self._arriving.touch()
        self._arriving.home.do(self._show, level_dbfs, elapsed_s)

    def _show(self, level_dbfs: float, elapsed_s: float) -> None:
        if self._microphone is not None:
            with self._recorder.hold_sync():
                self._recorder.level_dbfs, self._recorder.elapsed_s = level_dbfs, elapsed_s

    def _stopped(self, name: str, why: str) -> None:
        microphone, recorder = self._microphone, self._recorder
        if microphone is None or name != self._name:  # closed already, by whoever also took care of the recording
            return
        self.close()
        if why == "device lost":
            self._arriving.lose()
            return
        if recorder.review:
            recorder.state = "review"
        if why not in ("stopped", "silence", "longest"):
            recorder.trouble = why
        elif microphone.only_zeros:
            recorder.trouble = _ONLY_ZEROS
        self._arriving.whole(name, accepted=not recorder.review)
