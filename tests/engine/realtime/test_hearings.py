"""Much sound in one session: others get threads meanwhile, and it does not wait without end."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import anyio
import pytest
from anyio import to_thread

from nbaudio.engine.meter import Meter
from nbaudio.engine.realtime import hearings
from nbaudio.engine.realtime.hearings import Hearings
from nbaudio.engine.realtime.session import RealtimeSession
from nbaudio.engine.realtime.sound_formats import PCM, Sound

from .talking import WAIT_S, LetBrain, base64_of, engine_with, silence
from .test_session import HELLO, Told, run

pytestmark = pytest.mark.offline

PUSH_TO_TALK = {"type": "realtime", "audio": {"input": {"turn_detection": None, "transcription": {"model": "offline"}}}}
APPEND = {"type": "input_audio_buffer.append", "audio": base64_of(silence(0.1))}


def spoken(sounds: int = 1) -> dict[str, Any]:
    content = [{"type": "input_audio", "audio": base64_of(silence(0.1))}] * sounds
    return {"type": "message", "role": "user", "content": content}


def create(sounds: int = 1) -> dict[str, Any]:
    return {"type": "conversation.item.create", "item": spoken(sounds)}


class SlowEars:
    """One pair, which hears when it is let."""

    def __init__(self) -> None:
        self.heard = Meter()
        self.let, self.listening = threading.Semaphore(0), 0

    def hear(self, samples: Any) -> str:
        self.listening += 1
        assert self.let.acquire(timeout=WAIT_S), "never let"
        self.listening -= 1
        return "Hello."


async def opened(ears: SlowEars) -> tuple[RealtimeSession, Told]:
    engine, told = engine_with(LetBrain()), Told()
    engine._listener = ears  # type: ignore[assignment]
    session = RealtimeSession(engine, told)
    await session.open()
    await session.take({"type": "session.update", "session": PUSH_TO_TALK})
    return session, told


@pytest.mark.parametrize("how", ["items", "one item", "the input of a response"])
def test_others_get_threads_while_one_has_much_to_be_heard(how: str) -> None:
    async def test() -> None:
        ears = SlowEars()
        session, told = await opened(ears)
        other, _ = await opened(ears)
        if how == "items":
            for _ in range(60):
                await session.take(create())
        elif how == "one item":
            await session.take(create(60))
        else:
            asked = {"conversation": "none", "input": [spoken(60)]}
            await session.take({"type": "response.create", "response": asked})
        assert await to_thread.run_sync(lambda: "a thread") == "a thread"
        await other.take(APPEND)
        assert ears.listening <= 2
        ears.let.release(60)
        if how != "the input of a response":
            await told.until("conversation.item.input_audio_transcription.completed", 60)
        await session.close()
        await other.close()

    run(test)


def test_who_sends_faster_than_it_is_heard_is_told_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearings, "_MOST_WAITING", 3)

    async def test() -> None:
        ears = SlowEars()
        session, told = await opened(ears)
        await session.take(APPEND)
        for _ in range(3):
            await session.take(create())
        asked = {"type": "response.create", "response": {"conversation": "none", "input": [spoken()]}}
        for count, event in enumerate([create(), asked, APPEND, {"type": "input_audio_buffer.commit"}], 1):
            await session.take(event)
            error = (await told.until("error", count))["error"]
            assert error["code"] == "rate_limit_exceeded"
            assert error["message"].startswith("3 sounds of this session wait to be heard.")
        await session.take(HELLO)  # of words there may be more
        await told.until("conversation.item.added", 4)
        ears.let.release(4)
        await told.until("conversation.item.input_audio_transcription.completed", 3)
        await session.take({"type": "input_audio_buffer.commit"})
        await told.until("conversation.item.input_audio_transcription.completed", 4)
        await session.close()

    run(test)


def test_what_waits_is_also_limited_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearings, "_MOST_WAITING_BYTES", len(silence(0.1)) + 1)

    async def test() -> None:
        ears = SlowEars()
        session, told = await opened(ears)
        for _ in range(3):
            await session.take(create())
        await told.until("error")
        assert sum(event["type"] == "conversation.item.added" for event in told.events) == 2
        ears.let.release(2)
        await session.close()

    run(test)


def test_a_thread_that_nobody_waits_for_keeps_its_place_until_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearings, "_AT_ONCE_OF_ALL", 1)

    async def test() -> None:
        begun, let = anyio.Event(), threading.Event()
        loop = asyncio.get_running_loop()

        def slowly(_: Sound) -> str:
            loop.call_soon_threadsafe(begun.set)
            assert let.wait(WAIT_S)
            return "first"

        sound = Sound(PCM, silence(0.1))
        gone, later = Hearings(slowly), Hearings(lambda _: "later")
        first = gone.begin(sound)
        await begun.wait()
        await gone.close()
        assert first.cancelled()
        words = later.begin(sound)
        assert await to_thread.run_sync(lambda: "a thread") == "a thread"
        assert not words.done()
        let.set()
        assert await words == "later"

    run(test)
