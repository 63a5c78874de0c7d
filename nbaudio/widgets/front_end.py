"""Who reads what a cell puts out: a person at a page, a program, or a person at a terminal."""

from __future__ import annotations

from typing import Any, Literal

__all__ = ["cell_of", "deleted_cells", "front_end"]


def front_end(shell: Any) -> Literal["live", "batch", "terminal"]:
    """What the running cell's output goes to.

    A running cell can't ask: the kernel hears no answer before the cell is over. But the request to run it tells.
    JupyterLab, Notebook 7, VS Code and Colab name the cell and allow questions (``allow_stdin``); nbclient, and with it
    papermill and nbconvert, refuse questions; Jupyter's consoles name no cell.

    Returns
    -------
    str
        ``"live"`` where widgets can be shown, ``"batch"`` where display updates are all there is, ``"terminal"``
        where there is only text.
    """
    if not hasattr(shell, "kernel"):
        return "terminal"
    request = _request(shell)
    asked = request.get("content", {}).get("allow_stdin", False)
    return "live" if asked and cell_of(shell) else "batch"


def cell_of(shell: Any) -> str:
    """The id of the cell that runs, empty where the front end does not say."""
    metadata = _request(shell).get("metadata", {})
    return str(metadata.get("cellId") or metadata.get("cell_id") or "")


def deleted_cells(shell: Any) -> list[str]:
    """The cells that have been deleted since the last request, where the front end says so."""
    return [str(cell) for cell in _request(shell).get("metadata", {}).get("deletedCells") or []]


def _request(shell: Any) -> dict[str, Any]:
    parent = shell.get_parent() if hasattr(shell, "get_parent") else {}
    return parent if isinstance(parent, dict) else {}
