"""One Jupyter server and one browser for all tests of this folder; each test opens notebooks of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from .browser import NoBrowser, launch
from .notebook_page import NotebookPage
from .server import JupyterServer

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


# Not of the whole session: while Playwright runs, this thread has a running event loop, and asyncio.run fails in it.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A headless Chromium; where there is none, the tests fail and say what to run."""
    with sync_playwright() as playwright:
        try:
            running, _ = launch(playwright)
        except NoBrowser as error:
            pytest.fail(str(error), pytrace=False)
        yield running
        running.close()


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    """A Jupyter server over copies of the project's notebooks; it fails the tests if it leaves processes behind."""
    folder = tmp_path_factory.mktemp("jupyter")
    shutil.copytree(NOTEBOOKS, folder / "notebooks", ignore=shutil.ignore_patterns(".*", "nbaudio-media"))
    (folder / "state").mkdir()
    running = JupyterServer(folder / "notebooks", folder / "state")
    yield running
    left = running.stop()
    assert not left, f"The server left processes behind: {left}"


Open = Callable[..., NotebookPage]


@pytest.fixture(scope="package")
def open_notebook(browser: Browser, server: JupyterServer) -> Open:
    """Opens a notebook in a browser context of its own; whoever opens it closes it."""

    def opened(path: str, room: str = "lab/tree") -> NotebookPage:
        return NotebookPage(browser.new_context().new_page(), server, path, room)

    return opened


@pytest.fixture
def lab(open_notebook: Open) -> Iterator[Open]:
    """Opens notebooks by path, and closes them and their kernels after the test."""
    pages: list[NotebookPage] = []

    def opened(path: str, room: str = "lab/tree") -> NotebookPage:
        pages.append(open_notebook(path, room))
        return pages[-1]

    yield opened
    for page in pages:
        page.close()


@pytest.fixture(scope="package")
def quickstart(open_notebook: Open) -> Iterator[NotebookPage]:
    """The quickstart in JupyterLab, after Run All and a save."""
    page = open_notebook("01_quickstart.ipynb")
    page.run_all()
    page.save()
    yield page
    page.close()


@pytest.fixture
def page_on_disk(browser: Browser) -> Iterator[Callable[[Path], Page]]:
    """Exports a notebook as HTML beside it, and opens that file in a browser that has no network."""
    with browser.new_context(offline=True) as context:

        def opened(notebook: Path) -> Page:
            command = [sys.executable, "-m", "nbconvert", "--to", "html", str(notebook)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            page = context.new_page()
            page.goto(notebook.with_suffix(".html").as_uri())
            return page

        yield opened
