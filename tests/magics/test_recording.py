"""``%%listen`` that waits for somebody to speak: in real kernels of each kind, with a client in the page's place."""

from __future__ import annotations

import asyncio
import base64
import os
import sqlite3
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import numpy as np
import pytest
from cancelling import cancelled
from kernel_page import KernelPage, Widget
from kernel_versions import JUPYTER_PATH, PLACES, VERSIONS, kernel_spec
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from openai_server import OpenAIServer, serve
from sounddevice_stand_in import StandIn

import nbaudio as nba
from nbaudio.errors import CellError, SetupError
from nbaudio.magics import recording, transform
from nbaudio.magics.listening import parse_listen
from nbaudio.widgets import recordings

ANSWER = "Yes, they are loyal and gentle."
PIECE = 2400


def sound(count: int) -> list[bytes]:
    frames = (3000 * np.sin(np.arange(PIECE * count) / 9)).astype("<i2").tobytes()
    return [frames[at : at + 2 * PIECE] for at in range(0, len(frames), 2 * PIECE)]


class Person:
    """Somebody at the page who speaks into the recorder when it is shown."""

    def __init__(self, page: KernelPage) -> None:
        self.page, self.spoken = page, b""
        self.speaks: Callable[[Widget], None] = self.says_all
        page.react = self._react

    def _react(self, widget: Widget, message: dict[str, Any]) -> None:
        if not widget.state.get("_anywidget_id", "").endswith(".Recorder"):
            return
        if message["kind"] == "open":
            widget.send({"kind": "ready"})
        elif message["kind"] == "shown":
            self.speaks(widget)

    def begins(self, recorder: Widget, pieces: list[bytes]) -> str:
        name = uuid.uuid4().hex
        recorder.set(state="asking")
        recorder.set(state="recording", elapsed_s=0.0)
        recorder.send({"kind": "begin", "take": name, "sample_rate": 24_000, "channels": 1, "door": "microphone"})
        for index, piece in enumerate(pieces):
            recorder.send({"kind": "piece", "take": name, "index": index}, piece)
            recorder.set(elapsed_s=0.1 * (index + 1), level_dbfs=-20.0)
        self.spoken = b"".join(pieces)
        return name

    def says_all(self, recorder: Widget, count: int = 5) -> None:
        pieces = sound(count)
        name = self.begins(recorder, pieces)
        end = {"kind": "end", "take": name, "pieces": count, "frames": PIECE * count, "reason": "stopped"}
        recorder.send(end)
        recorder.send({"kind": "accept", "take": name})
        recorder.set(state="done")

    def cancels(self, recorder: Widget) -> None:
        name = self.begins(recorder, sound(2))
        recorder.send({"kind": "drop", "take": name})
        recorder.send({"kind": "cancel"})
        recorder.set(state="cancelled")

    def goes_on(self, recorder: Widget) -> None:
        self.begins(recorder, sound(3))


class Notebook:
    """A kernel, the server that it asks, and the person at its page."""

    def __init__(self, version: str, place: str, server: OpenAIServer, folder: Path) -> None:
        self.server, self.folder, self._version, self._place = server, folder, version, place
        self.start()

    def start(self) -> None:
        self.page = KernelPage(
            self._version,
            self.folder,
            subshell=self._place == "subshell",
            OPENAI_BASE_URL=self.server.base_url,
            OPENAI_API_KEY=self.server.api_key,
            NBAUDIO_DIALECT="openai",
            XDG_DATA_HOME=str(self.folder),
            JPY_SESSION_NAME=f"work/{self._version}-{self._place}.ipynb",
        )
        self.person = Person(self.page)
        self.run, self.queue, self.wait = self.page.run, self.page.queue, self.page.wait
        assert self.run("%load_ext nbaudio").error == ""

    @property
    def sent(self) -> tuple[str, bytes]:
        """Words and sound (PCM16) of the last question."""
        content = self.server.requests[-1].body["messages"][-1]["content"]
        words = [part["text"] for part in content if part["type"] == "text"]
        (audio,) = [part["input_audio"] for part in content if part["type"] == "input_audio"]
        return "".join(words), nba.Clip(base64.b64decode(audio["data"])).encode("pcm16")

    def recordings(self) -> list[Path]:
        return sorted((self.folder / "nbaudio" / "recordings").glob("*.wav"))


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="XDG_DATA_HOME says where recordings go on Linux")


@pytest.fixture(scope="module", params=PLACES, ids="-".join)
def kernel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebook]:
    with serve() as server:
        made = Notebook(*request.param, server, tmp_path_factory.mktemp("notebook"))
        yield made
        made.page.close()


@pytest.fixture
def notebook(kernel: Notebook) -> Notebook:
    kernel.person = Person(kernel.page)
    kernel.page.widgets.clear()
    return kernel


# -- it is spoken, and answered -----------------------------------------------------------------------------


def test_a_cell_waits_for_a_recording_and_answers_it(notebook: Notebook) -> None:
    cell = notebook.run("%%listen --once\nWhat is the mood of {1}?")

    assert cell.error == ""
    assert cell.result == ANSWER
    assert cell.displayed == ["Recording, 0.5 s", ANSWER]
    assert notebook.sent == ("What is the mood of {1}?", notebook.person.spoken)
    (recorder,) = notebook.page.recorders
    assert recorder.closed
    assert recorder.state["prompt"] == "What is the mood of {1}?"
    assert recorder.state["active"] is False
    assert [message["kind"] for message in recorder.heard] == ["got"]
    assert (recorder.state["state"], recorder.state["duration_s"]) == ("done", pytest.approx(0.5))


def test_a_long_recording_is_in_the_journal_while_it_is_spoken_and_whole_before_it_is_sent(
    notebook: Notebook, tmp_path: Path
) -> None:
    file = tmp_path / "journal.sqlite3"
    notebook.run(f"%config NbAudio.journal = {str(file)!r}")
    pieces = [piece * 50 for piece in sound(4)]  # 5 s each

    def speaks(recorder: Widget) -> None:
        name = notebook.person.begins(recorder, pieces)
        _until(lambda: _count(file, "SELECT count(*) FROM part") == 3)
        end = {"kind": "end", "take": name, "pieces": 4, "frames": 50 * 4 * PIECE, "reason": "stopped"}
        recorder.send(end)
        recorder.send({"kind": "accept", "take": name})

    def answer(_: dict[str, Any]) -> str:
        known = _count(
            file,
            "SELECT sum(length(part.data)) FROM turn_sound JOIN sound USING (digest)"
            " JOIN part ON part.long_sound = sound.long_sound",
        )
        return f"{known} bytes were in it."

    notebook.person.speaks, notebook.server.words = speaks, answer
    try:
        cell = notebook.run("%%listen --once\nHm?")
    finally:
        notebook.server.words = ANSWER
        notebook.run("%config NbAudio.journal = 'off'")
    assert cell.error == ""
    assert notebook.sent[1] == b"".join(pieces)
    assert cell.result == f"{44 + 4 * 50 * 2 * PIECE} bytes were in it."


def _count(file: Path, query: str) -> int:
    connection = sqlite3.connect(file)
    try:
        return int(connection.execute(query).fetchone()[0] or 0)
    except sqlite3.OperationalError:  # it has no tables yet
        return 0
    finally:
        connection.close()


def _until(holds: Callable[[], bool]) -> None:
    """Another process does it, which says nothing of it."""
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_every_form_gives_the_reply_in_its_place(notebook: Notebook) -> None:
    assert notebook.run("%%listen --once").result == ANSWER
    assert notebook.run("%listen --once --max 5").result == ANSWER
    assert notebook.run("reply = %listen --once\nprint(reply.text)").printed == f"{ANSWER}\n"
    assert notebook.run("%%listen --once -o named\nHm?").result == ANSWER
    assert notebook.run("print(named.text, type(named).__name__)").printed == f"{ANSWER} Reply\n"
    looped = notebook.run("for n in range(2):\n    reply = %listen --once\n    print(n, reply)")
    assert looped.printed == f"0 {ANSWER}\n1 {ANSWER}\n"
    assert looped.displayed == ["Recording, 0.5 s"] * 2
    inside = notebook.run("async def ask():\n    r = %listen --once\n    return r\n(await ask()).text")
    assert inside.result == repr(ANSWER)
    aloud = notebook.run("%listen --once --aloud")
    assert aloud.result.startswith(f"{ANSWER}\n[spoken")


def test_what_was_said_is_written_down_between_the_recorder_and_the_answer(notebook: Notebook) -> None:
    cell = notebook.run("%%listen --transcribe --new\nWhat is the mood?")

    assert cell.error == ""
    assert cell.displayed == ["Recording, 0.5 s", "[You said: Is it a good dog?]", ANSWER]
    assert notebook.server.requests[-1].path == "/v1/audio/transcriptions"
    form = notebook.server.requests[-1].form
    assert nba.Clip(form["file"][2]).encode("pcm16") == notebook.person.spoken
    assert notebook.run("import nbaudio; nbaudio.chat()[0].transcript").result == "'Is it a good dog?'"


def test_options_reach_the_recorder(notebook: Notebook) -> None:
    notebook.run("%%listen --once --max 7 --silence 0 --review --door file --voice ash --aloud\n")
    (recorder,) = notebook.page.recorders
    names = ("max_s", "silence_s", "review", "door")
    assert [recorder.state[name] for name in names] == [7.0, 0.0, True, "file"]
    assert notebook.server.requests[-1].body["audio"]["voice"] == "ash"


def test_run_all_goes_on_in_order(notebook: Notebook) -> None:
    cells = [
        notebook.queue(source)
        for source in (
            "order = []",
            "%%listen --once -o first\nOne",
            "order.append(first.text)",
            "second = %listen --once",
            "order.append(second.text)\nprint(order)",
        )
    ]
    notebook.wait(lambda: cells[-1].over)
    assert [cell.error for cell in cells] == [""] * 5
    assert cells[-1].printed == f"{[ANSWER] * 2}\n"


def test_cells_without_a_recorder_are_as_they_were(notebook: Notebook) -> None:
    requests = len(notebook.server.requests)
    assert notebook.run("%listen --help").printed.startswith("%%listen sends what you say")
    assert notebook.run("x = 'get_ipython().run_line_magic(\\'listen\\', \\'\\')'; x").result.startswith('"get_ipython')
    assert len(notebook.server.requests) == requests
    assert notebook.page.widgets == {}


# -- it goes wrong ------------------------------------------------------------------------------------------


def test_cancel_stops_run_all_and_sends_nothing(notebook: Notebook) -> None:
    notebook.person.speaks = notebook.person.cancels
    requests, kept = len(notebook.server.requests), notebook.recordings()
    cell = notebook.queue("%%listen --once\nHm?")
    later = notebook.queue("print('not run')")
    notebook.wait(lambda: later.over)

    assert cell.error == "Cancelled: Nothing was sent. Run the cell again to speak."
    assert later.printed == ""
    assert len(notebook.server.requests) == requests
    assert notebook.recordings() == kept


def test_an_interrupt_while_recording_keeps_what_was_said(notebook: Notebook) -> None:
    notebook.person.speaks = notebook.person.goes_on
    cell = notebook.queue("%%listen --once\nHm?")
    recorder = notebook.page.recorder()
    # A trait that the page changes twice arrives twice only if the first change was reported as done.
    notebook.wait(lambda: recorder.done)
    sent = recorder.send({"kind": "nothing"})
    notebook.wait(lambda: sent in recorder.done)
    pressed = time.monotonic()
    notebook.page.interrupt()
    notebook.wait(lambda: cell.over)

    assert time.monotonic() - pressed < 2.0  # half a second, and a busy machine
    assert cell.error == (
        "Cancelled: Stopped; the 0.3 s that were recorded are kept. %listen --again sends them once more."
    )
    assert recorder.closed
    assert notebook.run("%listen --again --once What did I say?").result == ANSWER
    assert notebook.sent == ("What did I say?", notebook.person.spoken)


def test_an_interrupt_before_anybody_speaks(notebook: Notebook) -> None:
    notebook.person.speaks = lambda recorder: None
    cell = notebook.queue("%%listen --once\nHm?")
    recorder = notebook.page.recorder()
    notebook.wait(lambda: cell.outputs and recorder.done)
    notebook.page.interrupt()
    notebook.wait(lambda: cell.over)
    assert cell.error == "Cancelled: Stopped before anything was recorded. Run the cell again to speak."
    assert notebook.run("print('usable')").printed == "usable\n"


def test_an_interrupt_while_the_answer_is_awaited(notebook: Notebook) -> None:
    notebook.server.fail_next("hang")
    cell = notebook.queue("%%listen --once\nHm?")
    recorder = notebook.page.recorder()
    notebook.wait(lambda: recorder.heard)
    notebook.server.hang_gate.wait_until_held()
    notebook.page.interrupt()
    notebook.wait(lambda: cell.over)
    notebook.server.release()
    assert cell.error == (
        "Interrupted: Stopped before an answer came. The conversation is as it was. "
        "What you said is kept: %listen --again sends it once more."
    )
    assert notebook.run("%listen --again --once").result == ANSWER


def test_a_request_that_failed_can_be_repeated_also_after_a_restart(notebook: Notebook) -> None:
    notebook.server.fail_next("bad_key")
    cell = notebook.run("%%listen --once\nHm?")
    assert cell.error.startswith("AuthenticationFailed: ")
    assert cell.error.endswith("What you said is kept: %listen --again sends it once more.")
    assert cell.displayed == ["Recording, 0.5 s"]
    spoken = notebook.person.spoken

    notebook.page.close()
    notebook.start()

    assert notebook.run("%%listen --again --once -o reply\nHm?").result == ANSWER
    assert notebook.sent == ("Hm?", spoken)


def test_a_page_that_is_closed_ends_the_cell_and_leaves_what_came(notebook: Notebook) -> None:
    assert notebook.run("from nbaudio.widgets import arriving; arriving.LOST_S['microphone'] = 0.2").error == ""
    notebook.person.speaks = notebook.person.goes_on
    cell = notebook.run("%%listen --once\nHm?")
    notebook.run("arriving.LOST_S['microphone'] = 3.0")
    assert cell.error == (
        "CellError: Nothing more came after 0.3 s: the page was closed, or its connection broke. "
        "What came is kept: %listen --again sends it once more."
    )
    assert notebook.run("%listen --again --once").result == ANSWER


@pytest.mark.parametrize(
    "source",
    [
        "def ask():\n    r = %listen --once\nask()",
        "%%capture\n%listen",
        "%%time\n%listen",
        "f = lambda: get_ipython().run_line_magic('listen', '')\nf()",
        "get_ipython().run_line_magic(*('listen', ''))",
    ],
)
def test_where_nothing_can_be_awaited_the_cell_says_so(notebook: Notebook, source: str) -> None:
    cell = notebook.run(source)
    assert cell.error == (
        "CellError: A recording can't be waited for inside a function, a class or another magic. "
        "Use %listen outside of it, or name a file: %listen question.wav"
    )


def test_nobody_speaks_before_there_is_somebody_to_send_it_to(notebook: Notebook) -> None:
    notebook.run("%config NbAudio.base_url = 'nowhere'")
    cell = notebook.run("%%listen --once\nHm?")
    notebook.run("%config NbAudio.base_url = ''")
    assert cell.error.startswith("SetupError: NbAudio.base_url is 'nowhere'")
    assert notebook.page.widgets == {}


def test_without_a_page_the_cell_says_what_to_do(notebook: Notebook) -> None:
    notebook.page.react = lambda widget, message: None
    cell = notebook.run("%%listen\nHm?", page=False)
    assert cell.error == (
        "CellError: No front end answered within 3 s: a recorder needs a notebook that somebody looks at. "
        "%%listen question.wav works everywhere."
    )
    assert 3.0 <= cell.took_s < 4.5
    assert notebook.run("print('usable')").printed == "usable\n"


# -- without a page, without a kernel -----------------------------------------------------------------------


def test_nbclient_gets_an_error_and_goes_on_with_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = kernel_spec(VERSIONS[-1])
    monkeypatch.setenv("JUPYTER_PATH", str(JUPYTER_PATH))
    (tmp_path / "question.wav").write_bytes(nba.Clip.from_pcm16(b"".join(sound(3))).encode("wav"))
    sources = ["%load_ext nbaudio", "%%listen\nHm?", "%%listen question.wav\nHm?"]
    with serve() as server:
        client = NotebookClient(
            nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources]),
            timeout=60,
            kernel_name=kernel,
            extra_arguments=["--IPKernelApp.log_level=ERROR"],
            resources={"metadata": {"path": str(tmp_path)}},
        )
        environment = {**os.environ, "OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": server.api_key}
        with client.setup_kernel(env={**environment, "NBAUDIO_DIALECT": "openai", "IPYTHONDIR": str(tmp_path)}):
            client.execute_cell(client.nb.cells[0], 0)
            begun = time.monotonic()
            with pytest.raises(CellExecutionError, match=r"%%listen question.wav works everywhere"):
                client.execute_cell(client.nb.cells[1], 1)
            assert 3.0 <= time.monotonic() - begun < 6.0
            client.execute_cell(client.nb.cells[2], 2)
    assert client.nb.cells[2].outputs[-1].data["text/plain"] == ANSWER


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[StandIn], int]]:
    """A terminal whose keys are a pipe; gives what writes to it."""
    monkeypatch.setattr("platformdirs.user_data_dir", lambda name: str(tmp_path / name))
    recordings._place.cache_clear()
    read, write = os.pipe()
    with os.fdopen(read) as keys:
        monkeypatch.setattr(sys, "stdin", keys)

        def installed(module: StandIn) -> int:
            monkeypatch.setitem(sys.modules, "sounddevice", module)  # type: ignore[arg-type]
            return write

        yield installed
    os.close(write)
    recordings._place.cache_clear()


def ask(server: OpenAIServer, monkeypatch: pytest.MonkeyPatch, **how: Any) -> Any:
    for name, value in (("OPENAI_BASE_URL", server.base_url), ("OPENAI_API_KEY", server.api_key)):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NBAUDIO_DIALECT", "openai")
    wait = recording.record_and_ask(SimpleNamespace(), {}, "Hm?", how, aloud=False, shows=False, name=None, once=True)
    return asyncio.run(wait)


def test_in_a_terminal_enter_ends_it(
    terminal: Callable[[StandIn], int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = StandIn(sound(4))
    keys = terminal(module)
    for _ in range(4):
        module.go_on.release()
    os.write(keys, b"\n")
    with serve() as server:
        reply = ask(server, monkeypatch, silence_s=0.0)
        content = server.requests[-1].body["messages"][-1]["content"]
    assert reply.text == ANSWER
    assert [part["type"] for part in content] == ["text", "input_audio"]
    assert capsys.readouterr().out == "Recording: Enter ends it.\n"
    assert module.open == []


def test_in_a_terminal_its_end_is_heard_without_a_key(
    terminal: Callable[[StandIn], int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = StandIn(sound(3))
    terminal(module)
    for _ in range(3):
        module.go_on.release()
    with serve() as server:
        assert ask(server, monkeypatch, max_s=0.3).text == ANSWER
    assert capsys.readouterr().out == "Recording: Enter ends it, and so do 1.5 s of silence.\n"


def test_in_a_terminal_ctrl_c_keeps_what_was_said(
    terminal: Callable[[StandIn], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = StandIn(sound(3))
    terminal(module)

    def interrupted() -> bool:
        if (recorded := recordings.latest()) and nba.Clip(recorded).frames == 3 * PIECE:
            raise KeyboardInterrupt
        return False

    monkeypatch.setattr(recording, "_enter_pressed", interrupted)
    for _ in range(3):
        module.go_on.release()
    with serve() as server:
        with cancelled(r"the 0.3 s that were recorded are kept. %listen --again"):
            ask(server, monkeypatch)
        assert server.requests == []
    kept = recordings.latest()
    assert kept is not None
    assert nba.Clip(kept).frames == 3 * PIECE
    assert module.open == []


def test_in_a_terminal_without_a_microphone_it_says_what_to_install(
    terminal: Callable[[StandIn], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with (
        serve() as server,
        pytest.raises(SetupError, match=r"pip install 'nbaudio\[mic\]'. %listen question.wav works everywhere"),
    ):
        ask(server, monkeypatch)


# -- lines and cells ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "waits"),
    [
        ("", True),
        ("--max 10", True),
        ("--aloud --voice ash -o reply", True),
        ("-o reply --silence 0 --review --door kernel", True),
        ("question.wav", False),
        ("--aloud question.wav", False),
        ("{path}", False),
        ("question.wav What is it?", False),
        ("--again", False),
        ("--again What is it?", False),
        ("--help", False),
    ],
)
def test_which_lines_wait(line: str, waits: bool) -> None:
    assert parse_listen(line).waits is waits


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--max 0", "--max can't be '0'. Write --max SECONDS."),
        ("--max soon", "--max can't be 'soon'. Write --max SECONDS."),
        ("--silence -1", "--silence can't be '-1'."),
        ("--door window", "--door can't be 'window'. Write --door microphone|file|kernel."),
        ("--reviw", "There is no option --reviw. Did you mean --review?"),
        ("--max 3 a.wav", "--max says how to record, and a.wav is recorded already. Leave one of the two out."),
        ("--review --again", "--review says how to record, and the last recording is recorded already."),
    ],
)
def test_lines_that_can_not_be(line: str, words: str) -> None:
    with pytest.raises(CellError) as raised:
        parse_listen(line)
    assert str(raised.value).startswith(words)


@pytest.mark.parametrize(
    ("code", "awaited"),
    [
        ("reply = L('listen', '')\n", "reply = (await L('listen', '--awaited '))\n"),
        ("C('listen', '', 'Hm?\\n')\n", "(await C('listen', '--awaited ', 'Hm?\\n'))\n"),
        ("if x:\n    L('listen', '--max 3')\n", "if x:\n    (await L('listen', '--awaited --max 3'))\n"),
        (
            "é = L('listen', ''); y = L('listen', '')",
            "é = (await L('listen', '--awaited ')); y = (await L('listen', '--awaited '))",
        ),
        ("async def f():\n    L('listen', '')\n", "async def f():\n    (await L('listen', '--awaited '))\n"),
        ("L('listen',\n  '')\nx = '\x0c\u2028'\n", "(await L('listen', '--awaited '))\nx = '\x0c\u2028'\n"),
        ("L('listen', '').text", "(await L('listen', '--awaited ')).text"),
    ],
)
def test_what_is_awaited(code: str, awaited: str) -> None:
    assert "".join(transform.await_recordings(calls(code).splitlines(keepends=True))) == calls(awaited)


@pytest.mark.parametrize(
    "code",
    [
        "L('listen', 'a.wav')",
        "L('listen', '--again')",
        "L('listen', '--no-such-option')",
        "L('speak', 'listen')",
        "L('listen', line)",
        "def f():\n    L('listen', '')",
        "class A:\n    L('listen', '')",
        "f = lambda: L('listen', '')",
        "list(L('listen', '') for _ in '1')",
        "x = \"L('listen', '')\"",
        "L('listen', ''",
    ],
)
def test_what_is_left_as_it_is(code: str) -> None:
    lines = calls(code).splitlines(keepends=True)
    assert transform.await_recordings(lines) == lines


def calls(code: str) -> str:
    line, cell = "get_ipython().run_line_magic(", "get_ipython().run_cell_magic("
    return code.replace("L(", line).replace("C(", cell)
