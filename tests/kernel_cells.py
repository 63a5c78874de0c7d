"""A real kernel with nbaudio in it, as nbclient runs it, whose requests go to a server on the loopback."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from openai_server import OpenAIServer, serve

__all__ = ["Kernel", "running_kernel"]


class Kernel:
    """One kernel; `run` gives the outputs of a cell."""

    def __init__(self, client: NotebookClient, server: OpenAIServer) -> None:
        self._client, self.server = client, server

    def run(self, source: str) -> list[Any]:
        cell = nbformat.v4.new_code_cell(source)
        self._client.nb.cells.append(cell)
        with contextlib.suppress(CellExecutionError):  # it is in the outputs
            self._client.execute_cell(cell, len(self._client.nb.cells) - 1)
        return list(cell.outputs)

    def shown(self, source: str) -> dict[str, str]:
        """The data of the only output."""
        (output,) = self.run(source)
        assert output.output_type == "execute_result", output
        data: dict[str, str] = output.data
        return data

    def prints(self, source: str) -> str:
        return "".join(output.text for output in self.run(source) if output.output_type == "stream")

    def fails(self, source: str) -> str:
        """The one line that a failing cell shows."""
        (output,) = [output for output in self.run(source) if output.output_type == "error"]
        (line,) = output.traceback
        assert line == f"{output.ename}: {output.evalue}"
        return str(line)

    def saved(self) -> str:
        """The notebook as a file."""
        return str(nbformat.writes(self._client.nb))


@contextlib.contextmanager
def running_kernel(folder: Path) -> Iterator[Kernel]:
    """A kernel that works in a folder, with its own journal, and ``nba`` imported."""
    with serve() as server:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI", "NBAUDIO"))}
        environment |= {
            "OPENAI_BASE_URL": server.base_url,
            "OPENAI_API_KEY": server.api_key,
            "NBAUDIO_DIALECT": "openai",
            "NBAUDIO_JOURNAL": str(folder / "journal.sqlite3"),
            "NBAUDIO_DAY_TOTALS": str(folder / "day-totals.sqlite3"),
            "NBAUDIO_CACHE_FOLDER": str(folder / "answers"),
            "IPYTHONDIR": str(folder / ".ipython"),
        }
        client = NotebookClient(
            nbformat.v4.new_notebook(),
            timeout=60,
            kernel_name="python3",
            extra_arguments=["--IPKernelApp.log_level=ERROR"],
            resources={"metadata": {"path": str(folder)}},
        )
        with client.setup_kernel(env=environment):
            running = Kernel(client, server)
            assert running.run("%load_ext nbaudio\nimport nbaudio as nba") == []
            yield running
