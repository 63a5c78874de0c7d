"""Tools of a session: what they do to it when they fail, and when nobody waits for what they give any more."""

from __future__ import annotations

import asyncio

import pytest
from realtime_server import RealtimeServer
from realtime_talking import WORDS, is_a, until

import nbaudio as nba
from nbaudio import errors
from nbaudio.events import RealtimeEvent
from nbaudio.realtime.session import Realtime
from nbaudio.settings import Backend


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
