"""From the click on stop to the request's first byte."""

from __future__ import annotations

import base64
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Locator, Page

from tests.openai_server import OpenAIServer

from .first_byte import FirstByte
from .places import Gradio, Lab, ffmpeg

__all__ = ["Stopped", "with_gradio", "with_ipyaudio", "with_nbaudio"]

_LIMIT_S = 120.0


@dataclass(frozen=True)
class Stopped:
    """One recording, and how long it took from the click on stop until its request began."""

    wait_s: float
    prefilled: bool = False


def with_nbaudio(lab: Lab, server: OpenAIServer, length_s: float, times: int, *, prefilled: bool) -> list[Stopped]:
    """``%%listen`` without a clip, so often.

    Parameters
    ----------
    prefilled : bool
        Whether most of it is put in place instead of spoken.
    """
    cell = f"%%listen --once --max {length_s + 600:.0f} --silence 0\nWhat do you hear?"
    folder = lab.folder / "recordings"
    with FirstByte(server) as door:
        setup = f"for_listen({door.url + '/v1'!r}, {server.api_key!r}, {str(folder)!r})\n%load_ext nbaudio"
        with lab.notebook(setup, *[cell] * times) as notebook:
            page = notebook.page
            notebook.begin()
            found = []
            for _ in range(times):
                main = page.locator(".nbaudio-recorder-main:visible")
                record = main.and_(page.get_by_role("button", name="Record"))
                record.click(timeout=180_000)  # the answer before this is shown first
                main.and_(page.get_by_role("button", name="Stop")).wait_for()
                if prefilled:
                    page.evaluate("seconds => benchmark.prefillPieces(seconds)", length_s)
                    _until_on_disk(page, folder, length_s)
                    page.wait_for_timeout(2000)
                else:
                    page.wait_for_timeout(1000 * length_s)
                found.append(Stopped(_stop(page, main, door), prefilled))
                page.locator(".nbaudio-recorder-main").wait_for(state="hidden")
            page.evaluate("() => run")
    return found


def with_ipyaudio(lab: Lab, server: OpenAIServer, length_s: float, times: int) -> list[Stopped]:
    """`ipyaudio.record` to a file, with an observer of ``completed`` that sends the file."""
    path = lab.folder / "ipyaudio.wav"
    found = []
    with FirstByte(server) as door:
        cell = f"recorder = for_ipyaudio({door.url!r}, {str(path)!r})"
        with lab.notebook("", *[cell] * times) as notebook:
            for index in range(times):
                notebook.run_cell(1 + index)
                page = notebook.page
                record = page.locator(".jp-OutputArea-output button.btn-danger:visible").last
                record.click()
                page.locator(".jp-OutputArea-output button:has(.fa-stop):visible").wait_for(timeout=60_000)
                page.wait_for_timeout(1000 * length_s)
                found.append(Stopped(_stop(page, record, door)))
                page.wait_for_timeout(2000)
    return found


def with_gradio(gradio: Gradio, length_s: float, times: int, *, prefilled: bool) -> list[Stopped]:
    """`Audio` with a microphone, and a function for ``stop_recording`` that sends the file.

    Parameters
    ----------
    prefilled : bool
        Whether what the browser's recorder gives at the end is a file of that length.
    """
    found = []
    for _ in range(times):
        with gradio.page() as page:
            if prefilled:
                page.evaluate("data => benchmark.prefillFile(data)", _webm(length_s))
            page.locator("button.record-button").first.click()
            stop = page.locator("button.stop-button:visible")
            stop.wait_for()
            page.wait_for_timeout(3000 if prefilled else 1000 * length_s)
            found.append(Stopped(_stop(page, stop, gradio.door), prefilled))
    return found


def _stop(page: Page, button: Locator, door: FirstByte) -> float:
    before = len(door.times)
    button.click()
    clicked_s = float(page.evaluate("() => benchmark.noted.clicked_s"))
    while len(door.times) == before:
        page.wait_for_timeout(20)  # lets the page's messages through, which a plain wait would hold up
        if time.time() - clicked_s > _LIMIT_S:
            raise TimeoutError(f"No request came within {_LIMIT_S:.0f} s of the click on stop.")
    return door.times[before] - clicked_s


def _until_on_disk(page: Page, folder: Path, length_s: float) -> None:
    while _length_s(folder) < length_s:
        page.wait_for_timeout(200)


def _length_s(folder: Path) -> float:
    """How long the newest recording is."""
    newest = max(folder.glob("**/*.wav"), key=lambda path: path.stat().st_mtime)
    return (newest.stat().st_size - 44) / 48_000


def _webm(length_s: float) -> str:
    """A WebM file with Opus, as Chromium's MediaRecorder makes them, in base64."""
    made = subprocess.run(
        [
            *(ffmpeg(), "-v", "error", "-f", "lavfi", "-i", f"anoisesrc=r=48000:a=0.05:d={length_s}"),
            *("-c:a", "libopus", "-b:a", "128k", "-f", "webm", "pipe:1"),
        ],
        stdout=subprocess.PIPE,
        check=True,
    )
    return base64.b64encode(made.stdout).decode()
