"""Pieces on their way from the loop of requests to the thread that waits for them."""

from __future__ import annotations

import threading
import time

import pytest

import nbaudio as nba
from nbaudio.conversation import crossing
from nbaudio.conversation.crossing import Crossing

WORDS, SOUND = nba.TextDelta("So"), nba.AudioDelta(bytes(4))


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop that waits for as long as it takes."""
    monkeypatch.setattr(crossing, "_LET_S", 60.0)


def test_they_come_in_order_and_end() -> None:
    pieces = Crossing()
    for one in ([WORDS], [SOUND, WORDS], None):
        pieces.put(one)
    assert [pieces.next(), pieces.next(), pieces.next()] == [[WORDS], [SOUND, WORDS], None]


@pytest.mark.usefixtures("patient")
def test_who_waits_has_the_first_sound_before_the_loop_goes_on() -> None:
    pieces, got = Crossing(), threading.Event()
    taken: list[object] = []

    def take() -> None:
        while (some := pieces.next()) is not None:
            taken.append(some)
        got.set()

    threading.Thread(target=take, daemon=True).start()
    while not pieces._waits:
        time.sleep(0)
    pieces.put([SOUND])
    assert not pieces._hands_over  # which says that somebody has it
    for one in ([WORDS], [SOUND], None):
        pieces.put(one)  # and of these none is waited for
    assert got.wait(10)
    assert taken == [[SOUND], [WORDS], [SOUND]]


@pytest.mark.usefixtures("patient")
def test_nobody_is_waited_for_who_does_something_else() -> None:
    pieces = Crossing()
    begun = time.monotonic()
    pieces.put([SOUND])
    assert time.monotonic() - begun < 10
    assert pieces.next() == [SOUND]
