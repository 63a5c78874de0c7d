"""The chat on the kernel's side: it asks beside the cells, and is one with its conversation, both ways."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openai_server import Gate, OpenAIServer, ToolCall

import nbaudio as nba
from nbaudio.widgets import chat_output
from nbaudio.widgets.asking import Asking
from nbaudio.widgets.chat_turns import Tally
from nbaudio.widgets.lately import Lately
from nbaudio.widgets.recorder import Recorder
from nbaudio.widgets.voice_chat import VOICES, VoiceChat

LIMIT_S = 20.0
LIVE = {"content": {"allow_stdin": True}, "metadata": {"cellId": "a-cell"}}


class Page:
    """The page of one chat: what it is sent, and what it says."""

    def __init__(self, widget: VoiceChat) -> None:
        self.widget = widget
        self.heard: list[tuple[dict[str, Any], list[bytes]]] = []
        self.times_s: list[float] = []
        self._news = threading.Condition()
        widget.observe(lambda _: self._note(), list(widget.keys))

    def take(self, content: dict[str, Any], buffers: list[bytes]) -> None:
        self.heard.append((content, buffers))
        self._note()

    def _note(self) -> None:
        with self._news:
            self.times_s.append(time.monotonic())
            self._news.notify_all()

    def says(self, **content: Any) -> None:
        self.widget._handle_custom_msg(content, [])

    def until(self, met: Callable[[], Any]) -> None:
        end_s = time.monotonic() + LIMIT_S
        with self._news:
            while not met():
                assert time.monotonic() < end_s, (self.words, self.widget.trouble, self.kinds())
                self._news.wait(0.05)  # or sooner, at the next news; not all that is waited for is told

    def until_idle(self) -> None:
        """Wait until what was asked is over, and the page knows what became of it."""
        assert self.widget._asking.wait(LIMIT_S)
        self.until(lambda: not self.widget.busy and not self.widget.arriving and self.knows())

    def knows(self) -> bool:
        """Whether the page shows the end of the conversation as it is."""
        turns = list(self.widget.chat)
        told = self.widget.asked_times == self.widget._count and bool(self.widget.trouble) == bool(self.widget._failed)
        return told and len(self.widget.turns) + self.widget.earlier == len(turns) and not self.widget._changed.is_set()

    @property
    def words(self) -> list[tuple[str, str]]:
        return [(turn["role"], turn["words"]) for turn in self.widget.turns]

    def kinds(self) -> list[str]:
        return [message["kind"] for message, _ in list(self.heard)]

    def of(self, kind: str) -> list[tuple[dict[str, Any], list[bytes]]]:
        return [(message, buffers) for message, buffers in list(self.heard) if message["kind"] == kind]


Open = Callable[..., Page]


@pytest.fixture(autouse=True)
def _folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platformdirs.user_data_dir", lambda name, *_, **__: str(tmp_path / name))


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Opens chats, and closes them after the test."""
    pages: dict[VoiceChat, Page] = {}
    monkeypatch.setattr(
        VoiceChat, "send", lambda self, content, buffers=(): pages[self].take(content, list(buffers or ()))
    )
    monkeypatch.setattr(Recorder, "send", lambda *_, **__: None)

    def opener(chat: nba.Conversation | None = None, **options: Any) -> Page:
        widget = VoiceChat(chat if chat is not None else nba.Conversation(), **options)
        pages[widget] = Page(widget)
        return pages[widget]

    yield opener
    for widget in list(pages):
        widget.close()
        assert widget._asking.wait(LIMIT_S)


def tone(duration_s: float = 1.0) -> nba.Clip:
    return nba.Clip(np.sin(np.arange(int(24_000 * duration_s)) / 9).astype(np.float32) / 4, sample_rate=24_000)


class TestAsking:
    def test_what_is_typed_is_asked_and_heard_while_it_comes(self, server: OpenAIServer, opened: Open) -> None:
        page = opened()
        page.says(kind="say", text="Is it a good dog?")
        page.until_idle()

        assert page.words == [("user", "Is it a good dog?"), ("assistant", server.words)]
        assert [turn.role for turn in page.widget.chat] == ["user", "assistant"]
        pieces = page.of("piece")
        assert "".join(message["words"] for message, _ in pieces) == server.words
        reply = page.widget.chat[1]
        assert isinstance(reply, nba.Reply)
        assert reply.clip is not None
        frames = sum(len(buffers[0]) for _, buffers in pieces) // 2
        assert frames == reply.clip.frames
        ((whole, _),) = page.of("whole")
        assert whole["frames"] == frames
        # The same key: what sounds in the page goes on, and its words follow it.
        assert page.widget.turns[1]["key"] == whole["answer"] == pieces[0][0]["answer"]
        assert [text for text, _, _ in page.widget.turns[1]["phrases"]] == [phrase.text for phrase in reply.captions]
        assert page.widget.spent.startswith(
            f"{reply.usage.input_tokens:,} tokens in, {reply.usage.output_tokens:,} out; $"
        )

    def test_the_page_is_told_whether_a_person_asked_at_one_or_a_program(
        self, server: OpenAIServer, opened: Open
    ) -> None:
        page = opened()
        asks = (
            lambda: page.says(kind="say", text="Hello"),
            lambda: page.widget.say("Hello"),
            lambda: page.says(kind="retry"),
            page.widget.retry,
        )
        for ask in asks:
            ask()
            page.until_idle()
        told = {message["answer"]: message["by_page"] for message, _ in page.of("piece")}
        assert list(told.values()) == [True, False, True, False]

    def test_nobody_waits_for_it(self, server: OpenAIServer, opened: Open) -> None:
        server.gate = Gate(pieces=2)
        page = opened()
        page.says(kind="say", text="Hello")  # returns although the answer stands still
        server.gate.wait_until_held()
        page.until(lambda: page.widget.busy and page.widget.arriving and page.of("piece"))
        assert [one["question"]["words"] for one in page.widget.arriving] == ["Hello"]
        assert page.words == []
        server.gate.open()
        page.until_idle()

    def test_an_answer_in_words_alone(self, server: OpenAIServer, opened: Open) -> None:
        page = opened(aloud=False)
        page.widget.say(
            tone()
        )  # its models take words or sound in, or give words or sound out, but not words for words
        page.until_idle()
        assert page.widget.turns[1]["duration_s"] == 0
        assert all(buffers == [b""] for _, buffers in page.of("piece"))
        assert "audio" not in server.requests[0].body["modalities"]

    def test_the_chosen_voice_answers(self, server: OpenAIServer, opened: Open) -> None:
        page = opened(nba.Conversation(voice="coral"))
        assert page.widget.voice == "coral"
        page.widget.set_state({"voice": "sage"})
        page.widget.say("Hello")
        page.until_idle()
        assert server.requests[0].body["audio"]["voice"] == "sage"
        assert page.widget.turns[1]["speaker"].endswith(", sage")

    def test_a_recording_is_asked(self, server: OpenAIServer, opened: Open) -> None:
        page = opened()
        recorder = page.widget.recorder
        sound = tone().encode("wav")[44:]
        for content, buffers in (
            ({"kind": "begin", "take": "t", "sample_rate": 24_000, "channels": 1, "door": "microphone"}, []),
            ({"kind": "piece", "take": "t", "index": 0}, [sound]),
            ({"kind": "end", "take": "t", "pieces": 1, "frames": len(sound) // 2, "reason": "stopped"}, []),
            ({"kind": "accept", "take": "t"}, []),
        ):
            recorder._handle_custom_msg(content, buffers)
        page.until_idle()
        assert (page.widget.turns[0]["role"], page.widget.turns[0]["duration_s"]) == ("user", 1.0)
        (part,) = server.requests[0].body["messages"][0]["content"]
        assert part["type"] == "input_audio"

    def test_retry_asks_again_in_another_voice_and_takes_the_old_ones_place(
        self, server: OpenAIServer, opened: Open
    ) -> None:
        page = opened(voice="ash")
        page.widget.say("Hello")
        page.until_idle()
        before = page.widget.chat[1]
        page.widget.voice = "verse"
        server.gate = Gate(pieces=1)
        page.says(kind="retry")
        server.gate.wait_until_held()
        page.until(lambda: page.widget.arriving)
        assert page.widget.arriving[0]["instead"] is True
        assert page.widget.turns[1]["key"]  # the old one is there until the new one is
        server.gate.open()
        page.until_idle()
        assert len(page.widget.chat) == 2
        assert page.widget.chat[1] is not before
        assert [request.body["audio"]["voice"] for request in server.requests] == ["ash", "verse"]
        assert page.widget.turns[1]["key"] == page.of("whole")[1][0]["answer"]

    def test_a_new_question_ends_the_answer_before(self, server: OpenAIServer, opened: Open) -> None:
        server.gate = Gate(pieces=3)
        page = opened()
        page.widget.say("Tell me a long story.")
        server.gate.wait_until_held()
        page.until(lambda: page.of("piece"))
        page.widget.say("Stop. What time is it?")
        server.wait_for_request(2)
        server.gate.open()
        page.until_idle()
        roles = [(turn.role, turn.partial) for turn in page.widget.chat]
        assert roles == [("user", False), ("assistant", True), ("user", False), ("assistant", False)]
        assert page.widget.trouble == {}


class TestStoppingAndFailing:
    def test_stop_keeps_what_had_come(self, server: OpenAIServer, opened: Open) -> None:
        server.gate = Gate(pieces=4)
        page = opened()
        page.widget.say("Hello")
        server.gate.wait_until_held()
        page.until(lambda: page.of("piece"))
        page.says(kind="stop")
        page.until_idle()
        reply = page.widget.chat[1]
        assert isinstance(reply, nba.Reply)
        assert reply.partial
        assert page.widget.turns[1]["broken"] is True
        assert page.widget.trouble == {}

    def test_stop_before_an_answer_gives_the_words_back(self, server: OpenAIServer, opened: Open) -> None:
        server.fail_next("hang")
        page = opened()
        page.widget.say("Hello")
        server.wait_for_request()
        page.says(kind="stop")
        page.until_idle()
        assert page.words == []
        trouble = {"words": "Stopped before an answer came.", "typed": "Hello", "recorded_s": 0, "number": 1}
        assert page.widget.trouble == trouble

    def test_stop_right_after_it_was_sent_gives_the_words_back_too(self, server: OpenAIServer, opened: Open) -> None:
        page = opened()
        page.widget.say("Hello")
        page.until_idle()
        server.fail_next("hang")
        for words in ("one", "two", "three"):
            page.widget.say(words)
            page.widget.stop()
        page.until_idle()
        assert page.widget.trouble["typed"] == "three"
        assert len(page.words) == 2

    def test_what_failed_is_told_and_can_be_sent_again(self, server: OpenAIServer, opened: Open) -> None:
        server.fail_next("quota")
        page = opened()
        page.says(kind="say", text="Hello")
        page.until_idle()
        assert page.widget.trouble["typed"] == "Hello"
        assert "quota" in page.widget.trouble["words"].lower()
        page.says(kind="again")
        page.until_idle()
        assert page.words == [("user", "Hello"), ("assistant", server.words)]
        assert page.widget.trouble == {}

    def test_a_recording_whose_request_failed_is_kept_and_sent_again(self, server: OpenAIServer, opened: Open) -> None:
        server.fail_next("quota")
        page = opened()
        page.widget.say(tone(2.0))
        page.until_idle()
        assert page.widget.trouble["recorded_s"] == 2.0
        page.says(kind="again")
        page.until_idle()
        assert page.widget.turns[0]["duration_s"] == 2.0

    def test_a_recording_that_nobody_let_go_of_is_kept_and_sent_when_the_person_says_so(
        self, server: OpenAIServer, opened: Open
    ) -> None:
        page = opened()
        recorder = page.widget.recorder
        sound = tone().encode("wav")[44:]
        begin = {"kind": "begin", "take": "t", "sample_rate": 24_000, "channels": 1, "door": "microphone"}
        recorder._handle_custom_msg(begin, [])
        recorder._handle_custom_msg({"kind": "piece", "take": "t", "index": 0}, [sound])
        recorder._parts.lose()  # the page was closed
        page.until(lambda: page.widget.trouble)
        assert page.widget.trouble["recorded_s"] == 1.0
        assert not page.widget.busy
        assert page.widget._asking.wait(LIMIT_S)
        assert server.requests == []
        page.says(kind="again")
        page.until_idle()
        assert page.widget.turns[0]["duration_s"] == 1.0
        assert page.widget.trouble == {}

    def test_what_broke_off_is_asked_again_and_not_said_twice(self, server: OpenAIServer, opened: Open) -> None:
        server.fail_next("cut_stream")
        page = opened()
        page.widget.say("Hello")
        page.until_idle()
        assert page.widget.turns[1]["broken"] is True
        assert page.widget.trouble["typed"] == ""
        page.says(kind="again")
        page.until_idle()
        assert page.words == [("user", "Hello"), ("assistant", server.words)]

    def test_the_same_trouble_once_more_is_told_once_more(self, server: OpenAIServer, opened: Open) -> None:
        server.fail_next("quota", times=2)
        page = opened()
        page.widget.say("Hello")
        page.until_idle()
        page.says(kind="again")
        page.until(lambda: page.widget.trouble.get("number") == 2)
        assert page.widget.asked_times == 2

    def test_a_message_can_be_dismissed(self, server: OpenAIServer, opened: Open) -> None:
        server.fail_next("quota")
        page = opened()
        page.widget.say("Hello")
        page.until_idle()
        page.says(kind="dismiss")
        page.until(lambda: page.widget.trouble == {})
        page.widget.again()  # nothing is left to be sent
        assert len(server.requests) == 1

    def test_retry_without_a_question_says_so(self, opened: Open) -> None:
        page = opened()
        page.says(kind="retry")
        page.until_idle()
        assert page.widget.trouble["words"].startswith("There is no question to ask again.")

    def test_what_is_no_message_of_ours_is_ignored(self, opened: Open) -> None:
        page = opened()
        for content in (
            {},
            {"kind": "close"},
            {"kind": "say", "text": 3},
            {"kind": "say", "text": " "},
            {"kind": "_begin"},
        ):
            page.says(**content)
        page.widget._handle_custom_msg("say", [])
        page.says(kind="need", turn="nobody's")
        assert not page.widget.busy
        assert page.heard == []


class TestOneWithItsConversation:
    def test_a_turn_of_a_cell_shows_up(self, server: OpenAIServer, opened: Open) -> None:
        chat = nba.Conversation()
        page = opened(chat)
        chat.say("Hello")
        page.until(page.knows)
        assert page.words == [("user", "Hello"), ("assistant", server.words)]
        # Its words came as they came; its sound only the cell plays.
        assert "".join(message["words"] for message, _ in page.of("piece")) == server.words
        assert all(buffers == [b""] for _, buffers in page.of("piece"))
        page.says(kind="need", turn=page.widget.turns[1]["key"])
        page.until(lambda: page.of("sound"))
        message, (data,) = page.of("sound")[0]
        assert nba.Clip(data) == chat[1].clip
        assert message["mime"] == "audio/wav"
        assert [text for text, _, _ in message["phrases"]] == [phrase.text for phrase in chat[1].captions]

    def test_while_a_cell_asks_the_page_is_told(self, server: OpenAIServer, opened: Open) -> None:
        server.gate = Gate(pieces=1)
        chat = nba.Conversation()
        page = opened(chat)
        asked = threading.Thread(target=chat.say, args=("Hello",))
        asked.start()
        server.gate.wait_until_held()
        page.until(lambda: page.widget.arriving)
        assert page.widget.arriving[0]["here"] is False
        assert page.widget.busy is False
        server.gate.open()
        asked.join(LIMIT_S)
        page.until(lambda: page.knows() and not page.widget.arriving)

    def test_an_answer_that_was_asked_for_before_shows_up(self, server: OpenAIServer, opened: Open) -> None:
        server.gate = Gate(pieces=1)
        chat = nba.Conversation()
        first = opened(chat)
        first.widget.say("Hello")
        server.gate.wait_until_held()
        second = opened(chat)
        first.until(lambda: first.of("piece"))
        first.widget.close()
        second.until(lambda: len(second.words) == 2)
        assert second.widget.turns[1]["broken"] is True
        server.gate.open()

    def test_edits_show_up(self, opened: Open) -> None:
        chat = nba.Conversation([nba.Turn("user", "Hello"), nba.Reply(text="Hi.")])
        page = opened(chat)
        assert page.words == [("user", "Hello"), ("assistant", "Hi.")]
        chat.edit(1, "Good morning.")
        page.until(lambda: page.words[-1] == ("assistant", "Good morning."))
        page.says(kind="undo")
        page.until(lambda: page.words == [])
        assert len(chat) == 0
        page.says(kind="undo")  # there is nothing to take back
        assert page.widget.trouble == {}

    def test_another_sound_of_a_turn_has_another_key(self, opened: Open) -> None:
        chat = nba.Conversation([nba.Turn("user", "", (tone(1.0),))])
        page = opened(chat)
        before = page.widget.turns[0]["key"]
        chat.edit(0, tone(2.0))
        page.until(lambda: page.widget.turns[0]["duration_s"] == 2.0)
        assert page.widget.turns[0]["key"] != before

    def test_a_fork_is_another_conversation(self, server: OpenAIServer, opened: Open) -> None:
        chat = nba.Conversation([nba.Turn("user", "Hello"), nba.Reply(text="Hi.")])
        page = opened(chat)
        other = chat.fork()
        other.say("And?")
        other.undo()
        assert page.heard == []
        assert page.widget.arriving == []

    def test_by_default_it_is_the_notebooks_own(self, opened: Open) -> None:
        widget = VoiceChat()
        try:
            assert widget.chat is nba.chat()
        finally:
            widget.close()

    def test_a_page_that_comes_in_the_middle_gets_the_words_so_far(self, server: OpenAIServer, opened: Open) -> None:
        server.gate = Gate(pieces=6)
        page = opened()
        page.widget.say("Hello")
        server.gate.wait_until_held()
        page.until(lambda: page.widget.arriving and "".join(message["words"] for message, _ in page.of("piece")))
        page.says(kind="ready")
        page.until(lambda: page.of("so far"))
        before = page.kinds().index("so far")
        words = "".join(message["words"] for message, _ in page.heard[:before] if message["kind"] == "piece")
        assert page.of("so far")[0][0]["words"] == words
        assert words
        server.gate.open()
        page.until_idle()

    def test_a_question_that_is_being_answered_plays(self, server: OpenAIServer, opened: Open) -> None:
        server.fail_next("hang")
        page = opened()
        page.widget.say(tone())
        server.wait_for_request()
        page.until(lambda: page.widget.arriving)
        page.says(kind="need", turn=page.widget.arriving[0]["question"]["key"])
        page.until(lambda: page.of("sound"))
        page.widget.stop()
        page.until_idle()


class TestTools:
    def test_calls_and_results_show_as_they_come(self, server: OpenAIServer, opened: Open) -> None:
        go_on = [threading.Event(), threading.Event()]

        def look(at: int) -> str:
            """What is there."""
            assert go_on[at].wait(LIMIT_S)
            return f"thing {at}"

        server.script = [[ToolCall("look", {"at": at}, id=f"call_{at}") for at in range(2)], "I see."]
        page = opened(nba.Conversation(tools=[look]))
        page.widget.say("What is there?")

        def parts() -> list[str]:
            return [entry["words"] for one in page.widget.arriving for entry in one["parts"]]

        calls = 'look({"at":0})\n\nlook({"at":1})'
        page.until(lambda: parts() == [calls])
        go_on[0].set()
        page.until(lambda: parts() == [calls, "thing 0"])
        keys = [entry["key"] for entry in page.widget.arriving[0]["parts"]]
        assert page.words == []
        go_on[1].set()
        page.until_idle()
        assert [words for _, words in page.words] == ["What is there?", calls, "thing 0", "thing 1", "I see."]
        assert [turn["key"] for turn in page.widget.turns][1:3] == keys  # the page keeps what it shows

    def test_what_is_said_before_a_call_is_an_answer_of_its_own(self, opened: Open) -> None:
        page = opened()
        chat, question = page.widget.chat, nba.Turn("user", "What is there?")
        calling = nba.Reply(text="Let me look.", tool_calls=(nba.ToolCall("a", "look", "{}"),))
        page.widget.asked(chat, question)
        page.widget.came(question, nba.TextDelta("Let me look."))
        page.until(lambda: page.widget.arriving and page.of("piece"))
        first = page.widget.arriving[0]["key"]
        page.widget.went_on(chat, question, calling)
        page.widget.came(question, nba.TextDelta("I see."))
        page.until(lambda: [entry["key"] for entry in page.widget.arriving[0]["parts"]] == [first])
        second = page.widget.arriving[0]["key"]
        page.until(lambda: "".join(message["words"] for message, _ in page.of("piece")) == "Let me look.I see.")
        assert {message["answer"] for message, _ in page.of("piece")} == {first, second}
        answer = nba.Reply(text="I see.")
        page.widget.kept(chat, question, (question, calling, answer))
        for turn in (question, calling, answer):
            chat.append(turn)
        page.until(lambda: page.knows() and not page.widget.arriving)
        assert [turn["key"] for turn in page.widget.turns] == [question.id, first, second]
        assert [message["answer"] for message, _ in page.of("whole")] == [first, second]

    def test_what_tools_have_done_stays_in_sight_while_it_is_asked_again(
        self, server: OpenAIServer, opened: Open
    ) -> None:
        result = nba.ToolResult(text="thing 0", name="look", call_id="a")
        calling = nba.Reply(tool_calls=(nba.ToolCall("a", "look", "{}"),))
        page = opened(nba.Conversation([nba.Turn("user", "What is there?"), calling, result]))
        server.gate = Gate(pieces=1)
        page.says(kind="retry")
        server.gate.wait_until_held()
        page.until(lambda: page.widget.arriving)
        assert [entry["key"] for entry in page.widget.arriving[0]["parts"]] == [calling.id, result.id]
        server.gate.open()
        page.until_idle()
        assert [role for role, _ in page.words] == ["user", "assistant", "tool", "assistant"]


class TestLongConversations:
    def test_tokens_and_money_are_right_after_every_edit(self) -> None:
        def reply(tokens: int, model: str = "gpt-audio-1.5") -> nba.Reply:
            return nba.Reply(text="Yes.", model=model, usage=nba.Usage(tokens, tokens, tokens, 0, 0, tokens, 0))

        turns: list[nba.Turn] = [nba.Turn("user", "Hello"), reply(1000), nba.Turn("user", "And?"), reply(500)]
        tally = Tally()
        assert tally.words([]) == ""
        assert tally.words(turns[:1]) == ""
        whole = tally.words(turns)
        assert whole.startswith("1,500 tokens in, 1,500 out; $0.0")
        assert tally.words(turns[:2]).startswith("1,000 tokens in")
        assert tally.words(turns) == whole == Tally().words(turns)
        turns[1] = reply(2000, "somebody-elses-model")
        assert tally.words(turns).startswith("2,500 tokens in, 2,500 out; at least $0.0")
        assert tally.words(turns).endswith("1 answer of unknown price")

    def test_a_window_of_the_latest_turns_is_shown(self, opened: Open) -> None:
        chat = nba.Conversation([nba.Turn("user", f"turn {number}") for number in range(1000)])
        page = opened(chat)
        assert (len(page.widget.turns), page.widget.earlier, page.widget.more) == (20, 980, True)
        assert page.words[-1] == ("user", "turn 999")
        page.says(kind="earlier")
        page.until(lambda: len(page.widget.turns) == 40)
        for _ in range(20):
            page.says(kind="earlier")
        page.until(lambda: len(page.widget.turns) == 200)
        assert (page.widget.earlier, page.widget.more) == (800, False)

    def test_a_thousand_edits_are_few_messages(self, opened: Open) -> None:
        chat = nba.Conversation()
        page = opened(chat)
        begun_s = time.monotonic()
        for number in range(1000):
            chat.append(f"turn {number}")
        page.until(page.knows)
        took_s = time.monotonic() - begun_s
        states = len(set(page.times_s))
        # At most five updates a second, each of up to four traits that change here.
        assert states <= 4 * (took_s / 0.2 + 2)

    def test_pieces_are_at_most_thirty_messages_a_second(self, server: OpenAIServer, opened: Open) -> None:
        server.duration_s = 20.0
        page = opened()
        begun_s = time.monotonic()
        page.widget.say("Hello")
        page.until_idle()
        assert len(page.of("piece")) <= 25 * (time.monotonic() - begun_s) + 2

    def test_no_message_is_near_ten_megabytes(self, opened: Open) -> None:
        words = "word " * 400_000
        chat = nba.Conversation([nba.Turn("user", words, (tone(150.0),))])
        page = opened(chat)
        assert len(json.dumps(page.widget.turns)) < 100_000
        assert "2,000,000 characters in all" in page.words[0][1]
        page.says(kind="need", turn=page.widget.turns[0]["key"])
        page.until(lambda: page.of("sound"))
        message, (data,) = page.of("sound")[0]
        assert message["mime"] == "audio/mpeg"
        assert len(data) < 2_000_000

    def test_hostile_words_are_made_legible(self, opened: Open) -> None:
        page = opened(nba.Conversation([nba.Turn("user", "\x1b[31mred\x00 \ud800 \u202eabc")]))
        assert page.words[0][1] == "\ufffd[31mred\ufffd \ufffd \ufffdabc"


class TestShowing:
    def test_what_is_saved_is_the_conversation_whose_place_the_living_chat_takes(
        self, opened: Open, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("JPY_SESSION_NAME", "/home/ada/dogs.ipynb")  # as jupyter_server tells its kernels
        page = opened(nba.Conversation([nba.Turn("user", "Hello <b>", (tone(),)), nba.Reply(text="Hi.")]))
        data, _ = page.widget._repr_mimebundle_()
        assert set(data) == {"text/plain", "text/html", "text/markdown"}
        assert f"nbaudio-live-{page.widget.key}" in data["text/html"]
        assert "Hello &lt;b&gt;" in data["text/html"]
        assert "<audio" in data["text/html"]
        assert "Hi." in data["text/plain"]

    def test_front_ends_that_make_widgets_only_to_show_them_are_given_one(
        self, opened: Open, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
        page = opened()
        data, _ = page.widget._repr_mimebundle_()
        assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == page.widget.model_id

    def test_the_saved_output_is_renewed_where_that_disturbs_nobody(
        self, opened: Open, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("JPY_SESSION_NAME", "/home/ada/dogs.ipynb")
        monkeypatch.setattr(chat_output, "_PAUSE_S", 0.0)
        shown: list[dict[str, Any]] = []
        renewed = threading.Event()
        monkeypatch.setattr("IPython.display.display", lambda data, **_: shown.append(data))
        monkeypatch.setattr("IPython.display.update_display", lambda data, **_: (shown.append(data), renewed.set()))
        chat = nba.Conversation()
        page = opened(chat)
        page.widget._ipython_display_()
        assert "Nothing has been said yet" in shown[0]["text/plain"]

        page.says(kind="focus", inside=True)
        chat.append("Hello")
        page.until(page.knows)
        assert not renewed.wait(0.5)  # the keyboard would be taken away
        page.widget.recorder.state = "recording"
        page.says(kind="focus", inside=False)
        assert not renewed.wait(0.5)  # and the button that is held
        page.widget.recorder.state = "done"
        assert renewed.wait(LIMIT_S)
        assert "Hello" in shown[-1]["text/plain"]

        renewed.clear()
        page.says(kind="focus", inside=True)
        chat.append("Again")
        page.until(page.knows)
        page.says(kind="ready")  # the page was loaded again, and said nothing when it went
        assert renewed.wait(LIMIT_S)
        assert "Again" in shown[-1]["text/plain"]

    def test_a_cell_that_is_run_again_closes_the_chat_that_it_showed(
        self, opened: Open, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Shell:
            kernel = object()

            def get_parent(self) -> dict[str, Any]:
                return LIVE

        monkeypatch.setattr("IPython.get_ipython", Shell)
        monkeypatch.setattr("IPython.display.display", lambda *_, **__: None)
        first, second = opened(), opened()
        for page in (first, first, second):
            page.widget._ipython_display_()
        assert first.widget.comm is None
        assert first.widget.recorder.comm is None
        assert second.widget.comm is not None

    def test_the_voices_are_those_of_the_offline_engine(self) -> None:
        from nbaudio.engine.voices import VOICES as offline

        assert list(VOICES) == list(offline)


class TestClosing:
    def test_nothing_is_left(self, server: OpenAIServer, opened: Open) -> None:
        server.gate = Gate(pieces=3)
        chat = nba.Conversation()
        page = opened(chat)
        page.widget.say("Hello")
        server.gate.wait_until_held()
        page.until(lambda: page.of("piece"))
        lately = page.widget._lately
        page.widget.close()
        assert page.widget._asking.wait(LIMIT_S)
        lately._thread.join(LIMIT_S)
        assert not lately._thread.is_alive()
        assert page.widget not in chat._watchers
        assert page.widget._show not in chat._listeners
        assert page.widget.recorder.comm is None
        assert len(chat) == 2  # what had come is kept
        count = len(page.heard)
        chat.append("Later")
        assert len(page.heard) == count
        page.widget.close()  # twice does no harm


def test_asking_stops_what_runs_before_it_begins_another() -> None:
    asking = Asking()
    said: list[str] = []
    running, over = threading.Event(), threading.Event()

    async def first() -> None:
        running.set()
        try:
            await asyncio.Event().wait()
        finally:
            said.append("first is over")

    async def second() -> None:
        assert asking.is_here()
        said.append("second")

    errors: list[BaseException | None] = []
    asking.begin(first, errors.append)
    assert running.wait(LIMIT_S)
    asking.begin(second, lambda error: (errors.append(error), over.set()))
    assert over.wait(LIMIT_S)
    assert asking.wait(LIMIT_S)
    assert said == ["first is over", "second"]
    assert isinstance(errors[0], asyncio.CancelledError)
    assert errors[1] is None
    assert not asking.is_here()
    asking.stop()  # there is nothing to stop


def test_asking_that_is_stopped_before_it_begins_never_begins() -> None:
    asking, errors = Asking(), []
    gate, began = threading.Event(), threading.Event()

    async def waits() -> None:
        began.set()
        await asyncio.get_running_loop().run_in_executor(None, gate.wait, LIMIT_S)

    async def never() -> None:
        raise AssertionError("it began")

    asking.begin(waits, lambda _: None)
    assert began.wait(LIMIT_S)
    asking.begin(never, errors.append)
    asking.stop()
    gate.set()
    assert asking.wait(LIMIT_S)
    assert [type(error) for error in errors] == [asyncio.CancelledError]


def test_lately_goes_on_after_an_error(caplog: pytest.LogCaptureFixture) -> None:
    calls: list[int] = []
    done = threading.Event()

    def do() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise ValueError("once")
        done.set()

    lately = Lately(do, pause_s=0.01)
    lately.soon()
    while not calls:
        threading.Event().wait(0.01)
    lately.soon()
    assert done.wait(LIMIT_S)
    lately.close()
    assert "could not be" in caplog.text
