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
