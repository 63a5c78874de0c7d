"""What `python -m nbaudio` says in a terminal, and what a demonstration leaves behind when a cell fails."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from nbaudio import errors
from nbaudio.__main__ import main
from nbaudio.demo import run_demo


@pytest.mark.offline
def test_a_failing_cell_is_named_and_what_ran_before_is_kept(tmp_path: Path) -> None:
    cells = ["%load_ext nbaudio", "1 + 1", "%%speak --voice bob\nHello", "2 + 2"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    nbformat.write(notebook, tmp_path / "broken.ipynb")
    with pytest.raises(errors.NbaudioError, match=r"Cell 3 of broken\.ipynb failed: UnknownVoice: .*'alloy'"):
        run_demo(tmp_path / "broken.ipynb", tmp_path / "out")
    kept = nbformat.read(tmp_path / "out" / "broken.ipynb", as_version=4)
    assert kept.cells[1].outputs[0].data["text/plain"] == "2"
    assert not kept.cells[3].outputs


def test_a_notebook_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(errors.SetupError, match="There is no notebook"):
        run_demo(tmp_path / "nothing.ipynb", tmp_path)


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is fetched: what is refused here is refused before a kernel starts."""
    monkeypatch.setattr("nbaudio.engine.weights.models.fetch", lambda: None)


@pytest.mark.parametrize("beside", ["", "question.wav"])
def test_results_beside_the_notebook_are_refused(
    beside: str, no_engine: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 + 1")]), tmp_path / "mine.ipynb")
    if beside:
        (tmp_path / beside).write_bytes(b"RIFF")
    before = (tmp_path / "mine.ipynb").read_bytes()
    monkeypatch.chdir(tmp_path)
    for where in (".", str(tmp_path)):
        assert main(["demo", "mine.ipynb", "--to", where]) == 1
        assert capsys.readouterr().err == (
            f"SetupError: The results would take the place of mine.ipynb itself, which is in {where!r} too. "
            "Name another folder: --to FOLDER.\n"
        )
    assert (tmp_path / "mine.ipynb").read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"no json", b"[]", b"{}", b'{"nbformat": 9}', b'{"nbformat": 4, "metadata": {}, "cells": 3}', b"\xb2"]
)
@pytest.mark.filterwarnings("ignore::UserWarning")  # of nbformat, about the same
def test_a_file_that_is_no_notebook(
    content: bytes, no_engine: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.ipynb").write_bytes(content)
    assert main(["demo", str(tmp_path / "notes.ipynb"), "--to", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(f"SetupError: {str(tmp_path / 'notes.ipynb')!r} is no notebook: ")
    assert error.endswith("Name one: python -m nbaudio demo FILE.ipynb")


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, says in (([], "doctor"), (["demo"], "the offline engine"), (["models"], "fetch what is missing")):
        with pytest.raises(SystemExit) as caught:
            main([*arguments, "--help"])
        assert caught.value.code == 0
        assert says in capsys.readouterr().out


@pytest.mark.offline
def test_the_doctor_is_content_offline(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "requests go to  offline engine: this machine, with no network" in said
    assert said.endswith("all is well\n")


@pytest.mark.offline
def test_models_are_listed_and_verified(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    assert "SmolLM2-135M" in capsys.readouterr().out
    assert main(["models", "verify"]) == 0
    assert "Every file is as it should be." in capsys.readouterr().out


def test_an_error_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["demo", str(tmp_path / "nothing.ipynb"), "--to", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("SetupError: There is no notebook")
