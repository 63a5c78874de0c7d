"""How far a long text is: a bar where tqdm is, a line where it is not, and one of its own on a page."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

from nbaudio.magics.saying import _PageBar
from nbaudio.speaking.progress import Bar, Progress


def test_a_bar_goes_forward_and_goes_away(capsys: pytest.CaptureFixture[str]) -> None:
    with Bar() as bar:
        bar.show(Progress(1, 4))
        assert re.search(r"Speaking: .*\d/4", capsys.readouterr().err)
    assert capsys.readouterr().err.strip(" \r") == ""


def test_a_text_of_one_passage_has_none(capsys: pytest.CaptureFixture[str]) -> None:
    with Bar() as bar:
        bar.show(Progress(1, 1))
    assert capsys.readouterr().err == ""


def test_without_tqdm_a_line_says_it_once(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with Bar() as bar:
        bar.show(Progress(1, 4))
        bar.show(Progress(2, 4))
    assert capsys.readouterr().err == "Speaking 4 passages ...\n"


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    yield InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    InteractiveShell.clear_instance()


def test_on_a_page_it_has_a_label(shell: InteractiveShell) -> None:
    with capture_output() as captured, _PageBar() as bar:
        bar.show(Progress(1, 1))
        bar.show(Progress(1, 4))
    (shown,) = captured.outputs
    assert shown.data["text/plain"] == "Spoken: 1 of 4 passages"
    assert "<label><small>Spoken: 1 of 4 passages</small>" in shown.data["text/html"]
    assert '<progress value="1" max="4"></progress></label>' in shown.data["text/html"]
