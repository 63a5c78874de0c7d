"""A notebook in JupyterLab or Notebook 7, driven by the application's own commands and read from its own model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from playwright.sync_api import Page

from .players import Player, play_all
from .server import JupyterServer

__all__ = ["Card", "Cell", "NotebookPage"]

# What a command gives is not passed on: Playwright would serialise a whole panel, for two seconds.
_OPEN = "async path => { await jupyterapp.commands.execute('docmanager:open', {path}); }"
# Both applications open the notebook that the address names, some time after they have started.
_IS_OPEN = "path => window.jupyterapp?.shell.currentWidget?.context?.path === path"
_MAKE_READY = """async () => {
    window.panel = jupyterapp.shell.currentWidget;
    await panel.context.ready;
    await panel.sessionContext.ready;
    await panel.sessionContext.session.kernel.info;
}"""
_BEGIN = """() => {
    window.over = false;
    window.run = jupyterapp.commands.execute('notebook:run-all-cells').then(all => {
        window.over = true;
        return {all, ended_ms: performance.now()};
    });
}"""
_SAYS = "text => [...document.querySelectorAll('.jp-OutputArea-output')].some(one => one.textContent.includes(text))"
# ipykernel 7 now and then leaves a request lying until another one comes: where a cell takes long, one does.
_RUN_CELL = """async index => {
    panel.content.activeCellIndex = index;
    const another = setInterval(() => panel.sessionContext.session?.kernel?.requestKernelInfo(), 10_000);
    try {
        return await jupyterapp.commands.execute('notebook:run-cell');
    } finally {
        clearInterval(another);
    }
}"""
_ONLY_CELLS = """sources => {
    for (const sound of globalThis.nbaudio?.players?.values() ?? []) sound.pause();
    const cells = panel.content.model.sharedModel;
    panel.content.model.deletedCells.push(...cells.cells.map(cell => cell.id));  // as the command to delete does
    const before = cells.cells.length;
    cells.transact(() => {
        cells.insertCells(0, sources.map(source => ({cell_type: 'code', source})));
        cells.deleteCellRange(sources.length, sources.length + before);
    });
    panel.content.activeCellIndex = 0;
    window.over = false;
    window.run = jupyterapp.commands.execute('notebook:run-all-cells').then(all => {
        window.over = true;
        return {all, ended_ms: performance.now()};
    });
}"""
_EXECUTE = """async code => {
    const future = panel.sessionContext.session.kernel.requestExecute({code, silent: false, store_history: false});
    let result = '';
    future.onIOPub = ({header, content}) => {
        if (header.msg_type === 'execute_result') result = content.data['text/plain'];
        if (header.msg_type === 'error') result = content.evalue;
    };
    await future.done;
    return result;
}"""
# JupyterLab covers the page while it loads the style sheets.
_HAS_THEME = """name => document.body.dataset.jpThemeName === name && !document.getElementById('jupyterlab-splash')"""
_LEAVE = """async path => {
    panel.dispose();
    await jupyterapp.serviceManager.sessions.stopIfNeeded(path);
}"""
_INTERRUPT = """async () => {
    const begun_ms = performance.now();
    await jupyterapp.commands.execute('notebook:interrupt-kernel');
    return ((await run).ended_ms - begun_ms) / 1000;
}"""


_CARDS = """() => [...document.querySelectorAll('.nbaudio-player')].map(card => card.textContent)"""
# The page's own account of its players (static/sound.js), in the order in which they were made.
_SOUNDS = """() => [...(globalThis.nbaudio?.players?.values() ?? [])].map(
    ({playing, waiting, position_s, buffered_s, underruns, lead_s, first_piece_ms, first_sound_ms}) =>
    ({playing, waiting, position_s, buffered_s, underruns, lead_s, first_piece_ms, first_sound_ms}))"""

_SPEAKING_MS = 60_000  # the longest that a first sentence takes, with loading the engine on a busy machine


@dataclass(frozen=True)
class Cell:
    """One code cell of the model: what it says and what came of it."""

    source: str
    execution_count: int | None
    outputs: list[dict[str, Any]] = field(default_factory=list)

    @property
    def errors(self) -> list[str]:
        """The error outputs, each as the lines that a reader sees."""
        return ["\n".join(output["traceback"]) for output in self.outputs if output["output_type"] == "error"]

    def shown(self, mime: str) -> list[str]:
        """What the outputs hold of one MIME type."""
        return [output["data"][mime] for output in self.outputs if mime in output.get("data", {})]


@dataclass(frozen=True)
class Card:
    """A player of the page: what can be read on it."""

    text: str


class NotebookPage:
    """One open notebook; its kernel runs.

    Parameters
    ----------
    page : Page
        A fresh page of a browser, or one where JupyterLab is already.
    server : JupyterServer
    path : str
        The notebook, below the folder that the server serves.
    room : str
        ``"lab/tree"`` for JupyterLab, ``"notebooks"`` for Notebook 7.
    host : str
        Another name of this machine than the one in `JupyterServer.url`.
    """

    def __init__(
        self, page: Page, server: JupyterServer, path: str, room: str = "lab/tree", host: str = "127.0.0.1"
    ) -> None:
        self.page = page
        self.foreign_requests: list[str] = []
        self._path = path
        self._address = server.url.replace("127.0.0.1", host)
        page.on("request", self._note)
        if page.url.startswith(self._address):
            page.evaluate(_OPEN, path)
        else:
            page.goto(f"{self._address}/{room}/{quote(path)}?reset&token={server.token}")
        page.wait_for_function(_IS_OPEN, arg=path)
        page.evaluate(_MAKE_READY)

    def run_all(self) -> bool:
        """Run All, to its end; whether every cell went well."""
        self.begin()
        return self.end()

    def begin(self) -> None:
        """Run All, without waiting."""
        self.page.evaluate(_BEGIN)

    def begin_only(self, *sources: str) -> None:
        """Put these cells in the place of all others and run them, without waiting; what sounds is silenced before."""
        self.page.evaluate(_ONLY_CELLS, sources)

    def end(self) -> bool:
        """The end of what was begun; whether it went well."""
        return bool(self.page.evaluate("async () => (await run).all"))

    def execute(self, source: str) -> str:
        """Run code in the kernel beside the notebook; gives its result as text."""
        return str(self.page.evaluate(_EXECUTE, source))

    def wait_for(self, text: str) -> None:
        """Wait until an output says this; fails if the run is over before."""
        self.page.wait_for_function(f"text => over || ({_SAYS})(text)", arg=text, timeout=_SPEAKING_MS)
        assert not self.page.evaluate("() => over"), self.errors()

    def interrupt(self) -> float:
        """Press the button that interrupts the kernel; seconds until what `begin` began was over."""
        return float(self.page.evaluate(_INTERRUPT))

    def run_cell(self, index: int) -> bool:
        """Run one cell, to its end; whether it went well."""
        return bool(self.page.evaluate(_RUN_CELL, index))

    def until_run(self, index: int) -> None:
        """Wait until a cell that was run by keys is over, as its model says."""
        over = """index => {
            const {executionCount, executionState} = panel.content.model.cells.get(index);
            return executionCount !== null && executionState === 'idle';
        }"""
        self.page.wait_for_function(over, arg=index, timeout=_SPEAKING_MS)

    def code_cells(self) -> list[Cell]:
        """The code cells as the notebook's model has them."""
        cells = self.page.evaluate("() => panel.context.model.toJSON().cells")
        return [
            Cell("".join(cell["source"]), cell["execution_count"], cell["outputs"])
            for cell in cells
            if cell["cell_type"] == "code"
        ]

    def play_all(self) -> list[Player]:
        """Every static player that can be seen, heard for a moment; cells are drawn some time after they are there."""
        expected = sum(html.count("<audio") for cell in self.code_cells() for html in cell.shown("text/html"))
        self.page.wait_for_function("n => document.querySelectorAll('audio').length === n", arg=expected)
        return play_all(self.page)

    def cards(self, count: int) -> list[Card]:
        """The players with waveform and words, once there are so many."""
        self.page.wait_for_function("n => document.querySelectorAll('.nbaudio-player').length === n", arg=count)
        return [Card(text) for text in self.page.evaluate(_CARDS)]

    def sounds(self) -> list[dict[str, Any]]:
        """How it stands with the sound of each player."""
        return list(self.page.evaluate(_SOUNDS))

    def until(self, condition: str, limit_ms: float = _SPEAKING_MS) -> None:
        """Wait until this is so; `sounds` are the players of the page, and `contexts` its open audio contexts."""
        known = "const sounds = [...(globalThis.nbaudio?.players?.values() ?? [])];"
        contexts = "const contexts = [...(globalThis.nbaudio?.contexts ?? [])];"
        self.page.wait_for_function(f"() => {{ {known} {contexts} return {condition}; }}", timeout=limit_ms)

    def errors(self) -> list[str]:
        """The error outputs of all cells."""
        return [error for cell in self.code_cells() for error in cell.errors]

    def trusted(self) -> bool:
        """Whether any output of it may run scripts and is shown as it is; otherwise all pass the sanitizer."""
        code = "() => panel.content.widgets.some(cell => cell.model.type === 'code' && cell.model.trusted)"
        return bool(self.page.evaluate(code))

    def save(self) -> None:
        """Save it on the server."""
        self.page.evaluate("async () => { await panel.context.save(); }")

    @property
    def theme(self) -> str:
        """The theme of the whole application."""
        return str(self.page.evaluate("() => document.body.dataset.jpThemeName"))

    def change_theme(self, name: str) -> None:
        """Switch the whole application to a theme; the server keeps that."""
        change = "async theme => { await jupyterapp.commands.execute('apputils:change-theme', {theme}); }"
        self.page.evaluate(change, name)
        self.page.wait_for_function(_HAS_THEME, arg=name)

    def pictures(self, place: Path, findings: Callable[[], object] = list) -> None:
        """Pictures of the page in the dark and the light theme, and that there is nothing to find in them.

        Parameters
        ----------
        place : Path
            ``place-dark.png`` and ``place-light.png`` are written.
        findings : callable
            What is wrong on the page; called in each theme.
        """
        place.parent.mkdir(parents=True, exist_ok=True)
        for theme in ("Dark", "Light"):
            self.change_theme(f"JupyterLab {theme}")
            self.page.screenshot(path=place.with_name(f"{place.name}-{theme.lower()}.png"))
            assert findings() == [], theme

    def leave(self) -> None:
        """Shut the kernel down and close the notebook; the application stays."""
        self.page.evaluate(_LEAVE, self._path)
        self.page.remove_listener("request", self._note)

    def close(self) -> None:
        """Shut the kernel down and close the page."""
        if self.page.is_closed():
            return
        self.page.evaluate("async () => { await panel.sessionContext.shutdown(); }")
        self.page.context.close()

    def _note(self, request: Any) -> None:
        if not request.url.startswith((self._address, self._address.replace("http", "ws", 1), "data:", "blob:")):
            self.foreign_requests.append(request.url)
