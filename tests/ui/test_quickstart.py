"""The quickstart as a newcomer meets it: Run All, listen, keep it, send it to somebody."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from .notebook_page import Cell, NotebookPage
from .players import play_all
from .server import JupyterServer


@pytest.fixture(scope="module")
def quickstart(browser: Browser, server: JupyterServer) -> Iterator[NotebookPage]:
    """The quickstart on a page of its own, after Run All and a save."""
    page = NotebookPage(browser.new_context().new_page(), server, "01_quickstart.ipynb")
    page.run_all()
    page.save()
    yield page
    page.close()


def test_every_cell_runs_and_every_answer_is_shown_with_its_words(quickstart: NotebookPage) -> None:
    cells = quickstart.code_cells()
    assert quickstart.errors() == []
    assert all(cell.execution_count for cell in cells)

    spoken = [cell for cell in _with_sound(cells) if "nbaudio-live-" in cell.shown("text/html")[0]]
    assert len(spoken) >= 4
    for cell, card in zip(spoken, quickstart.cards(len(spoken)), strict=True):
        assert _words(cell) in card.text
    players = quickstart.play_all()
    assert len(players) + len(spoken) == len(_with_sound(cells)) >= 9
    assert [fault for player in players for fault in player.faults()] == []
    assert quickstart.foreign_requests == []


def test_it_plays_for_somebody_who_does_not_trust_it_and_has_no_such_kernel(
    quickstart: NotebookPage, server: JupyterServer, another_lab: Callable[..., NotebookPage]
) -> None:
    changed = json.loads((server.notebooks / "01_quickstart.ipynb").read_text(encoding="utf-8"))
    changed["metadata"]["title"] = "Changed elsewhere, so that no signature of this machine fits"
    (server.notebooks / "from_a_friend.ipynb").write_text(json.dumps(changed), encoding="utf-8")

    friends = another_lab("from_a_friend.ipynb")

    assert quickstart.trusted()
    assert not friends.trusted()
    players = friends.play_all()
    answers = _with_sound(quickstart.code_cells())
    assert len(players) == len(answers)
    for player, cell in zip(players, answers, strict=True):
        assert player.source in cell.shown("text/html")[0]
        assert _words(cell) in player.beside
    assert [fault for player in players for fault in player.faults()] == []


def test_its_page_plays_from_disk_without_a_network(
    quickstart: NotebookPage, server: JupyterServer, page_on_disk: Callable[[Path], Page]
) -> None:
    page = page_on_disk(server.notebooks / "01_quickstart.ipynb")

    players = play_all(page)

    assert len(players) == len(_with_sound(quickstart.code_cells()))
    assert [fault for player in players for fault in player.faults()] == []


def _words(cell: Cell) -> str:
    return str(cell.shown("text/plain")[0].splitlines()[0])


def _with_sound(cells: list[Cell]) -> list[Cell]:
    return [cell for cell in cells if any("<audio" in html for html in cell.shown("text/html"))]
