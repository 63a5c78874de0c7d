"""Turns that refer to earlier ones, what an error leaves behind, and stopping in the middle."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from openai_server import Gate, OpenAIServer, Scripted, ToolCall

import nbaudio as nba
from nbaudio import errors
from nbaudio.journal.watcher import journal
from nbaudio.wire.answers import AnswerReader


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set when sound has come to the client."""
    came = threading.Event()
    take_chunk = AnswerReader.take_chunk

    def take(reader: AnswerReader, chunk: object) -> list[nba.TextDelta | nba.AudioDelta]:
        deltas = take_chunk(reader, chunk)
        if any(isinstance(delta, nba.AudioDelta) for delta in deltas):
            came.set()
        return deltas

    monkeypatch.setattr(AnswerReader, "take_chunk", take)
    return came


def messages(server: OpenAIServer, index: int = -1) -> list[dict[str, object]]:
    found: list[dict[str, object]] = server.requests[index].body["messages"]
    return found


class TestReferringToEarlierSound:
    def test_a_fresh_id_is_sent_instead_of_words(self, server: OpenAIServer) -> None:
        chat = nba.Conversation(instructions="Be brief.")
        first = chat.say("Is it a good dog?")
        chat.say("Why?")
        assert messages(server) == [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Is it a good dog?"},
            {"role": "assistant", "audio": {"id": first.audio_id}},
            {"role": "user", "content": "Why?"},
        ]
        assert len(chat) == 4

    def test_an_id_that_ends_within_a_minute_is_not_trusted(self, server: OpenAIServer) -> None:
        server.audio_ttl_s = 50
        chat = nba.Conversation()
        first = chat.say("Is it a good dog?")
        chat.say("Why?")
        assert messages(server)[1] == {"role": "assistant", "content": first.text}

    def test_an_id_is_not_sent_to_another_model(self, server: OpenAIServer) -> None:
        chat = nba.Conversation()
        first = chat.say("Is it a good dog?", model="gpt-audio")
        chat.say("Why?", model="gpt-audio-mini")
        assert messages(server)[1] == {"role": "assistant", "content": first.text}

    def test_an_id_is_not_sent_to_a_server_that_keeps_none(
        self, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        nba.NbAudio.instance().dialect = "compatible"
        chat = nba.Conversation()
        first = chat.say("Is it a good dog?")
        chat.say("Why?")
        assert messages(server)[1] == {"role": "assistant", "content": first.text}

    def test_an_id_that_the_server_forgot_is_made_good_without_a_word(self, server: OpenAIServer) -> None:
        chat = nba.Conversation()
        first = chat.say("Is it a good dog?")
        server.clock = lambda: time.time() + 4000
        second = chat.say("Why?")
        assert [request.status for request in server.requests] == [200, 400, 200]
        assert messages(server)[1] == {"role": "assistant", "content": first.text}
        assert second.text
        assert len(chat) == 4
        chat.say("And then?")  # the dead id is not tried again, the fresh one is
        assert server.requests[-1].status == 200
        assert messages(server)[1] == {"role": "assistant", "content": first.text}

    def test_a_missing_id_is_recovered_from_once_only(self, server: OpenAIServer) -> None:
        chat = nba.Conversation()
        chat.say("Is it a good dog?")
        server.fail_next("audio_id_not_found", times=2)
        with pytest.raises(errors.AudioIdNotFound):
            chat.say("Why?")
        assert len(chat) == 2

    @pytest.mark.offline
    def test_offline_ids_work_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NBAUDIO_BACKEND", "offline")
        chat = nba.Conversation()
        chat.say("What is the capital of France?")
        reply = chat.say("Say that again, please.")
        assert reply.usage.input_tokens > chat[1].usage.input_tokens  # type: ignore[attr-defined]


class TestWhatAnErrorLeavesBehind:
    def test_a_failed_turn_can_be_said_again(self, server: OpenAIServer) -> None:
        chat = nba.Conversation()
        server.fail_next("quota")
        with pytest.raises(errors.QuotaExceeded):
            chat.say("Hello")
        assert len(chat) == 0
        assert chat.say("Hello").text
        assert len(messages(server)) == 1

    @pytest.mark.parametrize("fault", ["cut_stream", "no_done", "error_in_stream"])
    def test_what_came_of_a_broken_answer_is_kept_and_plays(self, server: OpenAIServer, fault: str) -> None:
        chat = nba.Conversation()
        server.fail_next(fault)
        with pytest.raises(errors.RequestError) as caught:
            chat.say("Hello")
        partial = caught.value.partial
        assert chat[-1] is partial
        assert partial.partial
        assert partial.text
        assert 0 < partial.clip.duration_s <= 1
        assert "broke off" in partial.note
        assert partial.audio_id == ""
        chat.say("Go on")
        assert messages(server)[1] == {"role": "assistant", "content": partial.text}

    def test_words_alone_although_sound_was_asked_for(self, server: OpenAIServer) -> None:
        for fault, stream in (("text_instead_of_audio", True), ("no_data", False)):
            server.fail_next(fault)
            reply = nba.Conversation().say("Hello", stream=stream)
            assert reply.text
            assert reply.clip is None
            assert "words only" in reply.note

    def test_a_refusal_and_a_filter_are_answers(self, server: OpenAIServer) -> None:
        server.fail_next("refusal")
        refused = nba.Conversation().say("Hello")
        assert refused.refusal
        assert refused.text == refused.refusal
        server.fail_next("content_filter")
        filtered = nba.Conversation().say("Hello", stream=False)
        assert "content filter" in filtered.note

    def test_a_cut_at_the_token_limit_is_said(self, server: OpenAIServer) -> None:
        server.duration_s = 3
        reply = nba.Conversation().say("Hello", max_completion_tokens=20, stream=False)
        assert reply.finish_reason == "length"
        assert "--max-completion-tokens" in reply.note
        assert reply.clip is not None
        assert reply.clip.duration_s < 1.5


class TestStopping:
    def test_an_interrupt_keeps_what_came(self, server: OpenAIServer, heard: threading.Event) -> None:
        server.gate = Gate(pieces=4)
        chat = nba.Conversation()

        def interrupt() -> None:
            assert heard.wait(10)
            signal.raise_signal(signal.SIGINT)

        threading.Thread(target=interrupt).start()
        with pytest.raises(errors.Interrupted) as caught:
            chat.say("Hello")
        assert isinstance(caught.value, KeyboardInterrupt)
        partial = caught.value.partial
        assert partial is chat[-1]
        assert partial.partial
        assert server.wait_for_request().broken_off.wait(10), "the request went on after the interrupt"
        server.gate.open()
        assert chat.say("Hello").text

    def test_an_interrupt_of_a_second_attempt_leaves_the_old_answer(
        self, server: OpenAIServer, heard: threading.Event
    ) -> None:
        chat = nba.Conversation()
        chat.say("Hello")
        before = list(chat)
        heard.clear()
        server.gate = Gate(pieces=4)

        def interrupt() -> None:
            assert heard.wait(10)
            signal.raise_signal(signal.SIGINT)

        threading.Thread(target=interrupt).start()
        with pytest.raises(errors.Interrupted) as caught:
            chat.retry()
        server.gate.open()
        assert str(caught.value) == (
            "Stopped; the conversation is as it was. What had come of the answer is the error's partial."
        )
        assert caught.value.partial.clip
        assert list(chat) == before

    def test_an_interrupt_before_an_answer_leaves_nothing(self, server: OpenAIServer) -> None:
        server.fail_next("hang")
        chat = nba.Conversation()

        def interrupt() -> None:
            server.wait_for_request()
            signal.raise_signal(signal.SIGINT)

        threading.Thread(target=interrupt).start()
        with pytest.raises(errors.Interrupted, match="Stopped before an answer came") as caught:
            chat.say("Hello")
        assert caught.value.partial is None
        assert len(chat) == 0

    def test_leaving_a_stream_early_ends_the_request(self, server: OpenAIServer) -> None:
        server.gate = Gate(pieces=3)
        chat = nba.Conversation()
        for event in chat.stream("Hello"):
            if isinstance(event, nba.AudioDelta):
                break
        assert server.wait_for_request().broken_off.wait(10)
        assert chat[-1].partial  # type: ignore[attr-defined]

    def test_awaiting_and_cancelling(self, server: OpenAIServer, heard: threading.Event) -> None:
        chat = nba.Conversation()

        async def talk() -> None:
            assert (await chat.asay("Hello")).text
            server.gate = Gate(pieces=3)
            heard.clear()
            task = asyncio.create_task(chat.asay("Again"))
            assert await asyncio.to_thread(heard.wait, 10)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(talk())
        assert chat[-1].partial  # type: ignore[attr-defined]
        assert server.wait_for_request(2).broken_off.wait(10)

    @pytest.mark.offline
    def test_an_interrupted_offline_answer_stops_the_model(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NBAUDIO_BACKEND", "offline")
        chat = nba.Conversation()
        for event in chat.stream("Tell me a long story about the sea.", instructions="Tell long stories."):
            if isinstance(event, nba.AudioDelta):
                break
        assert chat[-1].partial  # type: ignore[attr-defined]
        assert chat.say("Thank you.", aloud=True).text  # the engine is free again


class TestAsking:
    def test_many_conversations_at_once(self, server: OpenAIServer) -> None:
        server.words = lambda body: "You said " + body["messages"][-1]["content"]

        async def talk() -> list[nba.Reply]:
            return await asyncio.gather(*(nba.Conversation().asay(str(number)) for number in range(12)))

        assert [reply.text for reply in asyncio.run(talk())] == [f"You said {number}" for number in range(12)]

    def test_no_conversation_waits_for_the_connection_of_another(self, server: OpenAIServer) -> None:
        server.gate = Gate()  # none of them ends before all have been sent

        async def talk() -> list[nba.Reply]:
            tasks = [asyncio.create_task(nba.Conversation().asay(str(number))) for number in range(120)]
            await asyncio.to_thread(server.wait_for_request, 120)
            server.gate.open()
            return await asyncio.gather(*tasks)

        assert len(asyncio.run(talk())) == 120

    def test_an_unknown_option_gets_a_suggestion(self) -> None:
        with pytest.raises(errors.CellError, match=r"There is no option 'voise'\. Did you mean voice\?"):
            nba.Conversation(voise="ash")

    def test_nothing_to_say(self) -> None:
        with pytest.raises(errors.CellError, match="There is nothing to say"):
            nba.Conversation().say("  \n ")

    def test_an_earlier_reply_can_be_sent_as_sound(self, server: OpenAIServer) -> None:
        chat = nba.Conversation()
        reply = chat.say("Hello")
        nba.Conversation().say("What was said?", reply, aloud=False)
        kinds = [part["type"] for part in messages(server)[0]["content"]]  # type: ignore[index,attr-defined]
        assert kinds == ["text", "input_audio"]

    def test_a_custom_voice_is_sent_as_an_object(self, server: OpenAIServer) -> None:
        nba.Conversation(voice="voice_1234").say("Hello")
        assert server.requests[0].body["audio"]["voice"] == {"id": "voice_1234"}

    def test_a_server_that_ignores_stream_is_understood(self, server: OpenAIServer) -> None:
        body = {
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "Whole."}, "finish_reason": "stop"}]
        }
        server.fail_next(Scripted(200, {}, body))
        assert (
            nba.Conversation().say("Hello", nba.Clip.from_pcm16(bytes(4800)), aloud=False, stream=True).text == "Whole."
        )


def test_a_key_that_is_said_is_nowhere(
    server: OpenAIServer, journal_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = server.api_key = "sk-proj-0123456789-that-is-said-aloud"
    monkeypatch.setenv("OPENAI_API_KEY", key)
    monkeypatch.setenv("NBAUDIO_CACHE_FOLDER", str(tmp_path / "answers"))
    monkeypatch.chdir(tmp_path)

    def look() -> dict[str, str]:
        return {"authorization": f"Bearer {key}"}

    chat = nba.Conversation(name="keys", cache=True, tools=[look])
    chat.say("Hello.")
    server.script = [[ToolCall("look", {})], f"You sent Authorization: Bearer {key}, I think."]
    with pytest.warns(errors.NbaudioWarning, match="A key stood in what you said"):
        chat.say(f"Is {key} a good key?")
    assert [turn.text for turn in chat[2:]] == [
        "Is [key] a good key?",
        "",
        '{"authorization": "Bearer [key]"}',
        "You sent Authorization: Bearer [key], I think.",
    ]
    for ending in (".md", ".html", ".mp3", ".wav", ".vtt"):
        chat.export(tmp_path / f"talk{ending}")
    chat.save(tmp_path / "talk.nbaudio")
    with zipfile.ZipFile("talk.nbaudio") as saved:
        saved.extract("conversation.json")
    nba.history.export(tmp_path / "copy.sqlite3")
    (tmp_path / "shown").write_text(f"{[turn._repr_mimebundle_() for turn in chat[3:]]} {chat._repr_mimebundle_()}")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"journal.sqlite3", "journal.sqlite3-wal", "conversation.json", "shown"} <= {path.name for path in files}
    assert sum(path.suffix == ".answer" for path in files) == 3
    for said in [*(path.read_bytes() for path in files), *(repr(request.body).encode() for request in server.requests)]:
        assert key.encode() not in said


TYPED = "sk-proj-0123456789-that-is-typed-in"
PUT_IN = {
    "a turn": lambda chat: chat.append(nba.Turn("user", f"My {TYPED}.")),
    "an answer": lambda chat: chat.append(nba.Reply(text=f"Your {TYPED}.", refusal=TYPED)),
    "a turn that becomes an answer": lambda chat: chat.append(nba.Turn("assistant", f"Your {TYPED}.")),
    "a call": lambda chat: chat.append(nba.Reply(tool_calls=(nba.ToolCall("1", "look", f'{{"key": "{TYPED}"}}'),))),
    "a result": lambda chat: chat.append(nba.ToolResult(text=TYPED)),
    "in the place of another": lambda chat: chat.__setitem__(0, nba.Turn("user", TYPED)),
    "other words": lambda chat: chat.edit(0, text=f"My {TYPED}."),
    "a transcript": lambda chat: chat.edit(0, transcript=f"My {TYPED}."),
    "instructions": lambda chat: setattr(chat, "instructions", f"Say {TYPED}."),
}


@pytest.mark.parametrize("put_in", PUT_IN.values(), ids=PUT_IN)
def test_a_key_that_is_put_in_is_nowhere(
    put_in: Callable[[nba.Conversation], None], journal_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", TYPED)  # nothing has been asked yet that would have needed it
    chat = nba.Conversation([nba.Turn("user", "Hello.")])
    with pytest.warns(errors.NbaudioWarning, match="A key stood in"):
        put_in(chat)
    chat.append("Well?")
    journal.close()
    with zipfile.ZipFile(chat.save(tmp_path / "talk.nbaudio")) as saved:
        saved.extract("conversation.json", tmp_path)
    chat.export(tmp_path / "talk.html")
    shown = f"{[turn._repr_mimebundle_() for turn in chat if isinstance(turn, nba.Reply)]} {chat._repr_mimebundle_()}"
    assert "[key]" in (tmp_path / "conversation.json").read_text(encoding="utf-8")
    for said in (shown.encode(), repr([*chat]).encode(), *(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())):
        assert TYPED.encode() not in said


def test_a_key_in_messages_is_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", TYPED)
    told = [{"role": "system", "content": f"Use {TYPED}."}, {"role": "user", "content": f"My {TYPED}."}]
    with pytest.warns(errors.NbaudioWarning, match="A key stood in"):
        chat = nba.Conversation.from_messages(told)
    assert (chat.instructions, chat[0].text) == ("Use [key].", "My [key].")


def test_a_key_in_the_very_first_question_is_not_sent(server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.api_key = TYPED
    monkeypatch.setenv("NBAUDIO_API_KEY_ENV", "MY_KEY")
    monkeypatch.setenv("MY_KEY", TYPED)
    chat = nba.Conversation()
    with pytest.warns(errors.NbaudioWarning, match="A key stood in what you said"):
        chat.say(f"My {TYPED}.")
    assert chat[0].text == "My [key]."
    assert TYPED not in repr(server.requests[0].body)


def test_an_answer_that_loses_a_key_times_its_words_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", TYPED)
    with pytest.warns(errors.NbaudioWarning, match="A key stood in a turn"):
        chat = nba.Conversation([nba.Reply(text=f"Your {TYPED}.", marks=((30, 100),))])
    assert isinstance(chat[0], nba.Reply)
    assert chat[0].marks == ()
