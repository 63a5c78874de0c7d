"""An answer of a notebook that is opened once more: beside its kernel, and without it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from openai_server import OpenAIServer
from playwright.sync_api import Page

from .notebook_page import NotebookPage
from .players import play_all
from .server import JupyterServer, asking

Open = Callable[..., NotebookPage]


def test_an_answer_is_there_for_a_page_that_is_reloaded_and_one_without_its_kernel(
    server: JupyterServer,
    lab: Open,
    another_lab: Open,
    on_new_page: Open,
    page_on_disk: Callable[[Path], Page],
    openai: OpenAIServer,
) -> None:
    openai.duration_s = 20.0  # it still sounds when the kernel is there again
    server.write_notebook("kept.ipynb", asking(openai), "%%speak --once\nIs it a good dog?")
    notebook = lab("kept.ipynb")
    assert notebook.run_all(), notebook.errors()
    words = notebook.code_cells()[1].shown("text/plain")[0].splitlines()[0]
    notebook.save()

    again = on_new_page("kept.ipynb")  # the kernel lives, and so does its player
    [card] = again.cards(1)
    assert words in card.text
    assert not again.sounds()[0]["playing"]
    again.page.get_by_role("button", name="Play").click()
    again.until("sounds[0].position_s > 0.3")

    again.page.evaluate("async () => { await panel.sessionContext.session.kernel.restart(); }")
    again.page.get_by_role("button", name="Pause").click()
    again.until("sounds.every(one => !one.playing)")
    again.until("contexts.length === 0", limit_ms=20_000)
    again.close()

    for players in (another_lab("kept.ipynb").play_all(), play_all(page_on_disk(server.notebooks / "kept.ipynb"))):
        [player] = players
        assert player.faults() == []
        assert words in player.beside
