"""Each fault, as the official client meets it; and that each happens as often as it was asked for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest

from .asking import (
    MODEL,
    SPEAK,
    SPEAK_STREAMED,
    ask,
    ask_streamed,
    chunks_before_failure,
    deltas,
    finish_reasons,
    sound_of,
    sound_strings,
    transcript_of,
    user,
)
from .conftest import client_of
from .faults import Scripted, error_fixture, fault_names
from .server import OpenAIServer, serve
from .sounds import pcm16

ANSWER = "Yes, they are loyal and gentle."
HELLO = user("Hello")
AT_ONCE = {"retry-after-ms": "1"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("audio_id_not_found", openai.BadRequestError),
        ("bad_key", openai.AuthenticationError),
        ("json_schema_unsupported", openai.BadRequestError),
        ("missing_voice", openai.BadRequestError),
        ("model_not_found", openai.NotFoundError),
        ("quota", openai.RateLimitError),
        ("rate_limited", openai.RateLimitError),
        ("server", openai.InternalServerError),
        ("stream_needs_pcm16", openai.BadRequestError),
        ("text_only_request", openai.BadRequestError),
        ("too_large", openai.APIStatusError),
        ("unknown_voice", openai.BadRequestError),
    ],
)
def test_an_error_fixture_arrives_as_its_exception(
    server: OpenAIServer, client: openai.OpenAI, name: str, expected: type[openai.APIStatusError]
) -> None:
    server.fail_next(name)

    with pytest.raises(expected) as failed:
        ask(client, HELLO, **SPEAK)

    fixture = error_fixture(name)
    assert failed.value.status_code == fixture.status
    assert failed.value.body == fixture.body["error"]
    assert failed.value.request_id == "req_00000000000000000000000000000001"
    assert ask(client, HELLO, **SPEAK).choices[0].finish_reason == "stop"


@pytest.mark.parametrize("name", ["rate_limited", "quota", "server"])
def test_a_passing_fault_is_overcome_by_retries(server: OpenAIServer, name: str) -> None:
    server.fail_next(name, times=2, headers=AT_ONCE)

    with client_of(server, max_retries=2) as client:
        answer = ask(client, HELLO, **SPEAK)

    assert answer.choices[0].finish_reason == "stop"
    assert [request.status for request in server.requests] == [error_fixture(name).status] * 2 + [200]
    assert server.requests[2].headers["x-stainless-retry-count"] == "2"


def test_a_lasting_fault_outlives_the_retries(server: OpenAIServer) -> None:
    server.fail_next("rate_limited", times=3, headers=AT_ONCE)

    with client_of(server, max_retries=2) as client, pytest.raises(openai.RateLimitError) as failed:
        ask(client, HELLO, **SPEAK)

    assert failed.value.response.headers["x-ratelimit-remaining-requests"] == "0"
    assert len(server.requests) == 3
    assert len(server.faults) == 0


def test_faults_come_in_the_order_of_the_calls(server: OpenAIServer) -> None:
    server.fail_next("server", headers=AT_ONCE)
    server.fail_next(Scripted(503, {"retry-after-ms": "1"}, {"error": {"message": "Overloaded"}}))

    with client_of(server, max_retries=2) as client:
        ask(client, HELLO, **SPEAK)

    assert [request.status for request in server.requests] == [500, 503, 200]


def test_a_scripted_answer_is_sent_as_it_is(server: OpenAIServer, client: openai.OpenAI) -> None:
    server.fail_next(Scripted(409, {"x-request-id": "req_mine"}, {"error": {"message": "Busy", "code": 7}}))
    server.fail_next(Scripted(418, body="a teapot"))

    with pytest.raises(openai.ConflictError) as conflict:
        ask(client, HELLO, **SPEAK)
    with pytest.raises(openai.APIStatusError) as teapot:
        ask(client, HELLO, **SPEAK)

    assert conflict.value.request_id == "req_mine"
    assert conflict.value.body == {"message": "Busy", "code": 7}
    assert teapot.value.status_code == 418
    assert teapot.value.response.text == "a teapot"


@pytest.mark.parametrize("name", ["reset", "hang_up"])
def test_a_connection_that_ends_before_an_answer(server: OpenAIServer, client: openai.OpenAI, name: str) -> None:
    server.fail_next(name)

    with pytest.raises(openai.APIConnectionError) as failed:
        ask(client, HELLO, **SPEAK)

    # A reset fails the read; a connection closed in good order is a protocol error.
    cause = type(failed.value.__cause__).__name__
    assert cause == {"reset": "ReadError", "hang_up": "RemoteProtocolError"}[name]
    assert server.requests[0].broken_off.wait(10)
    assert server.requests[0].status is None


def test_a_server_that_hangs_is_given_up(server: OpenAIServer) -> None:
    server.fail_next("hang")

    with client_of(server, timeout_s=0.2) as client, pytest.raises(openai.APITimeoutError):
        ask(client, HELLO, **SPEAK)

    assert server.requests[0].broken_off.wait(10)


def test_a_server_that_hangs_answers_when_released(server: OpenAIServer, client: openai.OpenAI) -> None:
    server.fail_next("hang")

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask, client, HELLO, **SPEAK)
        waiting = server.wait_for_request()
        server.hang_gate.wait_until_held()
        assert not waiting.answered.is_set()
        assert not answer.done()
        server.release()
        assert answer.result(10).choices[0].finish_reason == "stop"


def test_a_server_that_hangs_can_be_stopped() -> None:
    with serve() as server:
        server.fail_next("hang")
        with client_of(server) as client, ThreadPoolExecutor(1) as pool:
            answer = pool.submit(ask, client, HELLO, **SPEAK)
            server.wait_for_request()
            server.hang_gate.wait_until_held()
            server.stop()
            assert isinstance(answer.exception(10), openai.APIConnectionError)


def test_html_comes_in_the_place_of_json(server: OpenAIServer, client: openai.OpenAI) -> None:
    server.fail_next("not_json")

    raw = client.chat.completions.with_raw_response.create(**request_of(SPEAK))

    assert raw.headers["content-type"] == "text/html; charset=utf-8"
    assert raw.http_response.status_code == 200
    assert raw.http_response.text.startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("options", "content_type"),
    [(SPEAK, "application/json"), (SPEAK_STREAMED, "text/event-stream; charset=utf-8")],
    ids=["whole", "streamed"],
)
def test_an_empty_body(server: OpenAIServer, client: openai.OpenAI, options: dict[str, Any], content_type: str) -> None:
    server.fail_next("empty_body")

    raw = client.chat.completions.with_raw_response.create(**request_of({**options}))

    assert raw.headers["content-type"] == content_type
    assert raw.http_response.read() == b""


def test_a_stream_is_cut(server: OpenAIServer, client: openai.OpenAI) -> None:
    server.fail_next("cut_stream")

    received, failure = chunks_before_failure(client, HELLO)

    assert isinstance(failure, openai.APIConnectionError)
    assert transcript_of(received) == ANSWER
    assert len(sound_strings(received)) == 8
    assert pcm16(server.sound(ANSWER)).startswith(sound_of(received))
    assert server.requests[0].broken_off.wait(10)


def test_a_whole_answer_is_cut(server: OpenAIServer, client: openai.OpenAI) -> None:
    server.fail_next("cut_stream")

    with pytest.raises(openai.APIConnectionError):
        ask(client, HELLO, **SPEAK)

    assert server.requests[0].broken_off.wait(10)


def test_a_stream_ends_without_its_end(server: OpenAIServer, client: openai.OpenAI) -> None:
    server.fail_next("no_done")

    chunks = ask_streamed(client, HELLO, stream_options={"include_usage": True})

    assert sound_of(chunks) == pcm16(server.sound(ANSWER))
    assert not any(delta.audio.expires_at for delta in deltas(chunks))
    assert {chunk.usage for chunk in chunks} == {None}
    assert server.requests[0].answered.wait(10)


def test_an_error_comes_in_a_stream(server: OpenAIServer, client: openai.OpenAI) -> None:
    server.fail_next("error_in_stream")

    received, failure = chunks_before_failure(client, HELLO)

    assert type(failure) is openai.APIError
    assert failure.body == error_fixture("server").body["error"]
    assert len(sound_strings(received)) == 8


def test_text_comes_in_the_place_of_sound(server: OpenAIServer, client: openai.OpenAI) -> None:
    server.fail_next("text_instead_of_audio", times=2)

    whole = ask(client, HELLO, **SPEAK).choices[0]
    chunks = ask_streamed(client, HELLO)

    assert (whole.message.content, whole.message.audio, whole.finish_reason) == (ANSWER, None, "stop")
    assert "".join(delta.content or "" for delta in deltas(chunks)) == ANSWER
    assert not any(delta.audio for delta in deltas(chunks))
    assert finish_reasons(chunks) == ["stop"]


def test_words_come_without_their_sound(server: OpenAIServer, client: openai.OpenAI) -> None:
    server.fail_next("no_data", times=2)

    raw = client.chat.completions.with_raw_response.create(**request_of(SPEAK))
    chunks = ask_streamed(client, HELLO)

    audio = raw.http_response.json()["choices"][0]["message"]["audio"]
    assert audio.keys() == {"id", "expires_at", "transcript"}
    assert (sound_of(chunks), transcript_of(chunks)) == (b"", ANSWER)
    assert any(delta.audio.id for delta in deltas(chunks))
    assert deltas(chunks)[-1].audio.expires_at


@pytest.mark.parametrize(
    ("name", "refusal", "reason"),
    [("refusal", "I can't help with that.", "stop"), ("content_filter", None, "content_filter")],
)
def test_the_model_does_not_answer(
    server: OpenAIServer, client: openai.OpenAI, name: str, refusal: str | None, reason: str
) -> None:
    server.fail_next(name, times=2)

    whole = ask(client, HELLO, **SPEAK).choices[0]
    chunks = ask_streamed(client, HELLO)

    assert (whole.message.content, whole.message.audio) == (None, None)
    assert (whole.message.refusal, whole.finish_reason) == (refusal, reason)
    assert "".join(delta.refusal or "" for delta in deltas(chunks)) == (refusal or "")
    assert finish_reasons(chunks) == [reason]


def test_a_fault_of_no_such_name_is_an_error_at_once(server: OpenAIServer) -> None:
    with pytest.raises(ValueError, match=r"no fault is called 'rate_limit'; there are .*rate_limited"):
        server.fail_next("rate_limit")
    assert {"rate_limited", "cut_stream", "hang"} <= set(fault_names())


def test_headers_go_with_error_answers_only(server: OpenAIServer) -> None:
    with pytest.raises(ValueError, match="'hang' has no headers of its own"):
        server.fail_next("hang", headers=AT_ONCE)


def test_a_fault_that_cannot_show_fails_the_test() -> None:
    with pytest.raises(AssertionError, match="doesn't ask for a stream"):
        queue_no_done_for_a_whole_answer()


def queue_no_done_for_a_whole_answer() -> None:
    with serve() as server, client_of(server) as client:
        server.fail_next("no_done")
        with pytest.raises(openai.InternalServerError):
            ask(client, HELLO, **SPEAK)


def request_of(options: dict[str, Any]) -> Any:
    return {"model": MODEL, "messages": [HELLO], **options}
