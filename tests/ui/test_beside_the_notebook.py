"""A sound too large for the notebook is a file beside it, which its players find."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from .notebook_page import NotebookPage
from .players import play_all
from .server import JupyterServer

_BEEP = """
import numpy as np, nbaudio as nba
nba.Clip(0.3 * np.sin(np.arange(24_000 * 8) / 9), sample_rate=24_000)
"""


@pytest.mark.parametrize("path", ["long.ipynb", "lessons/week 1/long.ipynb"])
def test_a_sound_over_the_budget_plays_from_its_file(
    path: str, server: JupyterServer, lab: Callable[..., NotebookPage], page_on_disk: Callable[[Path], Page]
) -> None:
    file = server.write_notebook(path, "%load_ext nbaudio\n%config NbAudio.embed_budget_kb = 5", _BEEP)
    notebook = lab(path)
    assert notebook.run_all(), notebook.errors()
    notebook.save()

    [sound] = (file.parent / "nbaudio-media").iterdir()
    assert f'src="nbaudio-media/{sound.name}"' in notebook.code_cells()[1].shown("text/html")[0]
    for players in (notebook.play_all(), play_all(page_on_disk(file))):
        [player] = players
        assert player.faults() == []
        assert f"nbaudio-media/{sound.name}" in player.beside
