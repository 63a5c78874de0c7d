"""Who reads what a cell puts out: a person at a page, a program, or a person at a terminal."""

from __future__ import annotations

import os
from typing import Any, Literal

__all__ = ["cell_of", "deleted_cells", "front_end", "is_served_by_jupyter", "page_of", "widget_view"]

_WIDGET = "application/vnd.jupyter.widget-view+json"


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


def page_of(shell: Any) -> str:
    """The name of the page that runs the cell; JupyterLab has it as its kernel connection's ``clientId``.

    It is the ``session`` of the request's header, which the Jupyter protocol asks each client to choose for itself.
    """
    return str(_request(shell).get("header", {}).get("session") or "")


def deleted_cells(shell: Any) -> list[str]:
    """The cells that have been deleted since the last request, where the front end says so."""
    return [str(cell) for cell in _request(shell).get("metadata", {}).get("deletedCells") or []]


def widget_view(model_id: str) -> dict[str, Any]:
    """The widget's own part of an output, for front ends that make no widget before they are to show one.

    VS Code and Colab are such. JupyterLab and Notebook 7 make it as soon as the kernel tells of it, and what they would
    save shows an error in the place of all that stands beside it, as soon as there is another kernel. Where a program
    runs the cells (nbclient), nbconvert would show it in the place of the rest, and no page would ever have it.
    """
    from IPython import get_ipython

    if is_served_by_jupyter() or front_end(get_ipython()) == "batch":
        return {}
    return {_WIDGET: {"version_major": 2, "version_minor": 0, "model_id": model_id}}


def is_served_by_jupyter() -> bool:
    """Whether jupyter_server started this kernel, for JupyterLab or Notebook 7."""
    return "JPY_SESSION_NAME" in os.environ


def _request(shell: Any) -> dict[str, Any]:
    parent = shell.get_parent() if hasattr(shell, "get_parent") else {}
    return parent if isinstance(parent, dict) else {}
