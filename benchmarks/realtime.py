"""Realtime with the offline engine, in process: how soon it answers, and how soon it notices that somebody speaks.

    python benchmarks/realtime.py

A voice asks at the pace of speech, in pieces of 20 ms, in one session. Times count from the moment in which the sound
they speak of was sent: the end of the silence that ends a turn, or the beginning of speech. With --one-by-one each
question has a session of its own. A long turn is six questions with short pauses between.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import statistics
import time
from typing import Any

import numpy as np
import psutil
from engine import QUESTIONS

from nbaudio.engine.parts import engine
from nbaudio.engine.realtime.connection import connect_in_process
from nbaudio.sound import codecs

PIECE_MS = 20
VOICE = "nova"


def spoken(text: str) -> bytes:
    """A text as PCM16, without silence at its end."""
    samples = engine().speaker.speak(text, VOICE)
    return codecs.samples_to_pcm16(samples[: np.flatnonzero(np.abs(samples) > 0.005)[-1] + 1])


def silence(seconds: float) -> bytes:
    return bytes(2 * int(24_000 * seconds))


class Caller:
    """The client's end of a session: sends at the pace of speech, and notes when what comes."""

    def __init__(self, session: Any) -> None:
        self._send, self._receive, self._close = session
        self._sent_ms = 0
        self._at: dict[int, float] = {}  # when the sound up to a millisecond was sent
        self.came: asyncio.Queue[tuple[float, dict[str, Any]]] = asyncio.Queue()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        while (event := await self._receive()) is not None:
            self.came.put_nowait((time.perf_counter(), event))

    async def speak(self, pcm16: bytes) -> None:
        size = 48 * PIECE_MS
        begin, pieces = time.perf_counter(), [pcm16[at : at + size] for at in range(0, len(pcm16), size)]
        for number, piece in enumerate(pieces, 1):
            await asyncio.sleep(max(0.0, begin + number * PIECE_MS / 1000 - time.perf_counter()))
            self._sent_ms += PIECE_MS
            self._at[self._sent_ms] = time.perf_counter()
            audio = base64.b64encode(piece.ljust(size, b"\0")).decode("ascii")
            await self._send({"type": "input_audio_buffer.append", "audio": audio})

    def sent_at(self, milliseconds: float) -> float:
        """When the sound up to then was sent."""
        return self._at[-int(-milliseconds // PIECE_MS) * PIECE_MS]

    @property
    def position_ms(self) -> int:
        return self._sent_ms

    async def next(self, kind: str) -> tuple[float, dict[str, Any]]:
        while True:
            at, event = await self.came.get()
            if event["type"] == kind:
                return at, event

    async def close(self) -> None:
        await self._close()
        await self._reading


async def call() -> Caller:
    caller = Caller(await connect_in_process(engine(), {"model": "offline"}))
    await caller.next("session.created")
    return caller


async def ask(caller: Caller, sound: bytes) -> tuple[float, float]:
    """Seconds from the end of a turn to the first sound, and from its beginning until it was noticed."""
    begins_ms = caller.position_ms
    speaking = asyncio.create_task(caller.speak(sound + silence(1.2)))
    noticed, _ = await caller.next("input_audio_buffer.speech_started")
    _, stopped = await caller.next("input_audio_buffer.speech_stopped")
    first, _ = await caller.next("response.output_audio.delta")
    await caller.next("response.done")
    await speaking
    return first - caller.sent_at(stopped["audio_end_ms"]), noticed - caller.sent_at(begins_ms + PIECE_MS)


async def interrupt(caller: Caller, sound: bytes, other: bytes) -> float:
    """Seconds from the first sound of who breaks in until the client is told to be silent."""
    asking = asyncio.create_task(caller.speak(sound + silence(0.6)))
    await caller.next("response.output_audio.delta")
    await asking
    begins_ms = caller.position_ms
    breaking_in = asyncio.create_task(caller.speak(other + silence(0.6)))
    told, _ = await caller.next("input_audio_buffer.speech_started")
    await caller.next("response.output_audio.delta")
    await caller.next("response.done")
    await breaking_in
    return told - caller.sent_at(begins_ms + PIECE_MS)


def line(what: str, seconds: list[float]) -> str:
    return f"{what:<46} {statistics.median(seconds):.3f} s at the median, {max(seconds):.3f} s at most"


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=len(QUESTIONS), help="how many (%(default)s)")
    parser.add_argument("--one-by-one", action="store_true", help="a session for each question")
    chosen = parser.parse_args()
    sounds = [spoken(text) for text in QUESTIONS[: chosen.questions]]
    caller = await call()
    await ask(caller, spoken("Good morning, how are you?"))  # loads all

    first, noticed = [], []
    for sound in sounds:
        if chosen.one_by_one:
            await caller.close()
            caller = await call()
        after, before = await ask(caller, sound)
        first.append(after)
        noticed.append(before)
    await caller.close()

    caller = await call()
    broken_in = [await interrupt(caller, one, other) for one, other in zip(sounds[:-1:3], sounds[1::3], strict=False)]
    await caller.close()

    caller = await call()
    long = silence(0.3).join(sounds[:6])
    after_long, _ = await ask(caller, long)
    await caller.close()

    seconds = [len(sound) / 48_000 for sound in sounds]
    print(f"{len(sounds)} spoken questions of {min(seconds):.1f} to {max(seconds):.1f} s, one thread for each part")
    print(line("first sound after the silence that ends a turn", first))
    print(f"{'the same, after a turn of ' + format(len(long) / 48_000, '.0f') + ' s':<46} {after_long:.3f} s")
    print(line("speech noticed after it begins", noticed))
    print(line("speech noticed while the engine speaks", broken_in))
    print(f"{'memory of the process':<46} {psutil.Process().memory_info().rss / 1e6:.0f} MB")


if __name__ == "__main__":
    asyncio.run(main())
