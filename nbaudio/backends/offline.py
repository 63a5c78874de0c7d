"""A transport to an ASGI app in this process that streams.

httpx's own ASGITransport collects the whole body before it answers (https://github.com/encode/httpx/issues/2186),
so the first sentence would not sound before the last is made.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

import httpx

__all__ = ["AsgiTransport"]

Message = MutableMapping[str, Any]
App = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]


class AsgiTransport(httpx.AsyncBaseTransport):
    """Answers requests by calling an ASGI app; the body arrives as the app sends it.

    Parameters
    ----------
    app : ASGI 3 application
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One exchange; leaving the response's stream tells the app that the client has gone."""
        body = await request.aread()
        stream = _AppStream(self._app, _scope(request), body)
        status, headers = await stream.begin()
        return httpx.Response(status, headers=headers, stream=stream, request=request)


class _AppStream(httpx.AsyncByteStream):
    """One run of the app, in a task of its own that ends with the response."""

    def __init__(self, app: App, scope: Message, body: bytes) -> None:
        self._app, self._scope = app, scope
        self._body: bytes | None = body
        self._sent: asyncio.Queue[Message | None] = asyncio.Queue()  # None: the app is done
        self._gone = asyncio.Event()
        self._failure: Exception | None = None
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> tuple[int, list[tuple[bytes, bytes]]]:
        self._task = asyncio.create_task(self._run())
        try:
            start = await self._next()
        except BaseException:
            await self.aclose()
            raise
        return start["status"], list(start.get("headers", []))

    async def _run(self) -> None:
        try:
            await self._app(self._scope, self._receive, self._send)
        except Exception as error:
            self._failure = error
        finally:
            self._sent.put_nowait(None)

    async def _next(self) -> Message:
        message = await self._sent.get()
        if message is None:
            reason = f"{type(self._failure).__name__}: {self._failure}" if self._failure else "it ended early"
            raise httpx.RemoteProtocolError(reason) from self._failure
        return message

    async def _receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if self._gone.is_set():
            raise OSError("The client has gone.")  # what ASGI servers raise here
        self._sent.put_nowait(message)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        more = True
        while more:
            message = await self._next()
            more = message.get("more_body", False)
            if body := message.get("body", b""):
                yield body

    async def aclose(self) -> None:
        """End the app's run if it is not over."""
        self._gone.set()
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])


def _scope(request: httpx.Request) -> Message:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": request.url.raw_path.split(b"?")[0],
        "query_string": request.url.query,
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "server": (request.url.host, request.url.port),
        "client": ("127.0.0.1", 0),
    }
