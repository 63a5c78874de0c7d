"""An open session of a `VoiceChat`: between a page that the test is and a Realtime server on the loopback."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from realtime_server import KEY, RealtimeServer, realtime_server

import nbaudio as nba
from nbaudio.turns import INTERRUPTED
from nbaudio.widgets.chat_session import Microphone
from nbaudio.widgets.page_playback import PagePlayback
from nbaudio.widgets.recorder import Recorder
from nbaudio.widgets.voice_chat import VoiceChat

LIMIT_S = 20.0
PIECE = 1920  # bytes: 40 ms
QUIET = bytes(48 * 600)


def tone(duration_s: float) -> bytes:
    phase = np.arange(int(duration_s * 24_000)) * (2 * np.pi * 220 / 24_000)
    return bytes((np.sin(phase) * 12_000).astype("<i2").tobytes())


class Page:
    """The page of a chat with an open session: it plays nothing until it says that it has."""

    def __init__(self, widget: VoiceChat) -> None:
        self.widget = widget
        self.heard: list[tuple[dict[str, Any], bytes]] = []
        self.stops_at: int | None = 0
        """How many frames of each item it has played when it is hushed; None: it does not answer."""
        self._spoken = 0
        self._news = threading.Condition()
        widget.observe(lambda _: self._note(), list(widget.keys))

    def take(self, content: dict[str, Any], buffers: list[bytes]) -> None:
        with self._news:
            self.heard.append((content, b"".join(buffers)))
        if content["kind"] == "hush" and self.stops_at is not None:
            items = list(dict.fromkeys(one["item"] for one, _ in self.heard if one["kind"] == "said"))
            self.says(kind="hushed", number=content["number"], played=dict.fromkeys(items, self.stops_at), sounded="")
        self._note()

    def _note(self) -> None:
        with self._news:
            self._news.notify_all()

    def says(self, buffers: tuple[bytes, ...] = (), **content: Any) -> None:
        self.widget._handle_custom_msg(content, list(buffers))

    def speaks(self, pcm16: bytes) -> None:
        for start in range(0, len(pcm16), PIECE):
            self.says((pcm16[start : start + PIECE],), kind="heard", index=self._spoken)
            self._spoken += 1

    def of(self, kind: str) -> list[tuple[dict[str, Any], bytes]]:
        with self._news:
            return [(message, sound) for message, sound in self.heard if message["kind"] == kind]

    def until(self, met: Callable[[], Any]) -> None:
        end_s = time.monotonic() + LIMIT_S
        with self._news:
            while not met():
                assert time.monotonic() < end_s, (self.widget.session, self.widget.trouble, self.widget.notice)
                self._news.wait(0.05)

    def opens(self) -> None:
        self.says(kind="open")
        self.until(lambda: self.widget.session == "open")

    def ends(self) -> None:
        self.says(kind="close", played={}, sounded="")
        self.until(lambda: self.widget.session == "closed")


Open = Callable[..., Page]


@pytest.fixture
def server() -> Iterator[RealtimeServer]:
    with realtime_server() as running:
        yield running


@pytest.fixture
def opened(server: RealtimeServer, journal_file: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    pages: dict[VoiceChat, Page] = {}
    monkeypatch.setenv("REALTIME_KEY", KEY)
    monkeypatch.setattr(Recorder, "send", lambda *_, **__: None)
    monkeypatch.setattr(
        VoiceChat, "send", lambda self, content, buffers=(): pages[self].take(content, list(buffers or ()))
    )
    backend = nba.connect(server.url, "gpt-realtime-2.1", key="env:REALTIME_KEY", dialect="openai")

    def opener(realtime: Any = True, **options: Any) -> Page:
        widget = VoiceChat(nba.Conversation(backend=backend, **options), realtime=realtime)
        pages[widget] = Page(widget)
        return pages[widget]

    yield opener
    for widget, page in pages.items():
        widget.close()
        page.until(lambda widget=widget: widget._talk.state == "closed")


class TestTalking:
    def test_what_is_heard_is_answered_and_said_on_the_page(self, server: RealtimeServer, opened: Open) -> None:
        page = opened()
        page.stops_at = 28_800
        page.says(kind="open")
        page.speaks(tone(0.2))  # the session may not be open yet: nothing of it is lost
        page.until(lambda: page.widget.session == "open")
        page.speaks(tone(0.8) + QUIET)
        page.until(lambda: len(page.widget.turns) == 2 and page.of("all said"))
        page.ends()

        question, answer = page.widget.chat
        assert question.clip is not None
        assert question.clip.duration_s == pytest.approx(1.0, abs=0.01)
        assert (question.transcript, answer.text) == (server.heard, server.words)
        assert [turn["words"] for turn in page.widget.turns] == [server.heard, server.words]
        assert answer.clip is not None
        said = b"".join(sound for _, sound in page.of("said"))
        assert said == answer.clip.encode("pcm16")
        frames = [message["frames_before"] for message, _ in page.of("said")]
        assert (frames, page.of("all said")[0][0]["frames"]) == (sorted(set(frames)), len(said) // 2)
        assert page.of("piece") == [] or not any(sound for _, sound in page.of("piece"))
        assert [message["began"] for message, _ in page.of("speech")] == [True, False]

    def test_words_that_are_typed_go_to_the_session(self, server: RealtimeServer, opened: Open) -> None:
        page = opened()
        page.opens()
        page.says(kind="say", text="And a cat?")
        page.until(lambda: len(page.widget.turns) == 2)
        assert page.widget.asked_times == 2  # once for the session, once for the words
        assert not page.widget.busy
        assert [turn.text for turn in page.widget.chat] == ["And a cat?", server.words]

    def test_push_to_talk(self, server: RealtimeServer, opened: Open) -> None:
        page = opened(realtime={"turn_detection": "push_to_talk"})
        assert page.widget.hold_to_talk
        page.opens()
        for count in (2, 4):
            page.speaks(tone(0.3))
            page.says(kind="turn over", index=page._spoken)
            page.until(lambda count=count: len(page.widget.turns) == count)
        assert [turn.role for turn in page.widget.chat] == ["user", "assistant"] * 2
        assert page.widget.chat[2].clip.duration_s == pytest.approx(0.3)  # type: ignore[union-attr]

    def test_one_session_after_the_other_goes_on_with_the_conversation(
        self, server: RealtimeServer, opened: Open
    ) -> None:
        page = opened()
        page.stops_at = 1_000_000
        for count in (2, 4):
            page.opens()
            page.says(kind="say", text="And a cat?")
            page.until(lambda count=count: len(page.widget.turns) == count)
            page.ends()
        items = server.wait_for("conversation.item.create", 4)
        assert [item["item"]["role"] for item in items] == ["user", "user", "assistant", "user"]


class TestInterrupting:
    def test_the_history_holds_what_the_page_has_played(self, server: RealtimeServer, opened: Open) -> None:
        page = opened()
        page.opens()
        server.hold.clear()
        page.says(kind="say", text="Is it a good dog?")
        page.until(lambda: page.of("said"))
        page.stops_at = 7_200
        page.speaks(tone(0.4))
        page.until(lambda: len(page.widget.chat) == 2)

        heard = page.widget.chat[1]
        assert isinstance(heard, nba.Reply)
        assert heard.clip is not None
        assert (heard.clip.frames, heard.note) == (7_200, INTERRUPTED)
        assert server.wait_for("conversation.item.truncate")[0]["audio_end_ms"] == 300
        assert len(page.of("hush")) == 1

    def test_what_comes_of_it_afterwards_is_not_said(self, server: RealtimeServer, opened: Open) -> None:
        page = opened()
        page.opens()
        page.stops_at = 4_800
        page.says(kind="say", text="Is it a good dog?")
        page.until(lambda: page.of("all said"))
        page.speaks(tone(0.4) + QUIET)
        page.until(lambda: len(page.of("all said")) == 2)
        first, second = (message["item"] for message, _ in page.of("all said"))
        kinds = [(message["kind"], message.get("item")) for message, _ in page.heard]
        assert kinds.index(("hush", None)) < kinds.index(("said", second))
        assert ("said", first) not in kinds[kinds.index(("hush", None)) :]
        assert page.widget.chat[1].clip.frames == 4_800  # type: ignore[union-attr]

    def test_an_answer_of_which_nothing_was_played_is_no_turn(self, server: RealtimeServer, opened: Open) -> None:
        page = opened()
        page.opens()
        page.says(kind="say", text="Is it a good dog?")
        page.until(lambda: page.of("all said"))
        page.speaks(tone(0.4))
        page.until(lambda: [turn.role for turn in page.widget.chat] == ["user"])

    def test_a_page_that_says_nothing_is_taken_to_have_played_on(self, server: RealtimeServer, opened: Open) -> None:
        page = opened()
        page.opens()
        page.stops_at = None
        page.says(kind="say", text="Is it a good dog?")
        page.until(lambda: page.of("all said"))
        item = page.of("said")[0][0]["item"]
        page.says(kind="played", item=item, frames=12_000, sounding=False)
        page.speaks(tone(0.4))
        page.until(lambda: isinstance(page.widget.chat[-1], nba.Reply) and page.widget.chat[-1].partial)
        assert page.widget.chat[1].clip.frames == 12_000  # type: ignore[union-attr]

    def test_by_the_button(self, server: RealtimeServer, opened: Open) -> None:
        page = opened()
        page.opens()
        page.says(kind="say", text="Is it a good dog?")
        page.until(lambda: page.of("all said"))
        item = page.of("said")[0][0]["item"]
        page.stops_at = 9_000  # the page says so twice
        page.says(kind="interrupt", played={item: 9_000}, sounded=item)
        page.until(lambda: page.widget.chat[-1].clip.frames == 9_000)
        server.wait_for("conversation.item.truncate")

    def test_who_ends_the_session_has_heard_what_sounded(self, server: RealtimeServer, opened: Open) -> None:
        page = opened()
        page.opens()
        page.says(kind="say", text="Is it a good dog?")
        page.until(lambda: page.of("all said"))
        item = page.of("said")[0][0]["item"]
        page.says(kind="close", played={item: 12_000}, sounded=item)
        page.until(lambda: page.widget.session == "closed")
        assert page.widget.chat[-1].clip.frames == 12_000


class TestTwoPages:
    """A session is that of the page which began it, by its id."""

    def test_the_end_of_another_session_ends_nothing(self, server: RealtimeServer, opened: Open) -> None:
        page = opened()
        page.says(kind="open", session="a")
        page.until(lambda: page.widget.session == "open")
        assert page.widget.session_id == "a"
        page.says(kind="close", session="a")  # it is taken over
        page.until(lambda: page.widget.session == "closed")
        page.says(kind="open", session="b")
        page.says(kind="close", session="a")  # the page that had it says so too, late
        page.until(lambda: page.widget.session == "open")
        assert page.widget.session_id == "b"
        page.says(kind="say", text="Still there?")
        page.until(lambda: len(page.widget.turns) == 2)

    def test_what_another_page_hears_is_not_sent(self, server: RealtimeServer, opened: Open) -> None:
        page = opened(realtime={"turn_detection": "push_to_talk"})
        page.says(kind="open", session="a")
        page.until(lambda: page.widget.session == "open")
        for index in range(5):
            for session, piece in (("b", bytes(PIECE)), ("a", tone(0.04))):
                page.says((piece,), kind="heard", index=index, session=session)
        page.says(kind="turn over", index=2, session="b")
        page.says(kind="turn over", index=5, session="a")
        page.until(lambda: len(page.widget.turns) == 2)
        question = page.widget.chat[0].clip
        assert question is not None
        assert question.encode("pcm16") == tone(0.04) * 5

    def test_another_page_begins_nothing_while_there_is_one(self, server: RealtimeServer, opened: Open) -> None:
        page = opened()
        page.says(kind="open", session="a")
        page.says(kind="open", session="b")
        page.until(lambda: page.widget.session == "open")
        assert page.widget.session_id == "a"  # by which the other one knows
        page.says(kind="close", session="b")
        page.says(kind="say", text="Still there?")
        page.until(lambda: len(page.widget.turns) == 2)

    def test_begun_again_before_it_is_over(self, server: RealtimeServer, opened: Open) -> None:
        page = opened()
        server.gate.clear()
        for session in ("a", "b", "c"):
            page.says(kind="open", session=session)
            if session != "c":
                page.says(kind="close", session=session)
        page.says((tone(0.8),), kind="heard", index=0, session="c")  # kept until it is open
        server.gate.set()
        page.until(lambda: page.widget.session == "open")
        assert page.widget.session_id == "c"
        page.says((QUIET,), kind="heard", index=1, session="c")
        page.until(lambda: len(page.widget.turns) == 2)
        page.says(kind="close", session="c")
        page.until(lambda: page.widget.session == "closed")
        server.wait_until_gone()

    def test_begun_again_while_it_ends(self, server: RealtimeServer, opened: Open) -> None:
        page = opened()
        for session in ("a", "b"):
            page.says(kind="open", session=session)
            page.until(lambda session=session: (page.widget.session, page.widget.session_id) == ("open", session))
            page.says(kind="close", session=session)
        page.until(lambda: page.widget.session == "closed")
        assert len(server.connections) == 2

    def test_a_page_is_told_of_a_session_that_could_not_begin(self, opened: Open) -> None:
        page = opened(realtime={"tool_choice": "a tool that there is not"})
        page.says(kind="open", session="a")
        page.until(lambda: page.widget.trouble)
        assert (page.widget.session, page.widget.session_id) == ("closed", "a")

    def test_a_program_begins_one_that_no_page_has(self, server: RealtimeServer, opened: Open) -> None:
        page = opened()
        found = []
        for _ in range(2):
            page.widget.begin_talking()
            page.until(lambda: page.widget.session == "open")
            found.append(page.widget.session_id)
            page.widget.end_talking()
            page.until(lambda: page.widget.session == "closed")
        assert len({"", *found}) == 3


class TestTypedWhileItOpens:
    def test_words_wait_for_the_session(self, server: RealtimeServer, opened: Open) -> None:
        page = opened()
        server.gate.clear()
        page.says(kind="open")
        page.says(kind="say", text="Hello")
        page.until(lambda: page.widget.asked_times == 2)  # the page knows that they were heard
        assert (page.widget.busy, page.widget.trouble) == (False, {})
        server.gate.set()
        page.until(lambda: len(page.widget.turns) == 2)
        assert [turn.text for turn in page.widget.chat] == ["Hello", server.words]
        assert not page.widget.trouble

    def test_they_are_given_back_where_it_does_not_open(self, server: RealtimeServer, opened: Open) -> None:
        page = opened()
        server.gate.clear()
        server.refuse = (401, {"error": {"message": f"Incorrect API key: {KEY}.", "code": "invalid_api_key"}})
        page.says(kind="open")
        page.says(kind="say", text="Hello")
        page.says(kind="say", text="Is anybody there?")
        server.gate.set()
        page.until(lambda: page.widget.trouble.get("typed"))
        assert page.widget.trouble["typed"] == "Hello\n\nIs anybody there?"
        assert "key" in page.widget.trouble["words"]
        assert page.widget.trouble["session"]
        assert len(page.widget.chat) == 0

    def test_they_are_given_back_where_the_person_ends_it(self, server: RealtimeServer, opened: Open) -> None:
        page = opened()
        server.silent_on_update = True
        page.says(kind="open")
        page.says(kind="say", text="Hello")
        page.ends()
        page.until(lambda: page.widget.trouble.get("typed") == "Hello")


class TestTroubles:
    def test_a_refused_key(self, server: RealtimeServer, opened: Open) -> None:
        server.refuse = (401, {"error": {"message": f"Incorrect API key: {KEY}.", "code": "invalid_api_key"}})
        page = opened()
        page.says(kind="open")
        page.until(lambda: page.widget.trouble)
        assert page.widget.session == "closed"
        assert "key" in page.widget.trouble["words"]
        assert KEY not in page.widget.trouble["words"]
        first = page.widget.trouble
        page.says(kind="open")
        page.until(lambda: page.widget.trouble and page.widget.trouble != first)  # the page is told once more
        server.refuse = None
        page.says(kind="again")
        page.until(lambda: page.widget.session == "open" and not page.widget.trouble)

    def test_a_connection_that_breaks_off_is_told_and_comes_back(self, server: RealtimeServer, opened: Open) -> None:
        page = opened()
        page.opens()
        server.wait_for_connection(1).drop()
        page.until(lambda: "It is open again" in page.widget.notice)
        page.says(kind="say", text="Still there?")
        page.until(lambda: len(page.widget.turns) == 2)

    def test_ended_while_it_is_being_opened(self, server: RealtimeServer, opened: Open) -> None:
        server.silent_on_update = True
        page = opened()
        page.says(kind="open")
        server.wait_for("session.update")
        assert page.widget.session in ("closed", "opening")
        page.ends()
        assert not page.widget.trouble

    def test_a_session_that_there_is_is_not_opened_twice(self, server: RealtimeServer, opened: Open) -> None:
        page = opened()
        page.opens()
        page.says(kind="open")
        page.says(kind="say", text="Hello.")
        page.until(lambda: len(page.widget.turns) == 2)
        assert len(server.connections) == 1

    def test_a_page_that_is_gone(self, server: RealtimeServer, opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("nbaudio.widgets.chat_session._NOBODY_S", 0.2)
        page = opened()
        page.says(kind="open")
        page.until(lambda: "Nothing has come from the page" in page.widget.notice)
        page.until(lambda: page.widget.session == "closed")

    def test_a_page_that_is_gone_where_a_button_is_to_be_held(
        self, server: RealtimeServer, opened: Open, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("nbaudio.widgets.chat_session._NOBODY_S", 0.2)
        page = opened(realtime={"turn_detection": "push_to_talk"})
        page.says(kind="open")
        page.until(lambda: "Nothing has come from the page" in page.widget.notice)
        page.until(lambda: page.widget.session == "closed")

    @pytest.mark.parametrize("content", [{"kind": "here"}, {"kind": "say", "text": "And a cat?"}], ids=["here", "say"])
    def test_a_page_without_a_microphone_is_there(
        self, server: RealtimeServer, opened: Open, monkeypatch: pytest.MonkeyPatch, content: dict[str, Any]
    ) -> None:
        monkeypatch.setattr("nbaudio.widgets.chat_session._NOBODY_S", 1.5)
        page = opened()
        page.opens()
        ends_s = time.monotonic() + 2.5
        while time.monotonic() < ends_s:
            page.says(**content)
            time.sleep(0.25)  # as the minutes go by
        assert (page.widget.session, page.widget.notice) == ("open", "")

    @pytest.mark.parametrize(
        "content",
        [
            {"kind": "heard"},
            {"kind": "played", "item": "nobody's", "frames": "many", "sounding": 3},
            {"kind": "hushed", "number": 10**9, "played": [1, 2]},
            {"kind": "interrupt", "played": {"a": None}},
            {"kind": "turn over"},
            {"kind": "close"},
            {},
        ],
    )
    def test_a_page_that_says_nonsense(self, opened: Open, content: dict[str, Any]) -> None:
        page = opened()
        page.says(**content)
        page.opens()
        page.says(**content)
        if content.get("kind") != "close":
            page.says(kind="say", text="Hello.")
            page.until(lambda: len(page.widget.turns) == 2)


def test_the_pieces_of_a_page_that_nobody_reads_do_not_pile_up() -> None:
    microphone = Microphone()
    for _ in range(20_000):
        microphone.put(bytes(PIECE))
    assert len(microphone._pieces) == 7_500


def test_what_comes_out_of_order_is_put_in_order() -> None:
    microphone = Microphone()
    for index in (1, 0, 3):
        microphone.put(bytes([index] * 2), index)
    microphone.put(None, 5)  # it has overtaken two pieces
    for index in (2, 0, 4, 5, -1, 10**12):
        microphone.put(bytes([index % 256] * 2), index)
    assert list(microphone._pieces) == [*(bytes([index] * 2) for index in range(5)), None, bytes([5, 5])]


def test_a_piece_that_is_lost_is_not_waited_for_longer_than_200_ms() -> None:
    microphone = Microphone()
    for index in range(1, 7):
        microphone.put(bytes(2), index)
    assert len(microphone._pieces) == 6
    microphone.put(None)
    assert microphone._pieces[-1] is None


def test_between_two_reports_the_page_is_taken_to_play_on() -> None:
    now_s = [0.0]
    sent: list[dict[str, Any]] = []
    playback = PagePlayback(lambda message, sounds: sent.append(message), lambda: now_s[0])
    playback.play("a", bytes(48_000))
    playback.hear({"kind": "played", "item": "a", "frames": 4_800, "sounding": True})
    now_s[0] = 0.1
    assert playback.played_ms("a") == 300
    now_s[0] = 9.0  # it has stopped telling
    assert playback.played_ms("a") == 600
    assert playback.played_ms("b") is None
    playback.close()
