"""A page with widgets and no Jupyter: the test is their kernel.

What is JupyterLab's on it are the themes: their style sheets come out of the installed package.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import jupyterlab
from ipywidgets import DOMWidget
from playwright.sync_api import BrowserContext, Locator, Page

from nbaudio.widgets.modules import module_text, style_text
from nbaudio.widgets.player import Player

__all__ = ["PlayerOnPage", "WidgetPage", "tab"]

_SCRIPT = Path(__file__).with_name("widget_page.js")
_THEMES = Path(jupyterlab.__file__).parent / "themes" / "@jupyterlab"


def tab(window: BrowserContext, width: int, height: int) -> Page:
    """A fresh page of that size, in CSS pixels."""
    page = window.new_page()
    page.set_viewport_size({"width": width, "height": height})
    return page


class WidgetPage:
    """A page for widgets.

    Parameters
    ----------
    page : Page
        A fresh page of a browser.
    theme : str
        ``"light"``, ``"dark"``, ``"dark-high-contrast"``, or nothing for a page without Jupyter's variables.
    address : str
        Nothing is asked of the network. ``http://localhost/`` is a secure place for a browser.
    """

    def __init__(self, page: Page, theme: str = "light", address: str = "http://localhost/") -> None:
        self.page = page
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        page.route("**/*", lambda route: route.fulfill(body=_html(theme), content_type="text/html; charset=utf-8"))
        page.goto(address)
        self._devtools = page.context.new_cdp_session(page)

    def evaluate(self, code: str, argument: Any = None) -> Any:
        """What a function of the page gives. Unlike Playwright's own, it does not count as a person's click."""
        answer = self._devtools.send(
            "Runtime.evaluate",
            {"expression": f"({code})({json.dumps(argument)})", "awaitPromise": True, "returnByValue": True},
        )
        if "exceptionDetails" in answer:
            raise AssertionError(answer["exceptionDetails"].get("exception", {}).get("description", code))
        return answer["result"].get("value")

    def until(self, condition: str) -> None:
        """Wait until an expression of the page is true, looking once a frame."""
        code = """() => new Promise((done, fail) => {
            const look = () => CONDITION ? done() : requestAnimationFrame(look);
            setTimeout(() => fail(new Error(`30 s without ${String(look)}`)), 30_000);
            look();
        })"""
        self.evaluate(code.replace("CONDITION", f"({condition})"))

    def picture(self, path: Path, *, below: Locator) -> None:
        """A picture of the page down to the lower edge of what is shown there, in `path`."""
        box = below.bounding_box()
        assert box is not None
        path.parent.mkdir(parents=True, exist_ok=True)
        width = self.evaluate("() => innerWidth")
        self.page.screenshot(path=path, clip={"x": 0, "y": 0, "width": width, "height": box["y"] + box["height"] + 12})

    def add_player(self, *, shown_in: str = "#first", **traits: Any) -> PlayerOnPage:
        """A player with one view; `traits` are what the kernel has set."""
        text = module_text("player.js")
        add = "([text, traits]) => addWidget(text, {...traits, key: crypto.randomUUID?.() ?? String(Math.random())})"
        player = PlayerOnPage(self, self.evaluate(add, [text, {**_player_traits(), **traits}]))
        player.add_view(shown_in)
        return player

    def change_theme(self, theme: str) -> None:
        """Change the colours while widgets are shown."""
        self.evaluate("css => { document.getElementById('theme').textContent = css; }", _theme(theme))

    def drawn(self) -> None:
        """Wait until what has changed has been drawn."""
        frames = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done())))"
        self.evaluate(frames)


class PlayerOnPage:
    """One model of a player, and its kernel."""

    def __init__(self, page: WidgetPage, number: int) -> None:
        self.page = page
        self._model = f"widgets[{number}].model"
        self.number = number
        self.pieces = self.frames = 0

    def add_view(self, parent: str = "#second") -> int:
        """Show it; the view's number."""
        code = "([number, parent]) => addView(number, parent)"
        return int(self.page.evaluate(code, [self.number, parent]))

    def remove_view(self, view: int) -> None:
        self.page.evaluate(f"() => widgets[{self.number}].views[{view}]()")

    def close(self) -> None:
        """The kernel closes the model."""
        self.page.evaluate(f"() => widgets[{self.number}].close()")

    def view(self, parent: str = "#first") -> Locator:
        """What is seen of it."""
        return self.page.page.locator(f"{parent} .nbaudio-player").nth(0)

    def get(self, trait: str) -> Any:
        return self.page.evaluate(f"trait => {self._model}.get(trait)", trait)

    def set(self, **traits: Any) -> None:
        """The kernel sets traits."""
        self.page.evaluate(f"traits => {self._model}.fromKernel(traits)", traits)

    def send(self, content: dict[str, Any], data: bytes = b"") -> None:
        """The kernel sends a message."""
        code = f"([content, data]) => {self._model}.message(content, data)"
        self.page.evaluate(code, [content, base64.b64encode(data).decode()])

    def send_piece(self, pcm16: bytes, words: str = "", **more: Any) -> None:
        """The kernel sends the next piece of an answer."""
        message = {"kind": "piece", "index": self.pieces, "frames_before": self.frames, "words": words, **more}
        self.send(message, pcm16)
        self.pieces += 1
        self.frames += len(pcm16) // 2

    def send_sound(self, pcm16: bytes) -> None:
        """The kernel answers "need"."""
        self.send({"kind": "sound", "mime": "audio/pcm;rate=24000", "frames": len(pcm16) // 2}, pcm16)

    def finish(self, duration_s: float, state: str = "whole") -> None:
        """The kernel has sent all."""
        self.send({"kind": "whole", "frames": self.frames})
        self.set(state=state, duration_s=duration_s)

    def sever(self) -> None:
        """The kernel is restarted."""
        self.page.evaluate(f"() => {self._model}.sever()")

    @property
    def sent(self) -> list[Any]:
        """The custom messages that the kernel got."""
        return list(self.page.evaluate(f"() => {self._model}.sent"))

    @property
    def saved(self) -> list[dict[str, Any]]:
        """The traits that the kernel got, message by message."""
        return list(self.page.evaluate(f"() => {self._model}.saved"))

    @property
    def interrupts(self) -> int:
        return int(self.page.evaluate(f"() => {self._model}.interrupts"))

    def until(self, condition: str) -> None:
        """Wait until this is so; `model` is the browser's half of the widget."""
        self.page.until(f"(model => {condition})({self._model})")

    @contextmanager
    def tells(self, **traits: Any) -> Iterator[None]:
        """The kernel is told these traits by what is done inside."""
        before = len(self.saved)
        yield
        for name, value in traits.items():
            told = f"model.saved.slice({before}).some(one => one[{json.dumps(name)}] === {json.dumps(value)})"
            self.until(told)


@cache
def _player_traits() -> dict[str, Any]:
    """What the kernel's own side begins with, so that a name which only one side knows is found out."""
    player = Player()
    names = [name for name in player.traits(sync=True) if not name.startswith("_")]
    state: dict[str, Any] = player.get_state([name for name in names if name not in DOMWidget.class_trait_names()])
    player.close()
    return state


def _theme(name: str) -> str:
    return (_THEMES / f"theme-{name}-extension" / "index.css").read_text(encoding="utf-8") if name else ""


def _html(theme: str) -> str:
    page_style = """
        body { margin: 0; padding: 16px; background: var(--jp-layout-color0, Canvas) }
        #far { margin-top: 3000px }
    """
    return f"""<!doctype html>
<html lang="en">
<head>
<title>Widgets</title>
<style id="theme">{_theme(theme)}</style>
<style>{page_style} {style_text("player.css")}</style>
<script>{_SCRIPT.read_text(encoding="utf-8")}</script>
</head>
<body><main><div id="first"></div><div id="second"></div><div id="far"></div></main></body>
</html>"""
