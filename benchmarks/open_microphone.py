"""Memory while a microphone stays open: JupyterLab, the offline engine, and a browser that nobody looks into.

    python benchmarks/open_microphone.py                # ten minutes
    python benchmarks/open_microphone.py --watched      # with developer tools, to see what they cost

While somebody drives a browser and sees each of its messages, its memory grows for that. So Playwright begins the
session of `nba.VoiceChat(realtime=True)`, lets go of the browser, and takes hold of it again at the end, where a
question must be heard and answered. The microphone is that of a still room.

"browser's own" is what its processes have for themselves (USS), "browser's all" counts what they share in each (RSS).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from engine import QUESTIONS
from playwright.sync_api import BrowserContext, Page, sync_playwright
from talking import FIRST_SOUND, SETUP, ask, base64_of, spoken

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from ui.browser import FLAGS, SOUND_WITHOUT_CLICK, launch
from ui.server import JupyterServer
from ui.talk_in_lab import TalkInLab

STARTED_WITHIN_S = 30.0


@contextmanager
def browser_alone(profile: Path) -> Iterator[tuple[psutil.Process, str]]:
    """A browser's first process, and the address where it can be driven."""
    with sync_playwright() as playwright:
        browser, program = launch(playwright)
        browser.close()
    flags = ["--headless=new", "--no-sandbox", f"--user-data-dir={profile}", "--remote-debugging-port=0"]
    command = [program, *flags, *FLAGS, SOUND_WITHOUT_CLICK, "about:blank"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as started:
        try:
            port, give_up = profile / "DevToolsActivePort", time.monotonic() + STARTED_WITHIN_S
            while not (port.is_file() and port.read_text()):
                if started.poll() is not None or time.monotonic() > give_up:
                    raise RuntimeError(f"{program} does not start")
                time.sleep(0.05)
            yield psutil.Process(started.pid), f"http://127.0.0.1:{port.read_text().split()[0]}"
        finally:
            started.terminate()


@contextmanager
def driven(address: str) -> Iterator[BrowserContext]:
    """Hold of a browser; who leaves lets go of it, and its pages stay."""
    with sync_playwright() as playwright:
        yield playwright.chromium.connect_over_cdp(address).contexts[0]


def heap(page: Page) -> str:
    """What a page holds after a collection."""
    page.context.new_cdp_session(page).send("HeapProfiler.collectGarbage")
    return f"{page.evaluate('() => performance.memory.usedJSHeapSize') / 1e6:.1f} MB in the page's heap"


def watch(browser: psutil.Process, kernel: psutil.Process, minutes: int, wait: Callable[[float], object]) -> None:
    """Print what is in use, each minute; `wait` takes seconds."""
    print("open for   browser's own   browser's all   kernel's memory   kernel's processor")
    began, used_s = time.monotonic(), sum(kernel.cpu_times()[:2])
    for minute in range(minutes + 1):
        wait(max(0.0, began + 60 * minute - time.monotonic()))
        own = shared = 0
        for process in (browser, *browser.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                memory = process.memory_full_info()
                own, shared = own + memory.uss, shared + memory.rss
        share = (sum(kernel.cpu_times()[:2]) - used_s) / max(1.0, time.monotonic() - began)
        held = kernel.memory_info().rss / 1e6
        columns = (f"{minute:4} min", f"{own / 1e6:10.0f} MB", f"{shared / 1e6:10.0f} MB", f"{held:12.0f} MB")
        print(*columns, f"{100 * share:14.1f} %", sep="   ", flush=True)


def measure(folder: Path, server: JupyterServer, chosen: argparse.Namespace) -> None:
    question = spoken(QUESTIONS[0])
    with browser_alone(folder / "profile") as (browser, address):
        with driven(address) as context:
            talk = TalkInLab(context, server, "open.ipynb", SETUP, tapped=False)
            talk.begin()
            ask(talk, question)  # loads all
            kernel = psutil.Process(int(talk.lab.execute("__import__('os').getpid()")))
            print(f"at the start {heap(talk.page)}")
            if chosen.watched:
                watch(browser, kernel, chosen.minutes, lambda seconds: talk.page.wait_for_timeout(1000 * seconds))
        if not chosen.watched:
            watch(browser, kernel, chosen.minutes, time.sleep)
        with driven(address) as context:
            (page,) = (one for one in context.pages if one.url.startswith(server.url))
            print(f"at the end {heap(page)}")
            waited_s = page.evaluate(FIRST_SOUND, base64_of(question)) / 1000
            print(f"a question then is answered after {waited_s:.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=10, help="how long it is open (%(default)s)")
    parser.add_argument("--watched", action="store_true", help="keep hold of the browser meanwhile")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "notebooks").mkdir()
        (folder / "state").mkdir()
        server = JupyterServer(folder / "notebooks", folder / "state")
        try:
            measure(folder, server, chosen)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
