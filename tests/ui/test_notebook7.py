"""Notebook 7, the other application that many have."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import pytest

from .notebook_page import NotebookPage
from .server import JupyterServer


@pytest.mark.skipif(importlib.util.find_spec("notebook") is None, reason="Notebook 7 is not installed")
def test_an_answer_plays(server: JupyterServer, on_new_page: Callable[..., NotebookPage]) -> None:
    server.write_notebook("seven.ipynb", "%load_ext nbaudio", "%%speak --once --voice coral\nHello!")
    notebook = on_new_page("seven.ipynb", room="notebooks")

    assert notebook.run_all(), notebook.errors()

    words = notebook.code_cells()[1].shown("text/plain")[0].splitlines()[0]
    [card] = notebook.cards(1)
    assert words in card.text
    notebook.until("sounds[0].position_s > 0.3")
    [sound] = notebook.sounds()
    assert sound["underruns"] == 0
    notebook.save()
    notebook.close()

    reopened = on_new_page("seven.ipynb", room="notebooks")
    [player] = reopened.play_all()
    assert player.faults() == []
    assert words in player.beside
