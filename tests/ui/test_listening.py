"""`%%listen` without a recording, in JupyterLab: the cell waits for what a microphone hears, and goes on with it."""

from __future__ import annotations

from collections.abc import Callable

import jiwer
import pytest
from kernel_versions import VERSIONS, kernel_spec

from .notebook_page import NotebookPage
from .recorder_page import QUESTION
from .server import JupyterServer

WHAT_WAS_HEARD = """
from nbaudio.engine.parts import engine
from nbaudio.widgets.recordings import latest
import nbaudio as nba
engine().listener.hear(nba.Clip(latest()).resample(16_000).samples[:, 0])
"""

Open = Callable[..., NotebookPage]


@pytest.fixture
def listening(lab: Open, server: JupyterServer) -> Open:
    """Opens a notebook of these cells, with the extension loaded in the first."""

    def opened(name: str, *cells: str, kernel: str = "python3") -> NotebookPage:
        server.write_notebook(name, "%load_ext nbaudio", *cells, kernel=kernel)
        return lab(name)

    return opened


def words(text: str) -> str:
    return " ".join("".join(c if c.isalnum() else " " for c in text.lower()).split())


@pytest.mark.parametrize("version", VERSIONS)
def test_the_cell_goes_on_with_what_was_said(version: str, listening: Open) -> None:
    page = listening(
        f"listen-{version}.ipynb",
        "%%listen --once --silence 1 -o reply",
        "len(reply.text), 1 + 1",
        kernel=kernel_spec(version),
    )
    page.begin()
    page.page.get_by_role("button", name="Record").wait_for()
    assert page.page.evaluate("() => over") is False
    page.page.get_by_role("button", name="Record").press("Space")

    assert page.end(), page.errors()  # the silence ends it

    _, listen, following = page.code_cells()
    said = listen.shown("text/plain")[-1].split("\n[")[0]
    assert following.shown("text/plain") == [f"({len(said)}, 2)"]
    assert jiwer.wer(words(QUESTION), words(page.execute(WHAT_WAS_HEARD))) < 0.3
    assert any(text.startswith("Recording, ") for text in listen.shown("text/plain"))
    page.page.wait_for_function("() => nbaudio.recorders.size === 0")


def test_a_cancelled_recording_ends_the_run_and_the_last_one_can_be_sent_again(listening: Open) -> None:
    page = listening("cancel.ipynb", "%%listen --once --max 3", "1 + 1")
    page.begin()
    page.page.get_by_role("button", name="Record").click()
    assert page.end(), page.errors()  # after three seconds

    page.begin_only("%%listen --once", "2 + 2")
    page.page.get_by_role("button", name="Record").press("Escape")
    assert not page.end()
    listen, following = page.code_cells()
    [error] = listen.errors
    assert "Nothing was sent" in error
    assert following.execution_count is None

    page.begin_only("%listen --again --once")
    assert page.end(), page.errors()
    assert page.code_cells()[0].shown("text/plain")


def test_an_interrupt_while_recording_keeps_the_recording_and_the_kernel(listening: Open) -> None:
    page = listening("interrupt.ipynb", "%%listen --once --silence 0", "1 + 1")
    page.begin()
    page.page.get_by_role("button", name="Record").click()
    page.page.wait_for_function("() => [...nbaudio.recorders.values()].some(one => one.pieces > 10)")

    assert page.interrupt() < 2

    _, listen, following = page.code_cells()
    [error] = listen.errors
    assert "--again" in error
    assert following.execution_count is None
    assert page.execute("1 + 1") == "2"
    assert float(page.execute("from nbaudio.widgets.recordings import latest; import nbaudio; "
                              "nbaudio.Clip(latest()).duration_s")) > 0.9  # fmt: skip
    page.page.wait_for_function("() => nbaudio.recorders.size === 0")


def test_a_closed_tab_leaves_what_had_arrived(on_new_page: Open, lab: Open, server: JupyterServer) -> None:
    server.write_notebook("closed.ipynb", "%load_ext nbaudio", "%%listen --once --silence 0")
    page = on_new_page("closed.ipynb")
    page.begin()
    page.page.get_by_role("button", name="Record").press("Enter")
    page.page.wait_for_function("() => [...nbaudio.recorders.values()].some(one => one.pieces > 10)")
    page.page.close()

    again = lab("closed.ipynb")
    assert float(again.execute("from nbaudio.widgets.recordings import latest; import nbaudio; "
                               "nbaudio.Clip(latest()).duration_s")) > 0.9  # fmt: skip
    again.begin_only("%listen --again --once")
    assert again.end(), again.errors()
    assert again.code_cells()[0].shown("text/plain")
