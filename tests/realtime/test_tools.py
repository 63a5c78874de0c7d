"""Tools of a session: what they do to it when they fail, and when nobody waits for what they give any more."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from realtime_server import RealtimeServer
from realtime_talking import QUIET, WORDS, is_a, noticed, pieces, tone, until

import nbaudio as nba
from nbaudio import errors
from nbaudio.events import RealtimeEvent, SpeechBegan
from nbaudio.realtime.session import Realtime
from nbaudio.settings import Backend

WAIT_S = 10.0


class TestFailing:
    @pytest.mark.parametrize("error", [SystemExit(2), KeyboardInterrupt(), asyncio.CancelledError()])
    def test_what_ends_programs_ends_neither_the_session_nor_the_requests_of_the_kernel(
        self, server: RealtimeServer, backend: Backend, error: BaseException
    ) -> None:
        def leave() -> None:
            """Leave."""
            raise error

        def look() -> str:
            """Look."""
            return "A dog."

        server.tool_calls = [("leave", "{}"), ("look", "{}")]
        with Realtime(backend=backend, tools=[leave, look]) as session:

            def ask() -> list[RealtimeEvent]:
                session.send("Leave!")
                return until(session, is_a(nba.Finished))

            with pytest.warns(errors.NbaudioWarning, match="leave failed"):
                seen = ask()
            assert session.say("And now?").text == WORDS
        results = [event.result for event in seen if isinstance(event, nba.ToolReturned)]
        assert [one.name for one in results] == ["leave", "look"]
        assert results[0].failed
        assert len(server.wait_for("response.create", 3)) == 3


class TestSlow:
    """A tool that still runs when its question is over."""

    @pytest.fixture
    def gate(self) -> Iterator[threading.Event]:
        opened = threading.Event()
        yield opened
        opened.set()

    @pytest.fixture
    def look(self, server: RealtimeServer, gate: threading.Event) -> Callable[[], str]:
        def look() -> str:
            """Look."""
            assert gate.wait(WAIT_S)
            return "A dog."

        server.tool_calls = [("look", "{}")]
        return look

    def outputs(self, server: RealtimeServer) -> list[dict[str, Any]]:
        items = [event["item"] for event in server.events if event["type"] == "conversation.item.create"]
        return [item for item in items if item["type"] == "function_call_output"]

    def test_an_interrupted_question_is_not_answered(
        self, server: RealtimeServer, backend: Backend, look: Callable[[], str], gate: threading.Event
    ) -> None:
        with Realtime(backend=backend, tools=[look]) as session, ThreadPoolExecutor(1) as other:
            saying = other.submit(session.say, "What is there?")
            until(session, is_a(nba.ToolCalled))
            session.interrupt()
            assert [call.name for call in saying.result(WAIT_S).tool_calls] == ["look"]
            gate.set()
            until(session, is_a(nba.ToolReturned))
            assert session.say("And now?").text == WORDS
        assert [item["output"] for item in self.outputs(server)] == ["A dog."]  # the server's conversation is complete
        assert len(server.wait_for("response.create")) == 2
        assert [turn.role for turn in session.conversation] == ["user", "assistant", "tool", "user", "assistant"]

    def test_a_result_stays_with_its_question(
        self, server: RealtimeServer, backend: Backend, look: Callable[[], str], gate: threading.Event
    ) -> None:
        with Realtime(nba.Conversation(name="dogs"), backend=backend, tools=[look]) as session:
            session.send("What is there?")
            until(session, is_a(nba.ToolCalled))
            assert session.say("And now?").text == WORDS
            gate.set()
            until(session, is_a(nba.ToolReturned))
            assert session.say("And then?").text == WORDS
        assert [item["output"] for item in self.outputs(server)] == ["A dog."]
        assert len(server.wait_for("response.create")) == 3
        roles = ["user", "assistant", "tool", "user", "assistant", "user", "assistant"]
        assert [turn.role for turn in session.conversation] == roles
        assert [turn.role for turn in nba.history.restore("dogs")] == roles

    def test_who_begins_to_speak_interrupts_it_too(
        self, server: RealtimeServer, backend: Backend, look: Callable[[], str], gate: threading.Event
    ) -> None:
        with Realtime(backend=backend, tools=[look]) as session:
            session.send("What is there?")
            until(session, is_a(nba.ToolCalled))
            session.send(pieces(tone(0.5)))
            until(session, is_a(SpeechBegan))
            gate.set()
            until(session, is_a(nba.ToolReturned))
            session.send(pieces(QUIET))
            until(session, is_a(nba.Finished))
        assert [item["output"] for item in self.outputs(server)] == ["A dog."]
        assert len(server.wait_for("response.create")) == 1  # what was spoken the server answers by itself
        assert [turn.role for turn in session.conversation] == ["user", "assistant", "tool", "user", "assistant"]

    def test_another_connection_gets_no_result_of_the_one_before(
        self, server: RealtimeServer, backend: Backend, look: Callable[[], str], gate: threading.Event
    ) -> None:
        with Realtime(backend=backend, tools=[look]) as session:
            session.send("What is there?")
            until(session, is_a(nba.ToolCalled))
            server.wait_for_connection().drop()
            until(session, noticed("goes on"))
            gate.set()
            until(session, is_a(nba.ToolReturned))
            assert session.say("And now?").text == WORDS
        assert self.outputs(server) == []
        assert len(server.wait_for("response.create")) == 2
        assert [turn.role for turn in session.conversation] == ["user", "assistant", "tool", "user", "assistant"]
