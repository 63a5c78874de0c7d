"""The answers that come to a conversation just now, on their way to the page of a `VoiceChat`."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from nbaudio.captions.alignment import Follower
from nbaudio.conversation.again import Again
from nbaudio.conversation.talk import Conversation
from nbaudio.errors import NbaudioError
from nbaudio.settings import settings
from nbaudio.turns import Reply, Turn
from nbaudio.widgets.asking import Asking
from nbaudio.widgets.chat_turns import entry_of, key_of
from nbaudio.widgets.feed import Feed
from nbaudio.wire.answers import STREAM_SAMPLE_RATE, AudioDelta, TextDelta

__all__ = ["Arrivals"]

Send = Callable[[Any, Any], None]


class Arrivals:
    """Takes questions and pieces of answers from whatever thread, and sends the pieces on.

    The sound of what a cell asks is not sent: the cell has a player of its own.

    Parameters
    ----------
    chat : Conversation
    asking : Asking
        Which asks what is asked here, not in a cell.
    send : callable
        Sends a message with its sounds to the page.
    """

    def __init__(self, chat: Conversation, asking: Asking, send: Send) -> None:
        self._chat, self._asking, self._send = chat, asking, send
        self._lock = threading.Lock()
        self._now: dict[str, _Arrival] = {}  # by the question's id
        self._heard: dict[str, str] = {}  # the keys of replies that were heard here, and those they arrived under

    def begin(self, question: Turn, *, aloud: bool, in_session: bool = False, by_page: bool = False) -> None:
        """A question is about to be sent; in an open session the page gets the answer's sound by another way."""
        here, turns = self._asking.is_here(), list(self._chat)
        after = _after(question, turns)
        known = {"here": here or in_session, "aloud": aloud and here, "by_page": by_page}
        arrival = _Arrival(question, after, self._send, **known)
        if arrival.after is not None:
            arrival.parts += Again.of(turns).rounds
        with self._lock:
            self._now[question.id] = arrival

    def written(self, question: Turn) -> None:
        """The words of a question are known that was sent as sound."""
        with self._lock:
            if question.id in self._now:
                self._now[question.id].question = question

    def add(self, question: Turn, event: TextDelta | AudioDelta) -> None:
        """Take a piece of its answer."""
        with self._lock:
            arrival = self._now.get(question.id)
        if arrival is not None and (arrival.aloud or isinstance(event, TextDelta)):
            arrival.feed.add(event)

    def go_on(self, question: Turn, turn: Turn) -> None:
        """The question has come to a call of tools, or to a result; the next answer to it is another on the page."""
        with self._lock:
            arrival = self._now.get(question.id)
            if arrival is None:
                return
            arrival.parts.append(turn)
        if isinstance(turn, Reply) and (turn.text or turn.clips):
            self._finish(arrival, turn)
            with self._lock:
                self._now[question.id] = arrival.next()

    def end(self, question: Turn, turns: Sequence[Turn]) -> None:
        """The question is over, with these turns."""
        with self._lock:
            arrival = self._now.get(question.id)
        if arrival is not None:
            last = turns[-1] if turns else None
            self._finish(arrival, last if isinstance(last, Reply) else None, over=True)

    def _finish(self, arrival: _Arrival, reply: Reply | None, *, over: bool = False) -> None:
        """An answer has come to its end, and is this reply, where it is in the conversation."""
        frames = arrival.feed.finish()
        with self._lock:
            if reply is not None:
                self._heard[key_of(reply)] = arrival.key
            if over:
                del self._now[arrival.question.id]
        self._send({"kind": "whole", "answer": arrival.key, "frames": frames}, [])

    def heard_as(self, turn: Turn) -> str:
        """Under which key a reply was heard on the page while it came; empty where it was not."""
        return self._heard.get(key_of(turn), "")

    def turns(self) -> list[Turn]:
        """What has been asked, and what has come of it, that is not in the conversation yet."""
        with self._lock:
            return [turn for arrival in self._now.values() for turn in (arrival.question, *arrival.parts)]

    def settling(self, turns: Sequence[Turn]) -> bool:
        """Whether an answer has come into the conversation of whose end the page has not been told: it will be, now."""
        with self._lock:
            return any(_after(arrival.question, turns) != arrival.after for arrival in self._now.values())

    def entries(self, turns: Sequence[Turn]) -> list[dict[str, Any]]:
        """What the page is told of those that arrive."""
        backend = ""
        with suppress(NbaudioError):
            backend = settings().resolve().name
        with self._lock:
            return [
                {
                    "key": arrival.key,
                    "question": entry_of(arrival.question),
                    "parts": [entry_of(turn, self._heard.get(key_of(turn), "")) for turn in arrival.parts],
                    "instead": arrival.after is not None,
                    "aloud": arrival.aloud,
                    "here": arrival.here,
                    "by_page": arrival.by_page,
                    "source": backend,
                }
                for arrival in self._now.values()
            ]

    def repeat(self) -> None:
        """Send again the words that have come so far, to a page that is new to them."""
        with self._lock:
            now = list(self._now.values())
        for arrival in now:
            arrival.repeat()

    def close(self) -> None:
        """Send nothing more."""
        with self._lock:
            now = list(self._now.values())
            self._now.clear()
        for arrival in now:
            arrival.close()


class _Arrival:
    """One answer that comes; `after` are the turns that stood behind its question when it was asked again.

    `parts` are those that have come of the question before this answer.
    """

    def __init__(
        self, question: Turn, after: tuple[str, ...] | None, send: Send, *, here: bool, aloud: bool, by_page: bool
    ) -> None:
        self.question, self.after, self.here, self.aloud, self.by_page = question, after, here, aloud, by_page
        self.parts: list[Turn] = []
        self.key = uuid.uuid4().hex
        self._to_page = send
        self._words = ""
        self._lock = threading.Lock()
        self._closed = False
        self.feed = Feed(self._send, Follower(STREAM_SAMPLE_RATE, exact=_is_exact()))

    def _send(self, message: dict[str, object], pcm16: bytes) -> None:
        with self._lock:
            self._words += str(message["words"])
            if not self._closed:
                self._to_page({**message, "answer": self.key, "by_page": self.by_page}, [pcm16])

    def next(self) -> _Arrival:
        known = {"here": self.here, "aloud": self.aloud, "by_page": self.by_page}
        other = _Arrival(self.question, self.after, self._to_page, **known)
        other.parts = self.parts
        return other

    def repeat(self) -> None:
        with self._lock:
            self._to_page({"kind": "so far", "answer": self.key, "words": self._words}, [])

    def close(self) -> None:
        with self._lock:
            self._closed = True
        self.feed.finish()


def _after(question: Turn, turns: Sequence[Turn]) -> tuple[str, ...] | None:
    """The ids of the turns behind a question; None where it is not among them."""
    ids = [turn.id for turn in turns]
    return tuple(ids[ids.index(question.id) + 1 :]) if question.id in ids else None


def _is_exact() -> bool:
    """Whether each sound follows its own words: the offline engine sends it so."""
    with suppress(NbaudioError):
        return settings().resolve().offline
    return False
