"""Every test begins with fresh settings, and the examples in docstrings and in Markdown are tests too.

Docstrings: every ``>>>`` in ``nbaudio/``, with the names of its module. Markdown: the ```` ```python ```` blocks of a
page, run in order as the cells of one notebook, so that magics and top-level ``await`` work. A block that must not run
has ``<!-- skip: next -->`` above it. A page runs in a folder of its own with a copy of ``notebooks/`` in it, and needs
the offline engine.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from sybil import Example, Sybil
from sybil.integration import pytest as sybil_in_pytest
from sybil.parsers.markdown import CodeBlockParser, SkipParser
from sybil.parsers.rest import DocTestParser

# IPython warns when another virtual environment is active than the one it runs in, and warnings are errors here.
os.environ.pop("VIRTUAL_ENV", None)
# A shell gives what it runs in the background no SIGINT, and then neither tests nor the kernels they start can be
# interrupted.
signal.signal(signal.SIGINT, signal.default_int_handler)

_KEPT = ("NBAUDIO_WEIGHTS", "NBAUDIO_WEIGHTS_SOURCES")  # where the weights lie is a matter of the machine

# Two slow cores shared with other work say nothing about the code: pytest's own timeout is the limit.
settings.register_profile("nbaudio", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("nbaudio")


def _mine(folder: Path) -> dict[str, str]:
    """Where what a person keeps for themselves goes in tests: nothing is written into their own folders."""
    return {
        "NBAUDIO_CACHE_FOLDER": str(folder / "answers"),
        "NBAUDIO_DAY_TOTALS": str(folder / "day-totals.sqlite3"),
        "NBAUDIO_JOURNAL": str(folder / "journal" / "journal.sqlite3"),
        # Where nothing is, and nobody is kept from looking: tests also run as somebody who may not read the others.
        "NBAUDIO_SERVERS_FILE": str(Path(os.sep) / "nonexistent" / "servers.toml"),
    }


@cache
def _folder_of_this_run() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="nbaudio-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


os.environ.update(_mine(_folder_of_this_run()))  # for kernels that a fixture of a module starts


@pytest.fixture(autouse=True)
def fresh_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No ``OPENAI_…`` and ``NBAUDIO_…`` in the environment, and no options set by another test."""
    from nbaudio import errors
    from nbaudio.settings import NbAudio

    for name in list(os.environ):
        if name.startswith(("OPENAI_", "NBAUDIO_")) and name not in _KEPT:
            monkeypatch.delenv(name)
    for name, place in _mine(_folder_of_this_run()).items():
        monkeypatch.setenv(name, place)
    # A key of one test would be masked in what another reads.
    monkeypatch.setattr(errors, "_secrets", set())
    monkeypatch.setattr(errors, "_pieces", set())
    NbAudio.clear_instance()
    yield
    NbAudio.clear_instance()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the examples of Markdown pages as what they are."""
    for item in items:
        if item.path.suffix == ".md":
            item.add_marker(pytest.mark.offline)


def _begin_page(names: dict[str, Any]) -> None:
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    from nbaudio.conversation import chats
    from nbaudio.settings import NbAudio

    chats._chats.clear()  # a page is a notebook of its own, whose conversation is a new one
    folder = Path(tempfile.mkdtemp())
    shutil.copytree(Path(__file__).parent / "notebooks", folder / "notebooks")
    names["_before"] = (Path.cwd(), dict(os.environ), folder)
    os.chdir(folder)
    for name in list(os.environ):
        if name.startswith(("OPENAI_", "NBAUDIO_")) and name not in _KEPT:
            del os.environ[name]
    os.environ["NBAUDIO_BACKEND"] = "offline"
    os.environ.update(_mine(folder))
    NbAudio.clear_instance()
    names["_shell"] = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))


def _end_page(names: dict[str, Any]) -> None:
    from IPython.core.interactiveshell import InteractiveShell

    from nbaudio.settings import NbAudio

    InteractiveShell.clear_instance()
    NbAudio.clear_instance()
    cwd, environment, folder = names["_before"]
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    shutil.rmtree(folder)


def _run_cell(example: Example) -> None:
    result = example.namespace["_shell"].run_cell(str(example.parsed))
    result.raise_error()


_docstrings = Sybil(
    parsers=[DocTestParser()], path="nbaudio", patterns=["*.py"], fixtures=["fresh_settings"], name="docstring"
)
_pages = Sybil(
    parsers=[CodeBlockParser(language="python", evaluator=_run_cell), SkipParser()],
    patterns=["*.md"],
    setup=_begin_page,
    teardown=_end_page,
    name="page",
)
pytest_collect_file = sybil_in_pytest.pytest_integration(_docstrings, _pages)
