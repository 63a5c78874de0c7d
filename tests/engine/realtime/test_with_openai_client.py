"""Realtime with the offline engine, judged by the `openai` package: every event is checked by the SDK's types."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from nbaudio import Clip
from nbaudio.engine.parts import engine
from nbaudio.sound import g711

from .talking import (
    SDK_WARNS,
    Talk,
    base64_of,
    judged,
    kinds,
    level_dbfs,
    of_type,
    question,
    served,
    silence,
    sound_of,
    speech_ends_ms,
    talking,
)

pytestmark = [pytest.mark.offline, SDK_WARNS]

SPOKEN = [
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    "response.output_audio_transcript.delta",
    "response.output_audio.delta",
]
SPOKEN_END = [
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "response.output_item.done",
    "conversation.item.done",
    "response.done",
    "rate_limits.updated",
]


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    parts = engine()
    _ = parts.listener, parts.brain, parts.speaker
    with served(parts) as url:
        yield url


@pytest.fixture
def talk(base_url: str) -> Iterator[Talk]:
    with talking(base_url) as talk:
        yield talk


def push_to_talk(talk: Talk, **session: Any) -> None:
    talk.set(audio={"input": {"turn_detection": None, "transcription": {"model": "offline"}}}, **session)


def usage_of(events: list[dict[str, Any]]) -> dict[str, Any]:
    return dict(of_type(events, "response.done")["response"]["usage"])


def test_a_session_says_what_it_is_set_to(talk: Talk) -> None:
    session = talk.created["session"]
    assert session["id"].startswith("sess_")
    assert session["object"] == "realtime.session"
    assert session["audio"]["input"]["turn_detection"] == {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 500,
        "idle_timeout_ms": None,
        "create_response": True,
        "interrupt_response": True,
    }

    new = talk.set(
        instructions="Be brief.",
        output_modalities=["text"],
        max_output_tokens=100,
        audio={
            "input": {
                "turn_detection": {"type": "semantic_vad", "eagerness": "low", "interrupt_response": False},
                "noise_reduction": {"type": "near_field"},
                "transcription": {"model": "offline", "language": "en", "prompt": "Dogs."},
            },
            "output": {"voice": "cedar", "speed": 1.25},
        },
    )
    talk.set(audio={"input": {"noise_reduction": None}})
    last = talk.set(instructions="")

    assert new["audio"]["output"] == {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "cedar", "speed": 1.25}
    assert new["audio"]["input"]["turn_detection"]["eagerness"] == "low"
    assert (new["instructions"], last["instructions"]) == ("Be brief.", "")
    assert last["audio"]["input"]["noise_reduction"] is None
    assert last["audio"]["input"]["transcription"] == new["audio"]["input"]["transcription"]
    assert (last["output_modalities"], last["max_output_tokens"]) == (["text"], 100)


def test_push_to_talk(talk: Talk) -> None:
    push_to_talk(talk)
    for start in range(0, len(question()), 4800):
        talk.append(question()[start : start + 4800])
    talk.connection.input_audio_buffer.commit()
    committed = talk.until("conversation.item.done")
    talk.connection.response.create()
    events = talk.until("rate_limits.updated")

    assert kinds(committed) == [
        "input_audio_buffer.committed", "conversation.item.added", "conversation.item.done",
    ]  # fmt: skip
    assert committed[0]["item_id"] == committed[1]["item"]["id"]
    assert committed[1]["item"]["content"] == [{"type": "input_audio", "transcript": None}]
    heard = of_type(events, "conversation.item.input_audio_transcription.completed")
    assert "golden retriever" in heard["transcript"].lower()
    assert heard["usage"] == {"type": "duration", "seconds": 3}
    said = [event for event in events if "transcription" not in event["type"]]
    assert kinds(said)[: len(SPOKEN)] == SPOKEN
    assert kinds(said)[-len(SPOKEN_END) :] == SPOKEN_END
    response = said[-2]["response"]
    words = "".join(event["delta"] for event in said if event["type"] == "response.output_audio_transcript.delta")
    assert words == response["output"][0]["content"][0]["transcript"]
    assert (response["status"], response["output"][0]["status"]) == ("completed", "completed")
    sound = sound_of(events)
    assert -30 < level_dbfs(sound) < -15
    usage = response["usage"]
    assert usage["input_token_details"]["audio_tokens"] == pytest.approx(len(question()) / 4800, abs=1)
    assert usage["output_token_details"]["audio_tokens"] == pytest.approx(len(sound) / 2400, abs=4)
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert of_type(events, "conversation.item.added")["previous_item_id"] == committed[0]["item_id"]


def test_turns_are_heard_and_what_was_said_is_known(talk: Talk) -> None:
    talk.set(audio={"input": {"transcription": {"model": "offline"}}})
    talk.append(silence(1.0) + question() + silence(1.0))
    first = talk.until("rate_limits.updated")
    talk.append(question() + silence(1.0))
    second = talk.until("rate_limits.updated")

    began, ended = first[0], first[1]
    assert kinds(first)[:5] == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
    ]
    assert began["audio_start_ms"] == pytest.approx(1000 - 300, abs=150)  # with the padding before it
    # with the silence that ended it
    assert ended["audio_end_ms"] == pytest.approx(1000 + speech_ends_ms(question()) + 500, abs=150)
    assert began["item_id"] == ended["item_id"] == first[2]["item_id"]
    assert "golden" in of_type(first, "conversation.item.input_audio_transcription.completed")["transcript"].lower()
    assert of_type(first, "response.done")["response"]["status"] == "completed"
    assert second[0]["audio_start_ms"] >= ended["audio_end_ms"]
    # The second answer has read the first.
    cached = usage_of(second)["input_token_details"]["cached_tokens_details"]
    tokens_before = usage_of(first)["input_token_details"]["audio_tokens"] + len(sound_of(first)) / 4800
    assert cached["audio_tokens"] == pytest.approx(tokens_before, abs=2)
    assert cached["text_tokens"] > 0
    assert usage_of(first)["input_token_details"]["cached_tokens"] == 0


def test_words_in_words_out(talk: Talk) -> None:
    talk.set(output_modalities=["text"])
    talk.type("Is a golden retriever a good family dog?")
    talk.connection.response.create(response={"max_output_tokens": 12, "metadata": {"place": "test"}})
    events = talk.until("rate_limits.updated")

    assert [kind for kind in kinds(events) if "text" in kind or "audio" in kind] == [
        "response.output_text.delta", "response.output_text.done",
    ]  # fmt: skip
    response = events[-2]["response"]
    assert response["metadata"] == {"place": "test"}
    assert (response["status"], response["status_details"]["reason"]) == ("incomplete", "max_output_tokens")
    assert response["output"][0]["content"][0]["text"] == of_type(events, "response.output_text.done")["text"]
    assert usage_of(events)["output_token_details"]["audio_tokens"] == 0


def test_a_greeting_needs_no_question(talk: Talk) -> None:
    talk.connection.response.create(response={"instructions": "Say hello to the user."})
    events = talk.until("rate_limits.updated")
    assert len(sound_of(events)) > 24_000


def test_an_answer_is_cut_to_what_was_heard(talk: Talk) -> None:
    talk.type("Why is the sky blue?")
    talk.connection.response.create()
    events = talk.until("rate_limits.updated")
    item = events[-2]["response"]["output"][0]
    words, sound = item["content"][0]["transcript"], sound_of(events)

    talk.connection.conversation.item.truncate(item_id=item["id"], content_index=0, audio_end_ms=99_000)
    too_far = talk.refused()
    talk.connection.conversation.item.truncate(item_id=item["id"], content_index=0, audio_end_ms=1_000)
    cut = talk.next()
    talk.connection.conversation.item.retrieve(item_id=item["id"])
    (part,) = talk.next()["item"]["content"]

    assert (too_far["code"], too_far["param"]) == ("invalid_value", "audio_end_ms")
    assert too_far["message"] == f"Audio content of {len(sound) / 48:.0f}ms is already shorter than 99000ms"
    assert (cut["type"], cut["audio_end_ms"]) == ("conversation.item.truncated", 1000)
    assert words.startswith(part["transcript"])
    assert 1 <= len(part["transcript"].split()) <= 6 < len(words.split())
    assert base64.b64decode(part["audio"]) == sound[:48_000]


def test_items_are_put_read_and_deleted(talk: Talk) -> None:
    items = talk.connection.conversation.item
    said: Any = {
        "id": "mine",
        "type": "message",
        "role": "user",
        "content": [
            {"type": "input_audio", "audio": base64_of(question())},
            {"type": "input_text", "text": "Answer this."},
        ],
    }
    items.create(item=said)
    added = talk.until("conversation.item.done")[0]
    earlier: Any = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello."}]}
    items.create(item=earlier, previous_item_id="root")
    first = talk.until("conversation.item.done")[0]
    between: Any = {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "Be kind."}]}
    items.create(item=between, previous_item_id=first["item"]["id"])
    second = talk.until("conversation.item.done")[0]
    talk.connection.response.create(response={"output_modalities": ["text"]})
    events = talk.until("rate_limits.updated")
    items.retrieve(item_id="mine")
    whole = talk.next()["item"]
    items.delete(item_id="mine")
    gone = talk.next()
    items.retrieve(item_id="mine")

    assert added["item"]["id"] == "mine"
    assert first["previous_item_id"] is None
    assert second["previous_item_id"] == first["item"]["id"]
    assert usage_of(events)["input_token_details"]["audio_tokens"] == pytest.approx(len(question()) / 4800, abs=1)
    assert base64.b64decode(whole["content"][0]["audio"]) == question()
    assert "golden retriever" in whole["content"][0]["transcript"].lower()
    assert gone["item_id"] == "mine"
    assert talk.refused()["code"] == "item_retrieve_invalid_item_id"


def test_a_response_beside_the_conversation(talk: Talk) -> None:
    talk.type("Do dogs like water?")
    asked: Any = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "What is a cat?"}]}
    talk.connection.response.create(
        response={"conversation": "none", "output_modalities": ["text"], "input": [asked], "instructions": "Be brief."}
    )
    events = talk.until("rate_limits.updated")
    talk.connection.response.create(response={"output_modalities": ["text"]})
    after = talk.until("rate_limits.updated")

    assert events[-2]["response"]["conversation_id"] is None
    assert not [kind for kind in kinds(events) if kind.startswith("conversation.")]
    assert after[-2]["response"]["conversation_id"].startswith("conv_")
    added = of_type(after, "conversation.item.added")
    assert added["previous_item_id"] != events[-2]["response"]["output"][0]["id"]


@pytest.mark.parametrize("law", ["pcmu", "pcma"])
def test_telephone_sound(talk: Talk, law: g711.Law) -> None:
    form = {"type": f"audio/{law}"}
    session = talk.set(
        audio={"input": {"format": form, "transcription": {"model": "offline"}}, "output": {"format": form}}
    )
    pcm16 = Clip.from_pcm16(question() + silence(1.0)).resample(8_000).encode("wav")[44:]
    talk.append(g711.to_g711(pcm16, law))
    events = talk.until("rate_limits.updated")

    assert session["audio"]["output"]["format"] == form
    assert "golden" in of_type(events, "conversation.item.input_audio_transcription.completed")["transcript"].lower()
    said = g711.from_g711(sound_of(events), law)
    assert -30 < level_dbfs(said) < -15
    assert usage_of(events)["output_token_details"]["audio_tokens"] == pytest.approx(len(said) / 800, abs=4)


REFUSED: dict[str, tuple[Any, str, str | None]] = {
    "no event": ({"type": "response.sing"}, "invalid_value", "type"),
    "no type": ({}, "missing_required_parameter", "type"),
    "a list": ([], "invalid_json", None),
    "nothing to commit": ({"type": "input_audio_buffer.commit"}, "input_audio_buffer_commit_empty", None),
    "no base64": ({"type": "input_audio_buffer.append", "audio": "!"}, "invalid_value", "audio"),
    "nothing to cancel": ({"type": "response.cancel"}, "response_cancel_not_active", None),
    "beta fields": (
        {"type": "session.update", "session": {"type": "realtime", "modalities": ["text"]}},
        "unknown_parameter",
        "session.modalities",
    ),
    "beta session": (
        {"type": "session.update", "session": {"voice": "alloy"}},
        "missing_required_parameter",
        "session.type",
    ),
    "both modalities": (
        {"type": "session.update", "session": {"type": "realtime", "output_modalities": ["text", "audio"]}},
        "invalid_value",
        "session.output_modalities",
    ),
    "no voice": (
        {"type": "session.update", "session": {"type": "realtime", "audio": {"output": {"voice": "x"}}}},
        "invalid_value",
        "session.audio.output.voice",
    ),
    "another model": (
        {"type": "session.update", "session": {"type": "realtime", "model": "gpt-realtime"}},
        "model_not_found",
        "model",
    ),
    "threshold": (
        {
            "type": "session.update",
            "session": {
                "type": "realtime",
                "audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": 2}}},
            },
        },
        "invalid_value",
        "session.audio.input.turn_detection.threshold",
    ),
    "tools": (
        {"type": "session.update", "session": {"type": "realtime", "tools": [{"type": "function", "name": "f"}]}},
        "unsupported_parameter",
        "session.tools",
    ),
    "tools of one response": (
        {"type": "response.create", "response": {"tools": [{"type": "function", "name": "f"}]}},
        "unsupported_parameter",
        "response.tools",
    ),
    "output of no tool": (
        {
            "type": "conversation.item.create",
            "item": {"type": "function_call_output", "call_id": "call_1", "output": "3"},
        },
        "invalid_tool_call_id",
        "item.call_id",
    ),
    "a picture": (
        {
            "type": "conversation.item.create",
            "item": {"type": "message", "role": "user", "content": [{"type": "input_image", "image_url": "data:"}]},
        },
        "invalid_value",
        "item.content[0].type",
    ),
    "French": (
        {
            "type": "conversation.item.create",
            "item": {
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": "Quelle est la meilleure race de chien pour une famille ?"}],
            },
        },
        "unsupported_language",
        "item.content[0].text",
    ),
    "behind nothing": (
        {
            "type": "conversation.item.create",
            "previous_item_id": "x",
            "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello."}]},
        },
        "item_create_invalid_previous_item_id",
        "previous_item_id",
    ),
    "delete nothing": (
        {"type": "conversation.item.delete", "item_id": "x"},
        "item_delete_invalid_item_id",
        "item_id",
    ),
    "cut nothing": (
        {"type": "conversation.item.truncate", "item_id": "x", "content_index": 0, "audio_end_ms": 0},
        "item_truncate_invalid_item_id",
        "item_id",
    ),
}


def test_what_is_refused_harms_nothing(talk: Talk) -> None:
    import json

    for number, (what, (event, code, param)) in enumerate(REFUSED.items()):
        named = {**event, "event_id": f"mine_{number}"} if isinstance(event, dict) else event
        talk.connection.send_raw(json.dumps(named))
        error = talk.refused()
        assert (error["code"], error["param"]) == (code, param), what
        assert error["type"] == "invalid_request_error", what
        assert error["event_id"] == (named.get("event_id") if isinstance(named, dict) else None), what
    talk.connection.send_raw("{no JSON")
    assert talk.refused()["code"] == "invalid_json"
    talk.connection.send_raw(b"\xff\xfe")
    assert talk.refused()["code"] == "invalid_json"

    talk.type("Hello.")
    talk.connection.response.create(response={"output_modalities": ["text"]})
    events = talk.until("rate_limits.updated")
    assert events[-2]["response"]["status"] == "completed"
    talk.connection.conversation.item.truncate(
        item_id=events[-2]["response"]["output"][0]["id"], content_index=0, audio_end_ms=0
    )
    assert talk.refused()["code"] == "unsupported_content_type"


def test_the_voice_is_the_first_answers(talk: Talk) -> None:
    talk.set(audio={"output": {"voice": "ash"}})
    talk.type("Hello.")
    talk.connection.response.create()
    talk.until("rate_limits.updated")
    talk.connection.session.update(session={"type": "realtime", "audio": {"output": {"voice": "nova"}}})
    assert talk.refused()["code"] == "cannot_update_voice"
    talk.connection.response.create(response={"audio": {"output": {"voice": "nova"}}})
    assert talk.refused()["code"] == "cannot_update_voice"
    assert talk.set(audio={"output": {"voice": "ash", "speed": 1.5}})["audio"]["output"]["speed"] == 1.5


def test_much_sound_at_once_and_too_much(talk: Talk) -> None:
    push_to_talk(talk)
    talk.append(silence(300))
    talk.connection.input_audio_buffer.clear()
    assert talk.next()["type"] == "input_audio_buffer.cleared"
    talk.append(bytes(15 * 1024 * 1024 + 10))
    assert talk.refused()["code"] == "string_above_max_length"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"extra_headers": {"OpenAI-Beta": "realtime=v1"}}, "beta_api_shape_disabled"),
        ({"model": "gpt-realtime-2.1"}, "model_not_found"),
        ({"extra_query": {"intent": "transcription"}}, "unsupported_parameter"),
    ],
)
def test_sessions_that_can_not_be(base_url: str, options: dict[str, Any], code: str) -> None:
    with talking(base_url, **options) as talk:
        assert talk.created["type"] == "error"
        assert talk.created["error"]["code"] == code
        with pytest.raises(ConnectionClosed) as closed:
            talk.next()
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4000, f"invalid_request_error.{code}")


def test_events_are_judged() -> None:
    with pytest.raises(AssertionError, match="unrecognised"):
        judged({"type": "input_audio_buffer.cleared", "event_id": "event_1", "colour": "red"})
