"""`%%listen` without a recording, in JupyterLab: the cell waits for what a microphone hears, and goes on with it."""

from __future__ import annotations

import base64
from collections.abc import Callable

import jiwer
import pytest
from kernel_versions import VERSIONS, kernel_spec
from openai_server import OpenAIServer

from nbaudio import Clip
from nbaudio.engine.parts import engine

from .notebook_page import NotebookPage
from .recorder_page import QUESTION
from .server import JupyterServer, asking

LASTS = """
from nbaudio.widgets.recordings import latest
nba.Clip(latest()).duration_s
"""

Open = Callable[..., NotebookPage]


@pytest.fixture
def listening(lab: Open, server: JupyterServer, openai: OpenAIServer) -> Open:
    """Opens a notebook whose kernel has loaded the extension."""

    def opened(name: str, kernel: str = "python3") -> NotebookPage:
        server.write_notebook(name, asking(openai), kernel=kernel)
        page = lab(name)
        assert page.run_all(), page.errors()
        return page

    return opened


def words(text: str) -> str:
    return " ".join("".join(c if c.isalnum() else " " for c in text.lower()).split())


def heard(openai: OpenAIServer) -> str:
    """What was said, as the offline engine understands the recording that was sent last."""
    [part] = openai.requests[-1].body["messages"][-1]["content"]
    recording = Clip(base64.b64decode(part["input_audio"]["data"]))
    return engine().listener.hear(recording.resample(16_000).samples[:, 0])


@pytest.mark.parametrize("version", VERSIONS)
def test_the_cell_goes_on_with_what_was_said(version: str, listening: Open, openai: OpenAIServer) -> None:
    page = listening(f"listen-{version}.ipynb", kernel=kernel_spec(version))
    page.begin_only("%%listen --once --silence 1 -o reply", "len(reply.text), 1 + 1")
    page.page.get_by_role("button", name="Record").wait_for()
    assert page.page.evaluate("() => over") is False
    page.page.get_by_role("button", name="Record").press("Space")

    assert page.end(), page.errors()  # the silence ends it

    listen, following = page.code_cells()
    assert listen.shown("text/plain")[0].startswith("Recording, ")
    assert openai.words in listen.shown("text/plain")[-1]
    assert following.shown("text/plain") == [f"({len(openai.words)}, 2)"]
    assert jiwer.wer(words(QUESTION), words(heard(openai))) < 0.3
    page.page.wait_for_function("() => nbaudio.recorders.size === 0")


def test_a_cancelled_recording_ends_the_run_and_the_last_one_can_be_sent_again(
    listening: Open, openai: OpenAIServer
) -> None:
    page = listening("cancel.ipynb")
    page.begin_only("%%listen --once --max 2", "1 + 1")
    page.page.get_by_role("button", name="Record").click()
    assert page.end(), page.errors()  # after two seconds

    page.begin_only("%%listen --once", "2 + 2")
    page.page.get_by_role("button", name="Record").press("Escape")
    assert not page.end()
    listen, following = page.code_cells()
    [error] = listen.errors
    assert "Nothing was sent" in error
    assert following.execution_count is None
    assert len(openai.requests) == 1

    page.begin_only("%listen --again --once")
    assert page.end(), page.errors()
    assert openai.words in page.code_cells()[0].shown("text/plain")[-1]
    first, second = openai.requests
    assert first.body["messages"] == second.body["messages"]


def test_an_interrupt_while_recording_keeps_the_recording_and_the_kernel(listening: Open) -> None:
    page = listening("interrupt.ipynb")
    page.begin_only("%%listen --once --silence 0", "1 + 1")
    page.page.get_by_role("button", name="Record").click()
    page.page.wait_for_function("() => [...nbaudio.recorders.values()].some(one => one.pieces > 10)")

    assert page.interrupt() < 2

    listen, following = page.code_cells()
    [error] = listen.errors
    assert "--again" in error
    assert following.execution_count is None
    assert page.execute("1 + 1") == "2"
    assert float(page.execute(LASTS)) > 0.9
    page.page.wait_for_function("() => nbaudio.recorders.size === 0")


def test_a_closed_tab_leaves_what_had_arrived(
    on_new_page: Open, lab: Open, server: JupyterServer, openai: OpenAIServer
) -> None:
    server.write_notebook("closed.ipynb", asking(openai), "%%listen --once --silence 0")
    page = on_new_page("closed.ipynb")
    page.begin()
    page.page.get_by_role("button", name="Record").press("Enter")
    page.page.wait_for_function("() => [...nbaudio.recorders.values()].some(one => one.pieces > 10)")
    page.page.close()

    again = lab("closed.ipynb")
    assert float(again.execute(LASTS)) > 0.9
    again.begin_only("%listen --again --once")
    assert again.end(), again.errors()
    assert openai.words in again.code_cells()[0].shown("text/plain")[-1]
    assert "good morning" in words(heard(openai))
