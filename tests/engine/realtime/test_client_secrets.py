"""Keys that open one session, asked for and used by the `openai` package."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from openai.types.realtime.client_secret_create_response import ClientSecretCreateResponse
from openai_server.sdk_types import validated
from websockets.exceptions import InvalidStatus

from nbaudio.engine.asked import Refusal
from nbaudio.engine.realtime import client_secrets
from nbaudio.engine.realtime.client_secrets import ClientSecrets

from .talking import SDK_WARNS, LetBrain, engine_with, served, talking

pytestmark = [pytest.mark.offline, SDK_WARNS]

SESSION: Any = {
    "type": "realtime",
    "model": "offline",
    "instructions": "Be brief.",
    "output_modalities": ["text"],
    "audio": {
        "input": {"turn_detection": None, "format": {"type": "audio/pcmu"}},
        "output": {"voice": "cedar"},
    },
}


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    with served(engine_with(LetBrain())) as url:
        yield url


@pytest.fixture
def client(base_url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=base_url, api_key="none", max_retries=0) as client:
        yield client


def test_a_key_opens_the_session_that_it_was_made_for(client: openai.OpenAI, base_url: str) -> None:
    made = client.realtime.client_secrets.create(expires_after={"anchor": "created_at", "seconds": 60}, session=SESSION)
    shown = made.to_dict()
    validated(ClientSecretCreateResponse, shown)
    assert made.value.startswith("ek_")
    with talking(base_url, key=made.value) as talk:
        session = talk.created["session"]
        talk.append(b"\xff" * 8000)  # a second of silence over a telephone
        talk.connection.input_audio_buffer.commit()
        assert "input_audio_buffer.committed" in [event["type"] for event in talk.until("conversation.item.done")]
    assert session["id"] == made.session.to_dict()["id"]
    assert session["instructions"] == "Be brief."
    assert session["output_modalities"] == ["text"]
    assert session["audio"]["input"]["turn_detection"] is None
    assert session["audio"]["input"]["format"] == {"type": "audio/pcmu"}
    assert session["audio"]["output"]["voice"] == "cedar"


def test_it_opens_one(client: openai.OpenAI, base_url: str) -> None:
    key = client.realtime.client_secrets.create().value
    with talking(base_url, key=key) as talk:
        assert talk.created["type"] == "session.created"
    with pytest.raises(InvalidStatus) as refused, talking(base_url, key=key):
        pass
    assert refused.value.response.status_code == 401
    assert b"has expired, or has opened its session" in (refused.value.response.body or b"")


def test_who_asks_for_nothing_gets_ten_minutes_and_the_usual_session(base_url: str) -> None:
    made = httpx.post(f"{base_url}/realtime/client_secrets", trust_env=False).json()
    assert made["session"]["audio"]["input"]["turn_detection"]["type"] == "server_vad"
    assert made["expires_at"] > 0


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"expires_after": {"anchor": "now"}}, "expires_after.anchor", "invalid_value"),
        ({"expires_after": {"seconds": 9}}, "expires_after.seconds", "invalid_value"),
        ({"expires_after": {"seconds": 7201}}, "expires_after.seconds", "invalid_value"),
        ({"expires_after": 60}, "expires_after", "invalid_type"),
        ({"session": {"type": "transcription"}}, "session.type", "unsupported_value"),
        ({"session": {"type": "realtime", "model": "gpt-realtime"}}, "model", "model_not_found"),
        ({"session": {"type": "realtime", "tools": [{"type": "function"}]}}, "session.tools", "unsupported_parameter"),
        ({"ttl": 60}, "ttl", "unknown_parameter"),
        ([], "", "invalid_type"),
    ],
)
def test_what_can_not_be_is_refused(base_url: str, body: Any, param: str, code: str) -> None:
    answer = httpx.post(f"{base_url}/realtime/client_secrets", json=body, trust_env=False)
    error = answer.json()["error"]
    assert answer.status_code in (400, 404)
    assert (error["param"], error["code"]) == (param, code)


def test_what_is_no_json_is_refused(base_url: str) -> None:
    for body in (b"{", b"[" * 100_000):
        answer = httpx.post(f"{base_url}/realtime/client_secrets", content=body, trust_env=False)
        assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")


class TestEnd:
    def test_it_ends_at_its_time_and_not_before(self) -> None:
        now = [1000.5]
        keys = ClientSecrets(lambda: now[0])
        one, other = (keys.create({"expires_after": {"seconds": 10}}) for _ in range(2))
        assert one.expires_at == 1010
        now[0] = 1009.9
        assert keys.use(one.value) is one
        now[0] = 1010.0
        assert keys.find(other.value) is None
        assert keys.use(other.value) is None

    def test_there_are_so_many_and_no_more_until_some_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(client_secrets, "_MOST", 2)
        now = [0.0]
        keys = ClientSecrets(lambda: now[0])
        keys.create({"expires_after": {"seconds": 10}})
        keys.create({})
        with pytest.raises(Refusal, match="2 client secrets") as refused:
            keys.create({})
        assert refused.value.status == 429
        now[0] = 10.0
        keys.create({})

    def test_one_owner_leaves_most_of_them_to_others(self) -> None:
        now = [0.0]
        keys = ClientSecrets(lambda: now[0])
        mine = [keys.create({"expires_after": {"seconds": 10}}, "alice") for _ in range(64)]
        with pytest.raises(Refusal, match="You have 64 client secrets") as refused:
            keys.create({}, "alice")
        assert refused.value.status == 429
        keys.create({}, "bob")
        keys.use(mine[0].value)
        keys.create({}, "alice")
        now[0] = 10.0
        keys.create({}, "alice")

    def test_no_repr_shows_it(self) -> None:
        made = ClientSecrets().create({})
        assert made.value not in repr(made)
