"""From the first piece that is sent to the first sound that is heard, and what is heard for a minute then."""

from __future__ import annotations

import ast
import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from tests.openai_server import Gate, OpenAIServer

from .places import Gradio, Lab, check
from .senders import THINKING_S
from .sound import PACES, Sound, sound_of
from .tap import Heard, listen

__all__ = ["Run", "Spoken", "with_gradio", "with_ipyaudio", "with_nbaudio", "with_speak"]

_LEAD = """() => {
    const sound = [...(globalThis.nbaudio?.players?.values() ?? [])].at(-1);
    return sound ? [sound.lead_s, sound.underruns] : null;
}"""


@dataclass(frozen=True)
class Run:
    """One sound to be sent: at which of the `PACES`, how long it is."""

    pace: int
    duration_s: float


@dataclass(frozen=True)
class Spoken:
    """One sound that was sent and heard.

    Attributes
    ----------
    run : Run
    is_first : bool
        Whether it was the first sound of its page.
    first_s : float
        From the sending of its first piece until it was heard.
    heard : Heard
    says : tuple of float and int, optional
        nbaudio's own account: the lead at the end, in seconds, and how often it ran dry.
    """

    run: Run
    is_first: bool
    first_s: float
    heard: Heard
    says: tuple[float, int] | None = None


def with_nbaudio(lab: Lab, runs: Sequence[Run]) -> list[Spoken]:
    """nbaudio's `Player`, in one page. A pace that comes twice comes from the same source: its lateness is known."""
    cell = "by_nbaudio({run.pace}, {run.duration_s}, {source!r})"
    return _in_notebook(lab, runs, cell)


def with_ipyaudio(lab: Lab, runs: Sequence[Run]) -> list[Spoken]:
    """ipyaudio's `Player`, in one page."""
    return _in_notebook(lab, runs, "await by_ipyaudio({run.pace}, {run.duration_s})")


def with_speak(lab: Lab, server: OpenAIServer, runs: Sequence[Run]) -> list[Spoken]:
    """``%%speak``, in one page; a piece's time is when the server lets it go."""
    setup = f"for_speak({server.base_url!r}, {server.api_key!r})\n%load_ext nbaudio"
    spoken: list[Spoken] = []
    with lab.notebook(setup, *["%%speak --once --play auto\nTell me a story."] * len(runs)) as notebook:
        for index, run in enumerate(runs):
            sound, server.piece_bytes = sound_of(run.duration_s), PACES[run.pace].piece_bytes
            server.words = " ".join(["and so it went"] * max(1, round(run.duration_s / 1.6)))
            server.sound = partial(_said, sound)  # type: ignore[method-assign]
            with _paced(server, run) as sent:
                check(notebook, notebook.run_cell(1 + index))
            heard = listen(notebook.page, sound)
            says = notebook.page.evaluate(_LEAD)
            spoken.append(Spoken(run, index == 0, heard.first_s - sent[0], heard, says and tuple(says)))
    return spoken


def with_gradio(gradio: Gradio, runs: Sequence[Run]) -> list[Spoken]:
    """gradio's `Audio`, in one page."""
    spoken = []
    with gradio.page() as page:
        for index, run in enumerate(runs):
            page.get_by_role("button", name=f"pace {run.pace}, {run.duration_s:g} s", exact=True).click()
            heard = listen(page, sound_of(run.duration_s))
            spoken.append(Spoken(run, index == 0, heard.first_s - gradio.sent()[0], heard))
    return spoken


def _in_notebook(lab: Lab, runs: Sequence[Run], cell: str) -> list[Spoken]:
    spoken = []
    with lab.notebook("", *[cell.format(run=run, source=_source(runs, run)) for run in runs]) as notebook:
        for index, run in enumerate(runs):
            check(notebook, notebook.run_cell(1 + index))
            sent = ast.literal_eval(notebook.code_cells()[1 + index].shown("text/plain")[-1])
            heard = listen(notebook.page, sound_of(run.duration_s))
            says = notebook.page.evaluate(_LEAD)
            spoken.append(Spoken(run, index == 0, heard.first_s - sent[0], heard, says and tuple(says)))
    return spoken


def _source(runs: Sequence[Run], run: Run) -> str:
    return PACES[run.pace].name if PACES[run.pace].jitter_s else ""


def _said(sound: Sound, _: str) -> object:
    return sound.samples()[:, None]


@contextlib.contextmanager
def _paced(server: OpenAIServer, run: Run) -> Iterator[list[float]]:
    """The server's next answer goes at this pace; the list fills with when each piece went."""
    gate = server.gate = Gate()
    sent: list[float] = []

    def let_go() -> None:
        gate.wait_until_held(60)
        time.sleep(THINKING_S)
        for wait_s, _ in PACES[run.pace].sends(sound_of(run.duration_s)):
            time.sleep(wait_s)
            sent.append(time.time())
            gate.allow()
        gate.open()

    pacer = threading.Thread(target=let_go)
    pacer.start()
    yield sent
    pacer.join()
