"""Tokens and money in a notebook that nbclient runs: the cache over two kernels, the table, and a refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from openai_server import OpenAIServer

QUESTION = Path(__file__).parents[2] / "notebooks" / "question.wav"
CELLS = [
    "%load_ext nbaudio",
    "%%speak --cache\nIs a golden retriever a good family dog?",
    "%%listen question.wav --cache\nWhat is asked here?",
    "%%speak --cache --voice coral\nAnd why is that?",
    "%nbaudio usage",
]


def run_all(folder: Path, *cells: str) -> list[list[Any]]:
    """The outputs of each cell of a notebook, in a kernel of its own."""
    (folder / "question.wav").write_bytes(QUESTION.read_bytes())
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = NotebookClient(
        notebook,
        timeout=60,
        kernel_name="python3",
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute()
    return [list(cell.outputs) for cell in notebook.cells]


def plain(outputs: list[Any]) -> str:
    return "".join(output.data["text/plain"] for output in outputs if "data" in output)


@pytest.fixture
def notebook(server: OpenAIServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NBAUDIO_CACHE_FOLDER", str(tmp_path / "answers"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / ".ipython"))
    return tmp_path


def test_run_all_on_an_unchanged_notebook_pays_once(server: OpenAIServer, notebook: Path) -> None:
    first = run_all(notebook, *CELLS)
    assert len(server.requests) == 3
    second = run_all(notebook, *CELLS)
    assert len(server.requests) == 3
    for before, now in zip(first[1:4], second[1:4], strict=True):
        assert "From the cache" not in plain(before)
        assert "From the cache: answered on " in plain(now)
        assert "nothing was sent" in now[-1].data["text/html"]
    table = [line.split() for line in plain(first[4]).splitlines()]
    assert table[1][:3] == ["notebook", "3", "0"]
    assert table[1][-1].startswith("$0.00")
    table = [line.split() for line in plain(second[4]).splitlines()]
    assert table[1] == ["notebook", "0", "3", "0", "0", "0", "0", "0", "$0"]
    assert "<table" in second[4][0].data["text/html"]


def test_a_budget_stops_run_all_with_one_line(server: OpenAIServer, notebook: Path) -> None:
    limit = "%config NbAudio.budget_usd = 0.001"
    with pytest.raises(CellExecutionError) as caught:
        run_all(notebook, CELLS[0], limit, CELLS[1], CELLS[3])
    assert caught.value.ename == "BudgetExceeded"
    assert "This notebook has taken $0 of a budget of $0.0010" in caught.value.evalue
    assert server.requests == []
