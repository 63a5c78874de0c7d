"""The microphone of the computer that the kernel runs on, by ``nbaudio[mic]`` (sounddevice, which is PortAudio).

For front ends without one, such as VS Code, and for terminals. Whether that computer is the one that the person sits at
can't be known here.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

from nbaudio.errors import SetupError
from nbaudio.sound.codecs import pcm16_to_samples
from nbaudio.widgets.silence import Silence, level_dbfs
from nbaudio.widgets.take import Take

__all__ = ["KernelMicrophone", "shut_reason"]

_PIECES_A_SECOND = 10


def shut_reason() -> str:
    """In plain words why the kernel's computer can't record; empty where it can.

    Examples
    --------
    >>> shut_reason() == "" or shut_reason().endswith(".")
    True
    """
    try:
        _choose_rate(_sounddevice(), 24_000)
    except SetupError as error:
        return str(error)
    return ""


class KernelMicrophone:
    """One recording from the kernel's own microphone.

    Parameters
    ----------
    max_s : float
        The longest recording, in seconds.
    silence_s : float
        A silence of so many seconds after speech ends it; 0: none does.
    sample_rate : int
        Hz, as wanted; where the device can't, it is the device's own.

    Attributes
    ----------
    sample_rate : int
        Hz, as it is.
    only_zeros : bool
        Whether nothing but digital silence came so far, as macOS gives to programs that may not use the microphone.

    Raises
    ------
    SetupError
        If a package, a library or a microphone is missing, or it can't be opened.
    """

    def __init__(self, *, max_s: float, silence_s: float, sample_rate: int = 24_000) -> None:
        self._sounddevice = _sounddevice()
        self.sample_rate = _choose_rate(self._sounddevice, sample_rate)
        self.only_zeros = True
        self._longest = round(max_s * self.sample_rate)
        self._silence = Silence(self.sample_rate, silence_s)
        self._pieces = self._frames = 0
        self._reason = "device lost"  # unless somebody says another
        self._lock = threading.Lock()
        self._stream: Any = None

    def start(self, take: Take, *, heard: Callable[[float, float], None], ended: Callable[[str], None]) -> None:
        """Begin to record.

        Parameters
        ----------
        take : Take
            Gets the sound, at `sample_rate`.
        heard : callable
            Called ten times a second, on PortAudio's thread, with the level in dBFS and the time in seconds.
        ended : callable
            Called once at the end, on some thread, with the reason: ``"stopped"``, ``"silence"``, ``"longest"``,
            ``"device lost"``, or what the disk said. Call `close` then, from another thread.
        """
        self._take, self._heard, self._ended = take, heard, ended
        try:
            self._stream = self._sounddevice.RawInputStream(
                samplerate=self.sample_rate,
                channels=1,
                dtype="int16",
                blocksize=self.sample_rate // _PIECES_A_SECOND,
                callback=self._hear,
                finished_callback=self._finish,
            )
            self._stream.start()
        except self._sounddevice.PortAudioError as error:
            self.close()
            raise SetupError(f"The kernel's microphone can't be opened: {_words(error)}.", _OTHER_DOORS) from error

    def stop(self) -> None:
        """End it; the sound up to now is in the take when this returns."""
        with self._lock:
            stream, self._reason = self._stream, "stopped"
        if stream is not None:
            stream.stop()

    def close(self) -> None:
        """Give the device back."""
        with self._lock:
            stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    @property
    def pieces(self) -> int:
        """How many pieces have been given to the take."""
        return self._pieces

    def _hear(self, indata: Any, frames: int, time: Any, status: Any) -> None:
        """Take a block of sound; its memory is PortAudio's own and holds only until this returns."""
        pcm16 = bytes(indata)[: 2 * (self._longest - self._frames)]
        if sys.byteorder == "big":
            pcm16 = b"".join(pcm16[at : at + 2][::-1] for at in range(0, len(pcm16), 2))
        samples = pcm16_to_samples(pcm16)
        try:
            self._take.add(self._pieces, pcm16)
        except OSError as error:
            self._reason = f"The recording can't be written: {error.strerror}."
            raise self._sounddevice.CallbackAbort from error
        self._pieces += 1
        self._frames += len(samples)
        self.only_zeros = self.only_zeros and not any(pcm16)
        self._silence.add(samples)
        self._heard(level_dbfs(samples), self._frames / self.sample_rate)
        if self._frames >= self._longest or self._silence.over:
            self._reason = "longest" if self._frames >= self._longest else "silence"
            raise self._sounddevice.CallbackStop

    def _finish(self) -> None:
        self._ended(self._reason)


_OTHER_DOORS = "Use the browser's microphone, or choose a file."
_NO_PORTAUDIO = (
    "The library PortAudio is missing on the kernel's computer.",
    "Install libportaudio2 there (Debian, Ubuntu), or portaudio (Fedora, conda), and restart the kernel.",
)
_looked_for: OSError | None = None  # in vain; Python would look again at every import, for a tenth of a second


def _sounddevice() -> Any:
    global _looked_for
    try:
        if _looked_for is not None and "sounddevice" not in sys.modules:
            raise _looked_for
        import sounddevice
    except ImportError:
        raise SetupError(
            "The kernel can't use the microphone of its computer yet.", "Install there: pip install 'nbaudio[mic]'."
        ) from None
    except OSError as error:  # the package is there, but not the library that it speaks to
        _looked_for = error
        raise SetupError(*_NO_PORTAUDIO) from error
    return sounddevice


def _choose_rate(sounddevice: Any, wanted: int) -> int:
    """The sample rate to record at, Hz."""
    try:
        device = sounddevice.query_devices(kind="input")
    except (sounddevice.PortAudioError, ValueError):
        raise SetupError("The kernel's computer has no microphone.", _OTHER_DOORS) from None
    own = int(device["default_samplerate"])
    for rate in (wanted, own):
        try:
            sounddevice.check_input_settings(samplerate=rate, channels=1, dtype="int16")
        except sounddevice.PortAudioError as error:
            refusal = error
        else:
            return rate
    raise SetupError(f"The kernel's microphone can't be opened: {_words(refusal)}.", _OTHER_DOORS) from refusal


def _words(error: Exception) -> str:
    return str(error.args[0]).rstrip(".") if error.args else type(error).__name__
