"""Parts of an engine that answer when they are told to, so that a test can see what happens in between.

All else is real: the HTTP, the queue, the app, the encoding of the sound.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from nbaudio.engine.hear import Passage
from nbaudio.engine.meter import Meter
from nbaudio.engine.parts import Engine
from nbaudio.engine.speak import Said

WAIT_S = 20.0


class GatedBrain:
    """Answers each question with two sentences, once the gate lets it.

    Attributes
    ----------
    begun : queue of str
        The questions whose answers were begun, in that order.
    closed : queue of str
        The questions whose answers are at an end, whatever the end was.
    """

    context_tokens = 4096

    def __init__(self) -> None:
        self.begun: queue.Queue[str] = queue.Queue()
        self.closed: queue.Queue[str] = queue.Queue()
        self._gate = threading.Semaphore(0)

    def stream(self, messages: Sequence[dict[str, str]], **_: Any) -> Generator[str, None, None]:
        question = messages[-1]["content"]
        self.begun.put(question)
        try:
            assert self._gate.acquire(timeout=WAIT_S), "the gate stayed shut"
            yield f"You said: {question}. "
            yield "That is all. "
        finally:
            self.closed.put(question)

    def let(self, sentences: int = 1) -> None:
        """Open the gate for so many answers."""
        self._gate.release(sentences)

    def next_begun(self) -> str:
        """The next question that is being answered, as soon as one is."""
        return self.begun.get(timeout=WAIT_S)


class Brooding(GatedBrain):
    """Writes a hundred sentences, each when the gate lets it.

    Attributes
    ----------
    events : queue of str
        ``written`` for each of them, and ``closed`` at the end, whatever the end was.
    """

    def __init__(self) -> None:
        super().__init__()
        self.events: queue.Queue[str] = queue.Queue()

    def stream(self, messages: Sequence[dict[str, str]], **_: Any) -> Generator[str, None, None]:
        self.begun.put(messages[-1]["content"])
        try:
            for number in range(100):
                assert self._gate.acquire(timeout=WAIT_S), "the gate stayed shut"
                self.events.put("written")
                yield f"This is sentence {number}. "
        finally:
            self.events.put("closed")


class Broken(GatedBrain):
    """Fails after so many sentences."""

    def __init__(self, sentences: int) -> None:
        super().__init__()
        self._sentences = sentences

    def stream(self, messages: Sequence[dict[str, str]], **_: Any) -> Generator[str, None, None]:
        for number in range(self._sentences):
            yield f"This is sentence {number}. And "
        raise RuntimeError("the brain is broken")


class ToneSpeaker:
    """Says everything as a tenth of a second of tone."""

    def __init__(self) -> None:
        self.spoken = Meter()

    def speak(self, text: str, voice: str = "alloy", speed: float = 1.0) -> Any:
        self.spoken.add(0.1)
        return np.sin(np.arange(2400, dtype=np.float32) / 10) * np.float32(0.1)

    def say(self, text: str, voice: str = "alloy", speed: float = 1.0) -> Iterator[Said]:
        yield Said(text, self.speak(text, voice, speed))


class OneWordListener:
    """Hears the same word in every sound."""

    def __init__(self) -> None:
        self.heard = Meter()

    def hear(self, samples: Any) -> str:
        self.heard.add(len(samples) / 16_000)
        return "Hello."

    def passages(self, blocks: Iterable[Any], **_: Any) -> Iterator[Passage]:
        duration_s = sum(map(len, blocks)) / 16_000
        self.heard.add(duration_s)
        yield Passage("Hello.", 0.0, duration_s)


def engine_of(brain: GatedBrain, most_audio_s: float = 60.0) -> Engine:
    """An engine of these parts."""
    engine = Engine(most_audio_s=most_audio_s)
    engine._brain, engine._speaker, engine._listener = brain, ToneSpeaker(), OneWordListener()  # type: ignore[assignment]
    return engine
