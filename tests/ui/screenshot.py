"""The README's picture: one real cell in JupyterLab, answered by the offline engine.

``python -m tests.ui.screenshot`` in the project's folder makes ``docs/images/quickstart.png`` again.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import FloatRect, Locator, ViewportSize, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))  # as for the tests, whose parts it uses

from .browser import launch
from .notebook_page import NotebookPage
from .server import JupyterServer

_PICTURE = Path(__file__).parents[2] / "docs" / "images" / "quickstart.png"
_CELLS = ["%load_ext nbaudio", "%%speak --voice coral\nIs a golden retriever a good family dog?", ""]
_SHOWN = 1
_WIDTH, _MARGIN = 900, 6  # CSS pixels
_WINDOW = ViewportSize(width=1000, height=900)
_PIXELS_PER_CSS_PIXEL = 2
# The cell alone; and a common typeface of the web, where this machine has it, instead of whatever it falls back on.
_STYLE = f"""
    .jp-Cell:not([data-windowed-list-index="{_SHOWN}"]) {{ visibility: hidden; }}
    body {{ --jp-content-font-family: Inter, system-ui, sans-serif; }}
"""


def take(picture: Path) -> None:
    """Run the cell in JupyterLab, and write a picture of it and its answer."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        served, state = Path(folder) / "notebooks", Path(folder) / "state"
        served.mkdir()
        state.mkdir()
        browser, _ = launch(playwright)
        server = JupyterServer(served, state)
        try:
            server.write_notebook("dogs.ipynb", *_CELLS)
            context = browser.new_context(viewport=_WINDOW, device_scale_factor=_PIXELS_PER_CSS_PIXEL)
            notebook = NotebookPage(context.new_page(), server, "dogs.ipynb")
            if not notebook.run_all():
                raise RuntimeError("\n".join(notebook.errors()))
            _photograph(notebook, picture)
        finally:
            browser.close()
            server.stop()


def _photograph(notebook: NotebookPage, picture: Path) -> None:
    page, cell = notebook.page, notebook.page.locator(f".jp-Cell[data-windowed-list-index='{_SHOWN}']")
    page.evaluate("() => jupyterapp.commands.execute('application:toggle-left-area')")
    notebook.until("sounds[0]?.position_s > 4")  # some words have been heard
    page.add_style_tag(content=_STYLE)
    frame_width = _WINDOW["width"] - _box(page.locator(".jp-Notebook"))["width"]
    page.set_viewport_size({"width": round(_WIDTH + frame_width), "height": _WINDOW["height"]})
    across, along = _box(page.locator(".jp-Notebook")), _box(cell)
    picture.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(
        path=picture,
        clip={
            "x": across["x"],
            "y": along["y"] - _MARGIN,
            "width": across["width"],
            "height": along["height"] + 2 * _MARGIN,
        },
    )


def _box(found: Locator) -> FloatRect:
    box = found.bounding_box()
    assert box is not None, f"{found} is not on the page"
    return box


if __name__ == "__main__":
    take(_PICTURE)
    sys.stdout.write(f"{_PICTURE}\n")
