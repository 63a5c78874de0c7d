"""The server as a test holds it: its script, what it was asked, and the thread it runs in."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ports import new_listener
from starlette.types import Scope

from .app import App
from .faults import FaultQueue, Scripted
from .gate import Gate
from .listening import WAIT_S, UvicornThread, cut
from .replies import Reply, ToolCall
from .sounds import tone_sweep
from .speech import spoken_sound
from .streams import StreamOrder
from .transcriptions import Said

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass
class Recorded:
    """A request as it came in.

    Attributes
    ----------
    method, path : str
        Such as ``POST`` and ``/v1/chat/completions``.
    headers : dict
        Names in lower case.
    raw : bytes
        The body.
    body : object
        The body as JSON; None where it is empty or isn't JSON.
    form : dict
        The fields of a form; a file is its name, its MIME type and its bytes, and a field whose name ends in ``[]`` is
        a list.
    status : int or None
        The status of the answer, once there is one.
    answered, broken_off : threading.Event
        One of them is set in the end: the answer was sent whole, or the connection ended before that, whoever
        ended it.
    """

    method: str
    path: str
    headers: dict[str, str]
    raw: bytes
    body: Any
    form: dict[str, Any]
    status: int | None = None
    answered: threading.Event = field(default_factory=threading.Event)
    broken_off: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class _Remembered:
    model: str
    expires_at: int
    audio_tokens: int


class OpenAIServer:
    """A server on the loopback that answers as OpenAI's audio chat completions do. See `serve`.

    Attributes
    ----------
    base_url : str
        ``http://127.0.0.1:<port>/v1``.
    api_key : str
        The only key it accepts.
    requests : list of Recorded
        Everything that came, in order.
    words : str or callable
        What it says; a function gets the request's body.
    duration_s : float
        How long a spoken answer lasts, in seconds, whatever its words.
    tool_call : ToolCall, list of ToolCall, or None
        What it calls when a request has tools and does not end with a tool's result.
    script : list of str or list of ToolCall
        What it answers to the next requests before `words` and `tool_call` hold: words, or calls, whatever the
        request says of tools. Each answer takes the first.
    heard : str, list of Said, or callable
        What it writes down of a recording; a function gets the form, see `Recorded.form`. Words without times are
        spread over the sound.
    streams_transcripts : {"events", "chunks", ""}
        How a transcript is streamed: as OpenAI's events, as vLLM's chunks, or not at all, whatever is asked for.
    has_speech : bool
        Whether it has ``/audio/speech``.
    silence_s : float
        How long it is silent before and after each text that it speaks, in seconds.
    audio_ttl_s : float
        How long an answer can be referred to by its id, in seconds.
    clock : callable
        The time in seconds since 1970; move it to let ids expire.
    stream_order : {"transcript_first", "mixed", "finish_on_last_data"}
        See `openai_server.streams`.
    piece_bytes : int
        Bytes of sound in a chunk. Keep it off the multiples of 3, or base64 is never padded.
    comment_lines : bool
        Whether a comment line comes before each event.
    line_end : str
        What ends a line in a stream: a line feed, or ``"\\r\\n"``.
    gate : Gate or None
        Holds streams in the middle.
    faults : FaultQueue
        Its length is how many faults no request has met yet.
    failures : list of Exception
        What went wrong in the server itself; `serve` raises the first when the test is over.
    """

    api_key = "sk-proj-loopback-not-a-real-key-0123"

    def __init__(self) -> None:
        self.requests: list[Recorded] = []
        self.words: str | Callable[[dict[str, Any]], str] = "Yes, they are loyal and gentle."
        self.duration_s = 1.0
        self.tool_call: ToolCall | list[ToolCall] | None = None
        self.script: list[str | list[ToolCall]] = []
        self.heard: str | list[Said] | Callable[[dict[str, Any]], str | list[Said]] = "Is it a good dog?"
        self.streams_transcripts: Literal["events", "chunks", ""] = "events"
        self.has_speech = True
        self.silence_s = 0.1
        self.audio_ttl_s = 3600.0
        self.clock: Callable[[], float] = time.time
        self.stream_order: StreamOrder = "transcript_first"
        self.piece_bytes = 1600
        self.comment_lines = False
        self.line_end = "\n"
        self.gate: Gate | None = None
        self.failures: list[Exception] = []
        self.faults = FaultQueue()
        self.hang_gate = Gate()
        self._remembered: dict[str, _Remembered] = {}
        self._arrival = threading.Condition()
        self._listener = new_listener()
        self._uvicorn = UvicornThread(App(self))
        self.base_url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"

    def sound(self, words: str) -> NDArray[np.float32]:
        """The samples with which it says `words`: float32, (frames, 1), 24,000 Hz, before any encoding."""
        return tone_sweep(words, self.duration_s)

    def speech(self, text: str) -> NDArray[np.float32]:
        """The samples with which it speaks a text, as `sound`."""
        return spoken_sound(text, self.duration_s, self.silence_s)

    def fail_next(self, fault: str | Scripted, times: int = 1, headers: Mapping[str, str] | None = None) -> None:
        """Have the next requests meet a fault.

        Parameters
        ----------
        fault : str or Scripted
            A name out of `openai_server.faults`, or an answer written out.
        times : int
            For how many requests. Calls add up: the faults come in the order of the calls.
        headers : mapping, optional
            Headers on top of the fault's own, such as ``{"retry-after-ms": "1"}``.

        Raises
        ------
        ValueError
            If there is no fault of that name, or it can't have headers.
        """
        self.faults.add(fault, times, headers)

    def release(self) -> None:
        """Let all requests that hang get their answers, and those that would have hung."""
        self.hang_gate.open()

    def wait_for_request(self, count: int = 1, timeout_s: float = WAIT_S) -> Recorded:
        """The `count`-th request, as soon as it has come; AssertionError if it doesn't come in time."""
        with self._arrival:
            came = self._arrival.wait_for(lambda: len(self.requests) >= count, timeout_s)
        assert came, f"{len(self.requests)} of {count} requests came within {timeout_s} s"
        return self.requests[count - 1]

    def drop_connections(self, *, reset: bool = False) -> None:
        """Cut all connections now, whatever is being sent on them.

        Parameters
        ----------
        reset : bool
            With a reset (RST) and not in good order (FIN). What is still unread on the way may then be lost.
        """
        asyncio.run_coroutine_threadsafe(self._drop_all(reset), self._uvicorn.loop).result(WAIT_S)

    def note(self, method: str, path: str, headers: dict[str, str], raw: bytes, form: dict[str, Any]) -> Recorded:
        """Record a request; for the application."""
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        recorded = Recorded(method, path, headers, raw, body, form)
        with self._arrival:
            self.requests.append(recorded)
            self._arrival.notify_all()
        return recorded

    def remember(self, reply: Reply) -> None:
        """Keep a spoken answer, so that its id can be referred to; for the application."""
        if reply.spoken is not None:
            tokens = reply.usage["completion_tokens_details"]["audio_tokens"]
            kept = _Remembered(reply.model, reply.spoken.expires_at, tokens)
            self._remembered[reply.spoken.id] = kept

    def audio_tokens_of(self, audio_id: str, model: str) -> int | None:
        """Audio tokens of an earlier answer; None if this model has none of that id (any more)."""
        found = self._remembered.get(audio_id)
        if found is None or found.model != model or self.clock() >= found.expires_at:
            return None
        return found.audio_tokens

    async def drop(self, scope: Scope, *, reset: bool = False) -> None:
        """Cut the connection of a request, and wait until the request is given up; for the application."""
        for connection in list(self._uvicorn.server_state.connections):
            if connection.transport.get_extra_info("peername") == scope["client"]:
                cut(connection.transport, reset=reset)
        await asyncio.Event().wait()

    async def _drop_all(self, reset: bool) -> None:
        for connection in list(self._uvicorn.server_state.connections):
            cut(connection.transport, reset=reset)

    def start(self) -> None:
        """Listen; returns when connections are accepted."""
        self._uvicorn.start(self._listener)

    def stop(self) -> None:
        """Cut what is open and end the thread."""
        self._uvicorn.stop()


@contextlib.contextmanager
def serve() -> Iterator[OpenAIServer]:
    """A running `OpenAIServer`, for a ``with`` block or a pytest fixture.

    Raises
    ------
    AssertionError
        When the block ends, if the server itself failed in it, or a fault was queued that could not show.
    """
    server = OpenAIServer()
    server.start()
    try:
        yield server
    finally:
        server.stop()
    if server.failures:
        raise AssertionError(f"the loopback server failed: {server.failures[0]}") from server.failures[0]
