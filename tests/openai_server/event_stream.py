"""A streamed answer on the wire: server-sent events, held at the gate, cut or broken as scripted."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

from starlette.types import Receive, Scope, Send

from .checks import Asked
from .faults import error_fixture
from .replies import Reply
from .streams import Step, chunk, steps, usage_chunk

if TYPE_CHECKING:
    from .server import OpenAIServer

COMMENT = ": keep-alive"
_PADDED_TO = 32


class EventStream:
    """An ASGI response that sends a `Reply` chunk by chunk."""

    status_code = 200

    def __init__(self, server: OpenAIServer, asked: Asked, reply: Reply, fault: str | None) -> None:
        self.headers: dict[str, str] = {"content-type": "text/event-stream; charset=utf-8"}
        self._server = server
        self._asked = asked
        self._reply = reply
        self._fault = fault
        self._line_end = server.line_end
        self._steps = self._planned()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream."""
        headers = [(name.encode(), value.encode()) for name, value in self.headers.items()]
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        for step in self._steps:
            if step.is_piece and self._server.gate is not None:
                await self._server.gate.pass_piece()
            found = chunk(self._reply, step, include_usage=self._asked.include_usage)
            await self._send_event(send, self._text(found))
            if step.is_end_marker:
                # Only now: an answer that was cut short can't be referred to later.
                self._server.remember(self._reply)
        await self._send_end(scope, send)

    def _planned(self) -> list[Step]:
        found = steps(self._reply, self._server.stream_order, self._server.piece_bytes)
        places = [place for place, step in enumerate(found) if step.is_piece]
        if self._fault in ("no_done", "cut_stream", "error_in_stream") and not places:
            raise ValueError(f"{self._fault!r} was queued, but the answer has no piece to break off after")
        if self._fault == "no_done":
            return found[: places[-1] + 1]
        if self._fault in ("cut_stream", "error_in_stream"):
            return found[: places[(len(places) - 1) // 2] + 1]
        return found

    async def _send_end(self, scope: Scope, send: Send) -> None:
        if self._fault == "cut_stream":
            await self._server.drop(scope)
        if self._fault == "error_in_stream":
            await self._send_event(send, json.dumps(error_fixture("server").body))
        elif self._fault != "no_done":
            if self._asked.include_usage:
                await self._send_event(send, self._text(usage_chunk(self._reply)))
            await self._send_event(send, "[DONE]")
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _text(self, found: dict[str, Any]) -> str:
        text = json.dumps(found, ensure_ascii=False, separators=(",", ":"))
        if not self._asked.include_obfuscation:
            return text
        # Evens out the length of chunks, so that a listener on the line can't tell words by it.
        noise = secrets.token_hex(_PADDED_TO // 2)[: _PADDED_TO - len(text) % _PADDED_TO]
        return json.dumps({**found, "obfuscation": noise}, ensure_ascii=False, separators=(",", ":"))

    async def _send_event(self, send: Send, data: str) -> None:
        blank = self._line_end * 2
        comment = f"{COMMENT}{blank}" if self._server.comment_lines else ""
        event = f"{comment}data: {data}{blank}".encode()
        await send({"type": "http.response.body", "body": event, "more_body": True})
