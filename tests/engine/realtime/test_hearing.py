"""What is heard of a turn while it is being said, and what of it is kept."""

from __future__ import annotations

import asyncio
import math

import pytest

from nbaudio.engine.realtime.hearing import TurnHearing
from nbaudio.engine.realtime.input_buffer import InputBuffer
from nbaudio.engine.realtime.sound_formats import PCM, Sound, read_format
from nbaudio.engine.realtime.turn_detection import TurnDetection

from .talking import question, silence

pytestmark = pytest.mark.offline


class Ears:
    """Hears of each sound how long it is, when it is let."""

    def __init__(self) -> None:
        self.heard: list[float] = []
        self.begun, self.open = asyncio.Event(), asyncio.Event()

    def hear(self, sound: Sound) -> asyncio.Task[str]:
        return asyncio.create_task(self._words(sound))

    async def _words(self, sound: Sound) -> str:
        self.heard.append(round(sound.duration_ms))
        self.begun.set()
        await self.open.wait()
        return f"{sound.duration_ms:.0f}"


def filled(seconds: float) -> InputBuffer:
    buffer = InputBuffer(PCM, None)
    buffer.append(silence(seconds))
    return buffer


async def listened(pauses: list[float], end_ms: float, *, open: bool = True) -> tuple[list[float], str]:
    """What was listened to in a turn with these pauses, and its words."""
    ears, buffer = Ears(), filled(40.0)
    if open:
        ears.open.set()
    hearing = TurnHearing(ears.hear, 0.0)
    for at_ms in pauses:
        hearing.went_on()
        hearing.paused(buffer, at_ms)
        assert hearing._part is not None
        await (hearing._part.words if open else ears.begun.wait())
    if not pauses or end_ms - pauses[-1] > 1000:
        hearing.went_on()
    words = hearing.words(buffer, end_ms)
    ears.open.set()
    return ears.heard, await words


@pytest.mark.parametrize(
    ("pauses", "end_ms", "heard", "words"),
    [
        ([], 2000, [2000], "2000"),
        ([2000], 2300, [2000], "2000"),  # the silence behind is not listened to
        ([2000], 5000, [2000, 5000], "5000"),  # they went on: both together
        ([2000, 5000], 5300, [2000, 5000], "5000"),
        ([9000, 12_000], 12_300, [9000, 3000], "9000 3000"),  # what is long stands
        ([9000, 12_000, 20_000], 24_000, [9000, 3000, 11_000, 4000], "9000 11000 4000"),
    ],
)
def test_what_is_listened_to(pauses: list[float], end_ms: float, heard: list[float], words: str) -> None:
    assert asyncio.run(listened(pauses, end_ms)) == (heard, words)


def test_one_part_is_listened_to_at_a_time() -> None:
    heard, words = asyncio.run(listened([2000, 3000, 4000], 4300, open=False))
    assert heard == [2000, 4300]
    assert words == "4300"


def test_a_part_that_fails_and_that_nobody_needs_is_none() -> None:
    async def run() -> str:
        failing, failed = True, asyncio.Event()

        async def hear(sound: Sound) -> str:
            if failing:
                failed.set()
                raise RuntimeError("no ears")
            return "words"

        buffer = filled(5.0)
        hearing = TurnHearing(lambda sound: asyncio.create_task(hear(sound)), 0.0)
        hearing.paused(buffer, 1000)
        await failed.wait()
        hearing.went_on()
        failing = False
        return await hearing.words(buffer, 4000)

    assert asyncio.run(run()) == "words"


class TestInputBuffer:
    def test_while_nobody_speaks_only_what_a_turn_may_begin_with_is_kept(self) -> None:
        buffer = InputBuffer(PCM, TurnDetection(prefix_padding_ms=300))
        for _ in range(50):
            buffer.append(silence(0.1))
            buffer.keep_prefix()
        assert buffer.written_ms == pytest.approx(5000)
        assert 300 <= buffer.duration_ms <= 600

    def test_what_is_wanted_is_kept(self) -> None:
        buffer = InputBuffer(PCM, TurnDetection())
        for _ in range(50):
            buffer.append(silence(0.1))
            buffer.keep_prefix(2000.0)
        assert buffer.begins_ms == pytest.approx(2000)

    def test_half_a_frame_waits_for_its_other_half(self) -> None:
        buffer = InputBuffer(PCM, None)
        buffer.append(b"\x01\x02\x03")
        assert buffer.between(0.0).data == b"\x01\x02"
        buffer.append(b"\x04\x05")
        assert buffer.take().data == b"\x01\x02\x03\x04"

    def test_pieces_of_any_size_are_the_same_turn(self) -> None:
        sound = question() + silence(1.0)
        found = []
        for size in (7, 960, len(sound)):
            buffer = InputBuffer(PCM, TurnDetection())
            found.append([c for at in range(0, len(sound), size) for c in buffer.append(sound[at : at + size])])
        assert found[0] == found[1] == found[2]
        assert [change.kind for change in found[0]] == ["began", "paused", "ended"]

    def test_times_go_on_in_another_form(self) -> None:
        buffer = InputBuffer(PCM, None)
        buffer.append(silence(1.5))
        buffer.reform(read_format({"type": "audio/pcmu"}, "x"))
        buffer.append(bytes(8000))
        assert (buffer.begins_ms, buffer.written_ms) == (1500, 2500)
        assert buffer.take(2000.0).duration_ms == 500
        buffer.clear()
        assert (buffer.begins_ms, buffer.duration_ms) == (2500, 0)
        assert math.isclose(PCM.milliseconds_of(48), 1.0)
