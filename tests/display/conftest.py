"""JupyterLab's sanitizer and Markdown in one Node process, for as long as the tests run.

On first use npm installs what the sanitizer needs into ``sanitizer/node_modules``. JupyterLab's two modules come out of
their packages' archives alone: their dependencies are a whole front end, and neither module needs it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from nodejs import Npm, install, node

FOLDER = Path(__file__).parent / "sanitizer"


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
    install(FOLDER, _add_modules_of_jupyterlab)
    with subprocess.Popen(
        [*node(), "run.mjs"], cwd=FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        yield FrontEnd(process)


def _add_modules_of_jupyterlab(here: Path, npm: Npm) -> None:
    unpacked = here / "node_modules" / "jupyterlab"
    unpacked.mkdir()
    for wanted in json.loads((here / "package.json").read_text())["unpacked"]:
        npm("pack", wanted["package"])
        (archive,) = here.glob("*.tgz")
        digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        assert f"sha512-{digest}" == wanted["integrity"], f"{wanted['package']} is not what it was"
        with tarfile.open(archive) as packed:
            module = packed.extractfile(f"package/{wanted['file']}")
            assert module is not None
            (unpacked / Path(wanted["file"]).with_suffix(".mjs").name).write_bytes(module.read())
        archive.unlink()
