"""The engine's HTTP API as an ASGI app: chat completions, speech, transcriptions, and Realtime with its keys."""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextlib import aclosing, closing
from itertools import chain
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from nbaudio.engine.answer import Answerer, Piece, Tally
from nbaudio.engine.asked import MODEL, Asked, Refusal, failure, read_json, read_request
from nbaudio.engine.parts import Engine
from nbaudio.engine.realtime.client_secrets import ENDED, OWNER, ClientSecrets, is_client_secret
from nbaudio.engine.realtime.client_secrets import PATH as CLIENT_SECRETS
from nbaudio.engine.realtime.connection import key_of, refuse_websocket, serve_websocket
from nbaudio.engine.speech import spoken
from nbaudio.engine.stepping import stepped
from nbaudio.engine.transcriptions import transcribed, translated
from nbaudio.errors import NbaudioError
from nbaudio.sound import codecs

__all__ = ["create_app"]

_PIECE_BYTES = 9_600  # 200 ms of PCM16: small enough to play at once, large enough for few messages


def create_app(engine: Engine, session_keys: ClientSecrets | None = None) -> Starlette:
    """The API of one engine.

    Parameters
    ----------
    engine : Engine
        Its parts are loaded when a request first needs them.
    session_keys : ClientSecrets, optional
        Keys that open one session each; by default those that are asked for here, and nobody else's.
    """
    answerer = Answerer(engine)
    keys = session_keys if session_keys is not None else ClientSecrets()

    async def chat(request: Request) -> Response:
        asked = read_request(read_json(await request.body()))
        tally = Tally()
        messages: list[dict[str, str]] = []
        async with aclosing(stepped(_preparing(answerer, asked, tally))) as steps:
            async for prepared in steps:
                messages = prepared or messages
        if asked.stream:
            chunks = stepped(_chunks(answerer, asked, messages, tally))
            # An answer begins with its first words: until then what fails has a status, and clients ask again.
            first = await anext(chunks)
            return StreamingResponse(_events(first, chunks), media_type="text/event-stream")
        async with aclosing(stepped(answerer.pieces(asked, messages, tally))) as pieces:
            pcm16 = b"".join([piece.pcm16 async for piece in pieces])
        return JSONResponse(await run_in_threadpool(_whole, answerer, asked, tally, pcm16))

    async def speech(request: Request) -> Response:
        return await spoken(engine, request)

    async def transcriptions(request: Request) -> Response:
        return await transcribed(answerer, request)

    async def realtime(websocket: WebSocket) -> None:
        secret = keys.use(key) if is_client_secret(key := key_of(websocket.scope)) else None
        if is_client_secret(key) and secret is None:
            await refuse_websocket(websocket.scope, websocket.receive, websocket.send, ENDED)
        else:
            await serve_websocket(engine, websocket, secret)

    async def client_secrets(request: Request) -> Response:
        body = await request.body()
        return JSONResponse(keys.create(read_json(body) if body else {}, request.scope.get(OWNER, "")).as_answer())

    async def models(_: Request) -> Response:
        return JSONResponse({"object": "list", "data": [_MODEL_CARD]})

    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, Refusal)
        return JSONResponse(error.body(), error.status)

    async def broken(_: Request, error: Exception) -> Response:
        # A part that can't be loaded says itself what to do. It is no 5xx, since asking again would not mend it.
        return JSONResponse(Refusal(str(error), code="engine_not_ready").body(), 400)

    async def unknown(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        message = f"Unknown request URL: {request.method} {request.url.path}. The offline engine has no such route."
        return JSONResponse(Refusal(message, code="unknown_url").body(), error.status_code, headers=error.headers)

    async def failed(_: Request, error: Exception) -> Response:
        return JSONResponse(failure(error).body(), 500)

    return Starlette(
        routes=[
            Route("/v1/chat/completions", chat, methods=["POST"]),
            Route("/v1/audio/speech", speech, methods=["POST"]),
            Route("/v1/audio/transcriptions", transcriptions, methods=["POST"]),
            Route("/v1/audio/translations", translated, methods=["POST"]),
            Route("/v1/models", models, methods=["GET"]),
            Route(CLIENT_SECRETS, client_secrets, methods=["POST"]),
            WebSocketRoute("/v1/realtime", realtime),
        ],
        exception_handlers={Refusal: refused, NbaudioError: broken, HTTPException: unknown, Exception: failed},
    )


_MODEL_CARD = {"id": MODEL, "object": "model", "created": 1_790_000_000, "owned_by": "nbaudio"}


def _preparing(answerer: Answerer, asked: Asked, tally: Tally) -> Generator[list[dict[str, str]] | None, None, None]:
    """The steps, each without a result, and at last the messages."""
    yield (yield from answerer.preparing(asked, tally))


def _whole(answerer: Answerer, asked: Asked, tally: Tally, pcm16: bytes) -> dict[str, Any]:
    """The answer as one chat completion."""
    text = tally.text
    message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
    if asked.aloud:
        audio_id, expires_at = answerer.new_id()
        answerer.remember(audio_id, text, expires_at)
        data = base64.b64encode(_encoded(pcm16, asked.audio_format)).decode("ascii")
        message |= {
            "content": None,
            "audio": {"id": audio_id, "data": data, "expires_at": expires_at, "transcript": text},
        }
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": tally.finish_reason}
    return {**_head("chat.completion"), "choices": [choice], "usage": _usage(tally)}


def _encoded(pcm16: bytes, audio_format: str) -> bytes:
    if audio_format == "pcm16":
        return pcm16
    if audio_format == "wav" or not pcm16:
        return codecs.wav_header(len(pcm16), 24_000) + pcm16
    return codecs.encode(codecs.pcm16_to_samples(pcm16), 24_000, audio_format)


def _chunks(
    answerer: Answerer, asked: Asked, messages: list[dict[str, str]], tally: Tally
) -> Generator[dict[str, Any], None, None]:
    """The answer as chunks: of each sentence first the words, then the sound."""
    head = _head("chat.completion.chunk")
    audio_id, expires_at = answerer.new_id()

    def chunk(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return {**head, "choices": [choice]}

    with closing(answerer.pieces(asked, messages, tally)) as pieces:
        first = next(pieces, None)
        if asked.aloud:
            yield chunk({"role": "assistant", "content": None, "refusal": None, "audio": {"id": audio_id}})
        else:
            yield chunk({"role": "assistant", "content": "", "refusal": None})
        for piece in () if first is None else chain((first,), pieces):
            yield from (chunk(delta) for delta in _deltas(piece, asked.aloud))
    if asked.aloud:
        answerer.remember(audio_id, tally.text, expires_at)
        yield chunk({"audio": {"expires_at": expires_at}})
    yield chunk({}, tally.finish_reason)
    if asked.include_usage:
        yield {**head, "choices": [], "usage": _usage(tally)}


def _deltas(piece: Piece, aloud: bool) -> Iterator[dict[str, Any]]:
    if not aloud:
        yield {"content": piece.text}
        return
    if piece.text:
        yield {"audio": {"transcript": piece.text}}
    for start in range(0, len(piece.pcm16), _PIECE_BYTES):
        yield {"audio": {"data": base64.b64encode(piece.pcm16[start : start + _PIECE_BYTES]).decode("ascii")}}


async def _events(first: dict[str, Any], rest: AsyncGenerator[dict[str, Any], None]) -> AsyncIterator[bytes]:
    """Server-sent events; what breaks after the start is told inside the stream, as the protocol does."""
    try:
        async with aclosing(rest):
            yield _event(json.dumps(first, separators=(",", ":")))
            async for chunk in rest:
                yield _event(json.dumps(chunk, separators=(",", ":")))
        yield _event("[DONE]")
    except Exception as error:
        yield _event(json.dumps(failure(error).body()))


def _event(data: str) -> bytes:
    return f"data: {data}\n\n".encode()


def _head(kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{secrets.token_hex(12)}",
        "object": kind,
        "created": int(time.time()),
        "model": MODEL,
        "service_tier": "default",
        "system_fingerprint": None,
    }


def _usage(tally: Tally) -> dict[str, Any]:
    prompt = tally.input_text_tokens + tally.input_audio_tokens
    completion = tally.output_text_tokens + tally.output_audio_tokens
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {
            "audio_tokens": tally.input_audio_tokens,
            "text_tokens": tally.input_text_tokens,
            "cached_tokens": 0,
        },
        "completion_tokens_details": {
            "audio_tokens": tally.output_audio_tokens,
            "text_tokens": tally.output_text_tokens,
            "reasoning_tokens": 0,
        },
    }
