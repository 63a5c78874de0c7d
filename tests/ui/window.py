"""A JupyterLab in which notebooks are opened one after the other: it takes seconds to start, and a notebook none."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Browser, Page

from .notebook_page import NotebookPage
from .server import JupyterServer

__all__ = ["JupyterWindow"]

# JupyterLab keeps the models of a notebook that is closed, until its page is.
_FORGET = """() => {
    for (const sound of [...globalThis.nbaudio?.players?.values() ?? []]) sound.release();
    for (const kind of ["chats", "recorders"]) {
        const left = globalThis.nbaudio?.[kind];
        for (const one of left?.values() ?? []) one.close();
        left?.clear();
    }
    return globalThis.nbaudio?.contexts?.size ?? 0;
}"""
_LIGHT = "JupyterLab Light"


class JupyterWindow:
    """One page with JupyterLab, started when the first notebook is opened.

    Parameters
    ----------
    browser : Browser
    server : JupyterServer
    context : Any
        Options of the browser context.
    """

    def __init__(self, browser: Browser, server: JupyterServer, **context: Any) -> None:
        self._browser, self._server, self._options = browser, server, context
        self._page: Page | None = None
        self._notebook: NotebookPage | None = None

    def open(self, path: str) -> NotebookPage:
        """Open a notebook; the one before is closed with its kernel."""
        self.clear()
        if self._page is None or self._page.is_closed():
            self._page = self._browser.new_context(**self._options).new_page()
        self._notebook = NotebookPage(self._page, self._server, path)
        return self._notebook

    def clear(self) -> None:
        """Close the notebook and its kernel, and forget its widgets."""
        notebook, self._notebook = self._notebook, None
        if notebook is None or self._page is None or self._page.is_closed():
            return
        notebook.leave()
        assert self._page.evaluate(_FORGET) == 0, "an audio context belongs to no widget"
        if notebook.theme != _LIGHT:
            notebook.change_theme(_LIGHT)

    def close(self) -> None:
        """Close the whole page."""
        self.clear()
        if self._page is not None and not self._page.is_closed():
            self._page.context.close()
