"""A kernel and a client of it that plays a notebook's page: it runs cells, and answers for the widgets that they show.

The messages are a page's own: cells are named and may ask (``cellId``, ``allow_stdin``), and what widgets send goes
over the shell channel, or to a subshell as JupyterLab does it on ipykernel 7.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty
from typing import Any

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager
from kernel_versions import JUPYTER_PATH, kernel_spec

__all__ = ["Cell", "KernelPage", "Widget"]

LIMIT_S = 60


@dataclass
class Cell:
    """What has come of a cell so far."""

    outputs: list[dict[str, Any]] = field(default_factory=list)
    started: bool = False
    over: bool = False
    replied: bool = False
    took_s: float = 0.0

    @property
    def error(self) -> str:
        """The one line of its error, or nothing."""
        return "\n".join(line for output in self.outputs for line in output.get("traceback", []))

    @property
    def printed(self) -> str:
        return "".join(output["text"] for output in self.outputs if "text" in output)

    @property
    def result(self) -> str:
        """What its last expression was, as text."""
        found = [output["data"]["text/plain"] for output in self.outputs if "execution_count" in output]
        return found[0] if found else ""

    @property
    def displayed(self) -> list[str]:
        """What it displays, as text, in order."""
        return [output["data"]["text/plain"] for output in self.outputs if "data" in output]


@dataclass
class Widget:
    """A widget's model in the page."""

    id: str
    state: dict[str, Any]
    page: KernelPage
    heard: list[dict[str, Any]] = field(default_factory=list)
    closed: bool = False
    done: list[str] = field(default_factory=list)

    def is_in(self, bundle: dict[str, Any]) -> bool:
        """Whether an output shows it: as a widget's view, or as a figure whose place it takes."""
        view = bundle.get("application/vnd.jupyter.widget-view+json", {})
        place = f"nbaudio-live-{self.state.get('key')}"
        return view.get("model_id") == self.id or place in bundle.get("text/html", "")

    def send(self, content: dict[str, Any], *buffers: bytes) -> str:
        """Send a custom message."""
        return self.page.send_comm(self.id, {"method": "custom", "content": content}, buffers)

    def set(self, **traits: Any) -> str:
        """Change traits."""
        self.state |= traits
        return self.page.send_comm(self.id, {"method": "update", "state": traits, "buffer_paths": []})


class KernelPage:
    """One kernel with one page.

    Parameters
    ----------
    version : str
        Of its ipykernel.
    folder : Path
        Where it works.
    subshell : bool
        Whether the page sends what widgets say to a subshell.
    environment : dict
        Of the kernel, beside the tests' own.
    """

    def __init__(self, version: str, folder: Path, *, subshell: bool = False, **environment: str) -> None:
        specs = KernelSpecManager(kernel_dirs=[str(JUPYTER_PATH / "kernels")], ensure_native_kernel=False)
        self._manager = KernelManager(kernel_name=kernel_spec(version), kernel_spec_manager=specs)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "JPY_"))}
        quiet = ["--IPKernelApp.log_level=ERROR", "--HistoryManager.enabled=False"]
        environment = {**kept, "IPYTHONDIR": str(folder / ".ipython"), **environment}
        self._manager.start_kernel(env=environment, cwd=str(folder), extra_arguments=quiet)
        self.client = self._manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=LIMIT_S)
        self.cells: dict[str, Cell] = {}
        self.widgets: dict[str, Widget] = {}
        self.react: Callable[[Widget, dict[str, Any]], None] = lambda widget, message: None
        """Called with each message to a widget; ``{"kind": "open"}`` and ``{"kind": "shown"}`` are the page's own."""
        self._by_display: dict[str, dict[str, Any]] = {}
        self._clears: set[str] = set()
        self._subshell = self._control("create_subshell_request")["subshell_id"] if subshell else None

    # -- what the page does -------------------------------------------------------------------------------

    def queue(self, source: str, *, page: bool = True) -> Cell:
        """Have a cell run when those before it are done; `page` says whether it is a page that asks."""
        content = {"code": source, "silent": False, "store_history": True, "user_expressions": {}}
        metadata = {"cellId": f"cell-{len(self.cells)}"} if page else {}
        self._hear_replies()
        message = self.client.session.msg(
            "execute_request", {**content, "allow_stdin": page, "stop_on_error": True}, metadata=metadata
        )
        self.client.shell_channel.send(message)
        cell = self.cells[message["header"]["msg_id"]] = Cell()
        return cell

    def run(self, source: str, *, page: bool = True) -> Cell:
        """Run a cell to its end."""
        begun = time.monotonic()
        cell = self.queue(source, page=page)
        self.wait(lambda: cell.over)
        cell.took_s = time.monotonic() - begun
        return cell

    def send_comm(self, comm: str, data: dict[str, Any], buffers: tuple[bytes, ...] = ()) -> str:
        self._hear_replies()
        message = self.client.session.msg("comm_msg", {"comm_id": comm, "data": data})
        if self._subshell:
            message["header"]["subshell_id"] = self._subshell
        self.client.session.send(self.client.shell_channel.socket, message, buffers=list(buffers))
        return str(message["header"]["msg_id"])

    def interrupt(self) -> None:
        """Press the button."""
        self._manager.interrupt_kernel()

    def wait(self, until: Callable[[], Any], limit_s: float = LIMIT_S) -> None:
        """Take what the kernel says, until something is so."""
        end = time.monotonic() + limit_s
        while not until():
            left = end - time.monotonic()
            assert left > 0, f"not within {limit_s} s; cells: {list(self.cells.values())[-2:]}"
            with contextlib.suppress(Empty):
                self._take(self.client.get_iopub_msg(timeout=left))

    @property
    def recorders(self) -> list[Widget]:
        """Every Recorder that there has been, in order."""
        return [one for one in self.widgets.values() if one.state.get("_anywidget_id", "").endswith(".Recorder")]

    def recorder(self) -> Widget:
        """The newest Recorder, once there is one."""
        self.wait(lambda: self.recorders)
        return self.recorders[-1]

    def close(self) -> None:
        self.client.stop_channels()
        self._manager.shutdown_kernel(now=True)

    def _hear_replies(self) -> None:
        """Take the replies to all cells that are over.

        Before anything else is sent: ipykernel 7.0 to 7.3 can lose a request that comes while they send a reply, and
        are deaf from then on (ipython/ipykernel#1529, in 7.4; 7.3.0 on a busy machine: one in thirty to two hundred).
        """
        while any(cell.over and not cell.replied for cell in self.cells.values()):
            reply = self.client.get_shell_msg(timeout=LIMIT_S)
            if cell := self.cells.get(reply["parent_header"].get("msg_id", "")):
                cell.replied = True

    # -- what the kernel says -----------------------------------------------------------------------------

    def _take(self, message: dict[str, Any]) -> None:
        kind, content = message["msg_type"], message["content"]
        parent = message["parent_header"].get("msg_id", "")
        cell = self.cells.get(parent)
        if kind == "comm_open":
            state = content["data"].get("state", {})
            widget = self.widgets[content["comm_id"]] = Widget(content["comm_id"], state, self)
            self.react(widget, {"kind": "open"})
        elif kind == "comm_msg" and content["comm_id"] in self.widgets:
            widget, data = self.widgets[content["comm_id"]], content["data"]
            if data["method"] == "update":
                widget.state |= data["state"]
            elif data["method"] == "custom":
                widget.heard.append(data["content"])
                self.react(widget, data["content"])
        elif kind == "comm_close" and content["comm_id"] in self.widgets:
            self.widgets[content["comm_id"]].closed = True
        elif kind == "status" and content["execution_state"] == "idle":
            if cell is not None:
                cell.over = True
            for widget in self.widgets.values():
                widget.done.append(parent)
        elif kind == "execute_input" and cell is not None:
            cell.started = True
        elif kind == "update_display_data":
            if shown := self._by_display.get(content["transient"]["display_id"]):
                shown["data"] = content["data"]
        elif kind == "clear_output" and cell is not None:
            if content["wait"]:
                self._clears.add(parent)
            else:
                cell.outputs.clear()
        elif kind in ("stream", "display_data", "execute_result", "error") and cell is not None:
            if parent in self._clears:
                self._clears.discard(parent)
                cell.outputs.clear()
            cell.outputs.append(content)
            if name := content.get("transient", {}).get("display_id"):
                self._by_display[name] = content
            for widget in list(self.widgets.values()):
                if widget.is_in(content.get("data", {})):
                    self.react(widget, {"kind": "shown"})

    def _control(self, kind: str) -> dict[str, Any]:
        message = self.client.session.msg(kind, {})
        self.client.control_channel.send(message)
        while True:
            reply = self.client.get_control_msg(timeout=LIMIT_S)
            if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                content: dict[str, Any] = reply["content"]
                return content
