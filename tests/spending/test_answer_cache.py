"""Answers from the cache: when a request is the same, what is shown and counted then, and what the files are."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from openai_server import OpenAIServer, ToolCall

import nbaudio as nba
from nbaudio import errors
from nbaudio.settings import settings
from nbaudio.spending.answer_cache import AnswerCache, answer_cache, events_of
from nbaudio.turns import Reply, Turn
from nbaudio.widgets.take import Take

KEY = "sk-proj-loopback-not-a-real-key-0123"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("NBAUDIO_CACHE_FOLDER", str(tmp_path / "answers"))
    return tmp_path / "answers"


def question(seconds: float = 0.5) -> nba.Clip:
    return nba.Clip.from_pcm16(bytes(range(256)) * round(seconds * 48_000 / 256))


def three_cells(**options: Any) -> list[Reply]:
    """A notebook that is run from its top."""
    chat = nba.Conversation(name="notebook", cache=True, **options)
    return [chat.say("Hello"), chat.say("What is asked here?", question(), aloud=False), chat.say("Why?")]


class TestRunAll:
    def test_the_second_run_sends_nothing(self, server: OpenAIServer) -> None:
        first = three_cells()
        assert len(server.requests) == 3
        second = three_cells()
        assert len(server.requests) == 3
        for before, now in zip(first, second, strict=True):
            assert (now.text, now.clip, now.audio_id, now.marks) == (
                before.text, before.clip, before.audio_id, before.marks,
            )  # fmt: skip
            assert now.id != before.id

    def test_nor_does_one_after_the_ids_have_expired(
        self, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        three_cells()
        later = time.time() + 100_000
        monkeypatch.setattr(time, "time", lambda: later)
        server.clock = lambda: later
        three_cells()
        assert len(server.requests) == 3
        chat = nba.Conversation(three_cells_turns(), cache=True)
        chat.say("A new question, about all that.")  # what was said goes out as words now
        assert server.requests[-1].status == 200
        assert "audio" not in server.requests[-1].body["messages"][1]

    def test_a_changed_cell_is_asked_and_so_are_those_after_it(self, server: OpenAIServer) -> None:
        three_cells()
        chat = nba.Conversation(cache=True)
        chat.say("Hello")
        server.words = "Something else."
        chat.say("What is meant here?", question(), aloud=False)
        chat.say("Why?")
        assert len(server.requests) == 5

    def test_a_recording_is_the_same_as_its_file_and_is_not_read_for_it(
        self, server: OpenAIServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        take = Take(24_000, folder=tmp_path)
        take.add(0, question(8.0).encode("pcm16"))
        take.finish()
        assert take.clip is not None
        nba.Conversation().say(nba.Clip(take.path), cache=True)
        monkeypatch.setattr("nbaudio.sound.recorded._read_at", None)
        assert nba.Conversation(watchers=()).say(take.clip, cache=True).cached
        assert len(server.requests) == 1

    def test_earlier_sounds_are_read_once_however_many_questions_follow(
        self, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("NBAUDIO_JOURNAL", "off")  # which would read them to write them down
        read: list[str] = []

        def parked(which: str) -> nba.Clip:
            data = question().encode("wav")
            clip = nba.Clip(data)
            clip.park(lambda: read.append(which) or data)  # type: ignore[func-returns-value]
            return clip

        turns = [Turn("user", "", (parked("asked"),)), Reply(text="Yes.", clips=(parked("answered"),))]
        chat = nba.Conversation(turns, cache=True)
        chat.say("Why?")
        assert read.count("answered") == 1
        read.clear()
        chat.say("And then?")
        assert read == ["asked"]  # to be sent
        assert len(server.requests) == 2

    def test_the_setting_does_it_for_every_cell(self, server: OpenAIServer) -> None:
        settings().cache = True
        for _ in range(2):
            nba.Conversation().say("Hello")
        assert len(server.requests) == 1
        nba.Conversation().say("Hello", cache=False)
        assert len(server.requests) == 2

    def test_without_it_nothing_is_kept(self, server: OpenAIServer, folder: Path) -> None:
        nba.Conversation().say("Hello")
        assert not folder.exists()


def three_cells_turns() -> list[Turn]:
    chat = nba.Conversation(cache=True)
    chat.say("Hello")
    chat.say("What is asked here?", question(), aloud=False)
    chat.say("Why?")
    return list(chat)


class TestWhatIsSaid:
    def test_it_says_so_and_costs_nothing(self, server: OpenAIServer) -> None:
        first = nba.Conversation().say("Hello", cache=True)
        chat = nba.Conversation()
        second = chat.say("Hello", cache=True)
        assert first.note == ""
        assert second.cached
        day = time.strftime("%Y-%m-%d at %H:%M", time.localtime(first.time))
        assert second.note == f"From the cache: answered on {day}; nothing was sent."
        bundle = second._repr_mimebundle_()
        assert all("From the cache" in form for form in bundle.values())
        assert (chat.usage, chat.cost) == (nba.Usage(), nba.Cost())
        assert (chat.spent.answers, chat.spent.from_cache) == (0, 1)
        assert second.cost == nba.Cost()

    def test_what_there_was_to_say_before_is_said_too(self, server: OpenAIServer) -> None:
        server.duration_s = 3.0
        for _ in range(2):
            reply = nba.Conversation().say("Hello", cache=True, stream=False, max_completion_tokens=20)
        assert "nothing was sent. Cut at the token limit" in reply.note

    def test_a_budget_that_is_used_up_lets_it_through(self, server: OpenAIServer) -> None:
        nba.Conversation().say("Hello", cache=True)
        assert nba.Conversation(budget=nba.Budget(tokens=0)).say("Hello", cache=True).cached

    def test_it_is_saved_and_loaded_as_what_it_is(self, server: OpenAIServer, tmp_path: Path) -> None:
        for _ in range(2):
            chat = nba.Conversation(cache=True)
            chat.say("Hello")
        chat.save(tmp_path / "talk.nbaudio")
        loaded = nba.Conversation.load(tmp_path / "talk.nbaudio")
        assert loaded[-1] == chat[-1]
        assert loaded.cost == nba.Cost()


class TestEveryWayToAsk:
    def test_streamed(self, server: OpenAIServer) -> None:
        live = list(nba.Conversation().stream("Hello", cache=True))
        kept = list(nba.Conversation().stream("Hello", cache=True))
        assert len(server.requests) == 1
        for events in (live, kept):
            assert isinstance(events[-1], nba.Finished)
        assert words(kept) == words(live) == server.words
        assert sound(kept) == sound(live)
        assert type(kept[0]) is type(live[0])

    def test_whole(self, server: OpenAIServer) -> None:
        for _ in range(2):
            reply = nba.Conversation().say("Hello", cache=True, stream=False, audio_format="mp3")
        assert len(server.requests) == 1
        assert reply.cached
        assert reply.clip is not None

    def test_awaited(self, server: OpenAIServer) -> None:
        async def ask() -> list[Any]:
            reply = await nba.Conversation().asay("Hello", cache=True)
            return [reply, [event async for event in nba.Conversation().astream("Hello", cache=True)]]

        asyncio.run(ask())
        reply, events = asyncio.run(ask())
        assert len(server.requests) == 1
        assert reply.cached
        assert events[-1].reply.cached
        assert words(events) == server.words

    def test_asking_again_asks_again(self, server: OpenAIServer) -> None:
        chat = nba.Conversation(cache=True)
        chat.say("Hello")
        server.words = "No."
        assert chat.retry().text == "No."
        assert nba.Conversation(cache=True).say("Hello").text == "No."  # the newest is kept
        assert len(server.requests) == 2

    def test_with_tools_each_request_by_itself(self, server: OpenAIServer) -> None:
        given = ["noon"]

        def now() -> str:
            """The time."""
            return given[-1]

        server.tool_call = ToolCall("now", {})

        def ask() -> Reply:
            return nba.Conversation(tools=[now], cache=True).say("What time is it?")

        ask()
        assert len(server.requests) == 2
        assert ask().cached  # the tool was run again, and gave the same
        assert len(server.requests) == 2
        given.append("midnight")
        assert not ask().cached
        assert len(server.requests) == 3  # that it calls the tool is known, what it makes of midnight is not


def words(events: list[Any]) -> str:
    return "".join(event.text for event in events if isinstance(event, nba.TextDelta))


def sound(events: list[Any]) -> bytes:
    return b"".join(event.pcm16 for event in events if isinstance(event, nba.AudioDelta))


class TestWhatIsTheSame:
    @pytest.mark.parametrize(
        "change",
        [
            {"voice": "coral"},
            {"model": "gpt-audio"},
            {"instructions": "Be brief."},
            {"stream": False},
            {"temperature": 0.8},
            {"max_completion_tokens": 100},
            {"tools": [len]},
            {"aloud": False},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_another_option_is_another_request(self, server: OpenAIServer, change: dict[str, Any]) -> None:
        def add(a: int) -> int:
            """One more."""
            return a + 1

        if "tools" in change:
            change = {"tools": [add]}
        nba.Conversation().say("Hello", question(), cache=True)
        assert not nba.Conversation().say("Hello", question(), cache=True, **change).cached
        assert len(server.requests) == 2

    def test_another_sound_is_another_request(self, server: OpenAIServer) -> None:
        nba.Conversation().say("Hello", question(0.5), cache=True)
        assert not nba.Conversation().say("Hello", question(0.6), cache=True).cached
        assert nba.Conversation().say("Hello", question(0.5), cache=True).cached

    def test_another_server_is_another_request(self, server: OpenAIServer) -> None:
        nba.Conversation().say("Hello", cache=True)
        settings().base_url = server.base_url.replace("127.0.0.1", "localhost")
        assert not nba.Conversation().say("Hello", cache=True).cached

    def test_another_key_is_not(self, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> None:
        nba.Conversation().say("Hello", cache=True)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-9x8y7z6w5v4u3t2s1r")
        assert nba.Conversation().say("Hello", cache=True).cached


class TestWhatIsNotKept:
    @pytest.mark.parametrize("fault", ["cut_stream", "content_filter", "text_instead_of_audio"])
    def test_an_answer_that_is_not_what_was_asked_for(self, server: OpenAIServer, folder: Path, fault: str) -> None:
        server.fail_next(fault)
        with contextlib.suppress(errors.RequestError):
            nba.Conversation().say("Hello", cache=True)
        assert list(folder.glob("*")) == []
        assert not nba.Conversation().say("Hello", cache=True).cached


class TestFiles:
    def test_there_is_no_key_in_them(self, server: OpenAIServer, folder: Path) -> None:
        three_cells()
        files = [path for path in folder.rglob("*") if path.is_file()]
        assert len(files) == 3
        for path in files:
            data = path.read_bytes()
            assert KEY.encode() not in data
            assert KEY[-12:].encode() not in data
            assert b"Bearer" not in data

    @pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")
    def test_only_their_owner_can_read_them(self, server: OpenAIServer, folder: Path) -> None:
        nba.Conversation().say("Hello", cache=True)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert [stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()] == [0o600]

    @pytest.mark.parametrize("at", [0.0, 0.1, 0.5, 0.99])
    def test_a_damaged_one_is_a_miss_and_goes(self, server: OpenAIServer, folder: Path, at: float) -> None:
        nba.Conversation().say("Hello", cache=True)
        (path,) = folder.iterdir()
        data = bytearray(path.read_bytes())
        data[int(at * len(data))] ^= 1
        path.write_bytes(data)
        assert answer_cache().get(path.stem) is None
        assert not path.exists()
        assert not nba.Conversation().say("Hello", cache=True).cached

    @pytest.mark.parametrize("data", [b"", b"\n", b"{}", b"\xff" * 100])
    def test_what_was_never_one(self, tmp_path: Path, data: bytes) -> None:
        (tmp_path / "k.answer").write_bytes(data)
        assert AnswerCache(tmp_path, 10**6).get("k") is None
        assert not (tmp_path / "k.answer").exists()

    def test_what_was_not_used_for_longest_goes_first(self, tmp_path: Path) -> None:
        def answer(words: str) -> Reply:
            return Reply(text=words * 1000, finish_reason="stop", time=1.0)

        cache = AnswerCache(tmp_path, 12_000)
        for age, name in ((30, "old"), (20, "used"), (10, "new")):
            cache.keep(name, answer("word"), aloud=False)
            os.utime(tmp_path / f"{name}.answer", (time.time() - age,) * 2)
        assert {path.stem for path in tmp_path.iterdir()} == {"used", "new"}
        assert cache.get("used") is not None
        cache.keep("newest", answer("word"), aloud=False)
        assert {path.stem for path in tmp_path.iterdir()} == {"used", "newest"}
        cache.keep("huge", answer("many words"), aloud=False)
        AnswerCache(tmp_path, 1000).keep("huger", answer("word"), aloud=False)  # is not kept, and pushes nothing out
        assert "huger" not in {path.stem for path in tmp_path.iterdir()}

    def test_all_can_be_forgotten(self, server: OpenAIServer, folder: Path) -> None:
        three_cells()
        assert answer_cache().clear() == 3
        assert list(folder.iterdir()) == []

    def test_a_folder_that_cannot_be_written_is_said_and_costs_no_answer(
        self, server: OpenAIServer, tmp_path: Path
    ) -> None:
        (tmp_path / "file").write_text("")
        settings().cache_folder = str(tmp_path / "file" / "answers")
        with pytest.warns(errors.NbaudioWarning, match="can't be kept"):
            reply = nba.Conversation().say("Hello", cache=True)
        assert reply.text


def test_events_come_in_the_order_in_which_words_and_sound_came() -> None:
    clip = nba.Clip.from_pcm16(bytes(48_000))
    reply = Reply(text="One. Two.", clips=(clip,), marks=((4, 6_000), (9, 18_000)))
    events = list(events_of(reply, streamed=True))
    assert [event.text if isinstance(event, nba.TextDelta) else len(event.pcm16) for event in events] == [
        12_000, "One.", 24_000, " Two.", 12_000,
    ]  # fmt: skip
    assert [type(event) for event in events_of(reply, streamed=False)] == [nba.TextDelta]
    assert list(events_of(Reply(), streamed=True)) == []
