"""A session against a server on the loopback: turns of both sides, interruptions, tools, a connection that is lost."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest
from realtime_server import KEY, RealtimeServer
from realtime_talking import QUESTION, QUIET, WORDS, Clock, is_a, pieces, tone, until

import nbaudio as nba
from nbaudio import errors
from nbaudio.events import CutShort, Noticed, RealtimeEvent, SpeechBegan, SpeechEnded, WrittenDown
from nbaudio.realtime.playback import RealTimePlayback
from nbaudio.realtime.session import Realtime
from nbaudio.settings import Backend
from nbaudio.turns import INTERRUPTED
from nbaudio.wire.realtime.events import Unknown


class TestPushToTalk:
    def test_words_and_recordings_are_answered(self, server: RealtimeServer, backend: Backend) -> None:
        options: Any = {"voice": "marin", "instructions": "Be brief."}
        with Realtime(backend=backend, turn_detection="push_to_talk", **options) as session:
            first = session.say("Hello.")
            second = session.say(nba.Clip(QUESTION))

        assert (first.text, second.text) == (WORDS, WORDS)
        assert second.clip is not None
        assert second.clip.duration_s == pytest.approx(1.2)
        assert second.usage.output_audio_tokens == 10
        assert [turn.role for turn in session.conversation] == ["user", "assistant"] * 2
        assert session.conversation[2].transcript == server.heard
        assert session.conversation.usage.input_tokens == 52
        (update,) = server.wait_for("session.update")
        told = update["session"]
        assert told["type"] == "realtime"
        assert told["instructions"] == "Be brief."
        assert told["audio"]["input"]["turn_detection"] is None
        assert told["audio"]["output"]["voice"] == "marin"
        said = b"".join(base64.b64decode(one["audio"]) for one in server.wait_for("input_audio_buffer.append"))
        assert said == nba.Clip(QUESTION).resample(24_000).encode("pcm16")
        assert server.paths == ["/v1/realtime?model=gpt-realtime-2.1"]

    def test_a_recording_is_in_the_journal_before_its_answer(self, server: RealtimeServer, backend: Backend) -> None:
        server.hold.clear()
        with Realtime(nba.Conversation(name="dogs"), backend=backend, turn_detection="push_to_talk") as session:
            session.send(nba.Clip(QUESTION))
            until(session, is_a(nba.AudioDelta))
            assert [turn.role for turn in nba.history.restore("dogs")][:1] == ["user"]
            server.hold.set()
            until(session, is_a(nba.Finished))
        restored = nba.history.restore("dogs")
        assert [turn.role for turn in restored] == ["user", "assistant"]
        assert restored[1].text == WORDS

    def test_pieces_are_a_turn_when_they_end(self, server: RealtimeServer, backend: Backend) -> None:
        with Realtime(backend=backend, turn_detection="push_to_talk") as session:
            session.send(pieces(tone(0.5)))
            until(session, is_a(nba.Finished))
        question = session.conversation[0]
        assert question.clip is not None
        assert question.clip.encode("pcm16") == tone(0.5)
        assert len(server.wait_for("input_audio_buffer.append")) == 5

    def test_less_than_a_tenth_of_a_second_is_no_turn(self, server: RealtimeServer, backend: Backend) -> None:
        with Realtime(backend=backend, turn_detection="push_to_talk") as session:
            session.send(pieces(tone(0.05)))
            server.wait_for("input_audio_buffer.clear")
            assert session.say("Hello.").text == WORDS
        assert [turn.text for turn in session.conversation] == ["Hello.", WORDS]
        assert len(server.wait_for("response.create")) == 1

    def test_answers_in_words(self, server: RealtimeServer, backend: Backend) -> None:
        with Realtime(backend=backend, aloud=False) as session:
            reply = session.say("Hello.")
        assert (reply.text, reply.clip) == (WORDS, None)
        assert reply.note == ""

    def test_awaited(self, server: RealtimeServer, backend: Backend) -> None:
        async def talk() -> tuple[nba.Reply, list[RealtimeEvent]]:
            async with Realtime(backend=backend, turn_detection="push_to_talk") as session:
                reply = await session.asay("Hello.")
                await session.asend(pieces(tone(0.5)))
                seen = []
                async for event in session:
                    seen.append(event)
                    if sum(isinstance(one, nba.Finished) for one in seen) == 2:
                        break
            return reply, seen

        reply, seen = asyncio.run(talk())
        assert reply.text == WORDS
        spoken = b"".join(event.pcm16 for event in seen if isinstance(event, nba.AudioDelta))
        assert len(spoken) // 48 == pytest.approx(2400, abs=10)


class TestOpenMicrophone:
    def test_the_server_says_when_a_turn_is_over(self, server: RealtimeServer, backend: Backend) -> None:
        with Realtime(backend=backend) as session:
            session.send(pieces(bytes(48 * 300) + tone(1.0) + QUIET))
            seen = until(session, is_a(nba.Finished))

        kinds = [type(event) for event in seen]
        assert (
            kinds.index(SpeechBegan) < kinds.index(SpeechEnded) < kinds.index(WrittenDown) < kinds.index(nba.Finished)
        )
        question, reply = session.conversation
        assert question.transcript == server.heard
        assert question.clip is not None
        assert question.clip.duration_s == pytest.approx(1.0, abs=0.01)  # the silence around it is not part of it
        assert question.clip.level_dbfs > -15
        assert reply.text == WORDS

    def test_who_begins_to_speak_silences_the_answer(self, server: RealtimeServer, backend: Backend) -> None:
        clock = Clock()
        server.hold.clear()
        with Realtime(backend=backend, playback=RealTimePlayback(clock)) as session:
            session.send(pieces(tone(0.5) + QUIET))
            until(session, is_a(nba.AudioDelta))
            until(session, is_a(nba.AudioDelta))
            clock.now_s = 0.25
            session.send(pieces(tone(0.5)))
            seen = until(session, is_a(CutShort))
            session.send(pieces(QUIET))
            until(session, is_a(nba.Finished))

        cut = seen[-1]
        assert isinstance(cut, CutShort)
        (truncated,) = server.wait_for("conversation.item.truncate")
        assert truncated["audio_end_ms"] == 250
        assert [turn.role for turn in session.conversation] == ["user", "assistant"] * 2
        heard = session.conversation[1]
        assert isinstance(heard, nba.Reply)
        assert heard.clip is not None
        assert heard.clip.duration_s == pytest.approx(0.25)
        assert (heard.partial, heard.note) == (True, INTERRUPTED)
        assert WORDS.startswith(heard.text)
        assert 0 < len(heard.text) < len(WORDS)
        assert session.conversation[3].text == WORDS

    def test_an_answer_that_has_come_whole_can_be_interrupted_while_it_sounds(
        self, server: RealtimeServer, backend: Backend
    ) -> None:
        clock = Clock()
        with Realtime(nba.Conversation(name="dogs"), backend=backend, playback=RealTimePlayback(clock)) as session:
            session.send(pieces(tone(0.5) + QUIET))
            until(session, is_a(nba.Finished))
            clock.now_s = 0.5
            session.send(pieces(tone(0.5)))
            cut = until(session, is_a(CutShort))[-1]

        assert isinstance(cut, CutShort)
        heard = session.conversation[1]
        assert heard.clip is not None
        assert heard.clip.duration_s == pytest.approx(0.5)
        assert server.wait_for("conversation.item.truncate")[0]["audio_end_ms"] == 500
        assert nba.history.restore("dogs")[1].clip == heard.clip  # the journal holds no more either

    def test_an_answer_that_has_been_heard_whole_stays_so(self, server: RealtimeServer, backend: Backend) -> None:
        clock = Clock()
        with Realtime(backend=backend, playback=RealTimePlayback(clock)) as session:
            session.send(pieces(tone(0.5) + QUIET))
            until(session, is_a(nba.Finished))
            clock.now_s = 2.0
            session.send(pieces(tone(0.5) + QUIET))
            until(session, is_a(nba.Finished))
        assert not [event for event in server.events if event["type"] == "conversation.item.truncate"]
        assert session.conversation[1].clip.duration_s == pytest.approx(1.2)  # type: ignore[union-attr]

    def test_interrupt_by_hand(self, server: RealtimeServer, backend: Backend) -> None:
        clock = Clock()
        server.hold.clear()
        with Realtime(backend=backend, playback=RealTimePlayback(clock)) as session:
            session.send("Hello.")
            until(session, is_a(nba.AudioDelta))
            clock.now_s = 0.1
            session.interrupt()
            until(session, is_a(CutShort))
            assert session.say("And now?").text == WORDS
        server.wait_for("response.cancel")
        assert session.conversation[1].clip.duration_s == pytest.approx(0.1)  # type: ignore[union-attr]

    def test_interrupt_when_nothing_is_said_harms_nothing(self, server: RealtimeServer, backend: Backend) -> None:
        with Realtime(backend=backend) as session:
            session.interrupt()
            assert session.say("Hello.").text == WORDS


class TestTools:
    def test_they_are_run_and_the_answer_goes_on(self, server: RealtimeServer, backend: Backend) -> None:
        def weather(city: str) -> str:
            """The weather now."""
            return f"Rain in {city}."

        server.tool_calls = [("weather", '{"city": "Bern"}'), ("weather", '{"town": "Bern"}')]
        with Realtime(backend=backend, tools=[weather]) as session:
            session.send("How is the weather?")
            seen = until(session, is_a(nba.Finished))

        assert [type(event).__name__ for event in seen if "Tool" in type(event).__name__] == [
            "ToolCalled", "ToolCalled", "ToolReturned", "ToolReturned",
        ]  # fmt: skip
        assert [turn.role for turn in session.conversation] == ["user", "assistant", "tool", "tool", "assistant"]
        assert session.conversation[2].text == "Rain in Bern."
        assert session.conversation[3].failed  # type: ignore[attr-defined]
        (told,) = server.wait_for("session.update")
        (tool,) = told["session"]["tools"]
        assert (tool["type"], tool["name"]) == ("function", "weather")
        outputs = [one["item"] for one in server.wait_for("conversation.item.create", 3)[1:]]
        assert [one["type"] for one in outputs] == ["function_call_output"] * 2
        assert outputs[0]["output"] == "Rain in Bern."

    def test_no_more_rounds_than_allowed(self, server: RealtimeServer, backend: Backend) -> None:
        def look() -> str:
            """Look."""
            return "nothing"

        server.tool_calls = [("look", "{}")]
        server.calls_again = True  # although it is told not to
        with Realtime(backend=backend, tools=[look], max_tool_rounds=1) as session:
            reply = session.say("Look!")
        assert [call.name for call in reply.tool_calls] == ["look"]
        assert server.wait_for("response.create", 2)[1]["response"] == {"tool_choice": "none"}


class TestTrouble:
    def test_a_connection_that_breaks_off_comes_back_with_all_that_was_said(
        self, server: RealtimeServer, backend: Backend
    ) -> None:
        with Realtime(backend=backend, turn_detection="push_to_talk") as session:
            session.say("I am Ada.")
            until(session, is_a(nba.Finished))
            server.hold.clear()
            session.send(nba.Clip(QUESTION))
            until(session, is_a(nba.AudioDelta))
            server.wait_for_connection().drop()
            seen = until(session, lambda event: isinstance(event, Noticed) and "goes on" in event.text)
            items = [event["item"] for event in server.wait_for("conversation.item.create", 5)]

        told = " ".join(event.text for event in seen if isinstance(event, Noticed))
        assert "broke off; it is opened again." in told
        replayed = [(item["role"], item["content"][0]) for item in items[1:]]
        assert replayed[0] == ("user", {"type": "input_text", "text": "I am Ada."})
        assert replayed[1] == ("assistant", {"type": "output_text", "text": WORDS})
        assert replayed[2] == ("user", {"type": "input_text", "text": server.heard})
        assert replayed[3][0] == "assistant"
        assert session.conversation[3].partial

    def test_a_question_that_was_not_answered_is_answered_then(self, server: RealtimeServer, backend: Backend) -> None:
        server.deaf = True
        with Realtime(backend=backend, turn_detection="push_to_talk", transcription_model="") as session:
            session.send(nba.Clip(QUESTION))
            server.wait_for("response.create")
            server.deaf = False
            server.wait_for_connection().drop()
            until(session, is_a(nba.Finished))
        (recording,) = [event["item"] for event in server.events if event["type"] == "conversation.item.create"]
        assert recording["content"][0]["type"] == "input_audio"
        assert [turn.role for turn in session.conversation] == ["user", "assistant"]

    def test_what_is_being_said_is_said_once_more(self, server: RealtimeServer, backend: Backend) -> None:
        with Realtime(backend=backend) as session:
            session.send(pieces(tone(0.5)))
            until(session, is_a(SpeechBegan))
            server.wait_for_connection().drop()
            server.wait_for_connection(2)
            until(session, lambda event: isinstance(event, Noticed) and "goes on" in event.text)
            session.send(pieces(QUIET))
            until(session, is_a(nba.Finished))
        question = session.conversation[0]
        assert question.clip is not None
        assert question.clip.duration_s == pytest.approx(0.5, abs=0.02)

    def test_an_hour_is_over(self, server: RealtimeServer, backend: Backend) -> None:
        with Realtime(backend=backend) as session:
            session.say("I am Ada.")
            error = {"type": "invalid_request_error", "code": "session_expired", "message": "Your session is over."}
            server.wait_for_connection().say("error", error=error)
            server.wait_for_connection(2)
            assert session.say("Who am I?").text == WORDS
        assert len(session.conversation) == 4

    def test_nobody_comes_back_where_they_are_not_wanted(self, server: RealtimeServer, backend: Backend) -> None:
        with Realtime(backend=backend) as session:
            server.wait_for_connection().shut(4000, "beta_api_shape_disabled")
            with pytest.raises(errors.ReplyCut, match="ended the session: beta_api_shape_disabled"):
                list(session)
            with pytest.raises(errors.ReplyCut):
                session.say("Hello?")
        assert len(server.connections) == 1

    @pytest.mark.parametrize("message", ["no JSON", "[]", '{"type": 3}', '{"type": "response.done"}', "\ud800"])
    def test_what_can_not_be_understood_is_passed_on(
        self, server: RealtimeServer, backend: Backend, message: str
    ) -> None:
        with Realtime(backend=backend) as session:
            server.wait_for_connection().say_raw(message.encode("utf-8", "replace").decode())
            (unknown,) = until(session, is_a(Unknown))
            assert session.say("Hello.").text == WORDS
        assert isinstance(unknown, Unknown)

    def test_a_refused_event_ends_what_waits_for_it_and_not_the_session(
        self, server: RealtimeServer, backend: Backend
    ) -> None:
        server.hold.clear()
        error = {"type": "invalid_request_error", "code": "invalid_value", "message": "No such thing."}
        with Realtime(backend=backend) as session:
            session.send("Hello.")
            until(session, is_a(nba.AudioDelta))
            server.wait_for_connection().say("error", error=error)
            noticed = until(session, is_a(Noticed))[-1]
            server.hold.set()
            until(session, is_a(nba.Finished))
        assert isinstance(noticed, Noticed)
        assert "No such thing" in noticed.text

    def test_a_wrong_key(self, server: RealtimeServer, backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("REALTIME_KEY", "sk-wrong-0123456789abcdef")
        wrong = nba.connect(server.url, "gpt-realtime-2.1", key="env:REALTIME_KEY", dialect="openai")
        with pytest.raises(errors.AuthenticationFailed, match="REALTIME_KEY"), Realtime(backend=wrong):
            pass

    def test_nobody_there(self, server: RealtimeServer, backend: Backend) -> None:
        server.close()
        with pytest.raises(errors.ConnectionFailed), Realtime(backend=backend):
            pass

    def test_a_server_that_does_not_know_the_protocol(self, server: RealtimeServer, backend: Backend) -> None:
        server.refuse = 404, {"error": {"message": "Not Found"}}
        with pytest.raises(errors.ServerRefused), Realtime(backend=backend):
            pass

    @pytest.mark.parametrize("trouble", [{"code": 400, "message": "No voice."}, {"message": "No voice.", "param": 3}])
    def test_a_session_that_is_refused_in_other_words(
        self, server: RealtimeServer, backend: Backend, trouble: dict[str, Any]
    ) -> None:
        server.trouble_on_update = trouble
        with pytest.raises(errors.ServerRefused, match="No voice"), Realtime(backend=backend):
            pass

    def test_a_session_that_is_refused(self, server: RealtimeServer, backend: Backend) -> None:
        server.trouble_on_update = {"type": "invalid_request_error", "code": "invalid_value", "message": "No voice.",
                                    "param": "session.audio.output.voice"}  # fmt: skip
        with pytest.raises(errors.BadRequest, match="No voice"), Realtime(backend=backend):
            pass

    def test_a_server_that_never_answers(
        self, server: RealtimeServer, backend: Backend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from nbaudio.settings import settings

        server.silent_on_update = True
        monkeypatch.setattr(settings(), "timeout_s", 0.2)
        with pytest.raises(errors.TimedOut), Realtime(backend=backend):
            pass

    def test_beyond_a_budget_nothing_is_sent(self, server: RealtimeServer, backend: Backend) -> None:
        with pytest.raises(errors.BudgetExceeded), Realtime(backend=backend, budget=nba.Budget(tokens=10)):
            pass
        assert server.paths == []
        with Realtime(backend=backend, budget=nba.Budget(tokens=320)) as session:
            session.say("Hello.")
            with pytest.raises(errors.BudgetExceeded):
                session.say("Hello.")
        assert len(session.conversation) == 2

    def test_beyond_a_budget_an_open_microphone_is_not_answered(self, server: RealtimeServer, backend: Backend) -> None:
        with Realtime(backend=backend, budget=nba.Budget(tokens=320)) as session:
            session.say("Hello.")

            def listen() -> None:
                session.send(pieces(tone(0.5) + QUIET))
                list(session)

            with pytest.raises(errors.BudgetExceeded):
                listen()
        assert session.conversation[2].clip is not None  # what was said is kept

    def test_not_open(self, backend: Backend) -> None:
        with pytest.raises(errors.CellError, match="not open"):
            Realtime(backend=backend).say("Hello.")

    def test_over(self, backend: Backend) -> None:
        with Realtime(backend=backend) as session:
            session.say("Hello.")
        with pytest.raises(errors.CellError, match="over"):
            session.say("Hello.")
        assert "over" in repr(session)

    def test_options_that_can_not_be(self, backend: Backend) -> None:
        for options in ({"turn_detection": "server_vat"}, {"speed": 3.0}, {"voise": "ash"}, {"tool_choice": "look"}):
            with pytest.raises(errors.CellError):
                Realtime(backend=backend, **options)  # type: ignore[arg-type]

    def test_the_key_is_nowhere(self, backend: Backend, capsys: Any) -> None:
        with Realtime(backend=backend) as session:
            assert KEY not in repr(session) + repr(session.options) + str(session.conversation.to_messages())
