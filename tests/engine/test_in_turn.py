"""A lock that is given to those who wait in the order in which they came."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from nbaudio.engine.in_turn import InTurn

pytestmark = pytest.mark.offline
WAIT_S = 10.0


def wait_until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_who_waits_is_served_before_who_takes_it_again() -> None:
    turn, served = InTurn(), []

    def take(name: str) -> None:
        with turn:
            served.append(name)

    threads = [threading.Thread(target=take, args=(name,)) for name in ("second", "third")]
    with turn:
        served.append("first")
        for waiting, thread in enumerate(threads, 1):
            thread.start()
            wait_until(lambda count=waiting: turn.waiting == count)  # type: ignore[misc]
    take("first again")
    for thread in threads:
        thread.join(WAIT_S)
    assert served == ["first", "second", "third", "first again"]


def test_what_fails_lets_go() -> None:
    turn = InTurn()
    with pytest.raises(RuntimeError, match="inside"), turn:
        raise RuntimeError("inside")
    with turn:
        assert turn.waiting == 0


def test_who_is_interrupted_while_waiting_leaves_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    turn = InTurn()

    class Interrupted:
        """A lock in which Ctrl-C comes the second time."""

        taken = False

        def acquire(self) -> None:
            if self.taken:
                raise KeyboardInterrupt
            self.taken = True

        release = acquire

    with turn:
        monkeypatch.setattr("nbaudio.engine.in_turn.threading.Lock", Interrupted)
        with pytest.raises(KeyboardInterrupt), turn:
            pass
        assert turn.waiting == 0
    monkeypatch.undo()
    with turn:
        pass
