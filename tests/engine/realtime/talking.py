"""Talking with the engine over a WebSocket by the `openai` package; and a brain that waits until it is let."""

from __future__ import annotations

import base64
import queue
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, get_args

import numpy as np
import openai
import pytest
from openai.resources.realtime.realtime import RealtimeConnection
from openai.types.realtime.realtime_server_event import RealtimeServerEvent
from openai_server.listening import UvicornThread
from openai_server.sdk_types import validated
from ports import new_listener

from nbaudio import Clip
from nbaudio.engine.app import create_app
from nbaudio.engine.parts import Engine, engine
from nbaudio.sound import codecs

WAIT_S = 30.0
# How the SDK uses websockets is deprecated from websockets 17.1 on.
SDK_WARNS = pytest.mark.filterwarnings(r"ignore:connect\(\) must be used as a context manager:DeprecationWarning")
NOTEBOOKS = Path(__file__).parents[3] / "notebooks"


@cache
def question() -> bytes:
    """Two seconds of a person who asks, as PCM16 at 24,000 Hz."""
    return codecs.samples_to_pcm16(Clip(NOTEBOOKS / "question.wav").resample(24_000).samples[:, :1])


def silence(seconds: float) -> bytes:
    return bytes(2 * int(24_000 * seconds))


def base64_of(sound: bytes) -> str:
    return base64.b64encode(sound).decode("ascii")


def sound_of(events: Sequence[dict[str, Any]]) -> bytes:
    """What was said in the events, as bytes."""
    deltas = [event["delta"] for event in events if event["type"] == "response.output_audio.delta"]
    return b"".join(map(base64.b64decode, deltas))


def of_type(events: Sequence[dict[str, Any]], kind: str) -> dict[str, Any]:
    """The one event of a type."""
    (found,) = [event for event in events if event["type"] == kind]
    return found


def kinds(events: Sequence[dict[str, Any]]) -> list[str]:
    """Their types in order; of those in a row that are the same, one."""
    found = [event["type"] for event in events]
    return [kind for at, kind in enumerate(found) if not at or found[at - 1] != kind]


_TYPES = {get_args(one.model_fields["type"].annotation)[0]: one for one in get_args(get_args(RealtimeServerEvent)[0])}
_NOT_IN_THE_SDK = ("id", "object", "expires_at")  # of a session; the server sends them


def judged(event: dict[str, Any]) -> dict[str, Any]:
    """The event, which is as the SDK's type of it says."""
    shown = dict(event)
    if event["type"].startswith("session."):
        shown["session"] = {name: value for name, value in event["session"].items() if name not in _NOT_IN_THE_SDK}
    validated(_TYPES[event["type"]], shown)
    assert event["event_id"].startswith("event_")
    return event


class Talk:
    """One session, by the official client.

    Attributes
    ----------
    connection : RealtimeConnection
    """

    def __init__(self, connection: RealtimeConnection) -> None:
        import json

        self.connection, self._loads = connection, json.loads
        self.created = self.next()

    def next(self) -> dict[str, Any]:
        """The next event."""
        return judged(self._loads(self.connection.recv_bytes()))

    def until(self, kind: str) -> list[dict[str, Any]]:
        """The events up to and with the next of a type."""
        events = [self.next()]
        while events[-1]["type"] != kind:
            assert events[-1]["type"] != "error" or kind == "error", events[-1]
            events.append(self.next())
        return events

    def set(self, **session: Any) -> dict[str, Any]:
        """Set the session; gives what it is set to."""
        self.connection.session.update(session={"type": "realtime", **session})
        return dict(self.until("session.updated")[-1]["session"])

    def append(self, sound: bytes) -> None:
        self.connection.input_audio_buffer.append(audio=base64_of(sound))

    def type(self, text: str) -> None:
        item: Any = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
        self.connection.conversation.item.create(item=item)
        self.until("conversation.item.done")

    def refused(self) -> dict[str, Any]:
        """The error that comes next."""
        return dict(self.until("error")[-1]["error"])


@contextmanager
def talking(base_url: str, **options: Any) -> Iterator[Talk]:
    with (
        openai.OpenAI(base_url=base_url, api_key=options.pop("key", "none"), max_retries=0) as client,
        client.realtime.connect(**{"model": "offline", **options}) as connection,
    ):
        yield Talk(connection)


@contextmanager
def served(parts: Engine) -> Iterator[str]:
    """The base URL of an engine on a port."""
    listener = new_listener()
    server = UvicornThread(create_app(parts), ws="websockets-sansio")
    server.start(listener)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    finally:
        server.stop()


class LetBrain:
    """Writes sentences one by one, each when it is let.

    Attributes
    ----------
    asked : queue of list
        The messages of each answer that was begun.
    closed : threading.Semaphore
        Released at the end of each, whatever the end was.
    """

    context_tokens = 4096
    SENTENCES = tuple(f"This is sentence number {word} of them. " for word in ("one", "two", "three"))

    def __init__(self) -> None:
        self.asked: queue.Queue[Sequence[dict[str, str]]] = queue.Queue()
        self.closed = threading.Semaphore(0)
        self._gate = threading.Semaphore(0)

    def stream(self, messages: Sequence[dict[str, str]], **_: Any) -> Generator[str, None, None]:
        self.asked.put(messages)
        try:
            for sentence in self.SENTENCES:
                assert self._gate.acquire(timeout=WAIT_S), "the gate stayed shut"
                yield sentence
                yield "And "  # the sentence is known to be over when another begins
        finally:
            self.closed.release()

    def let(self, sentences: int = 3) -> None:
        self._gate.release(sentences)


def engine_with(brain: Any) -> Engine:
    """Real ears and a real voice, and this brain."""
    made, real = Engine(), engine()
    made._listener, made._speaker, made._brain = real.listener, real.speaker, brain
    return made


def level_dbfs(pcm16: bytes) -> float:
    samples = np.frombuffer(pcm16, "<i2").astype(np.float64) / 32768
    return float(20 * np.log10(np.sqrt(np.mean(samples**2)) + 1e-9))


def speech_ends_ms(pcm16: bytes) -> float:
    """The end of the last 20 ms that are louder than -40 dBFS."""
    frames = [pcm16[start : start + 960] for start in range(0, len(pcm16), 960)]
    return max(at for at, frame in enumerate(frames, 1) if level_dbfs(frame) > -40) * 20.0
