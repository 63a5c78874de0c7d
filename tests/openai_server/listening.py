"""The thread in which the server listens."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
import threading
from typing import Literal

import uvicorn
from starlette.types import ASGIApp

WAIT_S = 10.0


class UvicornThread(uvicorn.Server):
    """uvicorn in a thread of its own, started and stopped by events where it would look at the clock."""

    loop: asyncio.AbstractEventLoop

    def __init__(self, app: ASGIApp, ws: Literal["none", "websockets-sansio"] = "none") -> None:
        # No WebSocket library where none is asked for, and no logging, which is not used.
        config = uvicorn.Config(
            app,
            http="h11",
            ws=ws,
            ws_max_size=24_000_000,
            lifespan="off",
            loop="asyncio",
            log_config=None,
            log_level="critical",
        )
        super().__init__(config)
        self._ready = threading.Event()
        self._crash: BaseException | None = None

    def start(self, listener: socket.socket) -> None:
        """Serve on a bound socket; returns when connections are accepted."""
        self._thread = threading.Thread(target=self._run, args=(listener,), name="openai_server", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._crash is not None:
            raise RuntimeError("the loopback server did not start") from self._crash

    def stop(self) -> None:
        """Cut what is open and end the thread; a second call does nothing."""
        if not self._thread.is_alive():
            return
        self.loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(WAIT_S)
        if self._thread.is_alive():
            raise RuntimeError("the loopback server did not stop")
        if self._crash is not None:
            raise RuntimeError("the loopback server broke down") from self._crash

    def _run(self, listener: socket.socket) -> None:
        try:
            self.run(sockets=[listener])
        except BaseException as crash:
            self._crash = crash
        finally:
            self._ready.set()

    async def main_loop(self) -> None:
        """Wait for `stop`, where uvicorn looks for it every 0.1 s."""
        await self.on_tick(0)
        self.loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._ready.set()
        await self._stopping.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Cut all connections, where uvicorn waits for their answers to end."""
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        tasks = list(self.server_state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for server in self.servers:
            await server.wait_closed()


def cut(transport: asyncio.Transport, *, reset: bool) -> None:
    """Close a connection: in good order (FIN), or with a reset (RST)."""
    if not reset:
        transport.close()  # sends what is buffered first
        return
    # Closing a socket that lingers for 0 s sends RST in place of FIN.
    linger = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    transport.abort()
