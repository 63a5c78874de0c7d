"""`%say` in JupyterLab: a text is heard as it comes, goes on when the cell is over, and is kept where it is stopped."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .notebook_page import NotebookPage
from .server import JupyterServer
from .window import JupyterWindow

TEXT = "The **museum** opens early in the morning. It closes late."
WORDS = "The museum opens early in the morning. It closes late."


@pytest.fixture(scope="module")
def page(server: JupyterServer, window: JupyterWindow) -> Iterator[NotebookPage]:
    """A notebook whose engine is awake."""
    server.write_notebook("saying.ipynb", "%load_ext nbaudio\nhello = %say Hello!")
    notebook = window.open("saying.ipynb")
    assert notebook.run_all(), notebook.errors()
    yield notebook
    window.clear()


@pytest.mark.parametrize("cell", [f"%%say --voice nova\n{TEXT}", f"%say --voice nova {TEXT}"], ids=["cell", "line"])
def test_a_text_is_heard_and_shown_and_kept(page: NotebookPage, cell: str) -> None:
    page.begin_only(cell)
    page.until("sounds[0]?.position_s > 0.3")
    assert page.end(), page.errors()

    [output] = page.code_cells()[0].outputs
    assert output["output_type"] == "execute_result"
    assert set(output["data"]) == {"text/html", "text/markdown", "text/plain"}
    assert output["data"]["text/plain"].startswith(WORDS)
    [card] = page.cards(1)
    for shown in ("Speech", "The museum opens early in the morning.", "It closes late.", "spoken on this machine"):
        assert shown in card.text
    page.until("!sounds[0].playing && sounds[0].position_s > 2")
    [sound] = page.sounds()
    assert sound["underruns"] == 0


def test_stopped_it_keeps_what_came(page: NotebookPage) -> None:
    page.begin_only("%%say -o kept\n" + f"{WORDS} " * 900)
    page.until("sounds.some(one => one.playing && one.position_s > 0.3)")  # not the one before it, which is paused
    assert not page.page.evaluate("() => over")

    assert page.interrupt() < 3

    assert "what had been spoken is kept" in page.errors()[0]
    [card] = page.cards(1)
    assert "broke off" in card.text
    assert page.execute("(type(kept).__name__, kept.partial, kept.duration_s > 1)") == "('Speech', True, True)"
