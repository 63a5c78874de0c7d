"""One Jupyter server, one browser and one JupyterLab in it for all tests of this folder that run in one process.

Each test opens notebooks of its own: in that JupyterLab, or on a page of its own, as after a reload.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from nbconvert import HTMLExporter
from openai_server import OpenAIServer, serve
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from .browser import NoBrowser, hearing, launch
from .notebook_page import NotebookPage
from .recorder_page import question
from .server import JupyterServer
from .window import JupyterWindow

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


@pytest.fixture(scope="package")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`QUESTION` as a file, 3 s."""
    return question(tmp_path_factory.mktemp("speech"))


# Not of the whole session: while Playwright runs, this thread has a running event loop, and asyncio.run fails in it.
@pytest.fixture(scope="package")
def browser(speech: Path) -> Iterator[Browser]:
    """A headless Chromium whose microphone asks `QUESTION`; where there is none, the tests fail and say what to run."""
    with sync_playwright() as playwright:
        try:
            running, _ = launch(playwright, *hearing(speech))
        except NoBrowser as error:
            pytest.fail(str(error), pytrace=False)
        yield running
        running.close()


@pytest.fixture(scope="package")
def tabs(browser: Browser) -> Iterator[BrowserContext]:
    """A window of the browser for pages that share permissions and storage: a page takes half of a window's time."""
    with browser.new_context() as context:
        yield context


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


@pytest.fixture
def openai() -> Iterator[OpenAIServer]:
    """A server that answers at once as OpenAI's does, for kernels that have run the cell `asking`."""
    with serve() as running:
        yield running
        running.release()


Open = Callable[..., NotebookPage]


@pytest.fixture(scope="package")
def window(browser: Browser, server: JupyterServer) -> Iterator[JupyterWindow]:
    """The JupyterLab that tests share, one after the other."""
    shared = JupyterWindow(browser, server)
    yield shared
    shared.close()


@pytest.fixture
def lab(window: JupyterWindow) -> Iterator[Open]:
    """Opens a notebook by its path in the JupyterLab that is there, and closes it and its kernel after the test."""
    yield window.open
    window.clear()


@pytest.fixture(scope="package")
def second_window(browser: Browser, server: JupyterServer) -> Iterator[JupyterWindow]:
    """Another one, in a browser profile of its own."""
    shared = JupyterWindow(browser, server)
    yield shared
    shared.close()


@pytest.fixture
def another_lab(second_window: JupyterWindow) -> Iterator[Open]:
    """As `lab`, for somebody else: nothing is there of widgets that were made in the first."""
    yield second_window.open
    second_window.clear()


@pytest.fixture
def on_new_page(browser: Browser, server: JupyterServer) -> Iterator[Open]:
    """Opens notebooks by path, each on a page of its own, and closes them and their kernels after the test."""
    pages: list[NotebookPage] = []

    def opened(path: str, room: str = "lab/tree") -> NotebookPage:
        pages.append(NotebookPage(browser.new_context().new_page(), server, path, room))
        return pages[-1]

    yield opened
    for page in pages:
        page.close()


@pytest.fixture
def page_on_disk(browser: Browser) -> Iterator[Callable[[Path], Page]]:
    """Exports a notebook beside it as ``nbconvert --to html`` does, and opens that in a browser without a network."""
    exporter = HTMLExporter()
    with browser.new_context(offline=True) as context:

        def opened(notebook: Path) -> Page:
            html, _ = exporter.from_filename(str(notebook))
            file = notebook.with_suffix(".html")
            file.write_text(html, encoding="utf-8")
            page = context.new_page()
            page.goto(file.as_uri())
            return page

        yield opened
