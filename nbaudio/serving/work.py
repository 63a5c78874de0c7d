"""One request worked on by the app: until it is answered, takes too long, or the server stops."""

from __future__ import annotations

import asyncio
import json
import logging
import traceback

import anyio
from starlette.types import ASGIApp, Message, Scope, Send

from nbaudio.engine.asked import Refusal
from nbaudio.errors import mask
from nbaudio.legible import legible
from nbaudio.serving.bodies import Body

__all__ = ["Reply", "work"]

log = logging.getLogger("nbaudio.serving")


class Reply:
    """What is sent to the client, and how far it has come.

    Parameters
    ----------
    send : callable
        As ASGI gives it.
    headers : list of pairs of bytes
        Sent with every answer.

    Attributes
    ----------
    status : int
        What it comes to, as an HTTP status; 0 before there is one. An error inside a stream counts, although the stream
        had begun with 200.
    over : bool
        Whether the answer has come to its end.
    """

    def __init__(self, send: Send, headers: list[tuple[bytes, bytes]]) -> None:
        self._send, self._headers = send, headers
        self._streams = False
        self.status = 0
        self.over = False

    async def send(self, message: Message) -> None:
        """Pass on a message of the app; nothing, once the answer is over."""
        if self.over:
            return
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*message.get("headers", []), *self._headers]
            self._streams = any(n == b"content-type" and v.startswith(b"text/event-stream") for n, v in headers)
            message = {**message, "headers": headers}
        self.over = message["type"] == "http.response.body" and not message.get("more_body", False)
        await self._send(message)

    async def refuse(self, refusal: Refusal, headers: dict[str, str] | None = None) -> None:
        """End the answer with an error: as its status and body, or inside a stream that has begun.

        Nothing, if it is over. Where it has begun and is no stream there is no place for the error, and the answer
        stays without its end.
        """
        body = json.dumps(refusal.body()).encode()
        if not self.status:
            listed = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
            listed += [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
            await self.send({"type": "http.response.start", "status": refusal.status, "headers": listed})
            await self.send({"type": "http.response.body", "body": body})
        elif self._streams and not self.over:
            await self.send({"type": "http.response.body", "body": b"data: " + body + b"\n\n"})
            self.status = refusal.status


async def work(app: ASGIApp, scope: Scope, body: Body, reply: Reply, timeout_s: float, cut: asyncio.Event) -> None:
    """Have an app answer; returns when it is at rest, which after a time limit may be later than the answer's end.

    Parameters
    ----------
    app, scope
        As ASGI has them.
    body : Body
        The request's, read.
    reply : Reply
        Takes the answer.
    timeout_s : float
        Seconds that the answer may take.
    cut : asyncio.Event
        Set when no answer may go on.
    """

    async def receive() -> Message:
        while (message := body.next_message()) is None:
            await asyncio.Future()  # for ever: when the client goes, the app is cancelled
        return message

    async with anyio.create_task_group() as tasks:

        async def end_when_late() -> None:
            await anyio.sleep(timeout_s)
            message = f"The answer took longer than {timeout_s:g} s. Ask for less at once."
            # It would take as long again.
            await reply.refuse(Refusal(message, status=504), {"x-should-retry": "false"})
            tasks.cancel_scope.cancel()

        async def end_when_cut() -> None:
            await cut.wait()
            await reply.refuse(Refusal("The server stopped before the answer's end.", status=503))
            tasks.cancel_scope.cancel()

        tasks.start_soon(end_when_late)
        tasks.start_soon(end_when_cut)
        try:
            await app(scope, receive, reply.send)
        except Exception as error:
            log.error("%s", mask(legible("".join(traceback.format_exception(error)))))
            await reply.refuse(Refusal(f"The offline engine failed: {error}", status=500))
        tasks.cancel_scope.cancel()
