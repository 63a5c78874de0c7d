"""Realtime over a served engine: token, pages of other sites, the most sessions at once, metrics, and the end."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import openai
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

import nbaudio as nba
from nbaudio.serving.keys import personal_token
from nbaudio.serving.limits import Limits

from .running import TOKEN, Command, Running, running
from .stand_ins import WAIT_S, GatedBrain, engine_of
from .test_serving import metrics, say

pytestmark = [
    pytest.mark.offline,
    # How the SDK uses websockets is deprecated from websockets 17.1 on.
    pytest.mark.filterwarnings(r"ignore:connect\(\) must be used as a context manager:DeprecationWarning"),
]


@pytest.fixture
def brain() -> GatedBrain:
    return GatedBrain()


@pytest.fixture
def server(brain: GatedBrain) -> Iterator[Running]:
    with running(engine_of(brain), Limits(sessions=2)) as server:
        yield server


@pytest.fixture
def guarded(brain: GatedBrain) -> Iterator[Running]:
    with running(engine_of(brain), Limits(), TOKEN) as server:
        yield server


def address(server: Running, path: str = "/v1/realtime?model=offline") -> str:
    return server.base_url.replace("http", "ws") + path


def opened(server: Running, **options: Any) -> Any:
    return connect(address(server), **options)


def status_of(server: Running, path: str = "/v1/realtime?model=offline", **options: Any) -> int:
    """What a handshake comes to."""
    try:
        with connect(address(server, path), **options) as talk:
            assert json.loads(talk.recv())["type"] == "session.created"
            return 101
    except InvalidStatus as refused:
        body = json.loads(refused.response.body or b"{}")
        assert body["error"]["message"]
        return refused.response.status_code


def of_type(talk: Any, kind: str) -> dict[str, Any]:
    """The next event of a type."""
    while (event := json.loads(talk.recv(timeout=WAIT_S)))["type"] != kind:
        pass
    return dict(event)


def ask(talk: Any, text: str) -> None:
    content = [{"type": "input_text", "text": text}]
    item = {"type": "message", "role": "user", "content": content}
    talk.send(json.dumps({"type": "conversation.item.create", "item": item}))
    talk.send(json.dumps({"type": "response.create"}))


class TestWhoMay:
    def test_the_official_client_with_the_token_or_without(self, guarded: Running, brain: GatedBrain) -> None:
        with guarded.client(TOKEN).realtime.connect(model="offline") as connection:
            assert connection.recv().type == "session.created"
        with pytest.raises(InvalidStatus, match="401"), guarded.client("wrong").realtime.connect(model="offline"):
            pass

    @pytest.mark.parametrize("key", [TOKEN, personal_token(TOKEN, "alice")])
    def test_a_page_sends_the_token_among_its_subprotocols(self, guarded: Running, key: str) -> None:
        protocols = ["realtime", f"openai-insecure-api-key.{key}"]
        with opened(guarded, subprotocols=protocols, origin="https://class.example") as talk:
            assert talk.subprotocol == "realtime"
            assert json.loads(talk.recv())["type"] == "session.created"
        said = guarded.wait_for_log(" WS ")
        assert said.startswith(("127.0.0.1 WS", "alice WS"))
        assert key not in said
        wrong = ["realtime", "openai-insecure-api-key.wrong"]
        assert status_of(guarded, subprotocols=wrong) == 401

    @pytest.mark.parametrize("path", ["/v1/realtime", "/v1/nothing"])
    def test_who_has_none_learns_nothing(self, guarded: Running, path: str) -> None:
        assert status_of(guarded, path) == 401

    def test_there_is_one_place(self, server: Running) -> None:
        assert status_of(server, "/v1/realtime/calls") == 404

    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({"origin": "https://evil.example"}, 403),
            ({"origin": "null"}, 403),
            ({"origin": "http://localhost:8888"}, 101),
            ({"origin": "http://[::1]:8888"}, 101),
            ({}, 101),
        ],
    )
    def test_without_a_token_no_page_of_another_site(
        self, server: Running, headers: dict[str, Any], status: int
    ) -> None:
        assert status_of(server, **headers) == status

    def test_without_a_token_no_other_name(self, server: Running) -> None:
        here = socket.create_connection(("127.0.0.1", int(server.base_url.rpartition(":")[2])), timeout=WAIT_S)
        with pytest.raises(InvalidStatus, match="403"), connect("ws://evil.example/v1/realtime", sock=here):
            pass


class TestSessionKeys:
    """Keys that open one session: for a page, from somebody who has the token."""

    def test_it_opens_one_session_as_whose_it_is_and_nothing_else(self, guarded: Running) -> None:
        alice = guarded.client(personal_token(TOKEN, "alice"))
        key = alice.realtime.client_secrets.create(session={"type": "realtime", "instructions": "Be brief."}).value
        with pytest.raises(openai.AuthenticationError):
            guarded.client(key).realtime.client_secrets.create()
        with pytest.raises(openai.AuthenticationError):
            guarded.client(key).chat.completions.create(model="offline", messages=[])

        protocols: Any = ["realtime", f"openai-insecure-api-key.{key}"]
        with opened(guarded, subprotocols=protocols, origin="https://class.example") as talk:
            assert of_type(talk, "session.created")["session"]["instructions"] == "Be brief."
        said = guarded.wait_for_log(" WS ")
        assert said.startswith("alice WS")
        assert key not in said
        assert status_of(guarded, subprotocols=protocols) == 401

    def test_who_has_no_token_gets_none(self, guarded: Running) -> None:
        with pytest.raises(openai.AuthenticationError):
            guarded.client("wrong").realtime.client_secrets.create()

    def test_one_that_was_never_given_opens_nothing_also_where_everybody_may_ask(self, server: Running) -> None:
        assert status_of(server, additional_headers={"authorization": "Bearer ek_0123456789abcdef"}) == 401
        assert status_of(server, additional_headers={"authorization": "Bearer whatever"}) == 101

    def test_who_is_sent_away_still_has_it(self, server: Running) -> None:
        key = {"authorization": f"Bearer {server.client().realtime.client_secrets.create().value}"}
        with ExitStack() as sessions:
            for _ in range(2):
                of_type(sessions.enter_context(opened(server)), "session.created")
            assert status_of(server, additional_headers=key) == 429
        for _ in range(3):
            server.wait_for_log(" WS ")
        assert status_of(server, additional_headers=key) == 101

    def test_it_waits_for_no_turn(self, brain: GatedBrain) -> None:
        with running(engine_of(brain), Limits(workers=1, queue=1)) as server, ThreadPoolExecutor(2) as people:
            asked = [people.submit(say, server.client(), text) for text in "ab"]
            brain.next_begun()
            server.wait_until_waiting()
            assert server.client().realtime.client_secrets.create().value.startswith("ek_")
            brain.let(2)
            for one in asked:
                one.result(WAIT_S)

    def test_nbaudio_asks_for_one_and_it_opens_a_session(self, guarded: Running, monkeypatch: Any) -> None:
        monkeypatch.setenv("SERVED_KEY", TOKEN)
        backend = nba.connect(f"{guarded.base_url}/v1", "offline", key="env:SERVED_KEY", dialect="offline")
        secret = nba.realtime_secret(backend=backend, expires_after_s=60, voice="ash", turn_detection="push_to_talk")
        assert 0 < secret.expires_at - time.time() <= 60
        assert secret.value not in repr(secret)
        header = {"authorization": f"Bearer {secret.value}"}
        with opened(guarded, additional_headers=header) as talk:
            session = of_type(talk, "session.created")["session"]
        assert session["audio"]["output"]["voice"] == "ash"
        assert session["audio"]["input"]["turn_detection"] is None


def test_nobody_else_can_reach_the_engine_of_this_process() -> None:
    with pytest.raises(nba.NbaudioError, match="no address"):
        nba.realtime_secret(backend=nba.connect("offline"))


class TestMost:
    def test_who_comes_after_the_most_is_sent_away_until_one_ends(self, server: Running) -> None:
        with ExitStack() as sessions:
            for _ in range(2):
                talk = sessions.enter_context(opened(server))
                assert json.loads(talk.recv())["type"] == "session.created"
            with pytest.raises(InvalidStatus) as refused, opened(server):
                pass
            assert refused.value.response.status_code == 429
            assert int(refused.value.response.headers["retry-after"]) > 0
            assert metrics(server)["nbaudio_realtime_sessions",] == 2
        for _ in range(3):  # the one that was sent away, and the two
            server.wait_for_log(" WS ")
        assert status_of(server) == 101
        server.wait_for_log(" 101 ")
        counted = metrics(server)
        assert counted["nbaudio_realtime_sessions",] == 0
        assert counted["nbaudio_requests_total", "/v1/realtime", "101"] == 3
        assert counted["nbaudio_requests_total", "/v1/realtime", "429"] == 1

    def test_with_a_token_one_client_has_at_most_half_of_them(self, brain: GatedBrain) -> None:
        alice, bob = ({"authorization": f"Bearer {personal_token(TOKEN, name)}"} for name in ("alice", "bob"))
        with running(engine_of(brain), Limits(sessions=3), TOKEN) as server:
            secret = server.client(personal_token(TOKEN, "alice")).realtime.client_secrets.create()
            page = {"authorization": f"Bearer {secret.value}"}
            with ExitStack() as sessions:
                for _ in range(2):
                    of_type(sessions.enter_context(opened(server, additional_headers=alice)), "session.created")
                with pytest.raises(InvalidStatus) as refused, opened(server, additional_headers=alice):
                    pass
                assert refused.value.response.status_code == 429
                assert b"You have 2 sessions already" in (refused.value.response.body or b"")
                assert status_of(server, additional_headers=page) == 429
                assert status_of(server, additional_headers=bob) == 101
            for _ in range(5):
                server.wait_for_log(" WS ")
            assert status_of(server, additional_headers=alice) == 101

    def test_an_event_may_be_as_long_as_the_protocol_says(self, server: Running) -> None:
        event = {"type": "input_audio_buffer.append", "audio": "A" * 1_000_000}
        with opened(server) as talk:
            of_type(talk, "session.created")
            talk.send(json.dumps(event))
            talk.send(json.dumps({"type": "input_audio_buffer.clear"}))
            of_type(talk, "input_audio_buffer.cleared")


class TestTheEnd:
    def test_an_answer_that_was_begun_comes_to_its_end(self, server: Running, brain: GatedBrain) -> None:
        with opened(server) as talk, opened(server) as quiet:
            of_type(quiet, "session.created")
            ask(talk, "a")
            brain.next_begun()
            stopping = asyncio.run_coroutine_threadsafe(server.serving.stop(), server.thread.loop)
            with pytest.raises(ConnectionClosed) as closed:
                quiet.recv(timeout=WAIT_S)
            assert status_of(server) == 503
            brain.let()
            assert of_type(talk, "response.done")["response"]["status"] == "completed"
            with pytest.raises(ConnectionClosed):
                of_type(talk, "error")
            stopping.result(WAIT_S)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001

    def test_one_that_takes_too_long_is_cut(self, brain: GatedBrain) -> None:
        with running(engine_of(brain), Limits(stop_s=0.05)) as server, opened(server) as talk:
            ask(talk, "a")
            brain.next_begun()
            stopping = asyncio.run_coroutine_threadsafe(server.serving.stop(), server.thread.loop)
            stopping.result(WAIT_S)
            with pytest.raises(ConnectionClosed):
                of_type(talk, "response.done")
            brain.let()

    def test_a_client_that_goes_leaves_nothing_behind(self, server: Running, brain: GatedBrain) -> None:
        with opened(server) as talk:
            ask(talk, "a")
            brain.next_begun()
        server.wait_for_log(" 101 ")
        assert server.serving.sessions.open == 0
        brain.let()
        assert brain.closed.get(timeout=WAIT_S) == "a"


def test_the_command_serves_it_and_closes_it_at_a_signal() -> None:
    with Command("--sessions", "1", NBAUDIO_SERVE_TOKEN=TOKEN) as command:
        url = command.base_url.replace("http", "ws") + "/v1/realtime?model=offline"
        with connect(url, additional_headers={"authorization": f"Bearer {TOKEN}"}) as talk:
            ask(talk, "Is a dog a good pet?")
            response = of_type(talk, "response.done")["response"]
            command.signal(signal.SIGTERM)
            with pytest.raises(ConnectionClosed) as closed:
                of_type(talk, "error")
        assert command.wait() == 0
    assert response["status"] == "completed"
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001
    assert " WS /v1/realtime 101 " in command.log()
