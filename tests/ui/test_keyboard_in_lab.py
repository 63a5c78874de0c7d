"""JupyterLab by the keyboard alone: a recording from the fresh notebook to the reply, and all that a player can do.

The pictures go to ``build/screenshots/lab``.
"""

from __future__ import annotations

from collections.abc import Callable

from openai_server import Gate, OpenAIServer
from playwright.sync_api import Locator, expect

from .looks import PICTURES
from .notebook_page import NotebookPage
from .server import JupyterServer, asking

# What has the keyboard, and whether that can be seen.
_FOCUSED = """() => {
    const one = document.activeElement, {outlineStyle, outlineWidth, outlineOffset} = getComputedStyle(one);
    const apart = parseFloat(outlineOffset) > 0 || one.type === 'range';  // not on the edge of a button of its colour
    const ring = one.matches(':focus-visible') && outlineStyle === 'solid' && parseFloat(outlineWidth) >= 2 && apart;
    return [one.getAttribute('aria-label') ?? one.textContent.trim(), ring];
}"""
_TABS = 12  # more than there are controls between a cell and the last of its output

Open = Callable[..., NotebookPage]


class Keyboard:
    """The keys of somebody who has no mouse, in a notebook."""

    def __init__(self, notebook: NotebookPage) -> None:
        self.notebook = notebook
        self.press = notebook.page.keyboard.press

    @property
    def widget(self) -> Locator:
        return self.notebook.page.locator(".nbaudio-recorder, .nbaudio-player").locator("visible=true").last

    def is_on(self, name: str) -> None:
        """The keyboard comes to a control of a widget, and there is a ring around it."""
        expect(self.widget.locator(":focus")).to_have_accessible_name(name)
        assert self.notebook.page.evaluate(_FOCUSED)[1], f"nobody sees that the keyboard is on {name!r}"

    def tab_to(self, name: str, key: str = "Tab") -> None:
        """Press the tab key until a control has the keyboard; each one on the way that is a widget's has a ring."""
        passed = []
        for _ in range(_TABS):
            self.press(key)
            focused, ring = self.notebook.page.evaluate(_FOCUSED)
            passed.append(focused)
            assert ring or not self.widget.locator(":focus").count(), f"nobody sees that the keyboard is on {focused!r}"
            if focused == name:
                return
        raise AssertionError(f"{name!r} is not reached, but {passed}")

    def is_on_cell(self, index: int) -> None:
        """The keyboard is on a cell, where keys are commands."""
        on = "index => document.activeElement === panel.content.widgets[index].node && panel.content.mode === 'command'"
        self.notebook.page.wait_for_function(on, arg=index)

    def look(self, name: str) -> None:
        self.notebook.pictures(PICTURES / "lab" / name)


def test_a_recording_by_keys_alone(server: JupyterServer, lab: Open, openai: OpenAIServer) -> None:
    server.write_notebook(
        "keys.ipynb", asking(openai), "%%listen --once --review --silence 0 -o reply", "reply.text, 1 + 1"
    )
    notebook = lab("keys.ipynb")
    keyboard = Keyboard(notebook)
    heard = "() => [...nbaudio.recorders.values()].some(one => one.pieces > 5 && one.state === 'recording')"
    keyboard.is_on_cell(0)
    keyboard.press("Shift+Enter")  # it runs, and the next cell is the active one
    keyboard.press("Shift+Enter")
    keyboard.is_on("Record")
    keyboard.look("keys-record")
    keyboard.tab_to("Microphone")
    keyboard.tab_to("Record", "Shift+Tab")

    keyboard.press("Space")
    notebook.page.wait_for_function(heard)
    keyboard.is_on("Stop")
    keyboard.look("keys-recording")
    keyboard.press("Escape")
    notebook.until_run(1)
    assert "Nothing was sent" in notebook.errors()[0]
    keyboard.is_on_cell(2)  # as Shift+Enter had left it

    keyboard.press("ArrowUp")
    keyboard.press("Control+Enter")
    keyboard.is_on("Record")
    keyboard.press("Enter")
    notebook.page.wait_for_function(heard)
    keyboard.press("Space")
    keyboard.is_on("Play")
    keyboard.look("keys-review")
    keyboard.press("Space")
    keyboard.is_on("Pause")
    keyboard.is_on("Play")  # it has been heard
    keyboard.tab_to("Position")
    keyboard.press("Home")
    expect(keyboard.widget).to_contain_text("0:00")
    keyboard.tab_to("Record again")
    keyboard.press("Enter")
    notebook.page.wait_for_function(heard)
    keyboard.is_on("Stop")
    keyboard.press("Enter")
    keyboard.is_on("Play")
    keyboard.tab_to("Use this")
    keyboard.press("Space")
    notebook.until_run(1)
    assert notebook.errors() == []
    keyboard.is_on_cell(1)
    [part] = openai.requests[-1].body["messages"][0]["content"]
    assert part["type"] == "input_audio"
    assert len(openai.requests) == 1

    keyboard.press("ArrowDown")
    keyboard.press("Control+Enter")
    notebook.until_run(2)
    assert notebook.code_cells()[2].shown("text/plain") == [str((openai.words, 2))]


def test_an_answer_by_keys_alone(server: JupyterServer, lab: Open, openai: OpenAIServer) -> None:
    openai.duration_s = 8.0
    openai.gate = Gate(pieces=60)  # 2 s
    speak = "%%speak --once\nIs it a good dog?"
    server.write_notebook("keys.ipynb", asking(openai), speak, speak.replace("good", "loyal"))
    notebook = lab("keys.ipynb")
    keyboard = Keyboard(notebook)
    keyboard.press("Shift+Enter")
    keyboard.press("Control+Enter")
    notebook.until("sounds[0]?.playing")

    # While it comes.
    keyboard.tab_to("Pause")
    keyboard.look("keys-arriving")
    keyboard.press("Space")
    notebook.until("!sounds[0].playing")
    keyboard.is_on("Play")
    openai.gate.open()
    notebook.until_run(1)
    assert notebook.errors() == []
    notebook.page.wait_for_function("() => document.querySelectorAll('.nbaudio-player').length === 1")
    keyboard.is_on("Play")  # another view has taken the place of that one
    keyboard.look("keys-answered")

    # All that a player can do.
    keyboard.press("k")
    notebook.until("sounds[0].playing")
    keyboard.press("Space")
    notebook.until("!sounds[0].playing")
    keyboard.tab_to("Position")
    keyboard.press("Home")
    keyboard.press("ArrowRight")
    notebook.until("sounds[0].position_s === 5")
    keyboard.look("keys-seek")
    keyboard.press("m")
    expect(keyboard.widget.get_by_role("button", name="Unmute")).to_be_visible()
    keyboard.press(">")
    expect(keyboard.widget.get_by_label("Speed").locator("option:checked")).to_have_text("1.25×")
    keyboard.tab_to("Speed")
    keyboard.tab_to("Unmute")
    keyboard.press("Enter")
    expect(keyboard.widget.get_by_role("button", name="Mute")).to_be_visible()
    keyboard.tab_to("Volume")
    keyboard.tab_to("Download as WAV")
    with notebook.page.expect_download():
        keyboard.press("Enter")
    keyboard.tab_to(keyboard.widget.locator("[data-phrase]").first.inner_text())
    keyboard.press("Enter")
    notebook.until("sounds[0].position_s === 0")
    keyboard.look("keys-phrase")
    keyboard.tab_to("Position", "Shift+Tab")
    assert [cell.source for cell in notebook.code_cells()][1:] == [speak, speak.replace("good", "loyal")]

    # Stopped while it comes.
    openai.gate = Gate(pieces=60)
    notebook.page.evaluate("() => { panel.content.activeCellIndex = 2; panel.content.activate(); }")
    keyboard.press("Control+Enter")
    notebook.until("sounds[1]?.playing")
    keyboard.tab_to("Stop")
    keyboard.look("keys-stop")
    keyboard.press("Enter")
    notebook.until("!sounds[1].playing")
    notebook.until_run(2)
    assert "what had come of the answer is kept" in notebook.errors()[0]
    keyboard.is_on("Play")  # there is nothing to stop any more
    keyboard.press("Space")
    notebook.until("sounds[1].playing")
