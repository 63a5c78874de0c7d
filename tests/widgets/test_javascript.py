"""The widgets' JavaScript: its own tests under ``node --test``, and its JSDoc types under ``tsc --strict``."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from nodejs import install, node

FOLDER = Path(__file__).parent / "js"
TESTS = sorted(path.name for path in FOLDER.glob("*.test.js"))


def run(*arguments: str) -> None:
    done = subprocess.run(
        [*node(), *arguments],
        cwd=FOLDER,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=200,
    )
    if done.returncode:
        pytest.fail(done.stdout, pytrace=False)


@pytest.mark.parametrize("name", TESTS)
def test_under_node(name: str) -> None:
    run("--test", name)


def test_types() -> None:
    install(FOLDER)

    run(str(Path("node_modules", "typescript", "bin", "tsc")), "--project", ".")


def test_the_registry_is_not_named() -> None:
    assert "http" not in (FOLDER / "package-lock.json").read_text(encoding="utf-8")
