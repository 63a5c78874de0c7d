"""A notebook run from top to bottom with the offline engine, and what it leaves behind."""

from __future__ import annotations

import base64
import importlib.util
import os
import re
import shutil
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from nbaudio.errors import NbaudioError, SetupError

__all__ = ["run_demo"]

_SOUND = re.compile(r'<audio[^>]*\ssrc="data:audio/(mpeg|wav|ogg|flac);base64,([A-Za-z0-9+/=]+)"')
_ENDINGS = {"mpeg": "mp3", "wav": "wav", "ogg": "ogg", "flac": "flac"}


def run_demo(notebook: Path | None, folder: Path) -> list[Path]:
    """Execute a notebook offline; gives the paths of the executed notebook, its HTML page and its sounds.

    Parameters
    ----------
    notebook : Path, optional
        By default the quickstart in the package. The files beside it are at hand while it runs.
    folder : Path
        Where the results go, and not that of the notebook; it is made if it isn't there, and results of an earlier run
        are replaced.

    Raises
    ------
    SetupError
        If Jupyter or the engine is not installed, there is no such notebook, or its results would replace it.
    NbaudioError
        If a cell fails; the notebook up to there is kept.
    """
    missing = [name for name in ("nbclient", "nbconvert", "ipykernel") if importlib.util.find_spec(name) is None]
    if missing:
        raise SetupError(
            f"Running a notebook needs {', '.join(missing)}.", "pip install 'nbaudio[offline,notebook]' brings them."
        )
    from nbaudio.engine.weights.models import fetch

    fetch()
    folder.mkdir(parents=True, exist_ok=True)
    with as_file(files("nbaudio") / "notebooks") as shipped:
        source = notebook or shipped / "01_quickstart.ipynb"
        if not source.is_file():
            raise SetupError(f"There is no notebook {str(source)!r}.", "Name one: python -m nbaudio demo FILE.ipynb")
        if folder.samefile(source.parent):
            raise SetupError(
                f"The results would take the place of {source.name} itself, which is in {str(folder)!r} too.",
                "Name another folder: --to FOLDER.",
            )
        for beside in source.parent.iterdir():
            if beside.suffix in (".wav", ".mp3", ".flac", ".ogg", ".txt", ".svg"):
                shutil.copy(beside, folder)
        executed = _execute(source, folder)
    page = folder / f"{source.stem}.html"
    page.write_text(_as_html(executed, folder), encoding="utf-8")
    written = folder / source.name
    _write(executed, written)
    return [written, page, *_sounds(executed, folder)]


def _execute(source: Path, folder: Path) -> Any:
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError
    from tqdm import tqdm

    notebook = _read(source)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    with tqdm(total=len(cells), desc=f"running {source.name}", unit="cell") as bar:
        client = NotebookClient(
            notebook,
            timeout=600,
            kernel_name="python3",
            # ipykernel warns about unencrypted loopback ports, which only this process uses
            extra_arguments=["--IPKernelApp.log_level=ERROR"],
            resources={"metadata": {"path": str(folder)}},
            on_cell_executed=lambda cell, cell_index, execute_reply: bar.update(),
        )
        try:
            client.execute(env={**os.environ, "NBAUDIO_BACKEND": "offline"})
        except CellExecutionError as error:
            where = notebook.cells.index(next(c for c in cells if any(o.output_type == "error" for o in c.outputs)))
            _write(notebook, folder / source.name)
            raise NbaudioError(
                f"Cell {where + 1} of {source.name} failed: {error.ename}: {error.evalue}.",
                f"What ran before it is in {folder / source.name}.",
            ) from None
    return notebook


def _read(source: Path) -> Any:
    import nbformat

    try:
        return nbformat.read(source, as_version=4)
    except (ValueError, nbformat.ValidationError, AttributeError, TypeError) as error:  # whichever its contents lead to
        said = next(iter(str(error).splitlines()), type(error).__name__)
        raise SetupError(
            f"{str(source)!r} is no notebook: {said.rstrip('.')}.", "Name one: python -m nbaudio demo FILE.ipynb"
        ) from error


def _as_html(notebook: Any, folder: Path) -> str:
    from nbconvert import HTMLExporter

    # With the pictures beside the notebook in it: a page is given to others as one file.
    exporter = HTMLExporter(embed_images=True)
    body, _ = exporter.from_notebook_node(notebook, resources={"metadata": {"path": str(folder)}})
    return str(body)


def _write(notebook: Any, path: Path) -> None:
    import nbformat

    nbformat.write(notebook, path)


def _sounds(notebook: Any, folder: Path) -> list[Path]:
    """Every sound in the outputs as a file, in the order of the cells."""
    written: list[Path] = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            html = output.get("data", {}).get("text/html", "")
            for kind, data in _SOUND.findall(html):
                path = folder / f"sound-{len(written) + 1:02}.{_ENDINGS[kind]}"
                path.write_bytes(base64.b64decode(data))
                written.append(path)
    return written
