"""What leaves the loudspeaker in JupyterLab while an answer of `%%speak` comes, and how much is sent for it."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable
from pathlib import Path

from openai_server import Gate, OpenAIServer
from openai_server.sounds import SAMPLE_RATE, pcm16

from .notebook_page import NotebookPage
from .server import JupyterServer, asking

DRIVER = Path(__file__).with_name("sound_page.js").read_text(encoding="utf-8")
LISTEN = """async text => {
    await import(URL.createObjectURL(new Blob([text], {type: "text/javascript"})));
    globalThis.sent_ms = [];
    // When the kernel made it, not when it came: a busy page takes in at once what it was sent one by one. What the
    // kernel answers to the page's own requests, and that it is busy with them, the cell has not sent.
    const sentByCell = ({channel, header, parent_header}) =>
        parent_header.msg_type === "execute_request" || (channel === "iopub" && header.msg_type !== "status");
    panel.sessionContext.session.kernel.anyMessage.connect((_, {direction, msg}) => {
        if (direction === "recv" && sentByCell(msg)) sent_ms.push(Date.parse(msg.header.date) - performance.timeOrigin);
    });
}"""
HEARD = """async base64 => {
    const bytes = Uint8Array.from(atob(base64), one => one.charCodeAt(0));
    const source = new Int16Array(bytes.buffer), [output] = await heard();
    return runs(output, source).map(({from, length}) => [from, length]);
}"""
PIECE_S = 0.02
MOST_MESSAGES = 30  # in a second, with those that say how the cell and the player are: see widgets/feed.py


def test_each_sample_is_heard_once_and_few_messages_bring_them(
    server: JupyterServer, on_new_page: Callable[..., NotebookPage], openai: OpenAIServer
) -> None:
    openai.duration_s = 3.0
    openai.piece_bytes = 2 * round(PIECE_S * SAMPLE_RATE)
    openai.gate = Gate()
    server.write_notebook("heard.ipynb", asking(openai), "%%speak --once\nIs it a good dog?")
    notebook = on_new_page("heard.ipynb")
    notebook.page.evaluate(LISTEN, DRIVER)
    pacer = threading.Thread(target=_pace, args=(openai.gate,))
    notebook.begin()
    pacer.start()

    assert notebook.end(), notebook.errors()
    notebook.until("sounds[0].position_s === 3 && !sounds[0].playing")
    pacer.join()

    source = pcm16(openai.sound(str(openai.words)))
    assert notebook.sounds()[0]["underruns"] == 0
    runs = notebook.page.evaluate(HEARD, base64.b64encode(source).decode("ascii"))
    assert runs == [[1, len(source) // 2 - 1]], "its first sample is zero, as silence is"
    begun_ms = notebook.sounds()[0]["first_piece_ms"]
    sent_s = [at_ms / 1000 for at_ms in notebook.page.evaluate("() => sent_ms") if at_ms >= begun_ms]
    assert len(sent_s) > 30
    most = max(sum(0 <= other - one < 1 for other in sent_s) for one in sent_s)
    assert most <= MOST_MESSAGES


def _pace(gate: Gate) -> None:
    """Pieces at the pace of real time, a second ahead of it: a busy machine is late with none."""
    gate.wait_until_held(60)
    gate.allow(50)
    for _ in range(100):
        time.sleep(PIECE_S)
        gate.allow()
    gate.open()
