"""The public side of the journal: found turns, restoring, a copy."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Generator
from itertools import islice
from pathlib import Path

import pytest
from openai_server import Gate, OpenAIServer, ToolCall

import nbaudio as nba
from nbaudio.conversation import chats
from nbaudio.errors import ClipError, Interrupted, NbaudioError
from nbaudio.journal.watcher import journal

CLIP = nba.Clip.from_pcm16(bytes(range(200)) * 24)


def test_what_is_found_is_the_turn_with_its_sound(server: OpenAIServer, journal_file: Path) -> None:
    chat = nba.Conversation(name="dogs")
    reply = chat.say("Is a golden retriever a good dog?", CLIP, voice="coral")
    (found,) = nba.history.search("retriever")
    assert (found.role, found.chat, found.chat_id, found.state, found.sounds) == ("user", "dogs", chat.id, "kept", 1)
    assert found.notebook == str(Path.cwd())
    assert found.turn == chat[0]
    (answer,) = nba.history.search("gentle")
    turn = answer.turn
    assert turn == reply
    assert turn.clip.parked
    assert turn.usage == reply.usage
    assert turn.voice == "coral"
    assert turn.id == reply.id


def test_a_notebook_is_known_by_the_name_that_jupyter_tells(
    server: OpenAIServer, journal_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", "work/dogs.ipynb")
    nba.Conversation().say("Hello.")
    assert {found.notebook for found in nba.history.latest()} == {"work/dogs.ipynb"}


def test_tables_are_plain_and_escaped(journal_file: Path) -> None:
    chat = nba.Conversation(name="<b>bold</b>")
    chat.append("<script>alert(1)</script>\x1b[31m \u202e|")
    for table in (nba.history.latest(), nba.history.chats()):
        bundle = table._repr_mimebundle_()
        assert "<script>" not in bundle["text/html"]
        assert "<b>" not in bundle["text/html"]
        assert "&lt;b&gt;bold" in bundle["text/html"]
        assert "\x1b" not in "".join(bundle.values())
        assert "\u202e" not in "".join(bundle.values())
        assert bundle["text/plain"] == repr(table)
    assert str(nba.history.search("nowhere")) == "Nothing found."
    nba.history.clear()
    assert str(nba.history.chats()) == "Nothing has been written down yet."


def crash() -> None:
    """What is left of a kernel that was killed: only the file."""
    chats._chats.clear()
    journal.close()


def test_after_a_crash_one_line_takes_the_conversation_up_again(server: OpenAIServer, journal_file: Path) -> None:
    chat = nba.chat()
    chat.instructions = "Be brief."
    first = chat.say("Is it a good dog?", CLIP)
    server.words, server.gate = "Yes, it is.", Gate(3)
    events = chat.stream("Why?")
    arrived = [next(events)]
    while sum(isinstance(event, nba.AudioDelta) for event in arrived) < 3:
        arrived.append(next(events))
    crash()
    restored = nba.history.restore()
    assert nba.chat() is restored
    assert [turn.role for turn in restored] == ["user", "assistant", "user", "assistant"]
    assert list(restored)[:2] == [chat[0], first]
    partial = restored[3]
    assert partial.partial
    assert partial.text == "Yes, it is."
    sound = b"".join(event.pcm16 for event in arrived if isinstance(event, nba.AudioDelta))
    assert partial.clip.encode("pcm16") == sound
    assert "broke off" in partial.note
    assert restored.instructions == "Be brief."
    events.close()
    assert (chat[3].text, chat[3].clip, chat[3].marks) == (partial.text, partial.clip, partial.marks)
    server.gate.open()
    restored.say("Go on.")
    body = server.requests[-1].body["messages"]
    assert [message["role"] for message in body] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert body[2] == {"role": "assistant", "audio": {"id": first.audio_id}}
    crash()
    assert len(nba.history.restore()) == 6


@pytest.mark.parametrize("choice", ["look", "required"])
def test_no_tool_has_to_be_called_where_none_is(server: OpenAIServer, journal_file: Path, choice: str) -> None:
    def look() -> str:
        """What is there."""
        return "a dog"

    server.script = [[ToolCall("look", {})], "I see a dog."]
    chat = nba.Conversation(tools=[look], tool_choice=choice, voice="ash")
    chat.say("What is there?")
    crash()
    restored = nba.history.restore(chat.id)
    assert restored.say("And now?").text
    assert restored.options == {"voice": "ash"}


def kill(events: Generator[nba.Event, None, None], copy: Path) -> None:
    """Have the journal be what a kill would leave now, and the talk be over."""
    nba.history.export(copy)
    events.close()
    chats._chats.clear()
    nba.NbAudio.instance().journal = str(copy)


def weather(*cities: str) -> list[ToolCall]:
    return [ToolCall("get_weather", {"city": city}, id=f"call_{number}") for number, city in enumerate(cities)]


class Weather:
    """A tool that notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def get_weather(self, city: str) -> str:
        """The weather now."""
        self.asked.append(city)
        return f"mild in {city}"


def until(events: Generator[nba.Event, None, None], kind: type, count: int = 1) -> nba.Event:
    """The so-many-th event of a kind."""
    return next(islice((event for event in events if isinstance(event, kind)), count - 1, None))


def sent(server: OpenAIServer) -> list[str]:
    return [message["role"] for message in server.requests[-1].body["messages"]]


class TestToolsAndACrash:
    def test_between_results_and_answer_nothing_is_lost(
        self, server: OpenAIServer, journal_file: Path, tmp_path: Path
    ) -> None:
        tool = Weather()
        server.script = [weather("Paris", "Rome"), "It is mild everywhere."]
        chat = nba.chat()
        events = chat.stream("Weather?", CLIP, tools=[tool.get_weather])
        until(events, nba.ToolReturned, 2)
        server.gate = Gate(2)
        until(events, nba.AudioDelta, 2)
        kill(events, tmp_path / "copy.sqlite3")
        restored = nba.history.restore()
        assert [turn.role for turn in restored] == ["user", "assistant", "tool", "tool", "assistant"]
        assert [turn.text for turn in restored][2:] == ["mild in Paris", "mild in Rome", "It is mild everywhere."]
        assert restored[4].partial
        assert list(restored)[:4] == list(chat)[:4]
        assert [turn.id for turn in restored][:4] == [turn.id for turn in chat][:4]

        server.gate = None
        server.words = "Mild."
        reply = restored.retry(tools=[tool.get_weather])
        assert reply.text == "Mild."
        assert tool.asked == ["Paris", "Rome"]  # not once more
        assert sent(server) == ["user", "assistant", "tool", "tool"]
        assert [turn.text for turn in restored][2:] == ["mild in Paris", "mild in Rome", "Mild."]
        crash()
        assert list(nba.history.restore()) == list(restored)

    def test_between_two_results_the_first_is_there(
        self, server: OpenAIServer, journal_file: Path, tmp_path: Path
    ) -> None:
        tool = Weather()
        server.script = [weather("Paris", "Rome")]
        events = nba.chat().stream("Weather?", tools=[tool.get_weather])
        until(events, nba.ToolReturned)
        kill(events, tmp_path / "copy.sqlite3")
        restored = nba.history.restore()
        assert [turn.text for turn in restored] == ["Weather?", "", "mild in Paris"]
        assert [call.name for call in restored[1].tool_calls] == ["get_weather", "get_weather"]
        # The call that has no result is not sent, so the model may make it again.
        server.script = [weather("Rome"), "Mild."]
        again = Weather()
        assert restored.retry(tools=[again.get_weather]).text == "Mild."
        assert again.asked == ["Rome"]
        first = server.requests[-2].body["messages"]
        assert [message["role"] for message in first] == ["user", "assistant", "tool"]
        assert [call["id"] for call in first[1]["tool_calls"]] == ["call_0"]

    def test_before_any_result_the_call_is_there(
        self, server: OpenAIServer, journal_file: Path, tmp_path: Path
    ) -> None:
        server.script = [weather("Paris")]
        events = nba.chat().stream("Weather?", tools=[Weather().get_weather])
        until(events, nba.ToolCalled)
        kill(events, tmp_path / "copy.sqlite3")
        restored = nba.history.restore()
        assert [turn.role for turn in restored] == ["user", "assistant"]
        assert str(restored[1].tool_calls[0]) == 'get_weather({"city":"Paris"})'
        assert restored.retry().text
        assert sent(server) == ["user"]
        assert [turn.role for turn in restored] == ["user", "assistant"]
        assert restored[1].answers

    def test_a_kill_in_the_second_attempt_keeps_what_both_have_done(
        self, server: OpenAIServer, journal_file: Path, tmp_path: Path
    ) -> None:
        server.script = [weather("Paris"), "It is mild."]
        events = nba.chat().stream("Weather?", tools=[Weather().get_weather])
        until(events, nba.ToolReturned)
        server.gate = Gate(1)
        until(events, nba.AudioDelta)
        kill(events, tmp_path / "first.sqlite3")
        server.gate = None
        restored = nba.history.restore()
        assert restored[-1].partial
        ran: list[str] = []

        def get_weather(city: str) -> str:
            """The weather now, and a kill while it is asked for a second time."""
            if not ran:
                ran.append(city)
                return "warm"
            nba.history.export(tmp_path / "second.sqlite3")
            raise KeyboardInterrupt

        server.script = [weather("Rome", "Oslo")]
        with pytest.raises(Interrupted):
            restored.retry(tools=[get_weather])
        # What is left of an interrupt says what tools have done; nothing of it was there before.
        expected = ["Weather?", "", "mild in Paris", "", "warm"]
        assert [turn.text for turn in restored][:5] == expected
        chats._chats.clear()
        nba.NbAudio.instance().journal = str(tmp_path / "second.sqlite3")
        assert [turn.text for turn in nba.history.restore()] == expected

    def test_a_whole_answer_stays_where_a_kill_ends_the_next(
        self, server: OpenAIServer, journal_file: Path, tmp_path: Path
    ) -> None:
        old = nba.chat().say("Weather?")

        def get_weather(city: str) -> str:
            """The weather now, and a kill."""
            if city == "Rome":
                nba.history.export(tmp_path / "copy.sqlite3")
            return f"drizzle in {city}"

        server.script = [weather("Paris", "Rome"), "Wet."]
        assert nba.chat().retry(tools=[get_weather]).text == "Wet."
        chats._chats.clear()
        nba.NbAudio.instance().journal = str(tmp_path / "copy.sqlite3")
        assert list(nba.history.restore())[1:] == [old]
        assert [found.turns for found in nba.history.chats()] == [2]
        (found,) = nba.history.search("drizzle")  # what a tool has done can be found all the same
        assert found.words == "drizzle in Paris"


class TestWordsOfWhatBrokeOff:
    def test_they_are_found_before_anything_is_restored(
        self, server: OpenAIServer, journal_file: Path, tmp_path: Path
    ) -> None:
        server.words, server.gate = "Yes, a golden Retriever is a gentle dög.", Gate(2)
        chat = nba.chat("dogs")
        events = chat.stream("Is it good?")
        until(events, nba.AudioDelta, 2)
        kill(events, tmp_path / "copy.sqlite3")
        for words in ("retriev", "gentle golden", "DOG"):
            (found,) = nba.history.search(words)
            assert (found.role, found.chat, found.chat_id, found.partial) == ("assistant", "dogs", chat.id, True)
            assert (found.state, found.sounds, found.words) == ("asked", 1, server.words)
        assert nba.history.search("poodle") == []
        assert nba.history.search("gentle poodle") == []
        turn = found.turn
        assert isinstance(turn, nba.Reply)
        assert turn.partial
        assert turn.text == server.words
        assert turn.clip == chat[1].clip
        assert "model (partial)" in repr(nba.history.search("golden"))
        assert [one.role for one in nba.history.latest()] == ["assistant", "user"]

    def test_without_an_index_too(self, server: OpenAIServer, journal_file: Path, tmp_path: Path) -> None:
        server.words, server.gate = "100% gentle", Gate(1)
        events = nba.chat().stream("Is it good?")
        until(events, nba.AudioDelta)
        kill(events, tmp_path / "copy.sqlite3")
        assert [one.words for one in nba.history.search("00%")] == ["100% gentle"]  # within a word
        journal.read(lambda store: setattr(store, "indexed", False))
        assert [one.words for one in nba.history.search("gentle")] == ["100% gentle"]
        assert nba.history.search("100_") == []

    def test_once_restored_each_is_found_once(self, server: OpenAIServer, journal_file: Path, tmp_path: Path) -> None:
        server.words, server.gate = "Retrievers are gentle.", Gate(1)
        events = nba.chat().stream("Is it good?")
        until(events, nba.AudioDelta)
        kill(events, tmp_path / "copy.sqlite3")
        server.gate, server.words = None, "Go on."
        first, second = nba.history.restore(), nba.history.restore()
        first.say("Why?")
        second.say("Really?")
        (found,) = nba.history.search("retrievers")
        assert found.state == "kept"
        assert found.partial
        assert found.turn == first[1] == second[1]
        assert "model (partial)" in repr(nba.history.search("retrievers"))
        first.edit(1, partial=False)
        second.edit(1, partial=False)
        assert "model (partial)" not in repr(nba.history.search("retrievers"))

    def test_what_comes_just_now_is_found_until_it_is_whole(self, server: OpenAIServer, journal_file: Path) -> None:
        server.words, server.gate = "Retrievers are gentle.", Gate(1)
        events = nba.chat().stream("Is it good?")
        until(events, nba.AudioDelta)
        (found,) = nba.history.search("gentle")
        assert found.partial
        server.gate.open()
        assert list(events)
        with pytest.raises(NbaudioError, match="no longer"):
            _ = found.turn
        (found,) = nba.history.search("gentle")
        assert (found.partial, found.state) == (False, "kept")

    def test_the_newest_come_first_and_no_more_than_asked_for(
        self, server: OpenAIServer, journal_file: Path, tmp_path: Path
    ) -> None:
        server.words, server.gate = "gentle in part", Gate(1)
        nba.chat("early").append("gentle, first")
        events = nba.chat("late").stream("Is it gentle?")
        until(events, nba.AudioDelta)
        kill(events, tmp_path / "copy.sqlite3")
        nba.chat("after").append("gentle, last")
        words = [one.words for one in nba.history.search("gentle")]
        assert words == ["gentle, last", "gentle in part", "Is it gentle?", "gentle, first"]
        assert [one.words for one in nba.history.search("gentle", limit=2)] == words[:2]
        assert [one.words for one in nba.history.latest(2)] == words[:2]


def test_a_question_without_an_answer_can_be_asked_again(server: OpenAIServer, journal_file: Path) -> None:
    chat, question = nba.chat(), nba.Turn("user", "Anybody?", (CLIP,))
    journal.asked(chat, question)
    crash()
    restored = nba.history.restore()
    assert list(restored) == [question]
    assert restored.retry().text
    assert len(restored) == 2


def test_restoring_twice_gives_the_same_and_harms_nothing(server: OpenAIServer, journal_file: Path) -> None:
    nba.chat().say("One.", CLIP)
    crash()
    first, second = nba.history.restore(), nba.history.restore()
    assert list(first) == list(second)
    first.say("Two.")
    second.say("Three.")
    assert sorted(chat.turns for chat in nba.history.chats()) == [2, 4, 4]


def test_a_conversation_that_runs_is_not_taken_for_the_one_that_crashed(
    server: OpenAIServer, journal_file: Path
) -> None:
    nba.chat().say("Before the crash.")
    crash()
    nba.chat().say("After it.")
    nba.chat("cats").say("Cats?")
    with pytest.raises(NbaudioError, match=r"The one that runs is nba.chat\('cats'\)"):
        nba.history.restore("cats")
    assert nba.history.restore()[0].text == "Before the crash."


def test_by_name_by_id_and_the_latest(
    server: OpenAIServer, journal_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nba.chat("dogs").say("Dogs?")
    nba.chat("cats").say("Cats?")
    once = nba.Conversation()
    once.say("Once?")
    crash()
    assert nba.history.restore("dogs")[0].text == "Dogs?"
    assert nba.history.restore(once.id)[0].text == "Once?"
    assert set(nba.chats()) == {"dogs"}
    assert nba.history.restore(None)[0].text == "Once?"
    with pytest.raises(NbaudioError, match=r"no conversation 'birds' .*chats\(\) lists"):
        nba.history.restore("birds")
    monkeypatch.setenv("JPY_SESSION_NAME", "elsewhere.ipynb")
    with pytest.raises(NbaudioError, match=r"is restored by its id: restore\('"):
        nba.history.restore("cats")


def test_a_sound_that_was_cleared_meanwhile_is_told(server: OpenAIServer, journal_file: Path) -> None:
    nba.chat().say("One.", CLIP)
    found = nba.history.search("One")[0]
    turn = found.turn
    nba.history.clear()
    with pytest.raises(ClipError, match=r"no longer in the journal .* It was cleared"):
        _ = turn.clip.samples
    with pytest.raises(NbaudioError, match="no longer in the journal"):
        _ = found.turn


def test_what_a_restored_conversation_has_lost_by_clearing_hides_nothing_else(
    server: OpenAIServer, journal_file: Path, tmp_path: Path
) -> None:
    nba.chat().say("One.", CLIP, CLIP)
    crash()
    chat = nba.history.restore()
    nba.history.clear()
    shown = [chat._repr_mimebundle_()["text/html"], chat[1]._repr_mimebundle_()["text/html"]]
    shown.append(chat.export(tmp_path / "talk.html").read_text("utf-8"))
    for page in shown:
        assert server.words in page
        assert "is no longer in the journal" in page
        assert "<audio" not in page
    assert "One." in shown[0]
    with pytest.raises(ClipError, match="is no longer in the journal"):  # what can't be whole is not written
        chat.save(tmp_path / "talk.nbaudio")


def test_a_sound_plays_also_when_the_journal_is_off_or_another(
    server: OpenAIServer, journal_file: Path, tmp_path: Path
) -> None:
    nba.chat().say("One.", CLIP)
    turn = nba.history.search("One")[0].turn
    nba.NbAudio.instance().journal = str(tmp_path / "other.sqlite3")
    nba.Conversation().append("x")
    assert turn.clip == CLIP
    nba.NbAudio.instance().journal = "off"
    assert nba.Clip(turn.clip).samples.shape == CLIP.samples.shape


def test_a_sound_that_is_damaged_is_told(server: OpenAIServer, journal_file: Path) -> None:
    nba.chat().say("One.", CLIP)
    turn = nba.history.search("One")[0].turn
    journal.read(lambda store: store.connection.execute("UPDATE sound SET data = zeroblob(length(data))"))
    with pytest.raises(ClipError, match="is damaged"):
        _ = turn.clip.samples


def test_a_copy_is_whole_and_private_and_takes_no_ones_place(
    server: OpenAIServer, journal_file: Path, tmp_path: Path
) -> None:
    nba.chat().say("One.", CLIP)
    copy = nba.history.export(tmp_path / "copy.sqlite3")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    connection = sqlite3.connect(copy)
    assert connection.execute("SELECT count(*) FROM turn").fetchone() == (2,)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    with pytest.raises(NbaudioError, match="already"):
        nba.history.export(copy)
    with pytest.raises(NbaudioError, match="can't be copied"):
        nba.history.export(copy / "under a file")
    nba.NbAudio.instance().journal = str(copy)
    assert nba.history.search("One")[0].turn.clip == CLIP


@pytest.mark.parametrize("wrong", [0, -1])
def test_a_list_of_none_is_refused(wrong: int, journal_file: Path) -> None:
    for call in (nba.history.chats, nba.history.latest):
        with pytest.raises(NbaudioError, match="1 or more"):
            call(wrong)
    with pytest.raises(NbaudioError, match="1 or more"):
        nba.history.search("x", limit=wrong)
    with pytest.raises(NbaudioError, match="0 or more"):
        nba.history.clear(-1)
