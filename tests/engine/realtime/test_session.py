"""A session by itself and in process: its end, a client that does not read, silence, much sound, and hostile events."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbaudio.engine.realtime import items, turn_detection
from nbaudio.engine.realtime.connection import connect_in_process
from nbaudio.engine.realtime.session import RealtimeSession

from .talking import WAIT_S, LetBrain, base64_of, engine_with, judged, kinds, question, silence

pytestmark = pytest.mark.offline

HELLO = {
    "type": "conversation.item.create",
    "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello."}]},
}


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def within() -> None:
        with anyio.fail_after(WAIT_S):
            await test()

    asyncio.run(within())


class Told:
    """What a session sends."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self._more = asyncio.Event()

    async def __call__(self, event: dict[str, Any]) -> None:
        self.events.append(judged(event))
        self._more.set()

    async def until(self, kind: str, count: int = 1) -> dict[str, Any]:
        """The last event of a type, when there are so many."""
        while True:
            found = [event for event in self.events if event["type"] == kind]
            if len(found) >= count:
                return found[-1]
            self._more.clear()
            await self._more.wait()


def test_it_lasts_an_hour_and_says_so_at_the_end() -> None:
    async def test() -> None:
        told = Told()
        session = RealtimeSession(engine_with(LetBrain()), told, longest_s=0.06)
        await session.open()
        assert await session.ended() == (1001, "session_expired")
        await session.flush()
        assert told.events[-1]["error"]["code"] == "session_expired"
        assert told.events[-1]["error"]["message"] == "Your session hit the maximum duration of 0.001 minutes."
        await session.take(HELLO)  # nobody answers any more
        await session.close()
        assert kinds(told.events) == ["session.created", "error"]

    run(test)


def test_when_the_server_stops_an_answer_that_was_begun_is_given_and_no_other() -> None:
    async def test() -> None:
        brain, told = LetBrain(), Told()
        session = RealtimeSession(engine_with(brain), told)
        await session.open()
        await session.take(HELLO)
        await session.take({"type": "response.create"})
        await told.until("response.created")

        async def ask_for_another() -> None:
            await session.take({"type": "response.create", "response": {"conversation": "none"}})
            assert (await told.until("error"))["error"]["code"] == "server_stopping"
            brain.let()

        await asyncio.gather(session.finish(), ask_for_another())  # which begin in this order
        assert (await session.ended()).code == 1001
        await session.flush()
        assert (await told.until("response.done"))["response"]["status"] == "completed"
        await session.close()

    run(test)


def test_a_client_that_does_not_read_is_not_worked_for() -> None:
    async def test() -> None:
        gate = asyncio.Event()

        async def send(event: dict[str, Any]) -> None:
            await gate.wait()

        session = RealtimeSession(engine_with(LetBrain()), send)
        await session.open()
        took = 0

        async def flood() -> None:
            nonlocal took
            for _ in range(1000):
                await session.take({"type": "nonsense"})
                took += 1

        waiting, wait = asyncio.Event(), session._taken.wait

        async def noted() -> bool:
            waiting.set()
            return await wait()

        session._taken.wait = noted  # type: ignore[method-assign]
        flooding = asyncio.create_task(flood())
        await waiting.wait()
        assert 60 <= took <= 70
        gate.set()
        await flooding
        assert took == 1000
        await session.close()

    run(test)


def test_one_sound_at_a_time_waits_for_a_client_that_does_not_read() -> None:
    async def test() -> None:
        gate = asyncio.Event()
        sent: list[str] = []

        async def send(event: dict[str, Any]) -> None:
            await gate.wait()
            sent.append(event["type"])

        session = RealtimeSession(engine_with(LetBrain()), send)
        await session.open()
        await session.take({**HELLO, "item": {**HELLO["item"], "id": "one"}})  # type: ignore[dict-item]
        retrieved = "conversation.item.retrieved"
        retrieve = {"type": "conversation.item.retrieve", "item_id": "one"}
        asking = [asyncio.create_task(session.take(retrieve)) for _ in range(10)]
        for _ in range(100):
            await asyncio.sleep(0)  # each has gone as far as it can
        assert sum(event["type"] == retrieved for event in session._outbox._queue) <= 1  # type: ignore[attr-defined]
        gate.set()
        await asyncio.gather(*asking)
        await session.flush()
        assert sent.count(retrieved) == 10
        await session.close()

    run(test)


def test_who_goes_while_a_sound_waits_keeps_nothing_waiting() -> None:
    async def test() -> None:
        async def send(event: dict[str, Any]) -> None:
            await asyncio.Event().wait()

        session = RealtimeSession(engine_with(LetBrain()), send)
        await session.open()
        await session.take({**HELLO, "item": {**HELLO["item"], "id": "one"}})  # type: ignore[dict-item]
        retrieve = {"type": "conversation.item.retrieve", "item_id": "one"}
        asking = asyncio.create_task(session.take(retrieve))
        await asyncio.sleep(0)
        await session.close()
        await asking

    run(test)


def test_a_client_that_is_gone_ends_it() -> None:
    async def test() -> None:
        async def send(event: dict[str, Any]) -> None:
            raise ConnectionError("gone")

        session = RealtimeSession(engine_with(LetBrain()), send)
        await session.open()
        assert (await session.ended()).code == 1006
        await session.close()

    run(test)


def test_in_process_it_ends_with_none() -> None:
    async def test() -> None:
        send, receive, close = await connect_in_process(engine_with(LetBrain()), {"model": "offline"})
        assert (await receive() or {})["type"] == "session.created"
        await send({"type": "input_audio_buffer.clear"})
        assert (await receive() or {})["type"] == "input_audio_buffer.cleared"
        await close()
        assert await receive() is None
        assert await receive() is None

        _, receive, close = await connect_in_process(engine_with(LetBrain()), {"model": "gpt-realtime"})
        assert (await receive() or {})["error"]["code"] == "model_not_found"
        assert await receive() is None
        await close()

    run(test)


def test_who_stays_silent_is_spoken_to_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn_detection, "_SHORTEST_IDLE_MS", 10)

    async def test() -> None:
        brain, told = LetBrain(), Told()
        brain.let(100)
        session = RealtimeSession(engine_with(brain), told)
        await session.open()
        detection = {"type": "server_vad", "idle_timeout_ms": 10}
        settings = {
            "type": "realtime",
            "output_modalities": ["text"],
            "audio": {"input": {"turn_detection": detection}},
        }
        await session.take({"type": "session.update", "session": settings})
        await session.take({"type": "input_audio_buffer.append", "audio": base64_of(silence(1.0))})
        await session.take(HELLO)
        await session.take({"type": "response.create"})
        triggered = await told.until("input_audio_buffer.timeout_triggered")
        answer = await told.until("response.done", 2)
        await session.finish()
        assert session._silence._waiting is None  # for the answer to this prompt no other is prepared
        await session.close()

        assert triggered["audio_start_ms"] == triggered["audio_end_ms"] == 1000
        committed = next(event for event in told.events if event["type"] == "input_audio_buffer.committed")
        assert committed["item_id"] == triggered["item_id"]
        assert sum(event["type"] == "input_audio_buffer.timeout_triggered" for event in told.events) == 1
        text = answer["response"]["output"][0]["content"][0]["text"]
        assert text == "I did not hear any words in the recording."

    run(test)


def test_of_much_sound_the_oldest_is_forgotten_and_its_words_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items, "_MOST_KEPT_BYTES", len(question()) + 1000)

    async def test() -> None:
        told = Told()
        session = RealtimeSession(engine_with(LetBrain()), told)
        await session.open()
        for item_id in ("one", "two"):
            content = [{"type": "input_audio", "audio": base64_of(question())}]
            item = {"id": item_id, "type": "message", "role": "user", "content": content}
            await session.take({"type": "conversation.item.create", "item": item})
        kept = {}
        for item_id in ("one", "two"):
            told.events.clear()
            await session.take({"type": "conversation.item.retrieve", "item_id": item_id})
            (kept[item_id],) = (await told.until("conversation.item.retrieved"))["item"]["content"]
        await session.close()
        assert "audio" not in kept["one"]
        assert base64.b64decode(kept["two"]["audio"]) == question()

    run(test)


def test_text_counts_as_sound_does_and_too_much_of_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items, "_MOST_KEPT_BYTES", len(question()) + 1000)

    async def test() -> None:
        told = Told()
        session = RealtimeSession(engine_with(LetBrain()), told)
        await session.open()

        def create(item_id: str, **part: str) -> dict[str, Any]:
            item = {"id": item_id, "type": "message", "role": "user", "content": [part]}
            return {"type": "conversation.item.create", "item": item}

        async def has_sound() -> bool:
            told.events.clear()
            await session.take({"type": "conversation.item.retrieve", "item_id": "sound"})
            return "audio" in (await told.until("conversation.item.retrieved"))["item"]["content"][0]

        await session.take(create("sound", type="input_audio", audio=base64_of(question())))
        await session.take(create("short", type="input_text", text="word " * 100))
        assert await has_sound()
        await session.take(create("long", type="input_text", text="word " * (len(question()) // 10)))
        assert not await has_sound()
        await session.take(create("more", type="input_text", text="word " * (len(question()) // 9)))
        assert (await told.until("error"))["error"]["code"] == "conversation_too_long"
        await session.take({"type": "conversation.item.delete", "item_id": "long"})
        await session.take(create("more", type="input_text", text="word " * (len(question()) // 9)))
        await told.until("conversation.item.added")
        await session.close()

    run(test)


def test_a_turn_that_does_not_end_is_refused() -> None:
    async def test() -> None:
        told, engine = Told(), engine_with(LetBrain())
        engine.most_audio_s = 2.0
        session = RealtimeSession(engine, told)
        await session.open()
        settings = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
        await session.take({"type": "session.update", "session": settings})
        for _ in range(3):
            await session.take({"type": "input_audio_buffer.append", "audio": base64_of(silence(0.9))})
        assert (await told.until("error"))["error"]["code"] == "audio_too_long"
        await session.take({"type": "input_audio_buffer.commit"})
        await told.until("input_audio_buffer.committed")
        await session.close()

    run(test)


def test_half_a_frame_at_the_end_of_a_turn_is_none_of_the_next() -> None:
    async def test() -> None:
        told = Told()
        session = RealtimeSession(engine_with(LetBrain()), told)
        await session.open()
        settings = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
        await session.take({"type": "session.update", "session": settings})
        kept = []
        for count, sound in enumerate([silence(0.1) + b"\x01", b"\x02\x03" * 2400], 1):
            await session.take({"type": "input_audio_buffer.append", "audio": base64_of(sound)})
            await session.take({"type": "input_audio_buffer.commit"})
            item_id = (await told.until("input_audio_buffer.committed", count))["item_id"]
            await session.take({"type": "conversation.item.retrieve", "item_id": item_id})
            (part,) = (await told.until("conversation.item.retrieved", count))["item"]["content"]
            kept.append(base64.b64decode(part["audio"]))
        await session.close()
        assert kept == [silence(0.1), b"\x02\x03" * 2400]

    run(test)


NAMES = st.sampled_from(
    [
        *("type", "event_id", "session", "audio", "input", "output", "item", "item_id", "content", "role", "text"),
        *("response", "turn_detection", "format", "voice", "speed", "instructions", "conversation", "metadata"),
        *("audio_end_ms", "content_index", "previous_item_id", "max_output_tokens", "output_modalities", "threshold"),
        *("response_id", "transcription", "tools", "id", "idle_timeout_ms", "rate"),
    ]
)
WORDS = st.sampled_from(
    [
        *("realtime", "message", "user", "assistant", "system", "input_text", "input_audio", "server_vad", "root", ""),
        *("audio/pcmu", "none", "auto", "inf", "text", "audio", "AAAA", "\ud800", "\x00", "item_reference"),
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-10, 2**70) | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=20,
)
EVENTS = st.builds(
    lambda kind, fields: {**fields, "type": kind},
    st.sampled_from(
        [
            *("session.update", "input_audio_buffer.append", "input_audio_buffer.commit", "conversation.item.create"),
            *("conversation.item.truncate", "conversation.item.delete", "conversation.item.retrieve"),
            *("response.cancel", "input_audio_buffer.clear", "response.create"),
        ]
    ),
    st.dictionaries(NAMES, VALUES, max_size=5),
)


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(st.lists(EVENTS | VALUES, max_size=8))
def test_whatever_a_client_sends_it_is_answered_in_the_protocols_words(events: list[Any]) -> None:
    async def test() -> None:
        brain, told = LetBrain(), Told()
        brain.let(1000)
        session = RealtimeSession(engine_with(brain), told)
        await session.open()
        for event in events:
            await session.take(event)
        await session.take({"type": "input_audio_buffer.clear", "event_id": "last"})
        await told.until("input_audio_buffer.cleared")
        broken = [e for e in told.events if e["type"] == "error" and e["error"]["type"] == "server_error"]
        await session.close()
        assert broken == []
        json.dumps(told.events)

    run(test)
