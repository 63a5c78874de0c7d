"""Every notebook runs from top to bottom with the offline engine, and every sound in it has its words."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

from nbaudio.demo import run_demo

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


@pytest.mark.offline
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_offline(notebook: Path, tmp_path: Path) -> None:
    executed, page, *sounds = run_demo(notebook, tmp_path)
    outputs = [output for cell in nbformat.read(executed, as_version=4).cells for output in cell.get("outputs", [])]
    speaking = [output.data for output in outputs if "<audio" in output.get("data", {}).get("text/html", "")]
    assert speaking
    assert len(sounds) == sum(data["text/html"].count("<audio") for data in speaking)
    for data in speaking:
        assert data["text/plain"].strip()
        assert "text/markdown" in data
    from nbaudio import Clip

    for sound in sounds:
        assert Clip(sound).duration_s > 0.5
        assert Clip(sound).level_dbfs > -40
    html = page.read_text(encoding="utf-8")
    assert html.count("<audio") == len(sounds)
    assert not re.findall(r'<img[^>]*\ssrc="(?!data:)[^"]*"', html)  # the page is one file


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_kept_without_outputs(notebook: Path) -> None:
    cells = nbformat.read(notebook, as_version=4).cells
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_pictures_are_there_and_have_their_words(notebook: Path) -> None:
    for cell in nbformat.read(notebook, as_version=4).cells:
        # JupyterLab shows no SVG among a cell's attachments: pictures lie beside the notebook.
        assert "attachments" not in cell
        for words, name in re.findall(r"!\[([^]]*)\]\(([^)]*)\)", cell.source if cell.cell_type == "markdown" else ""):
            assert len(words) > 40
            assert (notebook.parent / name).is_file()
