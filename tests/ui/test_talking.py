"""A spoken conversation in JupyterLab, with a real kernel and a Realtime server on the loopback: who is heard, who
interrupts whom, what the history holds of it, a network that is lost, and a kernel that is restarted or busy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, expect
from realtime_server import RealtimeServer, realtime_server

from .server import JupyterServer, asking
from .talk_in_lab import RATE, TalkInLab, question

Samples = np.ndarray[Any, Any]
FADED = int(0.005 * RATE)  # frames in which a sound that is interrupted becomes silent, so that it does not click
Open = Callable[[str], TalkInLab]


def voice(seconds: float, seed: int) -> bytes:
    """A sound that is like itself at no other place, and nowhere silent."""
    dice = np.random.default_rng(seed)
    frames = int(seconds * RATE)
    return bytes((dice.integers(1000, 6000, frames) * dice.choice([-1, 1], frames)).astype("<i2").tobytes())


@pytest.fixture
def model() -> Iterator[RealtimeServer]:
    with realtime_server() as running:
        yield running


@pytest.fixture
def opened(browser: Browser, server: JupyterServer, model: RealtimeServer) -> Iterator[Open]:
    made: list[TalkInLab] = []

    def talk(name: str) -> TalkInLab:
        setup = f"{asking(model)}chat = nba.Conversation(voice='marin')"
        made.append(TalkInLab(browser.new_context(), server, name, setup))
        return made[-1]

    yield talk
    for one in made:
        one.close()


def heard_of(output: Samples, said: bytes) -> Samples:
    """The part of an output in which a voice is heard, from its first sample on, without the silence behind."""
    source = np.frombuffer(said, "<i2")[:64] / np.float32(32768)
    first = np.flatnonzero(output == source[0])
    starts = [at for at in first if np.array_equal(output[at : at + 64], source)]
    assert len(starts) == 1, f"it begins {len(starts)} times"
    rest = output[starts[0] :]
    silent = np.flatnonzero(rest == 0)
    return rest[: silent[0]] if len(silent) else rest


def test_three_turns_an_interruption_and_a_network_that_is_cut(opened: Open, model: RealtimeServer) -> None:
    answers = [voice(1.2, 1), voice(20.0, 2), voice(1.0, 3)]
    talk = opened("talking.ipynb")
    model.voice = answers[0]
    talk.begin()
    talk.speak(question())
    talk.until_all_is_heard(2)

    model.voice = answers[1]
    talk.speak(question())
    talk.until_heard(1.0)
    model.voice = answers[2]
    talk.speak(question())  # and does not let it finish
    (cut,) = model.wait_for("conversation.item.truncate")
    model.wait_for_connection().drop()  # while they speak
    model.wait_for_connection(2)
    talk.until_all_is_heard(6)
    expect(talk.notice).to_contain_text("It is open again")

    assert talk.roles() == ["user", "assistant"] * 3
    output = talk.output()
    for number, answer in enumerate(answers):
        heard, kept = heard_of(output, answer), talk.clip(2 * number + 1)
        faded = FADED if number == 1 else 0
        same = min(len(kept), len(heard)) - faded
        np.testing.assert_array_equal(kept[:same] / np.float32(32768), heard[:same])
        assert len(kept) == pytest.approx(len(heard), abs=faded)
        whole = len(answer) // 2
        assert RATE <= len(kept) < 3 * RATE if number == 1 else len(kept) == whole
    assert len(talk.clip(3)) * 1000 / RATE == pytest.approx(cut["audio_end_ms"], abs=1)
    asked = [len(talk.clip(turn)) / RATE for turn in (0, 2, 4)]  # also what was said while the network was away
    assert asked == pytest.approx([1.79] * 3, abs=0.1)
    assert talk.lab.execute("chat[3].partial, chat[3].note[:15]") == "(True, 'You interrupted')"
    assert model.words.startswith(talk.lab.execute("chat[3].text").strip("'"))


def test_a_restarted_kernel_shuts_the_microphone(opened: Open) -> None:
    talk = opened("talking-restart.ipynb")
    talk.begin()
    assert talk.page.evaluate("() => microphones()") == 1
    talk.page.evaluate("async () => { await panel.sessionContext.session.kernel.restart(); }")
    talk.page.wait_for_function("() => microphones() === 0")
    talk.until("contexts === 0")
    expect(talk.view).to_contain_text("The kernel has gone")


def test_it_talks_while_a_cell_runs(opened: Open, model: RealtimeServer, server: JupyterServer) -> None:
    talk = opened("talking-busy.ipynb")
    model.voice = voice(0.5, 1)
    talk.begin()
    assert talk.lab.execute("6 * 7") == "42"
    go = server.notebooks / "go-on-talking"
    go.unlink(missing_ok=True)
    talk.page.evaluate(
        """name => {
            const code = `import pathlib, time\\nwhile not pathlib.Path('${name}').exists(): time.sleep(0.05)`;
            window.blocked = panel.sessionContext.session.kernel.requestExecute({code}).done;
        }""",
        go.name,
    )
    try:
        talk.speak(question())
        talk.until_all_is_heard(2)
    finally:
        go.touch()
        talk.page.evaluate("() => blocked")
    assert talk.roles() == ["user", "assistant"]
    talk.button("End").click()
    talk.page.wait_for_function("() => microphones() === 0")
    expect(talk.button("Begin talking")).to_be_enabled()
    assert talk.lab.execute("talk.session") == "'closed'"
