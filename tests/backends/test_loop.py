"""The loop that all requests run on: what ends it does not end the requests of the kernel."""

from __future__ import annotations

import threading

import pytest

import nbaudio as nba
from nbaudio.backends import loop

WAIT_S = 10


async def leave() -> None:
    raise SystemExit(2)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # the thread says why it ends
@pytest.mark.usefixtures("server")
def test_after_its_end_another_begins() -> None:
    assert nba.Conversation().say("Hello").text
    (thread,) = [one for one in threading.enumerate() if one.name == "nbaudio-loop"]
    with pytest.raises(SystemExit):
        loop.wait(loop.start(leave))
    thread.join(WAIT_S)
    assert nba.Conversation().say("And now?").text
