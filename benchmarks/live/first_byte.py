"""When a request's first byte arrives: a listener on the loopback, and the request that a plain program makes."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from tests.openai_server import OpenAIServer

__all__ = ["FirstByte", "post_file"]


class FirstByte:
    """Passes connections on to a server, and notes when the first byte of each came.

    Parameters
    ----------
    server : OpenAIServer

    Attributes
    ----------
    url : str
        ``http://127.0.0.1:<port>``.
    times : list of float
        Seconds since 1970; one for each burst of bytes from the client after a second without any.
    """

    _BURST_S = 1.0

    def __init__(self, server: OpenAIServer) -> None:
        self.times: list[float] = []
        self._port = urlsplit(server.base_url).port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._last_s = 0.0
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> FirstByte:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._port))
            threading.Thread(target=_pass, args=(client, server, self._note), daemon=True).start()
            threading.Thread(target=_pass, args=(server, client, lambda: None), daemon=True).start()

    def _note(self) -> None:
        with self._lock:
            now_s = time.time()
            if now_s - self._last_s > self._BURST_S:
                self.times.append(now_s)
            self._last_s = now_s


def _pass(source: socket.socket, target: socket.socket, note: Callable[[], None]) -> None:
    try:
        while data := source.recv(1 << 18):
            note()
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return  # the other side has gone


def post_file(url: str, path: str) -> str:
    """Send a file as the body of a POST, in the way that has its first byte out soonest."""
    import httpx

    with open(path, "rb") as file:
        return str(httpx.post(url, content=file, timeout=120).status_code)
