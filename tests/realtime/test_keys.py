"""The key that opens a session: in no log, in nothing that is kept, and at no other address."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from realtime_server import KEY, RealtimeServer, realtime_server
from realtime_talking import is_a, until

import nbaudio as nba
from nbaudio import errors
from nbaudio.realtime.session import Realtime
from nbaudio.settings import Backend


def repeat_the_key(connection: Any) -> None:
    """An answer in words and a call of a tool, of a server that repeats the key which it was sent; then it fails."""
    connection.say("response.created", response={"id": "r", "status": "in_progress", "output": []})
    connection.say("response.output_text.delta", response_id="r", item_id="a", delta=f"It is {KEY}.")
    call = {"call_id": "c", "name": "look", "arguments": f'{{"key": "{KEY}"}}'}
    connection.say("response.function_call_arguments.done", response_id="r", item_id="b", **call)
    failure = {"type": "failed", "error": {"code": "server_error", "message": f"No use for {KEY}."}}
    done = {"id": "r", "status": "failed", "status_details": failure, "output": []}
    connection.say("response.done", response=done)


def test_the_key_is_in_no_log(server: RealtimeServer, backend: Backend, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    caplog.set_level("DEBUG", "websockets.client")
    with Realtime(backend=backend) as session:
        session.say("Hello.")
    # The server of the tests is in this process, and its side is what it is.
    told = [record.getMessage() for record in caplog.records if record.name != "websockets.server"]
    assert caplog.records
    assert not [line for line in told if KEY[-8:] in line]


def test_a_server_that_repeats_the_key(server: RealtimeServer, backend: Backend, journal_file: Path) -> None:
    server.instead = [repeat_the_key]
    with Realtime(nba.Conversation(name="dogs"), backend=backend, aloud=False) as session:
        session.send("Hello.")
        seen = until(session, is_a(nba.Finished))
    reply = session.conversation[1]
    assert reply.text == "It is [key]."
    assert reply.note == "The server could not answer: No use for [key]."  # type: ignore[attr-defined]
    assert reply.tool_calls[0].arguments == '{"key": "[key]"}'  # type: ignore[attr-defined]
    assert KEY not in repr(seen)
    kept = b"".join(file.read_bytes() for file in journal_file.parent.iterdir() if file.is_file())
    assert b"It is [key]." in kept
    assert KEY.encode() not in kept


@pytest.mark.parametrize("dialect", ["openai", "azure"])
def test_no_other_address_gets_it(
    server: RealtimeServer, journal_file: Path, monkeypatch: pytest.MonkeyPatch, dialect: str
) -> None:
    monkeypatch.setenv("REALTIME_KEY", KEY)
    backend = nba.connect(server.url, "gpt-realtime-2.1", key="env:REALTIME_KEY", dialect=dialect)
    with realtime_server() as other:
        server.redirect = f"{other.url.replace('http', 'ws')}/realtime?model=gpt-realtime-2.1"
        with pytest.raises(errors.BadReply, match="sessions on to ws://"), Realtime(backend=backend):
            pass
        assert other.paths == []
    assert len(server.paths) == 1
