"""A chat on a page without Jupyter: the test is the kernel of the chat and of its recorder."""

from __future__ import annotations

import base64
from functools import cache
from typing import Any

from ipywidgets import DOMWidget
from playwright.sync_api import Locator, Page

import nbaudio as nba
from nbaudio.widgets.modules import module_text, style_text
from nbaudio.widgets.recorder import Recorder
from nbaudio.widgets.voice_chat import VoiceChat

from .recorder_page import _LOG
from .widget_page import WidgetPage

__all__ = ["ChatOnPage", "entry"]

_ADD = """async ([text, traits, recorder]) => {
    window.recorderModel = new Model(recorder);
    const model = new Model(traits);
    model.widget_manager = {
        get_model: async id => { if (id !== 'the-recorder') throw new Error(id); return recorderModel; },
    };
    const address = URL.createObjectURL(new Blob([text], {type: "text/javascript"}));
    const definition = (await import(address)).default;
    widgets.push({model, definition, views: [], close: await definition.initialize({model})});
}"""


def entry(key: str, role: str = "user", words: str = "", **more: Any) -> dict[str, Any]:
    """A turn as the kernel tells of it."""
    speaker = "You" if role == "user" else "gpt-audio-1.5, ash"
    known = {"notes": [], "time_s": 0.0, "broken": False, "duration_s": 0, "sample_rate": 0, "file_name": "a.wav"}
    return {"key": key, "role": role, "speaker": speaker, "words": words, **known, **more}


class ChatOnPage:
    """One model of a chat, and its kernel.

    Parameters
    ----------
    page : Page
        A fresh page.
    theme, address : str
        As of `WidgetPage`.
    before : str
        What is done on the page before the chat comes, JavaScript.
    recorder : dict
        Traits of the recorder.
    traits : Any
        What the kernel has set.
    """

    def __init__(
        self,
        page: Page,
        theme: str = "light",
        address: str = "http://localhost/",
        before: str = "",
        recorder: dict[str, Any] | None = None,
        **traits: Any,
    ) -> None:
        self.place = WidgetPage(page, theme, address)
        self.page = page
        page.evaluate(_LOG)
        page.evaluate(f"() => {{ {before} }}")
        page.add_style_tag(content="\n".join(style_text(name) for name in ("recorder.css", "chat.css")))
        known, listening = _traits()
        chat = {**known, "key": "the-chat", "recorder_id": "the-recorder", **traits}
        page.evaluate(_ADD, [module_text("chat.js"), chat, {**listening, **(recorder or {})}])
        self.pieces = self.frames = 0
        self.add_view("#first")
        self.until("nbaudio.chats.get('the-chat').recording || nbaudio.chats.get('the-chat').recorderTrouble")

    def add_view(self, parent: str = "#second") -> int:
        """Show it; the view's number."""
        return int(self.page.evaluate("parent => addView(0, parent)", parent))

    def remove_view(self, view: int) -> None:
        self.page.evaluate(f"() => widgets[0].views[{view}]()")

    def close(self) -> None:
        """The kernel closes the model."""
        self.page.evaluate("() => widgets[0].close()")

    def view(self, parent: str = "#first") -> Locator:
        return self.page.locator(f"{parent} .nbaudio-chat").nth(0)

    def button(self, name: str) -> Locator:
        return self.view().get_by_role("button", name=name, exact=True)

    @property
    def text(self) -> Locator:
        return self.view().get_by_role("textbox", name="Your words")

    @property
    def status(self) -> Locator:
        return self.view().locator(".nbaudio-chat-status")

    @property
    def turns(self) -> Locator:
        return self.view().get_by_role("article")

    def set(self, **traits: Any) -> None:
        """The kernel sets traits."""
        self.page.evaluate("traits => widgets[0].model.fromKernel(traits)", traits)

    def send(self, content: dict[str, Any], data: bytes = b"") -> None:
        """The kernel sends a message."""
        code = "([content, data]) => widgets[0].model.message(content, data)"
        self.page.evaluate(code, [content, base64.b64encode(data).decode()])

    def send_piece(self, answer: str, pcm16: bytes, words: str = "") -> None:
        """The kernel sends the next piece of an answer."""
        place = {"index": self.pieces, "frames_before": self.frames}
        self.send({"kind": "piece", "answer": answer, "words": words, **place}, pcm16)
        self.pieces += bool(pcm16)
        self.frames += len(pcm16) // 2

    def until(self, condition: str, timeout: float = 30_000) -> None:
        """Wait until this is so; `chat` is the page's, `sent` what the kernel got, `recorded` that of its recorder."""
        known = "const {model} = widgets[0], {sent} = model, recorded = recorderModel.sent, sounds = nbaudio.players;"
        chat = "const chat = nbaudio.chats.get('the-chat');"
        self.page.wait_for_function(f"() => {{ {known} {chat} return {condition}; }}", timeout=timeout)

    def sent(self, *, but: tuple[str, ...] = ("ready", "focus", "need")) -> list[dict[str, Any]]:
        """What the kernel got, but for these kinds."""
        found = self.page.evaluate("() => widgets[0].model.sent.map(({bytes, at_ms, ...rest}) => rest)")
        return [message for message in found if message["kind"] not in but]

    def recorded(self) -> list[str]:
        """The kinds of what came by the recorder, repetitions once."""
        found = self.page.evaluate("() => recorderModel.sent.map(one => one.kind)")
        return [kind for index, kind in enumerate(found) if index == 0 or found[index - 1] != kind]

    def until_all_is_closed(self) -> None:
        """Wait until no microphone and no AudioContext is open."""
        self.page.wait_for_function(
            "() => contexts.every(one => one.state === 'closed') && tracks.every(one => one.readyState === 'ended')"
        )


@cache
def _traits() -> tuple[dict[str, Any], dict[str, Any]]:
    """What the kernel's own sides begin with, so that a name which only one side knows is found out."""
    widget = VoiceChat(nba.Conversation())
    found = tuple(_state(one) for one in (widget, widget.recorder))
    widget.close()
    return found[0], {**found[1], "shut": {"kernel": "The package sounddevice is not installed."}}


def _state(widget: VoiceChat | Recorder) -> dict[str, Any]:
    names = [name for name in widget.traits(sync=True) if not name.startswith("_")]
    state: dict[str, Any] = widget.get_state([name for name in names if name not in DOMWidget.class_trait_names()])
    return state
