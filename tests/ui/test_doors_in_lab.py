"""A recorder in JupyterLab whose microphone is shut: it says why, and another door leads to the end of the cell.

The pictures go to ``build/screenshots/lab``.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, expect

from .looks import PICTURES, axe_findings
from .notebook_page import NotebookPage
from .recorder_page import browser_with
from .server import OTHER_NAME, JupyterServer

_TESTS = Path(__file__).parents[1]
_LISTEN = "%%listen --once -o reply\nAnswer in one sentence."
_NEXT = "len(reply.text), 1 + 1"
# A kernel's microphone that hears the question, as fast as it is taken, and then silence.
_KERNELS_MICROPHONE = """
import sys
sys.path.insert(0, {tests!r})
import nbaudio as nba
from sounddevice_stand_in import StandIn
question = nba.Clip({speech!r}).encode("pcm16")
module = sys.modules["sounddevice"] = StandIn([question[at : at + 4800] for at in range(0, len(question) - 4799, 4800)])
module.go_on.release(1000)
"""

Opened = Callable[..., NotebookPage]


@pytest.fixture
def opened(server: JupyterServer) -> Iterator[Opened]:
    """Opens a notebook of these cells in a browser of the test's, and closes it."""
    pages: list[NotebookPage] = []

    def opener(window: BrowserContext, name: str, *cells: str, host: str = "127.0.0.1") -> NotebookPage:
        server.write_notebook(name, *cells)
        page = window.new_page()
        page.set_viewport_size({"width": 1000, "height": 560})
        pages.append(NotebookPage(page, server, name, host=host))
        return pages[-1]

    yield opener
    for page in pages:
        page.close()


def test_without_permission_a_chosen_file_is_what_was_said(browser: Browser, speech: Path, opened: Opened) -> None:
    with browser_with(browser, speech, allowed=False) as forbidding:
        notebook = opened(forbidding.new_context(), "forbidden.ipynb", "%load_ext nbaudio", _LISTEN, _NEXT)
        notebook.begin()
        button(notebook, "Record").click()
        expect(recorder(notebook)).to_contain_text("The browser was told not to let this page use the microphone.")
        expect(recorder(notebook)).to_contain_text("Or choose or drop a sound file.")
        expect(button(notebook, "Try again")).to_be_visible()
        expect(button(notebook, "Choose or drop a sound file")).to_be_focused()
        look(notebook, "no-permission")

        with notebook.page.expect_file_chooser() as chooser:
            button(notebook, "Choose or drop a sound file").press("Enter")  # JupyterLab may have taken the focus since
        chooser.value.set_files(speech)

        assert_answered(notebook)


def test_without_a_microphone_the_kernel_has_one(browser: Browser, speech: Path, opened: Opened) -> None:
    setup = f"%load_ext nbaudio\n{_KERNELS_MICROPHONE.format(tests=str(_TESTS), speech=str(speech))}"
    with browser_with(browser, None) as deaf:
        window = deaf.new_context(permissions=["microphone"])
        notebook = opened(window, "deaf.ipynb", setup, _LISTEN, _NEXT)
        notebook.begin()
        button(notebook, "Record").click()
        expect(recorder(notebook)).to_contain_text("No microphone was found. Plug one in,")
        expect(recorder(notebook)).to_contain_text("Or choose or drop a sound file, or use the kernel's microphone.")
        expect(button(notebook, "Try again")).to_be_visible()
        look(notebook, "no-microphone")

        button(notebook, "Kernel's microphone").press("Enter")

        assert_answered(notebook)


def test_over_plain_http_a_dropped_file_is_what_was_said(browser: Browser, speech: Path, opened: Opened) -> None:
    here = f"--host-resolver-rules=MAP {OTHER_NAME} 127.0.0.1"
    with browser_with(browser, speech, here) as elsewhere:
        cells = ("%load_ext nbaudio", _LISTEN, _NEXT, "%%speak --once\nHello!")
        notebook = opened(elsewhere.new_context(), "insecure.ipynb", *cells, host=OTHER_NAME)
        page = notebook.page
        assert page.evaluate("() => [isSecureContext, 'mediaDevices' in navigator]") == [False, False]
        notebook.begin()
        expect(recorder(notebook)).to_contain_text("This page came over plain http, and browsers give such a page no")
        expect(recorder(notebook)).to_contain_text(
            "Open Jupyter over https, or as localhost. Or choose or drop a sound"
        )
        expect(button(notebook, "Record")).to_have_count(0)
        expect(button(notebook, "Try again")).to_be_hidden()
        look(notebook, "plain-http")

        files = page.evaluate_handle(
            """base64 => {
                const bytes = Uint8Array.from(atob(base64), letter => letter.charCodeAt(0));
                const files = new DataTransfer();
                files.items.add(new File([bytes], "question.wav", {type: "audio/wav"}));
                return files;
            }""",
            base64.b64encode(speech.read_bytes()).decode(),
        )
        for event in ("dragenter", "dragover", "drop"):
            recorder(notebook).dispatch_event(event, {"dataTransfer": files})

        assert_answered(notebook)
        notebook.until("sounds.some(sound => sound.position_s > 0.3)")  # and answers are heard there


def recorder(notebook: NotebookPage) -> Locator:
    return notebook.page.locator(".nbaudio-recorder")


def button(notebook: NotebookPage, name: str) -> Locator:
    return recorder(notebook).get_by_role("button", name=name, exact=True)


def look(notebook: NotebookPage, name: str) -> None:
    """Pictures, and what axe-core says of the recorder in both themes."""
    notebook.pictures(PICTURES / "lab" / name, lambda: axe_findings(notebook.page, ".nbaudio-recorder"))


def assert_answered(notebook: NotebookPage) -> None:
    """The cell has gone on with what was heard, and the next one ran after it."""
    assert notebook.end(), notebook.errors()
    _, listen, following, *_ = notebook.code_cells()
    assert listen.shown("text/plain")[0].startswith("Recording, ")
    said = listen.shown("text/plain")[-1].split("\n[")[0]
    assert "golden retriever" in said
    assert following.shown("text/plain") == [f"({len(said)}, 2)"]
    notebook.page.wait_for_function("() => nbaudio.recorders.size === 0")
