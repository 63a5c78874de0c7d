"""The way of an answer's pieces to its player."""

from __future__ import annotations

import itertools
import threading
import time
from typing import Any

import pytest

from nbaudio.captions.alignment import Follower
from nbaudio.widgets import feed as feed_module
from nbaudio.widgets.feed import PAUSE_S, Feed
from nbaudio.wire.answers import AudioDelta, TextDelta

SECOND = bytes(48_000)


class Page:
    """Notes what it is sent, and when."""

    def __init__(self) -> None:
        self.messages: list[tuple[float, dict[str, Any], bytes]] = []
        self.first = threading.Event()
        self.phrases = threading.Event()

    def take(self, message: dict[str, Any], pcm16: bytes) -> None:
        self.messages.append((time.monotonic(), message, pcm16))
        self.first.set()
        if "phrases" in message:
            self.phrases.set()


def test_the_first_piece_goes_without_waiting_for_another() -> None:
    page = Page()
    feed = Feed(page.take, Follower(24_000, exact=True))
    feed.add(TextDelta("Hello."))

    assert page.first.wait(10)
    assert feed.finish() == 0
    assert [message["words"] for _, message, _ in page.messages if message["words"]] == ["Hello."]


def test_many_small_pieces_become_few_messages_and_nothing_is_lost() -> None:
    page = Page()
    feed = Feed(page.take, Follower(24_000, exact=True))
    sent = b""
    for number in range(500):
        feed.add(TextDelta(f"{number} "))
        piece = number.to_bytes(2, "little") * 24
        sent += piece
        feed.add(AudioDelta(piece))
    frames = feed.finish()

    assert frames == len(sent) // 2
    assert b"".join(sound for _, _, sound in page.messages) == sent
    assert "".join(message["words"] for _, message, _ in page.messages) == "".join(f"{n} " for n in range(500))
    assert len(page.messages) < 100
    sounding = [at for at, _, sound in page.messages if sound]
    assert all(later - earlier >= 0.9 * PAUSE_S for earlier, later in itertools.pairwise(sounding[1:]))


def test_the_first_sound_waits_behind_no_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "PAUSE_S", 1.0)
    page = Page()
    feed = Feed(page.take, Follower(24_000, exact=True))
    feed.add(TextDelta("Hello."))
    assert page.first.wait(10)
    feed.add(AudioDelta(SECOND[:4800]))
    feed.finish()
    (words_at, *_), (sound_at, _, sound) = page.messages[:2]
    assert sound
    assert sound_at - words_at < 0.9


@pytest.mark.parametrize(("ahead", "waits"), [(SECOND[:9600], False), (SECOND[:960], True)])
def test_the_second_sound_goes_at_once_only_where_it_is_ahead_of_its_time(
    ahead: bytes, waits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "PAUSE_S", 1.0)
    page = Page()
    feed = Feed(page.take, Follower(24_000, exact=True))
    feed.add(AudioDelta(SECOND[:4800]))
    assert page.first.wait(10)
    feed.add(AudioDelta(ahead))
    page.first.clear()
    assert page.first.wait(10)
    feed.add(AudioDelta(SECOND))
    feed.finish()
    first, second, third = (at for at, _, sound in page.messages if sound)
    assert (second - first >= 0.9) is waits
    assert third - first >= 1.9  # it takes the place of the third


def test_pieces_with_sound_are_numbered_and_say_where_they_begin() -> None:
    page = Page()
    feed = Feed(page.take, Follower(24_000, exact=True))
    for _ in range(3):
        page.first.clear()
        feed.add(AudioDelta(SECOND))
        assert page.first.wait(10)  # so that each is a message of its own
    feed.finish()

    assert [(m["index"], m["frames_before"]) for _, m, _ in page.messages] == [(0, 0), (1, 24_000), (2, 48_000)]
    assert all("phrases" not in message for _, message, _ in page.messages)


def test_phrases_follow_their_sound() -> None:
    page = Page()
    feed = Feed(page.take, Follower(24_000, exact=True))
    for text in ("Good morning. ", "How are you?"):
        feed.add(TextDelta(text))
        feed.add(AudioDelta(SECOND))
    assert page.phrases.wait(10)  # although nothing more comes
    feed.finish()

    said = [phrase for _, message, _ in page.messages for phrase in message.get("phrases", [])]
    assert ["Good morning.", 0.0, 1.0] in said
    assert "phrases" not in page.messages[0][1]
