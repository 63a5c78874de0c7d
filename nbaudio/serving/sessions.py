"""Realtime sessions over WebSockets: who may open one, how many at once, and their end when the server stops.

They take no turns in the queue: a person who speaks can't wait in line. Their limit is their number, in all and of each
client.
"""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
import time
import traceback
from collections import Counter

import anyio
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from nbaudio.engine.asked import Refusal
from nbaudio.engine.parts import Engine
from nbaudio.engine.realtime.client_secrets import ENDED, ClientSecret, ClientSecrets, is_client_secret
from nbaudio.engine.realtime.connection import authorization, key_of, refuse_websocket, serve_websocket
from nbaudio.errors import mask
from nbaudio.legible import legible
from nbaudio.serving.keys import Keys
from nbaudio.serving.loopback import is_asked_here, is_from_here

__all__ = ["PATH", "Sessions"]

log = logging.getLogger("nbaudio.serving")

PATH = "/v1/realtime"
_SWITCHED = 101  # HTTP's status of what is a WebSocket from now on
_BACK_SOON_S = 5
_LONGEST_PATH = 100  # characters of it in the log


class Sessions:
    """All sessions of a server.

    Parameters
    ----------
    engine : Engine
    keys : Keys
        Who may open one.
    session_keys : ClientSecrets
        Keys that open one each.
    most : int
        At once; where there is a token, one client has at most half of them.
    """

    def __init__(self, engine: Engine, keys: Keys, session_keys: ClientSecrets, most: int) -> None:
        self._engine, self._keys, self._session_keys, self._most = engine, keys, session_keys, most
        self._stopping, self._cut = asyncio.Event(), asyncio.Event()
        self._none_is_open = asyncio.Event()
        self._none_is_open.set()
        # Where there is no token all who ask are on this machine, and mostly one person.
        self._most_of_one = most if keys.open else math.ceil(most / 2)
        self._open_of: Counter[str] = Counter()
        self.open = 0
        """How many there are."""

    async def stop(self, within_s: float) -> None:
        """Open none any more; returns when all are closed, each after the answer that it is giving, or then."""
        self._stopping.set()
        with anyio.move_on_after(within_s):
            await self._none_is_open.wait()
        self._cut.set()

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> tuple[int, str]:
        """One WebSocket, to its end.

        Returns
        -------
        (int, str)
            What it came to, as an HTTP status; and the route.
        """
        begin, request_id = time.monotonic(), f"req_{secrets.token_hex(12)}"
        address = scope["client"][0] if scope.get("client") else "unknown"
        key = key_of(scope)
        secret = self._session_keys.find(key)
        client = secret.owner if secret is not None else self._keys.client(authorization(scope), address)
        if secret is None and is_client_secret(key):
            client = None  # also where everybody may ask: it has ended
        route = PATH if scope["path"] == PATH else "other"
        refusal = self._refusal(scope, client)
        if secret is not None and refusal is None:
            self._session_keys.use(key)
        status = _SWITCHED if refusal is None else refusal.status
        try:
            if refusal is not None:
                headers = [(b"x-request-id", request_id.encode())]
                if refusal.status in (429, 503):
                    headers.append((b"retry-after", str(_BACK_SOON_S).encode()))
                await refuse_websocket(scope, receive, send, refusal, headers)
            else:
                await self._session(WebSocket(scope, receive, send), client or "", secret)
        except Exception as error:
            status = 500
            log.error("%s", mask(legible("".join(traceback.format_exception(error)))))
        finally:
            seconds, path = time.monotonic() - begin, mask(legible(scope["path"][:_LONGEST_PATH]))
            log.info("%s %s %s %d %.3f s %s", client or address, "WS", path, status, seconds, request_id)
        return status, route

    def _refusal(self, scope: Scope, client: str | None) -> Refusal | None:
        """Why there is no session; None where there is one."""
        if self._keys.open and not (is_asked_here(scope) and is_from_here(scope)):
            return Refusal(
                "This server has no token, so it answers to this machine's own names and pages only.",
                status=403,
                code="unknown_host",
            )
        if client is None and is_client_secret(key_of(scope)):
            return ENDED
        if client is None:
            message = "Incorrect API key provided. The key is the server's token, or one of your own made from it."
            return Refusal(message, status=401, code="invalid_api_key")
        if scope["path"] != PATH:
            message = "Unknown request URL. The offline engine has no WebSocket there."
            return Refusal(message, status=404, code="unknown_url")
        if self._stopping.is_set():
            return Refusal("The server is stopping. Ask again when it is back.", status=503)
        if self.open >= self._most:
            message = f"There are {self._most} sessions already, which is the most at once. Ask again later."
            return Refusal(message, status=429, code="rate_limit_exceeded")
        if self._open_of[client] >= self._most_of_one:
            message = f"You have {self._most_of_one} sessions already, the most of one client at once. Close one first."
            return Refusal(message, status=429, code="rate_limit_exceeded")
        return None

    async def _session(self, websocket: WebSocket, client: str, secret: ClientSecret | None) -> None:
        self.open += 1
        self._open_of[client] += 1
        self._none_is_open.clear()
        try:
            async with anyio.create_task_group() as tasks:

                async def end_when_cut() -> None:
                    await self._cut.wait()
                    tasks.cancel_scope.cancel()

                tasks.start_soon(end_when_cut)
                await serve_websocket(self._engine, websocket, secret, self._stopping)
                tasks.cancel_scope.cancel()
        finally:
            self.open -= 1
            self._open_of[client] -= 1
            self._open_of += Counter()  # forget who has none
            if not self.open:
                self._none_is_open.set()
