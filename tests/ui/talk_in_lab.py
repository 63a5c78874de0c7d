"""An open session of `VoiceChat` in JupyterLab: a microphone that says what it is given, and all that is heard."""

from __future__ import annotations

import ast
import base64
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import BrowserContext, Locator, expect

from nbaudio import Clip

from .notebook_page import NotebookPage
from .server import JupyterServer

__all__ = ["RATE", "TalkInLab", "question"]

RATE = 24_000
_HERE = Path(__file__).parent
_TAP, _MICROPHONE = ((_HERE / name).read_text(encoding="utf-8") for name in ("sound_page.js", "talk_page.js"))
_OUTPUT = """async () => {
    const [output] = await heard();
    const bytes = new Uint8Array(output.buffer);
    let letters = "";
    for (let at = 0; at < bytes.length; at += 32768) letters += String.fromCharCode(...bytes.subarray(at, at + 32768));
    return btoa(letters);
}"""


def question() -> bytes:
    """Two seconds of a person who asks: PCM16, mono at 24,000 Hz."""
    return Clip(_HERE.parents[1] / "notebooks" / "question.wav").mono().resample(RATE).encode("pcm16")


class TalkInLab:
    """A notebook on a page of its own whose second cell shows a chat with an open session.

    Parameters
    ----------
    context : BrowserContext
        Where nothing else is open; it is closed with the talk.
    server : JupyterServer
    name : str
        Of the notebook.
    setup : str
        Its first cell; it has a conversation ``chat``.
    kernel : str
    tapped : bool
        Whether all that reaches the loudspeaker is kept, for `output`.
    """

    def __init__(
        self,
        context: BrowserContext,
        server: JupyterServer,
        name: str,
        setup: str,
        kernel: str = "python3",
        *,
        tapped: bool = True,
    ) -> None:
        server.write_notebook(name, setup, "talk = nba.VoiceChat(chat, realtime=True)\ntalk", kernel=kernel)
        for script in (_TAP, _MICROPHONE) if tapped else (_MICROPHONE,):
            context.add_init_script(f"(() => {{ {script} }})();")
        self.lab = NotebookPage(context.new_page(), server, name)
        self.page = self.lab.page
        # One after the other: ipykernel 7.0 to 7.3 can lose a request that comes while they send a reply.
        assert self.lab.run_cell(0), self.lab.errors()
        assert self.lab.run_cell(1), self.lab.errors()
        expect(self.view).to_be_visible()

    @property
    def view(self) -> Locator:
        return self.page.locator(".nbaudio-chat")

    @property
    def turns(self) -> Locator:
        return self.view.get_by_role("article")

    @property
    def notice(self) -> Locator:
        return self.view.locator(".nbaudio-chat-notice")

    def button(self, name: str) -> Locator:
        return self.view.get_by_role("button", name=name, exact=True)

    def begin(self) -> None:
        """The session is open, and so is the microphone."""
        self.button("Begin talking").click()
        expect(self.view.locator(".nbaudio-chat-status")).to_have_text("Listening")

    def speak(self, pcm16: bytes) -> None:
        """Begin to say something; what follows happens while it is said."""
        self.page.evaluate("data => { window.speaking = speak(data); }", base64.b64encode(pcm16).decode())

    def spoken(self) -> dict[str, float]:
        """When that began and was over, by the page's clock, ms."""
        return dict(self.page.evaluate("() => speaking"))

    def until(self, condition: str, limit_ms: float = 30_000) -> None:
        """Wait until this is so; `said` are the sounds of the session that are to be heard, and `contexts` how many."""
        said = "[...globalThis.nbaudio?.players?.entries() ?? []].filter(([key]) => key.includes('-said-'))"
        known = f"const said = {said}.map(([, sound]) => sound);"
        known += "const chat = [...globalThis.nbaudio?.chats?.values() ?? []].at(-1);"
        known += "const contexts = globalThis.nbaudio?.contexts?.size ?? 0;"
        self.page.wait_for_function(f"() => {{ {known} return {condition}; }}", timeout=limit_ms)

    def until_heard(self, seconds: float) -> None:
        """Wait until so much of an answer has sounded."""
        self.until(f"said.some(sound => sound.position_s >= {seconds})")

    def until_all_is_heard(self, turns: int) -> None:
        """Wait until the conversation has so many turns, and nothing is to be heard any more."""
        expect(self.turns).to_have_count(turns, timeout=30_000)
        self.until("said.length === 0 && chat.turns.every(turn => !turn.arriving)")

    def output(self) -> np.ndarray[Any, Any]:
        """What has reached the loudspeaker since it was asked the last time, float32."""
        return np.frombuffer(base64.b64decode(self.page.evaluate(_OUTPUT)), "<f4")

    def roles(self) -> list[str]:
        return list(ast.literal_eval(self.lab.execute("[turn.role for turn in chat]")))

    def clip(self, turn: int) -> np.ndarray[Any, Any]:
        """The sound of a turn of the conversation, int16."""
        code = f"__import__('base64').b64encode(chat[{turn}].clip.encode('pcm16')).decode()"
        return np.frombuffer(base64.b64decode(self.lab.execute(code).strip("'")), "<i2")

    def close(self) -> None:
        self.lab.close()
