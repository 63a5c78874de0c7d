"""The kernel's own microphone, with a module in sounddevice's place that behaves as it does."""

from __future__ import annotations

import errno
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sounddevice_stand_in import StandIn

from nbaudio.errors import SetupError
from nbaudio.widgets import kernel_microphone
from nbaudio.widgets.kernel_microphone import KernelMicrophone, shut_reason
from nbaudio.widgets.take import Take


def blocks(count: int, sample_rate: int = 24_000) -> list[bytes]:
    """100 ms each, with level and content of their own."""
    time_s = np.arange(sample_rate // 10 * count) / sample_rate
    sound = (8000 * np.sin(2 * np.pi * 220 * time_s)).astype("<i2").tobytes()
    size = 2 * (sample_rate // 10)
    return [sound[at : at + size] for at in range(0, len(sound), size)]


Install = Callable[..., StandIn]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a stand-in in the place of ``sounddevice``."""

    def installed(*arguments: object, **options: object) -> StandIn:
        module = StandIn(*arguments, **options)  # type: ignore[arg-type]
        monkeypatch.setitem(sys.modules, "sounddevice", module)  # type: ignore[arg-type]
        return module

    return installed


class Recording:
    """One recording and what it says of itself."""

    def __init__(self, folder: Path, *, max_s: float = 60.0, silence_s: float = 0.0) -> None:
        self.microphone = KernelMicrophone(max_s=max_s, silence_s=silence_s)
        self.take = Take(self.microphone.sample_rate, folder=folder)
        self.levels: list[tuple[float, float]] = []
        self.reasons: list[str] = []
        self.third, self._over = threading.Event(), threading.Event()
        self.microphone.start(self.take, heard=self._hear, ended=self._end)

    def _hear(self, level_dbfs: float, elapsed_s: float) -> None:
        self.levels.append((level_dbfs, elapsed_s))
        if len(self.levels) == 3:
            self.third.set()

    def _end(self, reason: str) -> None:
        self.reasons.append(reason)
        self._over.set()

    def finish(self) -> str:
        """Its end, and the reason."""
        assert self._over.wait(10)
        self.microphone.close()
        self.take.finish()
        (reason,) = self.reasons
        return reason


def go_on(module: StandIn, count: int) -> None:
    for _ in range(count):
        module.go_on.release()


def test_what_it_hears_is_in_the_take_with_ten_levels_a_second(install: Install, tmp_path: Path) -> None:
    sound = blocks(5)
    module = install(sound)
    recording = Recording(tmp_path, max_s=0.5)
    go_on(module, 5)

    assert recording.finish() == "longest"
    assert recording.take.clip is not None
    assert recording.take.clip.encode("pcm16") == b"".join(sound)
    assert [elapsed_s for _, elapsed_s in recording.levels] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    assert [level for level, _ in recording.levels] == pytest.approx([-15.26] * 5, abs=0.02)
    assert recording.microphone.pieces == 5
    assert not recording.microphone.only_zeros
    assert module.open == []
    assert module.printed == []


def test_the_longest_recording_is_exact(install: Install, tmp_path: Path) -> None:
    module = install(blocks(5))
    recording = Recording(tmp_path, max_s=0.25)
    go_on(module, 5)
    assert recording.finish() == "longest"
    assert recording.take.duration_s == 0.25


def test_it_is_stopped(install: Install, tmp_path: Path) -> None:
    module = install(blocks(50))
    recording = Recording(tmp_path)
    go_on(module, 3)
    assert recording.third.wait(10)
    recording.microphone.stop()

    assert recording.finish() == "stopped"
    assert recording.take.duration_s == pytest.approx(0.3)
    assert module.open == []


def test_silence_ends_it(install: Install, tmp_path: Path) -> None:
    quiet = np.random.default_rng(7).integers(-8, 8, 24_000).astype("<i2").tobytes()
    syllables = np.concatenate(blocks_of_syllables())
    sound = quiet + syllables.astype("<i2").tobytes() + quiet * 3
    module = install([sound[at : at + 4800] for at in range(0, len(sound), 4800)])
    recording = Recording(tmp_path, silence_s=1.0)
    go_on(module, 100)

    assert recording.finish() == "silence"
    spoken_s = 1 + len(syllables) / 24_000
    assert spoken_s + 0.7 <= recording.take.duration_s <= spoken_s + 1.3


def blocks_of_syllables() -> list[np.ndarray]:
    time_s = np.arange(6000) / 24_000
    syllable = 9000 * np.sin(2 * np.pi * 180 * time_s) * np.sin(np.pi * np.arange(6000) / 6000)
    return [syllable * loud for loud in (1.0, 0.6, 1.0, 0.4, 0.8, 1.0)]


def test_a_device_that_is_unplugged(install: Install, tmp_path: Path) -> None:
    module = install(blocks(2), unplugged=True)
    recording = Recording(tmp_path)
    go_on(module, 5)
    assert recording.finish() == "device lost"
    assert recording.take.duration_s == pytest.approx(0.2)


def test_a_device_that_has_another_rate_is_recorded_at_its_own(install: Install, tmp_path: Path) -> None:
    module = install(blocks(2, 44_100), rates=(44_100, 48_000))
    recording = Recording(tmp_path, max_s=0.2)
    go_on(module, 2)
    assert recording.finish() == "longest"
    assert recording.take.clip is not None
    assert (recording.take.clip.sample_rate, recording.take.clip.frames) == (44_100, 8820)


def test_digital_silence_is_noticed(install: Install, tmp_path: Path) -> None:
    module = install([bytes(4800)] * 3)
    recording = Recording(tmp_path, max_s=0.3)
    go_on(module, 3)
    recording.finish()
    assert recording.microphone.only_zeros


def test_a_full_disk_ends_it_and_is_told(install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    module = install(blocks(2))
    monkeypatch.setattr(Take, "add", full)
    recording = Recording(tmp_path)
    go_on(module, 2)
    assert recording.finish() == "The recording can't be written: No space left on device."
    assert module.printed == []


# -- why it can't be used -----------------------------------------------------------------------------------


def test_an_open_door_has_no_reason_to_be_shut(install: Install) -> None:
    install([])
    assert shut_reason() == ""


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert shut_reason() == (
        "The kernel can't use the microphone of its computer yet. Install there: pip install 'nbaudio[mic]'."
    )
    with pytest.raises(SetupError, match=r"nbaudio\[mic\]"):
        KernelMicrophone(max_s=1, silence_s=0)


def test_without_portaudio(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    class NoLibrary:
        def find_spec(self, name: str, path: object = None, target: object = None) -> None:
            if name == "sounddevice":
                looked.append(name)
                raise OSError("PortAudio library not found")

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(kernel_microphone, "_looked_for", None)
    monkeypatch.setattr(sys, "meta_path", [NoLibrary(), *sys.meta_path])
    for _ in range(2):
        assert shut_reason().startswith(
            "The library PortAudio is missing on the kernel's computer. Install libportaudio2 there"
        )
    assert len(looked) == 1


def test_without_a_microphone(install: Install) -> None:
    install([], rates=())
    assert shut_reason() == ("The kernel's computer has no microphone. Use the browser's microphone, or choose a file.")


def test_a_device_that_can_do_nothing_we_can_use(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    module = install([], rates=(44_100,))
    module.query_devices = lambda kind: {"default_samplerate": 8000.0}  # type: ignore[method-assign, assignment]
    assert shut_reason().startswith("The kernel's microphone can't be opened: Invalid sample rate.")


def test_a_device_that_another_program_holds(install: Install, tmp_path: Path) -> None:
    module = install([])

    def refuse(**_: object) -> None:
        raise module.PortAudioError("Error opening RawInputStream: Device unavailable", -9985)

    module.RawInputStream = refuse  # type: ignore[method-assign, assignment]
    with pytest.raises(SetupError, match="Device unavailable"):
        Recording(tmp_path)
