"""A recorder on a page without Jupyter, and a browser whose microphone speaks: the test is the kernel."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from ipywidgets import DOMWidget
from playwright.sync_api import Browser, BrowserContext, Locator, Page

from nbaudio.engine.parts import engine
from nbaudio.widgets.modules import module_text, style_text
from nbaudio.widgets.recorder import Recorder

from .browser import SOUND_WITHOUT_CLICK, hearing, launch_with
from .widget_page import WidgetPage, tab

__all__ = ["HOLD", "QUESTION", "RecorderOnPage", "browser_with", "choose", "lost_s", "question", "recorders"]

QUESTION = "Good morning. Is a golden retriever a good family dog?"

_LOG = """() => {
    Model.prototype.send = function (content, callbacks, buffers = []) {
        if (this.dead) throw new Error("Cannot send");
        const letters = buffer => Array.from(new Uint8Array(buffer), one => String.fromCharCode(one)).join("");
        const bytes = buffers.map(buffer => btoa(letters(buffer)));
        this.sent.push({...content, bytes, at_ms: performance.now()});
    };
    window.listeners = {};
    const on = Model.prototype.on;
    Model.prototype.on = function (event, react) {
        (listeners[event] ??= []).push(react);
        on.call(this, event, react);
    };
    window.contexts = [];
    const Given = window.AudioContext;
    window.AudioContext = class extends Given {
        constructor(...options) { super(...options); contexts.push(this); }
    };
    window.tracks = [];
    const devices = navigator.mediaDevices;
    const ask = devices?.getUserMedia.bind(devices);
    if (ask) devices.getUserMedia = async wanted => {
        const stream = await ask(wanted);
        tracks.push(...stream.getTracks());
        return stream;
    };
}"""


HOLD = "async () => { for (const one of contexts) if (one.state === 'running') await one.suspend(); }"


def browser_with(browser: Browser, speech: Path | None, *flags: str, allowed: bool = True) -> Browser:
    """Another browser of the same kind, with another microphone (see `hearing`) or none.

    Parameters
    ----------
    speech : Path or None
        None: there is no microphone.
    allowed : bool
        Whether pages may use it without asking.
    """
    device = hearing(speech, allowed=allowed) if speech else []
    running, _ = launch_with(browser.browser_type, SOUND_WITHOUT_CLICK, *device, *flags)
    return running


def question(folder: Path) -> Path:
    """A file in which the offline voice asks `QUESTION`, 3 s."""
    path = folder / "question.wav"
    soundfile.write(path, engine().speaker.speak(QUESTION, "nova"), 24_000)
    return path


def lost_s(sound: np.ndarray[Any, Any], speech: Path) -> float:
    """How much of the beginning of the speech is missing, by the place where the two are most alike."""
    samples, _ = soundfile.read(speech, dtype="float32")
    size = 1 << (len(samples) + len(sound)).bit_length()
    alike = np.fft.irfft(np.fft.rfft(samples, size) * np.conj(np.fft.rfft(sound, size)))
    lag = int(np.argmax(alike))
    return (lag if lag < size // 2 else lag - size) / 24_000


@contextmanager
def recorders(tabs: BrowserContext) -> Iterator[Callable[..., RecorderOnPage]]:
    """Opens pages with a recorder each; fails if one of them logs an error."""
    opened: list[RecorderOnPage] = []

    def recorder(window: BrowserContext = tabs, **options: Any) -> RecorderOnPage:
        opened.append(RecorderOnPage(tab(window, 700, 400), **options))
        return opened[-1]

    yield recorder
    for one in opened:
        assert one.place.errors == []
        one.page.close()


def choose(recorder: RecorderOnPage, name: str, data: bytes) -> None:
    """The person chooses a file."""
    files = recorder.view().locator("input[type=file]")
    files.set_input_files({"name": name, "mimeType": "application/octet-stream", "buffer": data})


class RecorderOnPage:
    """One model of a recorder, and its kernel.

    Parameters
    ----------
    page : Page
        A fresh page.
    theme, address : str
        As of `WidgetPage`.
    before : str
        What is done on the page before the recorder comes, JavaScript.
    traits : Any
        What the kernel has set.
    """

    def __init__(
        self, page: Page, theme: str = "light", address: str = "http://localhost/", before: str = "", **traits: Any
    ) -> None:
        self.place = WidgetPage(page, theme, address)
        self.page = page
        page.evaluate(_LOG)
        page.evaluate(f"() => {{ {before} }}")
        page.add_style_tag(content=style_text("recorder.css"))
        add = "([text, traits]) => addWidget(text, traits)"
        page.evaluate(add, [module_text("recorder.js"), {**_traits(), "key": "the-key", **traits}])
        self.add_view("#first")

    def add_view(self, parent: str = "#second") -> int:
        """Show it; the view's number."""
        return int(self.page.evaluate("parent => addView(0, parent)", parent))

    def remove_view(self, view: int) -> None:
        self.page.evaluate(f"() => widgets[0].views[{view}]()")

    def close(self) -> None:
        """The kernel closes the model."""
        self.page.evaluate("() => widgets[0].close()")

    def view(self, parent: str = "#first") -> Locator:
        return self.page.locator(f"{parent} .nbaudio-recorder").nth(0)

    def button(self, name: str, parent: str = "#first") -> Locator:
        return self.view(parent).get_by_role("button", name=name, exact=True)

    @property
    def status(self) -> Locator:
        return self.view().get_by_role("status")

    def get(self, trait: str) -> Any:
        return self.page.evaluate("trait => widgets[0].model.get(trait)", trait)

    def set(self, **traits: Any) -> None:
        """The kernel sets traits."""
        self.page.evaluate("traits => widgets[0].model.fromKernel(traits)", traits)

    def send(self, **content: Any) -> None:
        """The kernel sends a message."""
        self.page.evaluate("content => widgets[0].model.message(content, '')", content)

    def until(self, condition: str, timeout: float = 30_000) -> None:
        """Wait until this is so; `model` is the browser's half, `sent` what the kernel got of it."""
        code = f"() => {{ const {{model}} = widgets[0], {{sent}} = model; return {condition}; }}"
        self.page.wait_for_function(code, timeout=timeout)

    def until_state(self, state: str) -> None:
        self.until(f"model.get('state') === '{state}'")

    def until_seconds(self, elapsed_s: float) -> None:
        self.until(f"model.get('elapsed_s') >= {elapsed_s}")

    @property
    def sent(self) -> list[dict[str, Any]]:
        """What the kernel got, but for times and sound."""
        found = self.page.evaluate("() => widgets[0].model.sent.map(({bytes, at_ms, ...rest}) => rest)")
        return list(found)

    @property
    def saved(self) -> list[dict[str, Any]]:
        """The traits that the kernel got, message by message."""
        return list(self.page.evaluate("() => widgets[0].model.saved"))

    def kinds(self) -> list[str]:
        """The kinds of what the kernel got, repetitions once."""
        found = [message["kind"] for message in self.sent]
        return [kind for index, kind in enumerate(found) if index == 0 or found[index - 1] != kind]

    def pieces(self) -> list[np.ndarray[Any, Any]]:
        """The sound that the kernel got of the last take, piece by piece: int16."""
        sent = self.page.evaluate("""() => {
            const {sent} = widgets[0].model;
            const take = sent.findLast(one => one.kind === "begin").take;
            return sent.filter(one => one.kind === "piece" && one.take === take);
        }""")
        assert [piece["index"] for piece in sent] == list(range(len(sent)))
        return [np.frombuffer(base64.b64decode(piece["bytes"][0]), "<i2") for piece in sent]

    def sound(self) -> np.ndarray[Any, Any]:
        """All of it, float32."""
        return np.concatenate(self.pieces()).astype(np.float32) / 32768

    def hold(self) -> None:
        """The microphones hear nothing more from here on, and what is shown stands still."""
        self.page.evaluate(HOLD)

    def open_things(self) -> dict[str, int]:
        """What is open of what costs somebody something."""
        found: dict[str, int] = self.page.evaluate("""() => ({
            contexts: contexts.filter(one => one.state !== "closed").length,
            tracks: tracks.filter(one => one.readyState === "live").length,
        })""")
        return found

    def until_all_is_closed(self) -> None:
        self.page.wait_for_function(
            "() => contexts.every(one => one.state === 'closed') && tracks.every(one => one.readyState === 'ended')"
        )


@cache
def _traits() -> dict[str, Any]:
    """What the kernel's own side begins with, so that a name which only one side knows is found out."""
    recorder = Recorder()
    names = [name for name in recorder.traits(sync=True) if not name.startswith("_")]
    state: dict[str, Any] = recorder.get_state([name for name in names if name not in DOMWidget.class_trait_names()])
    recorder.close()
    return {**state, "shut": {"kernel": "The package sounddevice is not installed."}}
