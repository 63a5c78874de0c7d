"""What a server's error becomes: the right kind, one readable line, what to do next, and no key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbaudio import errors
from nbaudio.wire.errors import error_from_response, error_from_stream, is_retryable

FIXTURES = {
    path.stem: json.loads(path.read_text())
    for path in (Path(__file__).parents[1] / "fixtures" / "wire" / "errors").glob("*.json")
}
EXPECTED = {
    "audio_id_not_found": (errors.AudioIdNotFound, "Send the answer's words instead of its audio id."),
    "bad_key": (errors.AuthenticationFailed, "Check the key in OPENAI_API_KEY, and that it may use this model."),
    "json_schema_unsupported": (errors.BadRequest, "Change what it names, and run the cell again."),
    "missing_voice": (errors.UnknownVoice, "Choose another with --voice or %config NbAudio.voice."),
    "model_not_found": (
        errors.UnknownModel,
        "Choose another with --model or %config NbAudio.model; %nbaudio says which is set.",
    ),
    "quota": (
        errors.QuotaExceeded,
        "Add credit to the account, or work offline: %config NbAudio.backend = 'offline'.",
    ),
    "rate_limited": (errors.RateLimited, "Wait a minute and run the cell again."),
    "server": (errors.ServerFailed, "It is the server's fault: run the cell again, later if need be."),
    "stream_needs_pcm16": (errors.BadRequest, "Change what it names, and run the cell again."),
    "text_only_request": (errors.BadRequest, "Change what it names, and run the cell again."),
    "too_large": (errors.BadRequest, "Send a shorter recording, or start afresh with --new."),
    "unknown_voice": (errors.UnknownVoice, "Choose another with --voice or %config NbAudio.voice."),
}


def refused(status: int, body: Any, **headers: str) -> errors.ServerRefused:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return error_from_response(status, headers, content, server="OpenAI", key_from="OPENAI_API_KEY")


def test_a_limit_is_told_with_the_time_it_lasts() -> None:
    headers = {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"}
    error = refused(429, FIXTURES["rate_limited"]["body"], **headers)
    assert error.next_step == "Wait 6 minutes and run the cell again."


def test_every_fixture_has_an_expectation() -> None:
    assert set(FIXTURES) == set(EXPECTED)


@pytest.mark.parametrize("name", FIXTURES)
def test_each_kind_of_error_in_one_readable_line(name: str) -> None:
    found, (kind, next_step) = FIXTURES[name], EXPECTED[name]
    said = found["body"]["error"]

    error = refused(found["status"], found["body"], **found["headers"])

    assert type(error) is kind
    assert error.next_step == next_step
    assert error.cause.startswith(f"OpenAI said ({found['status']}): ")
    assert errors.mask(said["message"]).rstrip(".") in error.cause
    assert str(error).count("\n") == 0
    assert ".." not in str(error).replace("...", "")
    assert (error.status, error.code, error.param) == (found["status"], said["code"] or None, said["param"])
    assert error.request_id == found["headers"]["x-request-id"]
    assert ("[request req_" in str(error)) is (found["status"] >= 500)


@pytest.mark.parametrize("name", FIXTURES)
def test_the_same_error_inside_a_stream_is_of_the_same_kind(name: str) -> None:
    error = error_from_stream(FIXTURES[name]["body"], server="OpenAI", key_from="OPENAI_API_KEY")

    assert error is not None
    assert error.status == 200
    if name != "too_large":  # which only its status tells from a failing server
        assert type(error) is EXPECTED[name][0]


@pytest.mark.parametrize("name", FIXTURES)
def test_what_is_sent_again(name: str) -> None:
    found = FIXTURES[name]

    assert is_retryable(found["status"], json.dumps(found["body"]).encode(), found["headers"]) is found["retryable"]


@pytest.mark.parametrize(
    ("status", "headers", "again"),
    [
        (408, {}, True),
        (409, {}, True),
        (429, {}, True),
        (500, {}, True),
        (503, {}, True),
        (400, {}, False),
        (401, {}, False),
        (404, {}, False),
        (500, {"x-should-retry": "false"}, False),
        (400, {"x-should-retry": "true"}, True),
        (400, {"x-should-retry": "perhaps"}, False),
    ],
)
def test_the_sdks_rules_for_sending_again(status: int, headers: dict[str, str], again: bool) -> None:
    assert is_retryable(status, b"{}", headers) is again


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (404, b"Not Found", errors.ServerRefused, "Is the address right, up to and with /v1?"),
        (404, {"detail": "Not Found"}, errors.ServerRefused, "Is the address right"),
        (404, {"error": {"message": "Model llama not found"}}, errors.UnknownModel, "Choose another with --model"),
        (402, {"error": {"message": "Insufficient credits", "code": 402}}, errors.QuotaExceeded, "Add credit"),
        (403, {"error": "forbidden"}, errors.AuthenticationFailed, "OpenAI said (403): forbidden."),
        (408, b"", errors.ServerFailed, "it gave no reason"),
        (502, b"<html><h1>Bad Gateway</h1>", errors.ServerFailed, "it sent a web page instead of an answer"),
        (422, {"detail": [{"loc": ["body", "voice"], "msg": "field required"}]}, errors.BadRequest, "field required"),
        (400, {"message": "plain"}, errors.BadRequest, "OpenAI said (400): plain."),
        (400, b"plain\nin two\tlines\x00", errors.BadRequest, "plain in two lines."),
        (400, b"\xff\xfe", errors.BadRequest, "OpenAI said (400): "),
        (400, b"[" * 100_000, errors.BadRequest, "OpenAI said (400): [[["),
        (400, {"error": {"message": "x" * 5_000}}, errors.BadRequest, "x" * 600 + "…"),
        (400, {"error": {"message": "half \ud83d"}}, errors.BadRequest, "half ?"),
    ],
)
def test_other_servers_errors(status: int, body: Any, kind: type[errors.ServerRefused], said: str) -> None:
    error = refused(status, body)

    assert type(error) is kind
    assert said in str(error)
    assert len(str(error)) < 900


@pytest.mark.parametrize("code", [429, "429"])
def test_a_status_inside_a_stream_counts_as_one(code: Any) -> None:
    error = error_from_stream({"error": {"message": "slow down", "code": code}}, server="it", key_from="")

    assert type(error) is errors.RateLimited
    assert error.status == 429


@pytest.mark.parametrize("chunk", [{"choices": []}, {"error": None}, {"error": {}}, {}, [], "error", None])
def test_other_chunks_are_no_errors(chunk: Any) -> None:
    assert error_from_stream(chunk, server="it", key_from="") is None


def test_without_a_key_the_next_step_is_to_set_one() -> None:
    error = error_from_response(401, {}, b"{}", server="OpenAI", key_from="")

    assert error.next_step == "Set the key in the environment: OPENAI_API_KEY."


@pytest.mark.parametrize("shown", [slice(None), slice(0, 12), slice(-8, None)])
def test_a_key_that_the_server_echoes_is_masked(shown: slice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "_secrets", set())
    monkeypatch.setattr(errors, "_pieces", set())
    key = "0123456789abcdefABCDEF0123456789"
    errors.register_secret(key)
    body = {"error": {"message": f"Wrong key {key[shown]}", "code": key[shown], "param": key[shown]}}

    error = refused(401, body, **{"x-request-id": key[shown]})

    assert key[shown] not in repr(vars(error)) + str(error)
    assert error.cause == "OpenAI said (401): Wrong key [key]."


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["error", "detail", "message", "code", "param", "type"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.integers(400, 599), JSON | st.binary(max_size=40))
def test_any_body_becomes_an_error_of_one_line(status: int, body: Any) -> None:
    error = refused(status, body)

    assert str(error).isprintable()
    assert str(error).startswith(f"OpenAI said ({status}): ")
    assert error.next_step


@given(JSON)
def test_any_chunk_is_an_error_of_one_line_or_none(chunk: Any) -> None:
    error = error_from_stream(chunk, server="it", key_from="")

    assert error is None or str(error).isprintable()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ([{"error": {"code": 400, "message": "Unknown name.", "status": "INVALID_ARGUMENT"}}], "Unknown name"),
        ({"detail": "Not authenticated"}, "Not authenticated"),
        (
            {"detail": [{"loc": ["body", "audio", "voice"], "msg": "Field required"}, {"loc": ["body"], "msg": "No."}]},
            "audio.voice: Field required; body: No",
        ),
        (
            {"object": "error", "message": {"detail": [{"loc": ["body", "x"], "msg": "Extra inputs"}]}, "code": None},
            "x: Extra inputs",
        ),
        ({"object": "Error", "message": [{"msg": "Extra inputs"}]}, "Extra inputs"),
        ({"error": "Unauthorized"}, "Unauthorized"),
        (
            {
                "error": {
                    "message": "Provider returned error",
                    "metadata": {"raw": '{"error": {"message": "Too long."}}'},
                }
            },
            "Provider returned error (Too long.)",
        ),
        ({"error": {"message": "Provider returned error", "metadata": {"raw": "overloaded"}}}, "error (overloaded)"),
        ({"error": {"message": "Provider returned error", "metadata": {"raw": 7}}}, "Provider returned error"),
        ([], "it gave no reason"),
        ([[]], "it gave no reason"),
    ],
)
def test_every_servers_envelope_is_understood(body: Any, words: str) -> None:
    assert refused(400, body).cause.removesuffix(".").endswith(words.removesuffix("."))


@pytest.mark.parametrize(
    ("chunk", "kind", "status"),
    [
        ({"error": {"code": 502, "message": "Upstream"}, "choices": []}, errors.ServerFailed, 502),
        ({"object": "error", "message": "EngineCore died", "code": 500}, errors.ServerFailed, 500),
        ({"error": {"code": "429", "message": "Slow down"}}, errors.RateLimited, 429),
        ({"error": "boom"}, errors.BadRequest, 200),
    ],
)
def test_every_servers_error_within_a_stream(chunk: Any, kind: type[errors.ServerRefused], status: int) -> None:
    error = error_from_stream(chunk, server="OpenRouter", key_from="")

    assert type(error) is kind
    assert error.status == status


@pytest.mark.parametrize(
    ("key_from", "key_env", "next_step"),
    [
        ("the keyring (nbaudio, kitchen)", "X", "Check the key in the keyring (nbaudio, kitchen), and that"),
        ("", "OPENROUTER_API_KEY", "Set the key in the environment: OPENROUTER_API_KEY."),
        ("", "", "Give it a key: nba.connect(..., key='env:NAME'); see docs/servers.md."),
    ],
)
def test_what_to_do_about_a_key_is_said_for_this_server(key_from: str, key_env: str, next_step: str) -> None:
    error = error_from_response(401, {}, b"{}", server="kitchen", key_from=key_from, key_env=key_env)

    assert error.next_step.startswith(next_step)
