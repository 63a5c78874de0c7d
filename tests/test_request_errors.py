"""Every way in which a request fails, by the message that the person reads, and no key in any of them."""

from __future__ import annotations

import socket
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from openai_server import OpenAIServer, Scripted
from signals import voice

import nbaudio as nba
from nbaudio import errors

FAST = {"retry-after-ms": "1"}
WAYS: dict[str, Callable[[], Any]] = {
    "say": lambda: nba.Conversation().say("Hello"),
    "speak": lambda: nba.speak("Hello."),
    "transcribe": lambda: nba.transcribe(nba.Clip(voice(duration_s=0.5), 24_000)),
}


def failing(kind: type[errors.NbaudioError], *parts: object, **options: object) -> str:
    """The one line that a person reads of the error that saying something raises."""
    with pytest.raises(kind) as caught:
        nba.Conversation().say(*(parts or ("Hello",)), **options)  # type: ignore[arg-type]
    assert type(caught.value) is kind
    lines = caught.value._render_traceback_()
    assert len(lines) == 1
    assert "\n" not in lines[0]
    assert lines[0] == f"{kind.__name__}: {caught.value}"
    assert caught.value.next_step or kind is errors.BadRequest
    return str(caught.value)


def test_no_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nbaudio.settings.missing_offline_packages", lambda: ["hibari"])
    assert failing(errors.NoBackend) == (
        "There is no OPENAI_API_KEY, no OPENAI_BASE_URL and no offline engine. "
        "Set a key, or install the engine: pip install 'nbaudio[offline]'"
    )


def test_a_wrong_key_is_masked_though_the_server_echoes_it(
    server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "sk-proj-ABCDEFGHIJKLMNOPQRSTUVWX"
    monkeypatch.setenv("OPENAI_API_KEY", key)
    message = failing(errors.AuthenticationFailed)
    assert "Check the key in OPENAI_API_KEY" in message
    assert "Incorrect API key provided: [key]" in message
    with pytest.raises(errors.AuthenticationFailed) as caught:
        nba.Conversation().say("Hello")
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(caught.value.args)
    for start in range(len(key) - 8):
        assert key[start : start + 8] not in shown.replace("sk-proj-", "")


def test_a_key_of_another_shape_is_masked_too(server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> None:
    key = "0123456789abcdef0123456789abcdef"
    monkeypatch.setenv("OPENAI_API_KEY", key)
    server.fail_next(Scripted(401, {}, {"error": {"message": f"Bad key {key}, or {key[:10]}...{key[-6:]}"}}))
    message = failing(errors.AuthenticationFailed)
    assert key[:8] not in message
    assert key[-6:] not in message


def test_an_unknown_model(server: OpenAIServer) -> None:
    message = failing(errors.UnknownModel, model="gpt-9")
    assert "`gpt-9` does not exist" in message
    assert "--model" in message


def test_an_unknown_voice(server: OpenAIServer) -> None:
    message = failing(errors.UnknownVoice, voice="bob")
    assert "Supported values are: 'alloy'" in message
    assert "--voice" in message


def test_quota_is_not_asked_for_twice(server: OpenAIServer) -> None:
    server.fail_next("quota", headers=FAST)
    assert "Add credit" in failing(errors.QuotaExceeded)
    assert len(server.requests) == 1


def test_a_rate_limit_is_waited_for(server: OpenAIServer) -> None:
    server.fail_next("rate_limited", times=2, headers=FAST)
    assert nba.Conversation().say("Hello").text
    assert len(server.requests) == 3


def test_a_rate_limit_that_lasts_is_told(server: OpenAIServer) -> None:
    server.fail_next("rate_limited", times=3, headers=FAST)
    message = failing(errors.RateLimited)
    assert "Rate limit reached" in message
    assert "Wait a minute" in message
    assert len(server.requests) == 3


def test_a_wait_longer_than_two_minutes_is_not_waited(server: OpenAIServer) -> None:
    server.fail_next(
        Scripted(429, {"retry-after": "600"}, {"error": {"message": "Busy", "code": "rate_limit_exceeded"}})
    )
    failing(errors.RateLimited)
    assert len(server.requests) == 1


def test_a_server_error_is_tried_again_then_told(server: OpenAIServer) -> None:
    server.fail_next("server", times=3, headers=FAST)
    message = failing(errors.ServerFailed)
    assert "said (500)" in message
    assert "[request req_" in message
    assert len(server.requests) == 3


def test_retries_can_be_switched_off(server: OpenAIServer) -> None:
    nba.NbAudio.instance().retries = 0
    server.fail_next("server", headers=FAST)
    failing(errors.ServerFailed)
    assert len(server.requests) == 1


def test_a_server_that_never_answers(server: OpenAIServer) -> None:
    nba.NbAudio.instance().timeout_s = 0.2
    nba.NbAudio.instance().retries = 0
    server.fail_next("hang")
    message = failing(errors.TimedOut)
    assert "took longer than 0.2 s" in message
    assert "NbAudio.timeout_s" in message


def test_connection_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{port}/v1")
    nba.NbAudio.instance().retries = 0
    message = failing(errors.ConnectionFailed)
    assert f"Nobody answers at http://127.0.0.1:{port}/v1" in message
    assert "Is the server running" in message


def test_a_connection_that_breaks_before_the_answer(server: OpenAIServer) -> None:
    nba.NbAudio.instance().retries = 0
    for fault in ("reset", "hang_up"):
        server.fail_next(fault)
        assert "broke off before an answer" in failing(errors.ConnectionFailed)


def test_a_reply_cut_in_the_middle(server: OpenAIServer) -> None:
    server.fail_next("cut_stream")
    assert "broke off" in failing(errors.ReplyCut)
    server.fail_next("cut_stream")
    assert "broke off" in failing(errors.ReplyCut, stream=False)


def test_a_reply_is_not_asked_for_again_once_it_has_begun(server: OpenAIServer) -> None:
    server.fail_next("cut_stream")
    failing(errors.ReplyCut)
    assert len(server.requests) == 1


def test_an_empty_answer(server: OpenAIServer) -> None:
    server.fail_next("empty_body")
    assert "sent an empty answer" in failing(errors.BadReply)


def test_an_answer_that_is_not_json(server: OpenAIServer) -> None:
    server.fail_next("not_json")
    message = failing(errors.BadReply)
    assert "is not JSON" in message
    assert "/v1" in message


def test_a_web_page_as_an_error(server: OpenAIServer) -> None:
    nba.NbAudio.instance().retries = 0
    server.fail_next(Scripted(502, {"content-type": "text/html"}, "<html>" + "x" * 5000))
    message = failing(errors.ServerFailed)
    assert "web page" in message
    assert len(message) < 300


def test_an_address_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "localhost:8000")
    assert "is no address of a server" in failing(errors.SetupError)


@pytest.mark.offline
@pytest.mark.parametrize(
    ("kind", "options", "says"),
    [
        (errors.UnknownVoice, {"voice": "bob"}, "Supported values are: 'alloy'"),
        (errors.UnknownModel, {"model": "gpt-audio-1.5"}, "the offline engine has one model, `offline`"),
    ],
)
def test_the_offline_engine_refuses_in_the_same_words(
    monkeypatch: pytest.MonkeyPatch, kind: type[errors.NbaudioError], options: dict[str, str], says: str
) -> None:
    monkeypatch.setenv("NBAUDIO_BACKEND", "offline")
    assert says in failing(kind, **options)


@pytest.mark.offline
def test_the_offline_engine_knows_english_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBAUDIO_BACKEND", "offline")
    message = failing(errors.BadRequest, "Quelle est la meilleure race de chien pour une famille ?")
    assert "knows English only, and this is in French" in message


def test_the_key_is_in_no_log(server: OpenAIServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    nba.Conversation().say("Hello")
    server.fail_next("bad_key")
    failing(errors.AuthenticationFailed)
    assert caplog.records  # httpx does log
    assert server.api_key not in caplog.text
    assert server.api_key[-8:] not in caplog.text


@pytest.fixture(params=WAYS.values(), ids=WAYS)
def way(request: pytest.FixtureRequest) -> Callable[[], Any]:
    found: Callable[[], Any] = request.param
    return found


@pytest.mark.parametrize(
    "broken",
    [Scripted(503, FAST, {"error": {}}, cut=True), Scripted(503, {**FAST, "content-encoding": "gzip"}, {"error": {}})],
    ids=["cut short", "badly compressed"],
)
def test_an_error_whose_words_cannot_be_read_is_its_status(
    server: OpenAIServer, way: Callable[[], Any], broken: Scripted
) -> None:
    server.fail_next(broken, times=3)
    with pytest.raises(errors.ServerFailed) as caught:
        way()
    assert caught.value.status == 503
    assert len(server.requests) == 3


def test_after_an_error_whose_words_cannot_be_read_it_is_asked_again(
    server: OpenAIServer, way: Callable[[], Any]
) -> None:
    server.fail_next(Scripted(503, FAST, {"error": {}}, cut=True))
    way()
    assert len(server.requests) == 2


def test_an_answer_that_is_not_compressed_as_it_says(server: OpenAIServer, way: Callable[[], Any]) -> None:
    server.fail_next(Scripted(200, {"content-encoding": "gzip"}, {"text": "Good morning."}))
    with pytest.raises(errors.BadReply, match="is not compressed as its headers say"):
        way()
    assert len(server.requests) == 1
