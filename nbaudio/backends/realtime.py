"""The open connection of a Realtime session: messages out and in, over a WebSocket, or in this process.

The address is the server's, with ``wss`` in the place of ``https`` and ``/realtime?model=`` behind it. No header of the
beta is sent: servers refuse it since 2026-02 (docs/realtime.md).
"""

from __future__ import annotations

import json
import logging
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit, urlunsplit

from nbaudio import errors
from nbaudio.settings import Backend, NbAudio
from nbaudio.wire.errors import error_from_response

__all__ = ["Channel", "ChannelClosed", "open_channel", "realtime_url"]

_LARGEST_BYTES = 16 * 1024 * 1024  # of one message; a server may send some seconds of sound in one
_CLOSING_S = 1.0
# At DEBUG websockets logs each header, and so the key. No setting of levels reaches a logger that is not registered.
_LOG = logging.Logger("websockets.client", logging.INFO)
_LOG.parent = logging.getLogger("websockets.client")


class ChannelClosed(Exception):
    """The other side has closed the connection, or it is lost.

    Attributes
    ----------
    code : int
        Of the WebSocket protocol; 1006 where it broke off.
    reason : str
        The server's words, where there are any.
    """

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(f"{code} {reason}".strip())
        self.code, self.reason = code, reason


class Channel(Protocol):
    """An open connection; belongs to the loop of `nbaudio.backends.loop`."""

    async def send(self, event: dict[str, Any]) -> None:
        """Send an event; raises `ChannelClosed`."""
        ...

    async def receive(self) -> str | bytes:
        """The next message; raises `ChannelClosed`."""
        ...

    async def aclose(self) -> None:
        """Close it; nothing, where it is closed."""
        ...


def realtime_url(backend: Backend, model: str) -> str:
    """Where a Realtime session with a server is opened.

    Examples
    --------
    >>> from nbaudio.connecting import connect
    >>> realtime_url(connect("openai"), "gpt-realtime-2.1")
    'wss://api.openai.com/v1/realtime?model=gpt-realtime-2.1'
    """
    parts = urlsplit(backend.base_url)
    scheme = {"https": "wss", "http": "ws"}[parts.scheme]
    query = urlencode({**backend.dialect.query, "model": model})
    return urlunsplit((scheme, parts.netloc, f"{parts.path}/realtime", query, ""))


async def open_channel(backend: Backend, options: NbAudio, model: str) -> Channel:
    """The connection, once the server has taken it.

    Raises
    ------
    RequestError
        In one of its kinds.
    """
    if backend.offline:
        return await _in_process(options, model)
    return await _WebSocket.open(backend, options, model)


class _WebSocket:
    def __init__(self, socket: Any) -> None:
        self._socket = socket

    @classmethod
    async def open(cls, backend: Backend, options: NbAudio, model: str) -> _WebSocket:
        from websockets.asyncio.client import connect
        from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI

        class _Connect(connect):
            """Goes where it was sent and nowhere else, as HTTP does here: what it has with it opens the server."""

            def process_redirect(self, exc: Exception) -> Exception:
                return exc

        headers = {backend.dialect.key_header: backend.dialect.key_prefix + backend.key} if backend.key else {}
        url = realtime_url(backend, model)
        try:
            socket = await _Connect(
                url,
                logger=_LOG,
                additional_headers=headers,
                user_agent_header="nbaudio",
                open_timeout=options.connect_timeout_s,
                close_timeout=_CLOSING_S,
                max_size=_LARGEST_BYTES,
                compression=None,  # of sound in base64 it makes work, and hardly fewer bytes
            )
        except InvalidStatus as error:
            response = error.response
            if 300 <= response.status_code < 400:
                raise _elsewhere(backend, response.headers.get("location", "")) from None
            raise error_from_response(
                response.status_code,
                {name.lower(): value for name, value in response.headers.raw_items()},
                bytes(response.body or b""),
                server=backend.name,
                key_from=backend.key_from,
                key_env=backend.key_env,
            ) from None
        except TimeoutError as error:
            raise errors.TimedOut(
                f"{backend.base_url} does not answer.", "Check the address and the network."
            ) from error
        except (InvalidHandshake, InvalidURI) as error:
            raise errors.BadReply(
                f"{backend.name} does not speak the Realtime protocol: {error}.",
                "docs/servers.md says which servers do; a conversation without it is nba.Conversation().",
            ) from None
        except OSError as error:
            raise errors.ConnectionFailed(
                f"Nobody answers at {backend.base_url}: {error.strerror or error}.",
                "Is the server running, and the address right?",
            ) from error
        return cls(socket)

    async def send(self, event: dict[str, Any]) -> None:
        from websockets.exceptions import ConnectionClosed

        try:
            await self._socket.send(json.dumps(event))
        except ConnectionClosed as error:
            raise _closed(error) from None

    async def receive(self) -> str | bytes:
        from websockets.exceptions import ConnectionClosed

        try:
            message: str | bytes = await self._socket.recv()
        except ConnectionClosed as error:
            raise _closed(error) from None
        return message

    async def aclose(self) -> None:
        await self._socket.close()


def _elsewhere(backend: Backend, address: str) -> errors.BadReply:
    to = f" on to {address}" if address else " elsewhere"
    return errors.BadReply(
        f"{backend.base_url} sends Realtime sessions{to}, and your key goes to no address that you did not name.",
        "If that server is yours to ask, name its address: nba.connect(...), or base_url.",
    )


def _closed(error: Any) -> ChannelClosed:
    received = error.rcvd
    return ChannelClosed(received.code, received.reason) if received is not None else ChannelClosed(1006)


class _InProcess:
    def __init__(self, send: Any, receive: Any, close: Any) -> None:
        self._send, self._receive, self._close = send, receive, close

    async def send(self, event: dict[str, Any]) -> None:
        await self._send(event)

    async def receive(self) -> str | bytes:
        event = await self._receive()
        if event is None:
            raise ChannelClosed(1000)
        return json.dumps(event)

    async def aclose(self) -> None:
        await self._close()


async def _in_process(options: NbAudio, model: str) -> Channel:
    import anyio.to_thread

    from nbaudio.engine.parts import engine
    from nbaudio.engine.realtime.connection import connect_in_process

    # In a thread: what is loaded the first time takes a second, and others wait on this loop.
    loaded = await anyio.to_thread.run_sync(engine, options.brain)
    return _InProcess(*await connect_in_process(loaded, {"model": model}))
