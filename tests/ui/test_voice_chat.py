"""The chat in JupyterLab, with a real kernel, a real microphone's stand-in, and a server that answers as OpenAI's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from kernel_versions import VERSIONS, kernel_spec
from openai_server import Gate, OpenAIServer
from playwright.sync_api import Locator, expect

from .looks import axe_findings
from .notebook_page import NotebookPage
from .server import JupyterServer, asking

Open = Callable[..., NotebookPage]

_CHAT = "[...globalThis.nbaudio?.chats?.values() ?? []].at(-1)"


class ChatInLab:
    """A notebook whose second cell shows a chat."""

    def __init__(self, page: NotebookPage, path: Path, openai: OpenAIServer) -> None:
        self.lab, self.path, self.openai = page, path, openai
        self.page = page.page
        # One after the other: ipykernel 7.0 to 7.3 can lose a request that comes while they send a reply.
        assert page.run_cell(0), page.errors()
        assert page.run_cell(1), page.errors()
        expect(self.view).to_be_visible()
        self.until("chat.recording")

    @property
    def view(self) -> Locator:
        return self.page.locator(".nbaudio-chat")

    def button(self, name: str) -> Locator:
        return self.view.get_by_role("button", name=name, exact=True)

    @property
    def turns(self) -> Locator:
        return self.view.get_by_role("article")

    @property
    def text(self) -> Locator:
        return self.view.get_by_role("textbox", name="Your words")

    def say(self, words: str) -> None:
        self.text.fill(words)
        self.text.press("Enter")

    def until(self, condition: str) -> None:
        """Wait until this is so of the page's `chat` and `sounds`, and of how many `contexts` are open."""
        sounds = "sounds = [...globalThis.nbaudio?.players?.values() ?? []]"
        known = f"const chat = {_CHAT}, {sounds}, contexts = globalThis.nbaudio?.contexts?.size ?? 0;"
        self.page.wait_for_function(f"() => {{ {known} return {condition}; }}", timeout=30_000)

    def until_idle(self) -> None:
        self.until("!chat.busy && !chat.draft && chat.turns.length && chat.turns.every(turn => !turn.arriving)")


@pytest.fixture
def talk(lab: Open, server: JupyterServer, openai: OpenAIServer, request: pytest.FixtureRequest) -> ChatInLab:
    name = f"{request.node.originalname}.ipynb"
    setup = f"{asking(openai)}chat = nba.Conversation(voice='ash')"
    kernel = kernel_spec(request.param) if hasattr(request, "param") else "python3"
    path = server.write_notebook(name, setup, "nba.VoiceChat(chat)", kernel=kernel)
    return ChatInLab(lab(name), path, openai)


def test_typed_and_heard_asked_again_and_taken_back(talk: ChatInLab) -> None:
    talk.openai.duration_s = 3.0
    talk.openai.gate = Gate(pieces=20)  # 0.67 s
    talk.say("Is it a good dog?")
    talk.until("sounds.some(sound => sound.position_s > 0.1)")  # it is heard before it is whole
    talk.until("chat.turns.at(-1).arriving")
    talk.openai.gate.open()
    talk.until_idle()
    expect(talk.turns.nth(0)).to_contain_text("Is it a good dog?")
    expect(talk.turns.nth(1)).to_contain_text(talk.openai.words)
    expect(talk.view).to_contain_text("tokens in")
    assert talk.lab.execute("[turn.role for turn in chat]") == "['user', 'assistant']"

    talk.view.get_by_label("Voice", exact=True).select_option("verse")
    talk.button("Ask again").click()
    talk.openai.wait_for_request(2)
    talk.until_idle()
    expect(talk.turns.nth(1)).to_contain_text("verse")
    assert [one.body["audio"]["voice"] for one in talk.openai.requests] == ["ash", "verse"]
    assert talk.lab.execute("len(chat)") == "2"

    talk.button("Undo").click()
    expect(talk.turns).to_have_count(0)
    assert talk.lab.execute("len(chat)") == "0"


def test_stopped_in_the_middle(talk: ChatInLab) -> None:
    talk.openai.duration_s = 5.0
    talk.openai.gate = Gate(pieces=20)
    talk.say("Tell me a story.")
    talk.until("sounds.some(sound => sound.playing)")
    talk.view.locator(".nbaudio-chat-say").get_by_role("button", name="Stop").click()
    talk.until("!sounds.some(sound => sound.playing)")
    talk.until_idle()
    assert talk.lab.execute("chat[-1].partial, 0.1 < chat[-1].clip.duration_s < 2") == "(True, True)"
    talk.openai.gate.open()


def test_hold_to_talk(talk: ChatInLab) -> None:
    talk.say("Hello")
    expect(talk.turns).to_have_count(2)
    talk.until_idle()  # what is saved is to be renewed, but not while the button is held
    talk.button("Hold to talk").hover()
    talk.page.mouse.down()
    talk.until("chat.recording.get('elapsed_s') >= 1")
    expect(talk.button("Release to send")).to_be_visible()
    talk.page.mouse.up()
    talk.openai.wait_for_request(2)
    talk.until("chat.turns.length === 4")
    talk.until_idle()
    (part,) = talk.openai.requests[1].body["messages"][-1]["content"]
    assert part["type"] == "input_audio"
    assert talk.lab.execute("1 <= chat[2].clip.duration_s < 3, chat[2].clip.level_dbfs > -40") == "(True, True)"
    talk.until("contexts <= 1")  # the player's, not the microphone's


@pytest.mark.parametrize("talk", VERSIONS, indirect=True)
def test_a_turn_of_a_cell_shows_up_and_cells_run_while_it_talks(talk: ChatInLab) -> None:
    talk.lab.execute("chat.say('Hello from a cell.')")
    expect(talk.turns).to_have_count(2)
    expect(talk.turns.nth(0)).to_contain_text("Hello from a cell.")

    talk.openai.gate = Gate(pieces=5)
    talk.say("Hello from the chat.")
    talk.until("chat.turns.at(-1).arriving && chat.turns.at(-1).player?.sound.duration_s > 0.1")
    assert talk.lab.execute("6 * 7") == "42"
    go = talk.path.parent / "go"
    go.unlink(missing_ok=True)  # of another version's turn
    # Also while a cell keeps the kernel from hearing anything, what comes goes on coming.
    talk.page.evaluate("""() => {
        const code = "import pathlib, time\\nwhile not pathlib.Path('go').exists(): time.sleep(0.05)";
        window.blocked = panel.sessionContext.session.kernel.requestExecute({code}).done;
    }""")
    talk.openai.gate.open()
    try:
        talk.until_idle()
        expect(talk.turns).to_have_count(4)
        talk.say("Hello once more.")  # it may have to wait for the cell, and says so until then
    finally:
        go.touch()
        talk.page.evaluate("() => blocked")
    expect(talk.turns).to_have_count(6)
    talk.until_idle()
    assert talk.lab.execute("len(chat)") == "6"


def test_what_failed_is_told_and_sent_again(talk: ChatInLab) -> None:
    talk.openai.fail_next("quota")
    talk.say("Hello")
    expect(talk.view.get_by_role("alert")).to_contain_text("Your words are kept.")
    expect(talk.text).to_have_value("Hello")
    talk.button("Try again").click()
    expect(talk.turns).to_have_count(2)
    talk.until_idle()


def test_what_is_saved_is_the_conversation_and_no_widget(talk: ChatInLab) -> None:
    talk.say("Hello")
    expect(talk.turns).to_have_count(2)
    talk.until_idle()
    saved = "() => panel.content.model.toJSON().cells[1].outputs"
    # The keyboard is in the chat: nothing takes it away.
    expect(talk.text).to_be_focused()
    talk.page.evaluate("() => document.activeElement.blur()")
    talk.page.wait_for_function(f"text => JSON.stringify(({saved})()).includes(text)", arg=talk.openai.words)
    expect(talk.turns).to_have_count(2)  # the living chat is in the place of the new output too
    expect(talk.view).to_have_count(1)
    talk.lab.save()
    (output,) = json.loads(talk.path.read_text())["cells"][1]["outputs"]
    assert set(output["data"]) == {"text/plain", "text/html", "text/markdown"}
    assert "<audio" in "".join(output["data"]["text/html"])
    assert "widgets" not in json.loads(talk.path.read_text())["metadata"]


def test_run_again_cleared_and_restarted_it_leaves_nothing(talk: ChatInLab) -> None:
    talk.openai.duration_s = 20.0
    talk.say("Hello")
    talk.until("sounds.some(sound => sound.playing)")
    assert talk.lab.run_cell(1)
    talk.until("globalThis.nbaudio.chats.size === 1 && chat.turns.length === 2")
    talk.until("!sounds.some(sound => sound.playing)")  # the sound went with the chat that it was asked in
    talk.until("contexts === 0")
    expect(talk.view).to_have_count(1)

    talk.button("Hold to talk").hover()
    talk.page.mouse.down()
    talk.until("chat.recording.get('elapsed_s') >= 0.3")
    talk.until("contexts === 1")
    talk.page.evaluate("async () => { await panel.sessionContext.session.kernel.restart(); }")
    talk.until("contexts === 0")
    talk.page.mouse.up()
    expect(talk.view.locator(".nbaudio-chat-status")).to_contain_text("The kernel has gone")
    talk.page.evaluate("async () => { await jupyterapp.commands.execute('editmenu:clear-all'); }")
    talk.page.wait_for_function("() => nbaudio.chats.size === 0 && nbaudio.players.size === 0")


def test_axe_finds_nothing_in_jupyterlab_light_and_dark(talk: ChatInLab) -> None:
    talk.say("Hello")
    expect(talk.turns).to_have_count(2)
    talk.until_idle()
    talk.until("!sounds.some(sound => sound.playing)")
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        talk.lab.change_theme(theme)
        assert axe_findings(talk.page, ".nbaudio-chat") == [], theme
