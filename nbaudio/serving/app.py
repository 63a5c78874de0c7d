"""The engine's app with what a server needs around it: who may ask, turns, limits, metrics, an end in good order."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import secrets
import time
from contextlib import AsyncExitStack

import anyio
from starlette.applications import Starlette
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from nbaudio.engine.app import create_app
from nbaudio.engine.asked import Refusal
from nbaudio.engine.parts import Engine
from nbaudio.engine.realtime.client_secrets import OWNER, ClientSecrets
from nbaudio.engine.realtime.client_secrets import PATH as CLIENT_SECRETS
from nbaudio.errors import mask
from nbaudio.legible import legible
from nbaudio.serving.bodies import BeingRead, Body, Gone, declared_bytes
from nbaudio.serving.fair_queue import Closing, FairQueue, Full
from nbaudio.serving.freed_memory import FreedMemory
from nbaudio.serving.keys import Keys
from nbaudio.serving.limits import Limits
from nbaudio.serving.loopback import is_asked_here, is_from_here
from nbaudio.serving.metrics import CONTENT_TYPE, Metrics
from nbaudio.serving.sessions import Sessions
from nbaudio.serving.work import Reply, work

__all__ = ["Serving"]

log = logging.getLogger("nbaudio.serving")
_GONE = 499  # nginx's number for a client that went before the end of its answer
_LONGEST_PATH = 100  # characters of it in the log
_CLOSE = {"connection": "close"}  # else uvicorn would read on for as long as the client sends
_MORE_BODIES = 8  # that are read beyond those that the queue has a place for, so that it can say so itself
_BACK_SOON_S = 5  # when a server that stops may be there again, or one that is full have room


class Serving:
    """An ASGI app: the engine's, for many.

    Parameters
    ----------
    engine : Engine
    limits : Limits
    token : str
        What a client has to send; empty where everybody may ask who is on this machine.

    Attributes
    ----------
    queue : FairQueue
        Who waits, and who has a turn.
    sessions : Sessions
        Who speaks with it at once, and takes no turns.
    """

    def __init__(self, engine: Engine, limits: Limits, token: str = "") -> None:
        session_keys = ClientSecrets()
        self._app: Starlette = create_app(engine, session_keys)
        self._memory = FreedMemory()
        self._limits, self._keys = limits, Keys(token)
        self._cut = asyncio.Event()
        self._stopping = False
        self.queue = FairQueue(limits.workers, limits.queue)
        self._being_read = BeingRead(limits.workers + limits.queue + _MORE_BODIES)
        self.sessions = Sessions(engine, self._keys, session_keys, limits.sessions)
        self._metrics = Metrics(engine, self.queue, self.sessions)

    async def stop(self) -> None:
        """Give nobody a turn any more; returns when those who have one are answered, or their time to end is over."""
        self._stopping = True
        self.queue.close()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.sessions.stop, self._limits.stop_s)
            with anyio.move_on_after(self._limits.stop_s) as time_limit:
                await self.queue.idle()
        if time_limit.cancelled_caught:
            self._cut.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, one WebSocket, or what else a server sends, which goes to the engine's app as it is."""
        if scope["type"] == "websocket":
            begin = time.monotonic()
            status, route = await self.sessions.serve(scope, receive, send)
            self._metrics.count(route, status, time.monotonic() - begin)
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begin, request_id = time.monotonic(), f"req_{secrets.token_hex(12)}"
        reply = Reply(send, [(b"x-request-id", request_id.encode())])
        headers = dict(scope["headers"])
        address = scope["client"][0] if scope.get("client") else "unknown"
        client = self._keys.client(headers.get(b"authorization", b"").decode("latin-1"), address)
        route, status = self._route(scope), 500
        try:
            await self._answer(scope, receive, reply, client, route)
            status = reply.status
        except Gone:
            status = _GONE
        except asyncio.CancelledError:  # so some servers say it
            status = _GONE
            raise
        finally:
            seconds = time.monotonic() - begin
            self._metrics.count(route, status, seconds)
            path = mask(legible(scope["path"][:_LONGEST_PATH]))
            log.info("%s %s %s %d %.3f s %s", client or address, scope["method"], path, status, seconds, request_id)

    def _route(self, scope: Scope) -> str:
        """The route's path; `other` where there is none, for clients can ask for any number of paths."""
        if scope["path"] in ("/healthz", "/metrics"):
            return str(scope["path"])
        found = (route for route in self._app.routes if route.matches(scope)[0] is Match.FULL)
        return str(getattr(next(found, None), "path", "other"))

    async def _answer(self, scope: Scope, receive: Receive, reply: Reply, client: str | None, route: str) -> None:
        if route == "/healthz":
            await self._health(reply)
        elif self._keys.open and not (is_asked_here(scope) and is_from_here(scope)):
            await reply.refuse(_ELSEWHERE)
        elif client is None:
            await reply.refuse(_WRONG_KEY)
        elif route == "/metrics":
            await _send(reply, 200, self._metrics.text(), CONTENT_TYPE)
        elif route == "other" or scope["method"] != "POST":
            await self._app(scope, receive, reply.send)
        else:
            with Body(self._limits.request_bytes) as body:
                if not await self._take(body, scope, receive, reply, client):
                    return
                if route == CLIENT_SECRETS:  # no work, so no turn
                    await work(self._app, {**scope, OWNER: client}, body, reply, self._limits.timeout_s, self._cut)
                else:
                    await self._in_turn(scope, receive, reply, client, body)

    async def _health(self, reply: Reply) -> None:
        said = {"status": "stopping" if self._stopping else "ok"}
        await _send(reply, 503 if self._stopping else 200, json.dumps(said).encode(), "application/json")

    async def _take(self, body: Body, scope: Scope, receive: Receive, reply: Reply, client: str) -> bool:
        """Whether the body is there now; else the client has been told why not."""
        try:
            with anyio.fail_after(self._limits.timeout_s), self._being_read.one_of(client) as refusal:
                await body.read(receive, declared_bytes(scope["headers"]), refusal)
        except TimeoutError:
            await reply.refuse(Refusal("The request did not come to its end in time.", status=408), _CLOSE)
        except Refusal as refused:
            await reply.refuse(refused, _retry_after(_BACK_SOON_S) if refused.status in (429, 503) else _CLOSE)
        else:
            return True
        return False

    async def _in_turn(self, scope: Scope, receive: Receive, reply: Reply, client: str, body: Body) -> None:
        """Work on a request when its turn comes, as long as the client is there."""
        gone = False
        async with anyio.create_task_group() as tasks:

            async def watch() -> None:
                nonlocal gone
                while (await receive())["type"] != "http.disconnect":
                    pass
                gone = not reply.over  # servers say the same when all is sent
                if gone:
                    reply.over = True
                    tasks.cancel_scope.cancel()

            tasks.start_soon(watch)
            await self._turn(scope, reply, client, body)
            tasks.cancel_scope.cancel()
        if gone:
            raise Gone

    async def _turn(self, scope: Scope, reply: Reply, client: str, body: Body) -> None:
        begin = time.monotonic()
        async with AsyncExitStack() as until_the_end:
            try:
                with anyio.fail_after(self._limits.timeout_s):
                    await until_the_end.enter_async_context(self.queue.turn(client))
            except Full as full:
                await reply.refuse(_BUSY, _retry_after(full.retry_after_s))
            except Closing:
                await reply.refuse(_STOPPING, _retry_after(_BACK_SOON_S))
            except TimeoutError:
                await reply.refuse(_TOO_LATE)
            else:
                self._metrics.waited(time.monotonic() - begin)
                await work(self._app, scope, body, reply, self._limits.timeout_s, self._cut)
                self._memory.answered()


_ELSEWHERE = Refusal(
    "This server has no token, so it answers to this machine's own names and pages only: localhost, 127.0.0.1, [::1].",
    status=403,
    code="unknown_host",
)
_WRONG_KEY = Refusal(
    "Incorrect API key provided. The key is the server's token, or one of your own that is made from it.",
    status=401,
    code="invalid_api_key",
)
_BUSY = Refusal(
    "The server is busy, and so many wait already that no more may. Ask again later.",
    status=429,
    code="rate_limit_exceeded",
)
_STOPPING = Refusal("The server is stopping. Ask again when it is back.", status=503)
_TOO_LATE = Refusal("Others took so long that your turn did not come in time. Ask again later.", status=503)


def _retry_after(seconds: float) -> dict[str, str]:
    return {"retry-after": str(math.ceil(seconds)), "retry-after-ms": str(math.ceil(seconds * 1000))}


async def _send(reply: Reply, status: int, body: bytes, kind: str) -> None:
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    await reply.send({"type": "http.response.start", "status": status, "headers": headers})
    await reply.send({"type": "http.response.body", "body": body})
