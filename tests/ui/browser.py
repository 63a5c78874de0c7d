"""The Chromium that the tests drive: whichever one of this machine starts.

``python tests/ui/browser.py`` prints its path, or fails with the reasons why none starts; `install_browser.sh` asks it.
"""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserType, Playwright

__all__ = ["FLAGS", "SOUND_WITHOUT_CLICK", "NoBrowser", "hearing", "launch", "launch_with"]

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SOUND_WITHOUT_CLICK = "--autoplay-policy=no-user-gesture-required"


class NoBrowser(Exception):
    """No Chromium or Chrome starts on this machine."""


def hearing(speech: Path, *, allowed: bool = True) -> list[str]:
    """The flags for a microphone that says what is in a WAV file, once for each opening of it.

    Parameters
    ----------
    speech : Path
    allowed : bool
        Whether pages may use it without asking.
    """
    ask = ["--use-fake-ui-for-media-stream"] if allowed else []
    return ["--use-fake-device-for-media-stream", f"--use-file-for-fake-audio-capture={speech}%noloop", *ask]


def launch(playwright: Playwright, *flags: str) -> tuple[Browser, str]:
    """A headless browser that plays sound without a click, with flags more; and the path of its program.

    Raises
    ------
    NoBrowser
        With the reason for each one that was found; a program may be there and not start, as Ubuntu's stub for a
        snap does.
    """
    return launch_with(playwright.chromium, SOUND_WITHOUT_CLICK, *flags)


def launch_with(chromium: BrowserType, *flags: str) -> tuple[Browser, str]:
    """As `launch`, with flags of the test's own; `Browser.browser_type` of a running one is what it takes."""
    from playwright.sync_api import Error

    found = [path for name in _NAMES if (path := shutil.which(name))]
    own = chromium.executable_path
    reasons = []
    for path in [*found, *([own] if os.path.exists(own) else [])]:
        try:
            return chromium.launch(executable_path=path, args=[*FLAGS, *flags]), path
        except Error as error:
            reasons.append(f"{path}: {error.message.splitlines()[0]}")
    raise NoBrowser(
        f"No Chromium or Chrome starts here ({'; '.join(reasons) or 'none is installed'}). "
        f"Run: sh tests/ui/install_browser.sh {sys.executable}"
    )


def _main() -> int:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        try:
            browser, path = launch(playwright)
        except NoBrowser as error:
            sys.stderr.write(f"{error}\n")
            return 1
        browser.close()
    sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(_main())
