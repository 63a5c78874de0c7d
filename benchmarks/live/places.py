"""Where the players stand: JupyterLab and gradio's own page, in one browser."""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, Playwright

from tests.ui import browser as tests_browser
from tests.ui.notebook_page import NotebookPage
from tests.ui.server import JupyterServer

from . import tap
from .first_byte import FirstByte

__all__ = ["Gradio", "Lab", "browser", "check", "ffmpeg", "lacking"]

ROOT = Path(__file__).parents[2]
FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)
SETUP = f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfrom benchmarks.live.senders import *\n"


def lacking(peer: str) -> str:
    """Why a peer can't take part; empty if it can."""
    if importlib.util.find_spec(peer) is None:
        return f"{peer} is not installed beside {sys.executable}: left out."
    if peer == "gradio" and not ffmpeg():
        return "gradio streams through ffmpeg, and there is none (pip install imageio-ffmpeg brings one): left out."
    return ""


@contextmanager
def browser(playwright: Playwright, microphone: Path) -> Iterator[Browser]:
    """A headless browser whose microphone hears this WAV file, again and again."""
    first, program = tests_browser.launch(playwright)
    first.close()
    heard = f"--use-file-for-fake-audio-capture={microphone}"
    running = playwright.chromium.launch(executable_path=program, args=[*FLAGS, heard])
    try:
        yield running
    finally:
        running.close()


class Lab:
    """JupyterLab."""

    def __init__(self, running: Browser) -> None:
        self._browser = running
        self._numbers = itertools.count()
        self._folder = tempfile.TemporaryDirectory()
        self.folder = Path(self._folder.name)
        for name in ("notebooks", "state"):
            (self.folder / name).mkdir()
        self._server = JupyterServer(self.folder / "notebooks", self.folder / "state")

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()
        self._folder.cleanup()

    @contextmanager
    def notebook(self, setup: str, *cells: str) -> Iterator[NotebookPage]:
        """An open notebook in a page and a kernel of its own; its first cell has been run."""
        path = f"{next(self._numbers)}.ipynb"
        self._server.write_notebook(path, SETUP + setup, *cells)
        context = self._browser.new_context()
        tap.install(context)
        notebook = NotebookPage(context.new_page(), self._server, path)
        try:
            check(notebook, notebook.run_cell(0))
            yield notebook
        finally:
            notebook.close()


def check(notebook: NotebookPage, went_well: bool) -> None:
    """RuntimeError with what the cells say, where one failed."""
    if not went_well:
        raise RuntimeError("\n".join(notebook.errors()))


class Gradio:
    """gradio's own page: a notebook would show the same in a frame."""

    def __init__(self, running: Browser, durations_s: Sequence[float], door: FirstByte) -> None:
        self.door = door
        self._browser = running
        self._folder = tempfile.TemporaryDirectory()
        program = Path(self._folder.name) / "ffmpeg"  # gradio wants it by this name
        program.symlink_to(ffmpeg())
        command = [sys.executable, "-m", "benchmarks.live.gradio_app"]
        self._process = subprocess.Popen(
            [*command, "--seconds", *map(str, durations_s), "--upload-url", door.url],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "GRADIO_ANALYTICS_ENABLED": "False"},
        )
        self._address = self._line()

    def __enter__(self) -> Gradio:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()
        self._folder.cleanup()

    @contextmanager
    def page(self) -> Iterator[Page]:
        """A fresh page of it."""
        context = self._browser.new_context()
        tap.install(context)
        page = context.new_page()
        page.goto(self._address)
        page.get_by_role("button", name="pace 0").first.wait_for()
        try:
            yield page
        finally:
            context.close()

    def sent(self) -> list[float]:
        """When each piece of the answer that was asked for was sent."""
        found: list[float] = json.loads(self._line())
        return found

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"gradio ended with {self._process.wait()}.")
        return line.strip()


def ffmpeg() -> str:
    """The program's path; empty where there is none."""
    if found := shutil.which("ffmpeg"):
        return found
    if importlib.util.find_spec("imageio_ffmpeg") is None:
        return ""
    import imageio_ffmpeg

    return str(imageio_ffmpeg.get_ffmpeg_exe())
