"""The shape of streams: orders, pieces, end marker, usage, and the gate that holds them."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

import httpx
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
    sound_part,
    sound_strings,
    transcript_of,
    user,
)
from .gate import Gate
from .replies import ToolCall
from .server import OpenAIServer
from .sounds import pcm16
from .streams import StreamOrder

ANSWER = "Yes, they are loyal and gentle."
ORDERS: list[StreamOrder] = ["transcript_first", "mixed", "finish_on_last_data"]


@pytest.mark.parametrize("piece_bytes", [1600, 1601, 19_200, 1_000_000])
@pytest.mark.parametrize("order", ORDERS)
def test_pieces_joined_as_bytes_are_the_sound(
    server: OpenAIServer, client: openai.OpenAI, order: StreamOrder, piece_bytes: int
) -> None:
    server.stream_order, server.piece_bytes = order, piece_bytes

    chunks = ask_streamed(client, user("Hi"))

    assert sound_of(chunks) == pcm16(server.sound(ANSWER))
    assert transcript_of(chunks) == ANSWER
    assert len(sound_strings(chunks)) == -(-24_000 // piece_bytes)


def test_pieces_joined_as_base64_are_broken(client: openai.OpenAI) -> None:
    pieces = sound_strings(ask_streamed(client, user("Hi")))

    assert all(piece.endswith("=") for piece in pieces)
    with pytest.raises(binascii.Error):
        base64.b64decode("".join(pieces), validate=True)


@pytest.mark.parametrize("order", ORDERS)
def test_the_last_delta_has_only_an_expiry(server: OpenAIServer, client: openai.OpenAI, order: StreamOrder) -> None:
    server.stream_order = order

    *before, last = ask_streamed(client, user("Hi"), stream_options={"include_obfuscation": False})

    assert last.choices[0].to_dict() == {
        "index": 0,
        "delta": {"audio": {"expires_at": last.created + 3600}},
    }
    assert not any(delta.audio and delta.audio.expires_at for delta in deltas(before))
    ids = [delta.audio.id for delta in deltas(before) if delta.audio and delta.audio.id]
    assert len(ids) == 1


@pytest.mark.parametrize(
    ("order", "reasons"), [("transcript_first", []), ("mixed", []), ("finish_on_last_data", ["stop"])]
)
def test_a_finish_reason_comes_in_one_order_only(
    server: OpenAIServer, client: openai.OpenAI, order: StreamOrder, reasons: list[str]
) -> None:
    server.stream_order = order

    chunks = ask_streamed(client, user("Hi"))

    assert finish_reasons(chunks) == reasons
    assert finish_reasons(chunks[-2:-1]) == reasons


def test_transcript_first_and_mixed_differ_in_where_the_words_are(server: OpenAIServer, client: openai.OpenAI) -> None:
    first = deltas(ask_streamed(client, user("Hi")))
    server.stream_order = "mixed"
    mixed = deltas(ask_streamed(client, user("Hi")))

    assert kinds(first) == ["transcript"] * 6 + ["id data"] + ["data"] * 14 + ["expires_at"]
    assert kinds(mixed)[0] == "id transcript"
    assert {"data", "data transcript"} == set(kinds(mixed)[1:-1])
    assert {delta.content for delta in mixed[:-1]} == {""}
    assert (first[6].role, first[6].content, first[6].refusal) == ("assistant", None, None)


def kinds(found: list[Any]) -> list[str]:
    names = ("id", "data", "transcript", "expires_at")
    return [" ".join(name for name in names if getattr(delta.audio, name) is not None) for delta in found]


def test_usage_comes_last_and_alone(client: openai.OpenAI) -> None:
    *before, last = ask_streamed(client, user("Hi"), stream_options={"include_usage": True})

    assert last.choices == []
    assert last.usage is not None
    assert (last.usage.completion_tokens, last.usage.prompt_tokens) == (16, 1)
    assert not any(chunk.usage for chunk in before)
    assert all("usage" in chunk.model_fields_set for chunk in before)
    assert len({chunk.id for chunk in (*before, last)}) == 1


def test_without_asking_there_is_no_usage(client: openai.OpenAI) -> None:
    chunks = ask_streamed(client, user("Hi"))

    assert not any("usage" in chunk.model_fields_set for chunk in chunks)


def test_chunks_are_obfuscated_unless_declined(client: openai.OpenAI) -> None:
    usual = ask_streamed(client, user("Hi"))
    declined = ask_streamed(client, user("Hi"), stream_options={"include_obfuscation": False})

    assert all(chunk.obfuscation for chunk in usual)
    assert {chunk.obfuscation for chunk in declined} == {None}


def test_tool_arguments_are_json_only_when_joined(server: OpenAIServer, client: openai.OpenAI) -> None:
    server.tool_call = [
        ToolCall("get_weather", {"city": "Paris"}, id="call_1"),
        ToolCall("get_weather", {"city": "Rome"}, id="call_2"),
    ]
    tool = {"type": "function", "function": {"name": "get_weather"}}

    chunks = ask_streamed(client, user("Hi"), tools=[tool])

    parts = [call for delta in deltas(chunks) for call in delta.tool_calls or ()]
    for index, (call_id, city) in enumerate([("call_1", "Paris"), ("call_2", "Rome")]):
        head, *rest = [part for part in parts if part.index == index]
        assert (head.id, head.type, head.function.name) == (call_id, "function", "get_weather")
        assert {(part.id, part.type, part.function.name) for part in rest} == {(None, None, None)}
        assert json.loads("".join(part.function.arguments for part in rest)) == {"city": city}
    assert finish_reasons(chunks) == ["tool_calls"]


def test_a_cut_text_ends_with_length(client: openai.OpenAI) -> None:
    chunks = ask_streamed(client, user("What?", sound_part()), modalities=["text"], audio=None, max_completion_tokens=2)

    assert "".join(delta.content or "" for delta in deltas(chunks)) == "Yes, they"
    assert finish_reasons(chunks) == ["length"]


def test_a_cut_sound_says_length_in_one_order_only(server: OpenAIServer, client: openai.OpenAI) -> None:
    usual = ask_streamed(client, user("Hi"), max_completion_tokens=8)
    server.stream_order = "finish_on_last_data"
    other = ask_streamed(client, user("Hi"), max_completion_tokens=8)

    assert (finish_reasons(usual), finish_reasons(other)) == ([], ["length"])
    assert transcript_of(usual) == transcript_of(other) == "Yes, they are"
    assert sound_of(usual) == sound_of(other) == pcm16(server.sound(ANSWER))[:12_000]


def test_words_beyond_ascii_are_utf_8_in_a_stream(server: OpenAIServer, client: openai.OpenAI) -> None:
    server.words = "Grüße,\n  世界 👋"

    assert transcript_of(ask_streamed(client, user("Hi"))) == server.words
    assert "世界" in raw_stream(server)


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("comment_lines", [False, True])
def test_comments_and_line_ends(
    server: OpenAIServer, client: openai.OpenAI, line_end: str, comment_lines: bool
) -> None:
    server.line_end, server.comment_lines = line_end, comment_lines

    body = raw_stream(server)

    *events, nothing = body.split(line_end * 2)
    assert nothing == ""
    assert events[-1] == "data: [DONE]"
    assert (": keep-alive" in events) is comment_lines
    assert {event[:6] for event in events} == {"data: ", ": keep"} if comment_lines else {"data: "}
    assert sound_of(ask_streamed(client, user("Hi"))) == pcm16(server.sound(ANSWER))


def raw_stream(server: OpenAIServer) -> str:
    body = {"model": MODEL, "messages": [user("Hi")], **SPEAK_STREAMED}
    headers = {"Authorization": f"Bearer {server.api_key}"}
    with httpx.Client(trust_env=False, verify=False) as http:
        answer = http.post(f"{server.base_url}/chat/completions", json=body, headers=headers)
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    return answer.text


def test_a_gate_holds_the_stream_until_it_is_opened(server: OpenAIServer, client: openai.OpenAI) -> None:
    server.gate = Gate(pieces=2)
    received: list[str] = []

    with client.chat.completions.create(**streamed_request()) as stream:
        for chunk in stream:
            received += sound_strings([chunk])
            if len(received) == 2 and not server.gate.is_open:
                server.gate.wait_until_held()
                assert not server.requests[0].answered.is_set()
                server.gate.allow(1)
                server.gate.wait_until_held()
                server.gate.open()

    assert b"".join(map(base64.b64decode, received)) == pcm16(server.sound(ANSWER))
    assert server.requests[0].answered.wait(10)


def test_a_client_that_leaves_is_noticed_while_the_stream_is_held(server: OpenAIServer, client: openai.OpenAI) -> None:
    server.gate = Gate(pieces=1)

    with client.chat.completions.create(**streamed_request()) as stream:
        first = next(chunk for chunk in stream if sound_strings([chunk]))

    assert server.requests[0].broken_off.wait(10)
    assert not server.requests[0].answered.is_set()
    # An answer that was cut short has no id to refer to.
    audio = first.choices[0].delta.audio
    assert audio is not None
    server.gate = None
    said = {"role": "assistant", "audio": {"id": audio.id}}
    with pytest.raises(openai.BadRequestError) as refused:
        ask(client, user("Hi"), said, user("Go on"), **SPEAK)
    assert refused.value.code == "audio_not_found"


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_connections_are_cut_in_the_middle(server: OpenAIServer, client: openai.OpenAI, reset: bool) -> None:
    server.gate = gate = Gate(pieces=1)

    def cut() -> None:
        gate.wait_until_held()
        server.drop_connections(reset=reset)

    received, failure = chunks_before_failure(client, user("Hi"), on_sound=cut)

    assert isinstance(failure, openai.APIConnectionError)
    assert len(sound_strings(received)) == 1
    assert server.requests[0].broken_off.wait(10)


def streamed_request() -> Any:
    return {"model": MODEL, "messages": [user("Hi")], **SPEAK_STREAMED}
