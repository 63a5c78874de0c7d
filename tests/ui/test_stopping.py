"""What stops a cell stops the run, and says why in one line: an error, and the button that interrupts."""

from __future__ import annotations

from collections.abc import Callable

from openai_server import Gate, OpenAIServer

from .notebook_page import NotebookPage
from .server import JupyterServer, asking

Open = Callable[..., NotebookPage]


def test_a_failing_cell_shows_one_line_and_stops_the_run(server: JupyterServer, lab: Open) -> None:
    server.write_notebook("failing.ipynb", "%load_ext nbaudio", "%%speak --voice bob\nHello there.", "1 + 1")
    notebook = lab("failing.ipynb")

    assert not notebook.run_all()

    _, failing, following = notebook.code_cells()
    [error] = failing.errors
    assert "'bob'" in error
    assert "coral" in error
    assert "\n" not in error
    shown = notebook.page.locator(".jp-OutputArea-output").filter(has_text="'bob'")
    assert shown.inner_text().strip() == error
    assert len(failing.outputs) == 1
    assert following.execution_count is None


def test_a_notebook_that_is_closed_falls_silent(server: JupyterServer, lab: Open) -> None:
    tone = "np.sin(np.arange(24_000 * 20) / 9)"
    server.write_notebook(
        "closed.ipynb", f"import numpy as np, nbaudio as nba\nnba.Player(nba.Clip({tone}, 24_000), playing=True)"
    )
    notebook = lab("closed.ipynb")
    assert notebook.run_all(), notebook.errors()
    notebook.until("sounds[0]?.position_s > 0.1")

    notebook.page.evaluate("() => panel.dispose()")

    notebook.until("!sounds[0].playing")
    assert notebook.sounds()[0]["position_s"] < 15, "it was over anyway"


def test_an_interrupt_keeps_what_came_and_the_kernel_goes_on(
    server: JupyterServer,
    lab: Open,
    another_lab: Open,
    openai: OpenAIServer,
) -> None:
    openai.duration_s = 8.0
    openai.gate = Gate(pieces=90)  # 3 s
    server.write_notebook("story.ipynb", asking(openai), "%%speak\nTell me a story about a dog.", "1 + 1")
    notebook = lab("story.ipynb")
    notebook.begin()
    notebook.until("sounds[0]?.position_s > 0.5")

    stopped_in_s = notebook.interrupt()

    assert stopped_in_s < 2
    notebook.until("!sounds[0].playing", limit_ms=500)
    _, story, following = notebook.code_cells()
    assert [output["output_type"] for output in story.outputs] == ["display_data", "error"]
    assert story.errors == [
        "Interrupted: Stopped; what had come of the answer is kept. It is the last turn, and it plays."
    ]
    [card] = notebook.cards(1)
    assert "broke off" in card.text
    assert following.execution_count is None

    assert notebook.run_cell(2)
    assert notebook.code_cells()[2].shown("text/plain") == ["2"]
    before_s = notebook.sounds()[0]["position_s"]
    notebook.page.get_by_role("button", name="Play").click()
    notebook.until(f"sounds[0].position_s > {before_s} + 0.3")
    notebook.save()
    notebook.leave()
    [player] = another_lab("story.ipynb").play_all()
    assert player.faults() == []
    assert "broke off" in player.beside
