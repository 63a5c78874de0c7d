"""How a Realtime session is reached: over a WebSocket, or in the same process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import anyio
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from nbaudio.engine.asked import Refusal
from nbaudio.engine.parts import Engine
from nbaudio.engine.realtime.client_secrets import ClientSecret
from nbaudio.engine.realtime.session import RealtimeSession

__all__ = ["InProcess", "authorization", "connect_in_process", "key_of", "refuse_websocket", "serve_websocket"]

_SUBPROTOCOL, _BETA_SUBPROTOCOL = "realtime", "openai-beta.realtime-v1"
_KEY_PREFIX = "openai-insecure-api-key."  # a web page can send no headers with a WebSocket, but subprotocols
_SEND_S = 5.0  # that a client has to take the last words


def authorization(scope: Scope) -> str:
    """The header of a WebSocket, or what stands for it among the subprotocols."""
    header = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
    offered = (one.removeprefix(_KEY_PREFIX) for one in scope.get("subprotocols", ()) if one.startswith(_KEY_PREFIX))
    return header or f"Bearer {next(offered, '')}"


def key_of(scope: Scope) -> str:
    """The key that a WebSocket was asked for with; empty where there is none."""
    scheme, _, key = authorization(scope).partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


async def refuse_websocket(
    scope: Scope, receive: Receive, send: Send, refusal: Refusal, headers: Sequence[tuple[bytes, bytes]] = ()
) -> None:
    """Answer a WebSocket that is not accepted yet with an error of the protocol."""
    await receive()  # that somebody wants to connect
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008, "reason": refusal.code or ""})  # HTTP 403, without a word
        return
    body = json.dumps(refusal.body()).encode()
    told = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "websocket.http.response.start", "status": refusal.status, "headers": told})
    await send({"type": "websocket.http.response.body", "body": body})


async def serve_websocket(
    engine: Engine,
    websocket: WebSocket,
    secret: ClientSecret | None = None,
    stopping: asyncio.Event | None = None,
) -> None:
    """A session over a WebSocket that is not accepted yet; returns when it is closed.

    Parameters
    ----------
    engine : Engine
    websocket : WebSocket
    secret : ClientSecret, optional
        The key that opens it, where it is one of a session of its own.
    stopping : asyncio.Event
        Set when the server stops: a response that was begun is still given.
    """
    offered = websocket.scope.get("subprotocols", [])
    beta = "realtime=v1" in websocket.headers.get("openai-beta", "") or _BETA_SUBPROTOCOL in offered
    await websocket.accept(_SUBPROTOCOL if _SUBPROTOCOL in offered else None)

    async def send(event: dict[str, Any]) -> None:
        await websocket.send_text(json.dumps(event, separators=(",", ":")))

    session = RealtimeSession(engine, send, secret=secret)
    reading = asyncio.create_task(_read(websocket, session))
    waiting = asyncio.create_task(_finish(session, stopping))
    try:
        await session.open(websocket.query_params, beta=beta)
        ended = await session.ended()
        with suppress(TimeoutError, RuntimeError, WebSocketDisconnect):
            with anyio.fail_after(_SEND_S):
                if not reading.done():
                    await session.flush()
                    await websocket.close(ended.code, ended.reason)
    finally:
        for task in (reading, waiting):
            task.cancel()
        await asyncio.gather(reading, waiting, session.close(), return_exceptions=True)


async def _read(websocket: WebSocket, session: RealtimeSession) -> None:
    """Take events until the client goes."""
    try:
        while (message := await websocket.receive())["type"] == "websocket.receive":
            found = message.get("text")
            await session.take_text(found if found is not None else message.get("bytes") or b"")
    finally:
        session.end(1000, "")


async def _finish(session: RealtimeSession, stopping: asyncio.Event | None) -> None:
    if stopping is not None:
        await stopping.wait()
        await session.finish()


class InProcess(NamedTuple):
    """The client's end of a session in the same process.

    ``await send(event)`` takes a client event, ``await receive()`` gives the next server event, or None when there will
    be no other, and ``await close()`` ends it.
    """

    send: Callable[[dict[str, Any]], Awaitable[None]]
    receive: Callable[[], Awaitable[dict[str, Any] | None]]
    close: Callable[[], Awaitable[None]]


async def connect_in_process(engine: Engine, query: Mapping[str, str] | None = None) -> InProcess:
    """A session with an engine of this process, without a socket, on the loop of the caller.

    Parameters
    ----------
    engine : Engine
    query : mapping
        What would stand in the address: ``model``.

    Examples
    --------
    >>> from nbaudio.engine.parts import engine
    >>> async def first() -> str:
    ...     send, receive, close = await connect_in_process(engine(), {"model": "offline"})
    ...     event = await receive()
    ...     await close()
    ...     return event["type"]
    >>> asyncio.run(first())
    'session.created'
    """
    told: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
    session = RealtimeSession(engine, told.put)

    async def see_the_end() -> None:
        await session.ended()
        await session.flush()
        await told.put(None)

    async def receive() -> dict[str, Any] | None:
        event = await told.get()
        if event is None:
            told.put_nowait(None)  # for whoever asks again
        return event

    async def close() -> None:
        session.end(1000, "")
        await session.close()
        await ending

    ending = asyncio.create_task(see_the_end())
    await session.open(query)
    return InProcess(session.take, receive, close)
