"""What all stand-ins have in common: the socket, the script, and the order in which a request is looked at."""

from __future__ import annotations

import base64
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from openai_server import Gate
from openai_server.listening import WAIT_S, UvicornThread
from openai_server.sounds import measured_s, tone_sweep
from ports import new_listener
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

Frame = dict[str, Any] | str
"""One event of a stream: what its ``data`` is as JSON, or a line as it is."""


class Refused(Exception):
    """The stand-in does not take a request."""

    def __init__(self, status: int, body: Any, media_type: str = "application/json") -> None:
        super().__init__(f"{status}: {body}")
        text = body if isinstance(body, str) else json.dumps(body)
        self.response = Response(text, status, media_type=media_type)


@dataclass
class Recorded:
    """A request as it came in."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class Asked:
    """What a request asks for, once it has been found good."""

    model: str
    text: str
    sounds: list[bytes]
    aloud: bool
    stream: bool
    format: str
    include_usage: bool
    body: dict[str, Any] = field(repr=False)


class StandIn:
    """How one server takes requests and answers them; the base is as lenient and as plain as a server can be.

    Attributes
    ----------
    words : str
        What it says, and `sound` is how it says it.
    error_in_stream : bool
        Whether the next stream ends in an error in its middle.
    gate : Gate or None
        Holds streams before each piece of words or sound.
    """

    dialect: ClassVar[str]
    root: ClassVar[str] = "/v1"
    key: ClassVar[str] = ""
    key_header: ClassVar[str] = "authorization"
    key_prefix: ClassVar[str] = "Bearer "
    models: ClassVar[tuple[str, ...]] = ()
    fields: ClassVar[tuple[str, ...]] = ()
    """All that a request may have; empty where others are passed over."""
    sound_in: ClassVar[str] = "input_audio"
    needs_sound: ClassVar[bool] = False
    """Whether a request with sound neither in nor out is refused."""
    has_stream_errors: ClassVar[bool] = False
    counts_in_streams: ClassVar[bool] = True

    def __init__(self) -> None:
        self.words = "Yes, they are loyal. They are gentle, too."
        self.duration_s = 0.6
        self.error_in_stream = False
        self.gate: Gate | None = None

    @property
    def sound(self) -> NDArray[np.float32]:
        """The samples with which it says its words, at 24,000 Hz."""
        return tone_sweep(self.words, self.duration_s)

    # -- what a request has to be ---------------------------------------------------------------------------

    def error(
        self, status: int, message: str, *, code: Any = None, param: str | None = None, kind: str = ""
    ) -> Refused:
        """An error in this server's own envelope."""
        kind = kind or "invalid_request_error"
        return Refused(status, {"error": {"message": message, "type": kind, "param": param, "code": code}})

    def bad_key(self, given: str) -> Refused:
        """What it says to a wrong key."""
        return self.error(401, f"Incorrect API key provided: {given}.", code="invalid_api_key")

    def check(self, recorded: Recorded) -> Asked:
        """What a request asks for; raises `Refused`."""
        if self.key:
            given = recorded.headers.get(self.key_header, "")
            if given != self.key_prefix + self.key:
                raise self.bad_key(given.rpartition(" ")[2])
        if recorded.path != f"{self.root}/chat/completions":
            raise self.error(404, f"Not Found: {recorded.path}")
        body = recorded.body
        for name in body if self.fields else ():
            if name not in self.fields:
                raise self.unknown_field(name, body[name])
        if body.get("model") not in self.models:
            raise self.unknown_model(str(body.get("model")))
        asked = self.read(body)
        self.check_asked(asked)
        return asked

    def unknown_field(self, name: str, value: Any) -> Refused:
        """What it says to a field that it does not know."""
        return self.error(400, f"Unrecognized request argument supplied: {name}", param=name)

    def unknown_model(self, model: str) -> Refused:
        """What it says to a model that it does not have."""
        return self.error(404, f"The model `{model}` does not exist.", code="model_not_found")

    def check_asked(self, asked: Asked) -> None:
        """Refuse what this server in particular can't do."""
        if self.needs_sound and not asked.aloud and not asked.sounds:
            raise self.error(
                400, "This model requires that either input content or output modality contain audio.", param="model",
                code="invalid_value",
            )  # fmt: skip

    def read(self, body: dict[str, Any]) -> Asked:
        """The request's words and sounds."""
        words, sounds = [], []
        for message in body["messages"]:
            self.check_message(message)
            content = message.get("content")
            for part in content if isinstance(content, list) else [{"type": "text", "text": content or ""}]:
                if part["type"] == "text":
                    words.append(part["text"])
                else:
                    sounds.append(self.sound_of(part))
        options = body.get("stream_options") or {}
        return Asked(
            model=body["model"],
            text="\n".join(words),
            sounds=sounds,
            aloud="audio" in body.get("modalities", ["text"]),
            stream=bool(body.get("stream")),
            format=(body.get("audio") or {}).get("format", ""),
            include_usage=bool(options.get("include_usage")),
            body=body,
        )

    def check_message(self, message: dict[str, Any]) -> None:
        """Refuse a message that this server can't read; audio ids are passed over by most."""

    def sound_of(self, part: dict[str, Any]) -> bytes:
        """The sound in a part of a message, which has to be one, in the form that this server takes."""
        try:
            if self.sound_in == "string":
                data = part["input_audio"]
                kind = ""
            elif self.sound_in == "audio_url":
                data, kind = part["audio_url"]["url"], ""
            else:
                data, kind = part["input_audio"]["data"], part["input_audio"]["format"]
            if self.sound_in in ("data_url", "audio_url"):
                head, comma, data = data.partition(",")
                if not (comma and head.startswith("data:") and head.endswith(";base64")):
                    raise ValueError("no data: address")
            sound = base64.b64decode(data, validate=True)
            kind = kind or ("wav" if sound[:4] == b"RIFF" else "mp3")
            measured_s(sound, kind)
        except (KeyError, TypeError, ValueError) as error:
            raise self.error(400, f"Invalid audio in the request: {error}") from None
        return sound

    # -- what an answer is ----------------------------------------------------------------------------------

    def whole(self, asked: Asked) -> dict[str, Any]:
        """The body of an answer that is not streamed."""
        message = {"role": "assistant", "content": self.words}
        return {**self.head("chat.completion", asked), "choices": [choice(message=message, finish_reason="stop")]} | {
            "usage": self.usage(asked)
        }

    def frames(self, asked: Asked) -> Iterator[Frame]:
        """The events of a stream, without the error that may come in their middle."""
        head = self.head("chat.completion.chunk", asked)
        for piece in words_of(self.words):
            yield {**head, "choices": [choice(delta={"content": piece})]}
        yield {**head, "choices": [choice(delta={}, finish_reason="stop")]}
        if asked.include_usage:
            yield {**head, "choices": [], "usage": self.usage(asked)}
        yield "data: [DONE]"

    def stream_error(self) -> Frame:
        """The event with which a stream breaks off."""
        raise NotImplementedError

    def head(self, kind: str, asked: Asked) -> dict[str, Any]:
        """What all bodies begin with."""
        return {"id": "chatcmpl-1", "object": kind, "created": 1_795_000_000, "model": asked.model}

    def usage(self, asked: Asked) -> dict[str, Any]:
        """What is counted."""
        return {"prompt_tokens": 11, "completion_tokens": 9, "total_tokens": 20}


def choice(**more: Any) -> dict[str, Any]:
    """A choice of an answer."""
    return {"index": 0, "finish_reason": None, **more}


def words_of(text: str) -> list[str]:
    """A text in the pieces in which models write: each word with the space before it."""
    first, *rest = text.split(" ")
    return [first, *(f" {word}" for word in rest)]


def encoded(data: bytes) -> str:
    """Base64."""
    return base64.b64encode(data).decode()


class Server:
    """A stand-in on a socket of the loopback.

    Attributes
    ----------
    stand_in : StandIn
    requests : list of Recorded
    url : str
        Its address.
    failures : list of Exception
        What went wrong in the stand-in itself.
    """

    def __init__(self, stand_in: StandIn) -> None:
        self.stand_in = stand_in
        self.requests: list[Recorded] = []
        self.failures: list[Exception] = []
        self.broken_off = threading.Event()
        self._listener = new_listener()
        self._uvicorn = UvicornThread(self)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}{stand_in.root}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        raw = await request.body()
        recorded = Recorded(
            request.url.path, dict(request.query_params), dict(request.headers), json.loads(raw) if raw else None
        )
        self.requests.append(recorded)
        try:
            response = self._answer(recorded)
        except Refused as refusal:
            response = refusal.response
        except Exception as failure:
            self.failures.append(failure)
            raise
        await response(scope, receive, send)

    def _answer(self, recorded: Recorded) -> Response:
        asked = self.stand_in.check(recorded)
        if not asked.stream:
            return JSONResponse(self.stand_in.whole(asked))
        return StreamingResponse(self._events(asked), media_type="text/event-stream")

    async def _events(self, asked: Asked) -> AsyncIterator[bytes]:
        over = False
        try:
            for frame in self.stand_in.frames(asked):
                is_piece = isinstance(frame, dict) and any(map(_says_something, frame.get("choices", ())))
                if is_piece and self.stand_in.gate is not None:
                    await self.stand_in.gate.pass_piece()
                yield _event(frame)
                if is_piece and self.stand_in.error_in_stream:
                    self.stand_in.error_in_stream = False
                    yield _event(self.stand_in.stream_error())
                    break
            over = True
        finally:
            if not over:
                self.broken_off.set()

    def start(self) -> None:
        """Listen."""
        self._uvicorn.start(self._listener)

    def stop(self) -> None:
        """Cut what is open and end the thread."""
        self._uvicorn.stop()

    def wait_until_broken_off(self) -> None:
        """Return as soon as the client has left a stream; AssertionError if it does not."""
        assert self.broken_off.wait(WAIT_S), "nobody left the stream"


def _says_something(told: dict[str, Any]) -> bool:
    delta = told.get("delta") or {}
    audio = delta.get("audio") or {}
    return bool(delta.get("content") or audio.get("data") or audio.get("transcript"))


def _event(frame: Frame) -> bytes:
    line = frame if isinstance(frame, str) else f"data: {json.dumps(frame, ensure_ascii=False)}"
    return f"{line}\n\n".encode()


@contextlib.contextmanager
def serve_stand_in(stand_in: StandIn) -> Iterator[Server]:
    """A running server; AssertionError in the end, where the stand-in itself failed."""
    server = Server(stand_in)
    server.start()
    try:
        yield server
    finally:
        server.stop()
    if server.failures:
        raise AssertionError(f"the stand-in failed: {server.failures[0]!r}") from server.failures[0]
