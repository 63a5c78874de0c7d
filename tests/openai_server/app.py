"""The ASGI application: records each request, meets it with a fault or an answer, and sees it through."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, cast

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from .answering import compose
from .checks import MODELS, check_request
from .event_stream import EventStream
from .faults import Scripted, error_fixture
from .refusals import Refused
from .replies import new_id
from .speech import SpeechStream, check_speech
from .transcription_form import read_form
from .transcriptions import TranscriptStream, transcription

if TYPE_CHECKING:
    from .server import OpenAIServer, Recorded

HTML = b"<!doctype html><title>Welcome</title><h1>You are behind a captive portal</h1>"

_REQUESTS_PER_MINUTE = 500
_TOKENS_PER_MINUTE = 30_000


class App:
    """An ASGI application with the routes of OpenAI's API that speak and hear."""

    def __init__(self, server: OpenAIServer) -> None:
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, and note on it whether the answer went out whole."""
        request = Request(scope, receive)
        try:
            raw = await request.body()
        except ClientDisconnect:
            return
        form = await read_form(request)
        recorded = self._server.note(request.method, request.url.path, dict(request.headers), raw, form)
        try:
            is_whole = await _unless_broken_off(receive, self._answer(scope, receive, send, recorded))
        except Exception as failure:
            self._server.failures.append(failure)
            raise
        (recorded.answered if is_whole else recorded.broken_off).set()

    async def _answer(self, scope: Scope, receive: Receive, send: Send, recorded: Recorded) -> None:
        fault = self._server.faults.take()
        if fault in ("reset", "hang_up"):
            await self._server.drop(scope, reset=fault == "reset")
        if fault == "hang":
            await self._server.hang_gate.pass_piece()
            fault = None
        try:
            response = self._response(recorded, fault)
        except Refused as refusal:
            response = refusal.response()
        except Exception as failure:
            # A slip in a test's script: the client gets an answer, and `serve` raises it in the end.
            self._server.failures.append(failure)
            response = error_fixture("server").response()
        for name, value in self._usual_headers().items():
            response.headers.setdefault(name, value)
        recorded.status = response.status_code
        cut = fault.cut if isinstance(fault, Scripted) else fault == "cut_stream"
        if cut and isinstance(response, Response):
            await self._send_half(response, scope, send)
        await response(scope, receive, send)

    def _response(
        self, recorded: Recorded, fault: str | Scripted | None
    ) -> Response | EventStream | SpeechStream | TranscriptStream:
        if isinstance(fault, Scripted):
            return fault.response()
        if fault == "not_json":
            return Response(HTML, media_type="text/html")
        if fault == "empty_body":
            streams = isinstance(recorded.body, dict) and recorded.body.get("stream")
            return Response(b"", media_type="text/event-stream" if streams else "application/json")
        self._check_key(recorded.headers.get("authorization", ""))
        route = (recorded.method, recorded.path)
        if route == ("POST", "/v1/chat/completions"):
            return self._chat(recorded, fault)
        if route == ("POST", "/v1/audio/speech") and self._server.has_speech:
            return SpeechStream(self._server, check_speech(recorded.body), fault)
        if recorded.path in ("/v1/audio/transcriptions", "/v1/audio/translations") and recorded.method == "POST":
            translates = recorded.path.endswith("translations")
            return transcription(self._server, recorded.form, len(recorded.raw), fault, translates=translates)
        if fault is not None:
            raise ValueError(f"{fault!r} was queued, but the request was {recorded.method} {recorded.path}")
        if route == ("GET", "/v1/models"):
            return _json({"object": "list", "data": [_model(name) for name in MODELS]})
        raise Refused(f"Invalid URL ({recorded.method} {recorded.path})", status=404)

    def _check_key(self, authorization: str) -> None:
        given = authorization.partition(" ")[2].strip()
        if not given:
            raise Refused(
                "You didn't provide an API key. You need to provide your API key in an Authorization header "
                "using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
                status=401,
                media_type="text/plain",
            )
        if given != self._server.api_key:
            # The live API echoes both ends of the key: nothing of this message may reach a notebook unmasked.
            echo = f"{given[:8]}****{given[-4:]}"
            text = f"Incorrect API key provided: {echo}."
            raise Refused(text, status=401, code="invalid_api_key", media_type="text/plain")

    def _chat(self, recorded: Recorded, fault: str | None) -> Response | EventStream:
        if recorded.body is None:
            raise Refused(
                "We could not parse the JSON body of your request. The OpenAI API expects a JSON payload, but "
                "what was sent was not valid JSON."
            )
        body = recorded.body
        asked = check_request(body, lambda audio_id: self._server.audio_tokens_of(audio_id, body["model"]))
        reply = compose(self._server, asked, body, fault)
        if asked.stream:
            return EventStream(self._server, asked, reply, fault)
        self._server.remember(reply)
        return _json(reply.to_body())

    def _usual_headers(self) -> dict[str, str]:
        used = len(self._server.requests) % _REQUESTS_PER_MINUTE
        return {
            "x-request-id": new_id("req_"),
            "openai-processing-ms": "7",
            "x-ratelimit-limit-requests": str(_REQUESTS_PER_MINUTE),
            "x-ratelimit-remaining-requests": str(_REQUESTS_PER_MINUTE - used),
            "x-ratelimit-reset-requests": "120ms",
            "x-ratelimit-limit-tokens": str(_TOKENS_PER_MINUTE),
            "x-ratelimit-remaining-tokens": str(_TOKENS_PER_MINUTE - 1000),
            "x-ratelimit-reset-tokens": "2s",
        }

    async def _send_half(self, response: Response, scope: Scope, send: Send) -> None:
        headers = response.raw_headers
        await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        half = bytes(response.body)[: len(response.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        await self._server.drop(scope)


def _json(content: Any) -> Response:
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return Response(text, media_type="application/json")


def _model(name: str) -> dict[str, Any]:
    shutdown_date = None if name == "gpt-audio-1.5" else "2027-01-20"
    return {
        "id": name,
        "object": "model",
        "created": 1_756_339_200,
        "owned_by": "system",
        "shutdown_date": shutdown_date,
    }


async def _unless_broken_off(receive: Receive, answering: Coroutine[Any, Any, None]) -> bool:
    """Whether the answer went out whole; it is given up as soon as the connection is gone."""
    working = asyncio.ensure_future(answering)
    watching = asyncio.ensure_future(_until_gone(receive))
    both = cast("set[asyncio.Future[None]]", {working, watching})
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            return False
        working.result()
        return True
    finally:
        for task in both:
            task.cancel()
        await asyncio.gather(*both, return_exceptions=True)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
