"""A Jupyter server on the loopback, with folders of its own and kernels that use the offline engine."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # it publishes no types
from kernel_versions import JUPYTER_PATH
from openai_server import OpenAIServer
from realtime_server import RealtimeServer

__all__ = ["OTHER_NAME", "JupyterServer", "asking"]

OTHER_NAME = "notebooks.example"
"""Another name by which the server may be asked for; a browser has to be told where it is (`--host-resolver-rules`)."""

_STOPPING_S = 20
_QUIET = {
    # JupyterLab asks on its first start whether it may fetch news, and looks for a newer version of itself.
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
    "@jupyterlab/apputils-extension/themes": {"adaptive-theme": False},
}


_ASKING = """
import os, sys
sys.path.insert(0, {root!r})
os.environ.update({environment!r})
%load_ext nbaudio
import nbaudio as nba
"""


def asking(openai: OpenAIServer | RealtimeServer) -> str:
    """A cell after which its kernel asks that server."""
    environment = {
        "NBAUDIO_BACKEND": "auto",
        "NBAUDIO_DIALECT": "openai",
        "OPENAI_BASE_URL": openai.base_url,
        "OPENAI_API_KEY": openai.api_key,
    }
    return _ASKING.format(environment=environment, root=str(Path(__file__).parents[2]))


class JupyterServer:
    """A running JupyterLab, which serves Notebook 7 too where that is installed.

    Parameters
    ----------
    notebooks : Path
        The folder that it serves.
    state : Path
        A folder for everything that Jupyter keeps about its user: settings, signatures, history.
    """

    def __init__(self, notebooks: Path, state: Path) -> None:
        self.notebooks = notebooks
        self.token = secrets.token_hex(16)
        _write_settings(state)
        command = [
            *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
            *("--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", f"--ServerApp.root_dir={notebooks}"),
            *("--LabApp.extension_manager=readonly", "--ServerApp.open_browser=False"),
        ]
        self._process = subprocess.Popen(
            command, env=self._environment(state), cwd=state, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        self._log: list[str] = []
        self.url = self._wait_for_url()
        self._reader = threading.Thread(target=self._read_on, name="jupyter-log", daemon=True)
        self._reader.start()

    @property
    def log(self) -> str:
        """What the server has written so far."""
        return "".join(self._log)

    def write_notebook(self, path: str, *cells: str, kernel: str = "python3") -> Path:
        """Write a notebook of code cells below the folder that is served; gives its path on disk."""
        target = self.notebooks / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(_notebook(cells, kernel)), encoding="utf-8")
        return target

    def stop(self) -> list[str]:
        """End the server and its kernels; gives the command lines of processes that it would have left behind."""
        family = psutil.Process(self._process.pid).children(recursive=True) if self._process.poll() is None else []
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOPPING_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        assert self._process.stderr is not None
        self._process.stderr.close()
        _, left = psutil.wait_procs(family, timeout=5)
        lines = []
        for process in left:
            lines.append(" ".join(process.cmdline()))
            process.kill()
        psutil.wait_procs(left, timeout=5)
        return lines

    def _environment(self, state: Path) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("NBAUDIO_", "OPENAI_", "JUPYTER", "IPYTHON"))
        }
        return kept | {
            "NBAUDIO_BACKEND": "offline",
            "JUPYTER_TOKEN": self.token,
            "JUPYTER_CONFIG_DIR": str(state / "config"),
            "JUPYTER_DATA_DIR": str(state / "data"),
            "JUPYTER_RUNTIME_DIR": str(state / "runtime"),
            "JUPYTER_PATH": str(JUPYTER_PATH),  # kernels of other versions
            "XDG_DATA_HOME": str(state / "user-data"),  # where recordings are kept
            "IPYTHONDIR": str(state / "ipython"),
        }

    def _wait_for_url(self) -> str:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._log.append(line)
            if match := re.search(r"(http://127\.0\.0\.1:\d+)/", line):
                return match[1]
        raise RuntimeError(f"JupyterLab did not start:\n{self.log}")

    def _read_on(self) -> None:
        assert self._process.stderr is not None
        self._log.extend(self._process.stderr)


def _write_settings(state: Path) -> None:
    config = state / "config"
    # Each front end puts itself at window.jupyterapp, so that commands can be run and the model of a notebook read.
    exposed = {name: {"expose_app_in_browser": True} for name in ("LabApp", "JupyterNotebookApp")}
    named = {"ServerApp": {"local_hostnames": ["localhost", OTHER_NAME]}}
    for path, content in {
        config / "jupyter_server_config.json": exposed | named,
        **{config / "lab/user-settings" / f"{name}.jupyterlab-settings": value for name, value in _QUIET.items()},
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))


def _notebook(cells: Sequence[str], kernel_name: str) -> dict[str, Any]:
    made: list[dict[str, Any]] = [
        {"cell_type": "code", "id": f"cell-{i}", "metadata": {}, "execution_count": None, "outputs": [], "source": cell}
        for i, cell in enumerate(cells)
    ]
    kernel = {"name": kernel_name, "display_name": kernel_name, "language": "python"}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}, "cells": made}
