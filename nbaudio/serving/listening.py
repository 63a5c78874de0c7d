"""The server on its port: uvicorn, and what happens at a signal."""

from __future__ import annotations

import asyncio
import os
import socket
from types import FrameType

import uvicorn

from nbaudio.errors import SetupError
from nbaudio.serving.app import Serving

__all__ = ["Server", "listen_at"]

# Longer than the 5 s that httpx keeps a connection: else both ends close it in the same moment, and a request is lost.
_KEEP_ALIVE_S = 75
_LAST_PORT = 65_535
_MOST_EVENT_BYTES = 24_000_000  # of a WebSocket; 15 MiB of sound in base64 are 21 million
_LAST_WORDS_S = 2  # for what is still on its way to a client when the server ends


def listen_at(host: str, port: int) -> socket.socket:
    """A socket that is bound to an address.

    Parameters
    ----------
    host : str
        A name or an address.
    port : int
        0 for a free one.

    Raises
    ------
    SetupError
        If that address can't be had.
    """
    if not 0 <= port <= _LAST_PORT:  # getaddrinfo would take what is left of it after 65,536s
        raise SetupError(f"There is no port {port}.", f"Choose one up to {_LAST_PORT}, or 0 for any that is free.")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, *_, address = found[0]
        return socket.create_server(address[:2], family=family, backlog=512)
    except (OSError, UnicodeError) as error:
        errno = getattr(error, "errno", None) or 0  # below 0 where a name is not known
        reason = os.strerror(errno) if errno > 0 else getattr(error, "strerror", None) or error
        raise SetupError(
            f"{host}:{port} can't be listened on: {reason}.", "Choose another with --port, or 0 for any that is free."
        ) from error


class Server(uvicorn.Server):
    """Serves until a signal comes; then running answers come to their end, and all others get 503.

    A second signal ends it at once.

    Parameters
    ----------
    serving : Serving
    """

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._stopping: asyncio.Task[None] | None = None
        self._signals = 0
        super().__init__(
            uvicorn.Config(
                serving,
                # The choices that uvicorn would make itself depend on what else is installed.
                loop="asyncio",
                http="h11",
                ws="websockets-sansio",
                ws_max_size=_MOST_EVENT_BYTES,
                ws_per_message_deflate=False,  # sound in base64 does not get smaller
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=_LAST_WORDS_S,
            )
        )

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop."""
        self._signals += 1
        if self._signals > 1:
            self.should_exit = self.force_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Whether to end; asked ten times a second."""
        if self._signals and self._stopping is None:
            # Until all is answered the port stays open, so that who comes now is told to come back.
            self._stopping = asyncio.create_task(self._stop())
        return await super().on_tick(counter)

    async def _stop(self) -> None:
        await self._serving.stop()
        self.should_exit = True
