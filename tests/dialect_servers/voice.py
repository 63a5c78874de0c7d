"""A server that hears and speaks for others: speech to text, text to speech, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

from openai_server.listening import UvicornThread
from openai_server.sounds import pcm16, tone_sweep
from openai_server.transcription_form import read_form
from ports import new_listener
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from nbaudio.sound import codecs

_PIECE = 4_801  # bytes: samples are cut in the middle


class VoiceServer:
    """On a socket of the loopback.

    Attributes
    ----------
    heard : str
        What it writes down of any recording.
    forms : list of dict
        What it was sent to write down.
    said : list of dict
        What it was sent to say.
    seconds : float
        How long each of its answers sounds.
    fail_on : str
        A text that it breaks down over.
    content : {"audio/pcm", "audio/wav", "application/json"}
        What it answers with.
    hold : threading.Event or None
        Has it stop in the middle of a sound until set.
    """

    def __init__(self) -> None:
        self.heard = "Is a golden retriever a good family dog?"
        self.forms: list[dict[str, Any]] = []
        self.said: list[dict[str, Any]] = []
        self.seconds = 0.5
        self.fail_on = ""
        self.fail_hearing = False
        self.content = "audio/pcm"
        self.hold: threading.Event | None = None
        self._listener = new_listener()
        self._uvicorn = UvicornThread(self)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"

    def sound(self, text: str) -> bytes:
        """How it says a text: PCM16 at 24,000 Hz."""
        return pcm16(tone_sweep(text, self.seconds))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        await request.body()
        await (await self._answer(request))(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.url.path == "/v1/audio/transcriptions":
            self.forms.append(await read_form(request))
            if self.fail_hearing:
                return JSONResponse({"error": {"message": "The model is not loaded."}}, 400)
            return JSONResponse({"text": self.heard})
        if request.url.path != "/v1/audio/speech":
            return JSONResponse({"detail": "Not Found"}, 404)
        body = json.loads(await request.body())
        self.said.append(body)
        if self.fail_on and self.fail_on in body["input"]:
            return JSONResponse({"error": {"message": "This can't be said."}}, 400)
        data = self.sound(body["input"])
        if self.content == "audio/wav":
            data = codecs.wav_header(len(data), 24_000) + data
        return StreamingResponse(self._pieces(data), media_type=self.content)

    async def _pieces(self, data: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(data), _PIECE):
            if start and self.hold is not None:
                await asyncio.to_thread(self.hold.wait, 10)
            yield data[start : start + _PIECE]

    def start(self) -> None:
        """Listen."""
        self._uvicorn.start(self._listener)

    def stop(self) -> None:
        """Cut what is open and end the thread."""
        if self.hold is not None:
            self.hold.set()
        self._uvicorn.stop()


@contextlib.contextmanager
def serve_voice() -> Iterator[VoiceServer]:
    """A running server."""
    server = VoiceServer()
    server.start()
    try:
        yield server
    finally:
        server.stop()
