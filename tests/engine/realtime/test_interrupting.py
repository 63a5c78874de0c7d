"""Who speaks while the engine does: real ears and a real voice, and a brain that writes on when the test lets it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from .talking import (
    SDK_WARNS,
    WAIT_S,
    LetBrain,
    Talk,
    engine_with,
    kinds,
    of_type,
    question,
    served,
    silence,
    sound_of,
    talking,
)

pytestmark = [pytest.mark.offline, SDK_WARNS]


@pytest.fixture
def brain() -> LetBrain:
    return LetBrain()


@pytest.fixture
def talk(brain: LetBrain) -> Iterator[Talk]:
    with served(engine_with(brain)) as url, talking(url) as talk:
        yield talk
        brain.let(100)


def begin_to_answer(talk: Talk, brain: LetBrain) -> list[dict[str, Any]]:
    """The events of an answer up to the first sound of its first sentence; it goes on when it is let."""
    talk.type("Hello there.")
    talk.connection.response.create()
    brain.let(1)
    return talk.until("response.output_audio.delta")


ENDS = [
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "response.output_item.done",
    "conversation.item.done",
    "response.done",
]


def test_speaking_stops_the_answer_at_once(talk: Talk, brain: LetBrain) -> None:
    begun = begin_to_answer(talk, brain)
    talk.append(question())
    events = talk.until("response.done")

    told = [event for event in events if event["type"] != "response.output_audio.delta"]
    assert kinds(told) == ["input_audio_buffer.speech_started", *ENDS]
    response = told[-1]["response"]
    assert response["status"] == "cancelled"
    assert response["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    (item,) = response["output"]
    assert item["status"] == "incomplete"
    assert item["content"][0]["transcript"] == LetBrain.SENTENCES[0].strip()
    sound_ms = len(sound_of([*begun, *events])) / 48
    assert response["usage"]["output_token_details"]["audio_tokens"] == pytest.approx(sound_ms / 50, abs=2)

    # The client says how much of it was heard; the person goes on, and is answered.
    talk.connection.conversation.item.truncate(item_id=item["id"], content_index=0, audio_end_ms=400)
    assert talk.until("conversation.item.truncated")[-1]["audio_end_ms"] == 400
    brain.let(1)  # of no use any more: the brain was told to stop
    assert brain.closed.acquire(timeout=WAIT_S)
    talk.append(silence(1.0))
    brain.let(3)
    after = talk.until("response.done")
    assert after[-1]["response"]["status"] == "completed"
    brain.asked.get_nowait()
    messages = brain.asked.get_nowait()
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user"]
    heard = messages[2]["content"]
    assert LetBrain.SENTENCES[0].startswith(heard)
    assert 1 <= len(heard.split()) <= 3
    assert "golden" in messages[3]["content"].lower()


def test_a_client_may_stop_it(talk: Talk, brain: LetBrain) -> None:
    begin_to_answer(talk, brain)
    talk.connection.response.cancel()
    events = talk.until("response.done")
    assert events[-1]["response"]["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    talk.connection.response.cancel()
    assert talk.refused()["code"] == "response_cancel_not_active"


def test_one_answer_at_a_time(talk: Talk, brain: LetBrain) -> None:
    begin_to_answer(talk, brain)
    talk.connection.response.create(event_id="second")
    events = talk.until("error")
    error = events[-1]["error"]
    assert (error["code"], error["event_id"]) == ("conversation_already_has_active_response", "second")
    brain.let(2)
    events = talk.until("response.done")
    assert events[-1]["response"]["status"] == "completed"
    assert len(events[-1]["response"]["output"][0]["content"][0]["transcript"]) > len(LetBrain.SENTENCES[0])


def test_so_many_answers_go_nowhere_at_once(talk: Talk, brain: LetBrain) -> None:
    question = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello."}]}
    aside: Any = {"conversation": "none", "input": [question], "output_modalities": ["text"]}
    for _ in range(4):
        talk.connection.response.create(response=aside)
        talk.until("response.created")
    talk.connection.response.create(response=aside)
    assert talk.refused()["code"] == "rate_limit_exceeded"
    talk.type("Hello there.")
    talk.connection.response.create()
    talk.until("response.created")  # that of the conversation is apart from them


def test_where_it_may_not_be_interrupted_it_goes_on(talk: Talk, brain: LetBrain) -> None:
    detection = {"type": "server_vad", "interrupt_response": False}
    talk.set(audio={"input": {"turn_detection": detection}})
    begin_to_answer(talk, brain)
    talk.append(question() + silence(1.0))
    events = talk.until("error")
    brain.let(2)
    rest = talk.until("response.done")

    assert "input_audio_buffer.committed" in kinds(events)
    assert events[-1]["error"]["code"] == "conversation_already_has_active_response"
    assert rest[-1]["response"]["status"] == "completed"


def test_where_nothing_is_to_be_answered_turns_are_told(talk: Talk) -> None:
    detection = {"type": "semantic_vad", "eagerness": "high", "create_response": False}
    talk.set(audio={"input": {"turn_detection": detection, "transcription": {"model": "offline"}}})
    talk.append(question() + silence(1.0))
    events = talk.until("conversation.item.input_audio_transcription.completed")
    assert "response.created" not in kinds(events)
    assert "golden" in events[-1]["transcript"].lower()
    talk.append(question()[:96_000])
    talk.connection.input_audio_buffer.commit()  # in the middle of a turn
    events = talk.until("conversation.item.input_audio_transcription.completed")
    assert kinds(events)[:2] == ["input_audio_buffer.speech_started", "input_audio_buffer.committed"]
    assert events[0]["item_id"] == events[-1]["item_id"]


def test_what_is_cut_while_it_is_said_is_stopped(talk: Talk, brain: LetBrain) -> None:
    begun = begin_to_answer(talk, brain)
    item_id = of_type(begun, "response.output_item.added")["item"]["id"]
    talk.connection.conversation.item.truncate(item_id=item_id, content_index=0, audio_end_ms=100)
    events = talk.until("conversation.item.truncated")
    assert of_type(events, "response.done")["response"]["status"] == "cancelled"
    talk.connection.conversation.item.retrieve(item_id=item_id)
    (part,) = talk.next()["item"]["content"]
    assert len(base64.b64decode(part["audio"])) == 4800
