"""Who reads a cell's output, told from real requests: what each front end puts into ``execute_request``."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from nbaudio.widgets.front_end import cell_of, deleted_cells, front_end, page_of

LAB = {
    "header": {"session": "a7"},
    "content": {"allow_stdin": True},
    "metadata": {"cellId": "8f2c", "deletedCells": ["77aa"], "recordTiming": True},
}
NBCLIENT = {"content": {"allow_stdin": False}, "metadata": {}}
PAPERMILL = {"content": {"allow_stdin": False}, "metadata": {"cellId": "8f2c"}}
CONSOLE = {"content": {"allow_stdin": True}, "metadata": {}}


def shell(request: Any) -> Any:
    return SimpleNamespace(kernel=object(), get_parent=lambda: request)


@pytest.mark.parametrize(
    ("request_", "place"), [(LAB, "live"), (NBCLIENT, "batch"), (PAPERMILL, "batch"), (CONSOLE, "batch"), ({}, "batch")]
)
def test_a_kernels_cell(request_: dict[str, Any], place: str) -> None:
    assert front_end(shell(request_)) == place


def test_a_shell_without_a_kernel_is_a_terminal() -> None:
    assert front_end(SimpleNamespace()) == "terminal"
    assert front_end(None) == "terminal"


def test_cells_are_named_by_the_front_end_alone() -> None:
    assert (cell_of(shell(LAB)), deleted_cells(shell(LAB))) == ("8f2c", ["77aa"])
    assert (cell_of(shell({})), deleted_cells(shell({}))) == ("", [])
    assert cell_of(shell(None)) == ""


def test_pages_are_named_by_their_requests() -> None:
    assert page_of(shell(LAB)) == "a7"
    assert page_of(shell(CONSOLE)) == page_of(shell(None)) == page_of(SimpleNamespace()) == ""
