"""A Realtime server on the loopback that behaves as the GA protocol says, and badly where a test wants it to.

It hears speech where samples are loud, and says a text over a tone; what it was sent is in `events`.
"""

from __future__ import annotations

import base64
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
from ports import new_listener
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

__all__ = ["KEY", "RealtimeServer", "realtime_server"]

KEY = "sk-realtime-0123456789abcdef"
_LOUD = 1000  # of 32,768
_BYTES_PER_MS = 48
_LARGEST_BYTES = 15 * 1024 * 1024  # of a message, as the protocol has it; beyond it the connection is closed
WAIT_S = 10.0


class RealtimeServer:
    """What it says, what it was told, and how it misbehaves."""

    def __init__(self) -> None:
        self.words: str | Callable[[str], str] = "Yes, they are good family dogs."
        """What it says, or gives for what was written to it."""
        self.sound_s = 1.2
        self.heard = "Is a golden retriever a good family dog?"
        self.tool_calls: list[tuple[str, str]] = []
        """Of the next response: names and arguments."""
        self.calls_again = False
        self.instead: list[Callable[[_Connection], None]] = []
        """What the next responses do in the place of speaking."""
        self.deaf = False
        """Whether nothing is answered."""
        self.events: list[dict[str, Any]] = []
        self.connections: list[_Connection] = []
        self.paths: list[str] = []
        self.refuse: tuple[int, dict[str, Any]] | None = None
        """Status and body for whoever connects."""
        self.redirect = ""
        """Where whoever connects is sent on to."""
        self.silent_on_update = False
        self.trouble_on_update: dict[str, Any] | None = None
        self.close_after_update = False
        """Whether every connection breaks off as soon as it is set."""
        self.gate = threading.Event()
        """Cleared, nobody who connects is let in until it is set."""
        self.gate.set()
        self.voice = b""
        """How it sounds: PCM16, all of which is one answer; empty for a tone of `sound_s`."""
        self.numbers = itertools.count(1)
        self.hold = threading.Event()
        """Cleared, an answer stops after its first half until it is set."""
        self.hold.set()
        self._changed = threading.Condition()
        listener = new_listener()
        self.url = self.base_url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        self.api_key = KEY
        self._server = serve(self._serve, sock=listener, process_request=self._door, max_size=_LARGEST_BYTES)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.hold.set()
        self.gate.set()
        self._server.shutdown()
        self._thread.join(WAIT_S)

    def wait_for(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        """The events of a kind, once there are so many."""
        ends = time.monotonic() + WAIT_S
        with self._changed:
            while len(found := [event for event in self.events if event["type"] == kind]) < count:
                assert self._changed.wait(ends - time.monotonic()), f"{len(found)} {kind} of {count}"
            return found

    def note(self, event: dict[str, Any]) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def wait_for_connection(self, count: int = 1) -> _Connection:
        ends = time.monotonic() + WAIT_S
        with self._changed:
            while len(self.connections) < count:
                assert self._changed.wait(ends - time.monotonic()), f"{len(self.connections)} connections of {count}"
            return self.connections[count - 1]

    def wait_until_gone(self) -> None:
        """Return when nobody is connected any more."""
        for connection in self.connections:
            assert connection.gone.wait(WAIT_S), "somebody is still connected"

    def _door(self, connection: ServerConnection, request: Request) -> Response | None:
        self.gate.wait(WAIT_S)
        self.paths.append(request.path)
        if self.redirect:
            return Response(307, "Elsewhere", Headers({"location": self.redirect}), b"")
        status, body = self.refuse or (0, {})
        if not status and request.headers.get("authorization") != f"Bearer {KEY}":
            status, body = 401, {"error": {"message": "Incorrect API key provided.", "code": "invalid_api_key"}}
        if not status:
            assert "openai-beta" not in request.headers
            return None
        return Response(status, "Refused", Headers({"content-type": "application/json"}), json.dumps(body).encode())

    def _serve(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        query = parse_qs(urlsplit(socket.request.path).query)
        connection = _Connection(self, socket, query["model"][0])
        with self._changed:
            self.connections.append(connection)
            self._changed.notify_all()
        connection.run()


class _Connection:
    def __init__(self, server: RealtimeServer, socket: ServerConnection, model: str) -> None:
        self._server, self._socket = server, socket
        self.session: dict[str, Any] = {
            "type": "realtime",
            "object": "realtime.session",
            "id": "sess_1",
            "model": model,
        }
        self._numbers = server.numbers
        self._sound = bytearray()
        self._committed = 0
        self._speech_ms: int | None = None
        self._written = ""
        self.over = threading.Event()
        """Set when the connection is."""
        self._answering: threading.Thread | None = None
        self._cancelled = threading.Event()
        self._lock = threading.Lock()
        self.gone = threading.Event()

    def say(self, kind: str, **fields: Any) -> None:
        self.say_raw(json.dumps({"type": kind, "event_id": f"event_{next(self._numbers)}", **fields}))

    def say_raw(self, text: str | bytes) -> None:
        with self._lock:
            self._socket.send(text)

    def say_bytes(self, raw: bytes) -> None:
        """Send what may be no frame."""
        with self._lock:
            self._socket.socket.sendall(raw)

    def drop(self) -> None:
        """Break off, as a network does."""
        self._socket.socket.shutdown(2)

    def shut(self, code: int, reason: str) -> None:
        self._socket.close(code, reason)

    def run(self) -> None:
        try:
            self.say("session.created", session=self.session)
            for text in self._socket:
                event = json.loads(text)
                self._server.note(event)
                self._take(event)
        except ConnectionClosed:
            pass
        finally:
            self.gone.set()
            self._cancelled.set()
            self.over.set()
            if self._answering is not None:
                self._server.hold.set()
                self._answering.join(WAIT_S)

    def _take(self, event: dict[str, Any]) -> None:
        match event["type"]:
            case "session.update":
                if self._server.silent_on_update:
                    return
                if self._server.trouble_on_update is not None:
                    self.say("error", error=self._server.trouble_on_update)
                    return
                self.session |= event["session"]
                self.say("session.updated", session=self.session)
                if self._server.close_after_update:
                    self.drop()
            case "input_audio_buffer.append":
                self._sound += base64.b64decode(event["audio"])
                if self.session["audio"]["input"]["turn_detection"]:
                    self._listen()
            case "input_audio_buffer.commit":
                if len(self._sound) - self._committed < 100 * _BYTES_PER_MS:
                    self.say("error", error=_error("input_audio_buffer_commit_empty"))
                    return
                self._commit(f"item_{next(self._numbers)}", len(self._sound))
            case "conversation.item.create":
                item = {"id": f"item_{next(self._numbers)}", "object": "realtime.item", "status": "completed"}
                item |= event["item"]
                self._written = "".join(part.get("text", "") for part in item.get("content", ()))
                self.say("conversation.item.added", previous_item_id=None, item=item)
                self.say("conversation.item.done", previous_item_id=None, item=item)
            case "conversation.item.truncate":
                self.say(
                    "conversation.item.truncated",
                    item_id=event["item_id"],
                    content_index=0,
                    audio_end_ms=event["audio_end_ms"],
                )
            case "response.create":
                if not self._server.deaf:
                    self._answer()
            case "response.cancel":
                if self._answering is None or not self._answering.is_alive():
                    self.say("error", error=_error("response_cancel_not_active"))
                self._cancelled.set()
                self._server.hold.set()

    def _listen(self) -> None:
        samples = np.abs(np.frombuffer(bytes(self._sound[self._committed :]), "<i2").astype(np.int32))
        loud = np.flatnonzero(samples > _LOUD)
        first_ms = self._committed // _BYTES_PER_MS
        if not len(loud):
            return
        if self._speech_ms is None:
            self._speech_ms = first_ms + int(loud[0]) * 1000 // 24_000
            self._item = f"item_{next(self._numbers)}"
            if self._answering is not None and self._answering.is_alive():
                self._cancelled.set()
                self._server.hold.set()
            self.say("input_audio_buffer.speech_started", audio_start_ms=self._speech_ms, item_id=self._item)
        quiet_ms = (len(samples) - 1 - int(loud[-1])) * 1000 // 24_000
        if quiet_ms >= self.session["audio"]["input"]["turn_detection"].get("silence_duration_ms", 500):
            end_ms = first_ms + int(loud[-1]) * 1000 // 24_000
            self.say("input_audio_buffer.speech_stopped", audio_end_ms=end_ms, item_id=self._item)
            self._speech_ms = None
            self._commit(self._item, len(self._sound))
            self._answer()

    def _commit(self, item_id: str, end: int) -> None:
        self._committed = end
        self.say("input_audio_buffer.committed", item_id=item_id, previous_item_id=None)
        content = [{"type": "input_audio", "transcript": None}]
        item = {"id": item_id, "type": "message", "role": "user", "status": "completed", "content": content}
        self.say("conversation.item.added", previous_item_id=None, item=item)
        if self.session["audio"]["input"].get("transcription"):
            name = "conversation.item.input_audio_transcription"
            for word in self._server.heard.split(" "):
                self.say(f"{name}.delta", item_id=item_id, content_index=0, delta=f"{word} ")
            self.say(f"{name}.completed", item_id=item_id, content_index=0, transcript=self._server.heard)

    def _answer(self) -> None:
        if self._answering is not None and self._answering.is_alive():
            if not self._cancelled.is_set():
                self.say("error", error=_error("conversation_already_has_active_response"))
                return
            self._answering.join(WAIT_S)
        self._cancelled.clear()
        calls = self._server.tool_calls
        if not self._server.calls_again:
            self._server.tool_calls = []
        self._answering = threading.Thread(target=self._call if calls else self._speak, args=(calls,), daemon=True)
        self._answering.start()

    def _call(self, calls: list[tuple[str, str]]) -> None:
        response = {"id": f"resp_{next(self._numbers)}", "object": "realtime.response", "status": "in_progress"}
        self.say("response.created", response={**response, "output": []})
        items = []
        for name, arguments in calls:
            item = {"id": f"item_{next(self._numbers)}", "type": "function_call", "status": "completed", "name": name}
            item |= {"call_id": f"call_{next(self._numbers)}", "arguments": arguments}
            self.say("response.output_item.added", response_id=response["id"], output_index=0, item=item)
            self.say(
                "response.function_call_arguments.done",
                response_id=response["id"],
                item_id=item["id"],
                output_index=0,
                call_id=item["call_id"],
                name=name,
                arguments=arguments,
            )
            items.append(item)
        self.say("response.done", response={**response, "status": "completed", "output": items, "usage": _USAGE})

    def _speak(self, _: Any) -> None:
        with suppress(ConnectionClosed):
            if self._server.instead:
                self._server.instead.pop(0)(self)
            else:
                self._speak_out()

    def _speak_out(self) -> None:
        response = {"id": f"resp_{next(self._numbers)}", "object": "realtime.response", "status": "in_progress"}
        item_id = f"item_{next(self._numbers)}"
        of = {"response_id": response["id"], "item_id": item_id, "output_index": 0, "content_index": 0}
        item = {"id": item_id, "type": "message", "role": "assistant", "status": "in_progress", "content": []}
        self.say("response.created", response={**response, "output": []})
        self.say("response.output_item.added", response_id=response["id"], output_index=0, item=item)
        aloud = self.session["output_modalities"] == ["audio"]
        says = self._server.words
        words = (says if isinstance(says, str) else says(self._written)).split(" ")
        voice = self._server.voice or _tone(int(self._server.sound_s * 24_000))
        size = len(voice) // 2 // len(words) * 2
        said = []
        for place, word in enumerate(words):
            if place == len(words) // 2:
                self._server.hold.wait(WAIT_S)
            if self._cancelled.is_set():
                break
            piece = word if not place else f" {word}"
            said.append(piece)
            if not aloud:
                self.say("response.output_text.delta", delta=piece, **of)
                continue
            self.say("response.output_audio_transcript.delta", delta=piece, **of)
            sound = voice[place * size :] if place == len(words) - 1 else voice[place * size : (place + 1) * size]
            self.say("response.output_audio.delta", delta=base64.b64encode(sound).decode(), **of)
        cancelled = self._cancelled.is_set()
        content = [{"type": "output_audio" if aloud else "output_text"}]
        content[0]["transcript" if aloud else "text"] = "".join(said)
        item |= {"status": "incomplete" if cancelled else "completed", "content": content}
        details = {"type": "cancelled", "reason": "turn_detected"} if cancelled else None
        self.say(
            "response.done",
            response={
                **response,
                "status": "cancelled" if cancelled else "completed",
                "status_details": details,
                "output": [item],
                "usage": _USAGE,
            },
        )
        self.say("rate_limits.updated", rate_limits=[{"name": "tokens", "limit": 40_000, "remaining": 39_960}])


def _tone(frames: int) -> bytes:
    sine = np.sin(np.arange(frames) * (2 * np.pi * 220 / 24_000)) * 8000
    return bytes(sine.astype("<i2").tobytes())


_USAGE = {
    "total_tokens": 40,
    "input_tokens": 26,
    "output_tokens": 14,
    "input_token_details": {"text_tokens": 6, "audio_tokens": 20, "cached_tokens": 4},
    "output_token_details": {"text_tokens": 4, "audio_tokens": 10},
}


def _error(code: str) -> dict[str, Any]:
    return {"type": "invalid_request_error", "code": code, "message": code, "param": None, "event_id": None}


@contextmanager
def realtime_server() -> Iterator[RealtimeServer]:
    """A server for the time of a test."""
    server = RealtimeServer()
    try:
        yield server
    finally:
        server.close()
