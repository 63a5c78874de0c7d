"""A module that behaves as ``sounddevice`` does where the project uses it: there is no microphone in a container.

What it does was read in sounddevice 0.5.6 (``RawInputStream``, ``_wrap_callback``, ``query_devices``): the callback
gets memory that is its own only until it returns, on a thread that is nobody's; `CallbackStop` ends the stream after
the block, and any other exception is printed and ends it too; ``finished_callback`` follows every end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["CallbackAbort", "CallbackStop", "PortAudioError", "StandIn"]


class PortAudioError(Exception):
    """As PortAudio's: its words, its number."""


class CallbackStop(Exception):
    """Raised by a callback that has enough."""


class CallbackAbort(Exception):
    """Raised by a callback that can't go on."""


class StandIn:
    """The module.

    Parameters
    ----------
    blocks : sequence of bytes
        What the microphone hears, 100 ms each; after the last the device is gone if `unplugged`, else it hears zeros.
    rates : sequence of int
        The sample rates that the device can, its own first; none: there is no device.
    """

    PortAudioError, CallbackStop, CallbackAbort = PortAudioError, CallbackStop, CallbackAbort

    def __init__(self, blocks: Sequence[bytes], rates: Sequence[int] = (24_000,), *, unplugged: bool = False) -> None:
        self.blocks, self.rates, self.unplugged = blocks, rates, unplugged
        self.open: list[_Stream] = []
        self.printed: list[BaseException] = []
        self.go_on = threading.Semaphore(0)
        """Released once for each block that is to be heard."""

    def query_devices(self, device: Any = None, kind: str | None = None) -> dict[str, Any]:
        assert kind == "input"
        if not self.rates:
            raise PortAudioError("Error querying device -1")
        return {"name": "stand-in", "default_samplerate": float(self.rates[0]), "max_input_channels": 1}

    def check_input_settings(self, *, samplerate: float, channels: int, dtype: str) -> None:
        assert (channels, dtype) == (1, "int16")
        if samplerate not in self.rates:
            raise PortAudioError("Invalid sample rate", -9997)

    def RawInputStream(self, **options: Any) -> _Stream:
        if not self.rates:
            raise PortAudioError("Error opening RawInputStream: Device unavailable", -9985)
        return _Stream(self, **options)


class _Stream:
    def __init__(
        self,
        module: StandIn,
        *,
        samplerate: int,
        channels: int,
        dtype: str,
        blocksize: int,
        callback: Callable[..., None],
        finished_callback: Callable[[], None],
    ) -> None:
        assert (channels, dtype, blocksize) == (1, "int16", samplerate // 10)
        self._module, self._size = module, 2 * blocksize
        self._callback, self._finished = callback, finished_callback
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="portaudio", daemon=True)
        module.open.append(self)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        assert threading.current_thread() is not self._thread, "PortAudio does not stop a stream from its own callback"
        self._stopping.set()
        self._module.go_on.release()
        self._thread.join(10)
        assert not self._thread.is_alive()

    def close(self) -> None:
        if self._thread.is_alive():
            self.stop()
        self._module.open.remove(self)

    def _run(self) -> None:
        memory = bytearray(self._size)
        for block in [*self._module.blocks, *([] if self._module.unplugged else [bytes(self._size)] * 1000)]:
            self._module.go_on.acquire()
            if self._stopping.is_set():
                break
            memory[: len(block)] = block
            try:
                self._callback(memoryview(memory)[: len(block)], len(block) // 2, None, 0)
            except (CallbackStop, CallbackAbort):
                break
            except BaseException as error:
                self._module.printed.append(error)
                break
            memory[:] = b"\x55" * self._size  # it is PortAudio's again
        self._finished()
