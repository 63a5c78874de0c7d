"""What goes out for a conversation, byte for byte, and that what went out before is not made again."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import replace
from typing import Any

import pytest

from nbaudio.exchange import Exchange
from nbaudio.outgoing import Outgoing
from nbaudio.settings import Backend, settings
from nbaudio.sound.clip import Clip
from nbaudio.turns import Reply, ToolResult, Turn
from nbaudio.wire.requests import Inline, Message, Options, serialized
from nbaudio.wire.tool_calls import ToolCall

CLIP = Clip.from_pcm16(bytes(range(200)) * 24)
OTHER = Clip.from_pcm16(bytes(480))
CALLS = (ToolCall("call_0", "weather", '{"city":"Rome \U0001f436"}'), ToolCall("call_1", "weather", "{}"))
OPTIONS = Options("gpt-audio-1.5", "alloy", instructions='Be "brief" – and kind.', temperature=0.5)


@pytest.fixture(params=["openai", "compatible"])
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Backend:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-a-key")
    monkeypatch.setenv("NBAUDIO_DIALECT", request.param)
    return settings().resolve()


def spoken(by: Backend, audio_id: str, **fields: Any) -> Reply:
    known = {"model": "gpt-audio-1.5-2026-02-01", "backend": by.name, "expires_at": int(time.time()) + 3600}
    return Reply(text="Yes.", clips=(OTHER,), audio_id=audio_id, **{**known, **fields})


def conversation(backend: Backend) -> list[tuple[Turn, Any]]:
    """Turns of every kind, each with the message that goes out for it, None where none does."""
    keeps = backend.dialect.keeps_audio_ids
    sound = {"data": base64.b64encode(CLIP.for_model()[0]).decode(), "format": "wav"}
    part = {"type": "input_audio", "input_audio": sound}
    wire_calls = [call.to_wire() for call in CALLS]
    by_words = {"role": "assistant", "content": "Yes."}

    def by_id(audio_id: str) -> Any:
        return {"role": "assistant", "audio": {"id": audio_id}} if keeps else by_words

    return [
        (Turn("user", 'Line\n"quoted" \ud83d é \x00'), {"role": "user", "content": 'Line\n"quoted" \ud83d é \x00'}),
        (spoken(backend, "audio_good"), by_id("audio_good")),
        (
            Turn("user", "Hear.", (CLIP, CLIP)),
            {"role": "user", "content": [{"type": "text", "text": "Hear."}, part, part]},
        ),
        (spoken(backend, "audio_dead"), by_words),
        (Turn("user", "", (CLIP,)), {"role": "user", "content": [part]}),
        (spoken(backend, "audio_old", expires_at=int(time.time()) + 30), by_words),
        (
            Turn("user", "Typed.", (CLIP,), transcript="Spoken.", as_words=True),
            {"role": "user", "content": "Typed.\n\nSpoken."},
        ),
        (spoken(backend, "audio_partial", partial=True), by_words),
        (Turn("user", "", transcript="Not sent."), {"role": "user", "content": ""}),
        (spoken(backend, "audio_others", backend="elsewhere"), by_words),
        (spoken(backend, "audio_model", model="gpt-audio-mini"), by_words),
        (spoken(backend, "audio_words", as_words=True), by_words),
        (Reply(text=""), None),
        (Reply(text="", tool_calls=CALLS), {"role": "assistant", "content": None, "tool_calls": wire_calls}),
        (
            ToolResult(text='{"t": 1}', call_id="call_1"),
            {"role": "tool", "tool_call_id": "call_1", "content": '{"t": 1}'},
        ),
        (ToolResult(text="ä", call_id="call_0"), {"role": "tool", "tool_call_id": "call_0", "content": "ä"}),
        (
            spoken(backend, "audio_calls", tool_calls=CALLS),  # of which one has no result
            ({"role": "assistant", "audio": {"id": "audio_calls"}} if keeps else by_words)
            | {"tool_calls": wire_calls[:1]},
        ),
        (ToolResult(text="b", call_id="call_0"), {"role": "tool", "tool_call_id": "call_0", "content": "b"}),
        (ToolResult(text="of no call", call_id="call_9"), None),
        (Turn("user", "Why?"), {"role": "user", "content": "Why?"}),
    ]


def exchange(turns: list[Turn], backend: Backend, outgoing: Outgoing | None = None, **fields: Any) -> Exchange:
    """A question, the last of the turns, after all others."""
    made = Exchange(turns[-1:], backend, replace(OPTIONS, **fields), settings(), history=turns[:-1], outgoing=outgoing)
    made.dead_ids = {"audio_dead"}
    return made


def sent(made: Exchange) -> bytes:
    length, parts = serialized(made.body())
    data = b"".join(b"".join(part.pieces()) if isinstance(part, Inline) else part for part in parts)
    assert len(data) == length
    return data


def expected(messages: list[Any], **options: Any) -> bytes:
    told = [{"role": "system", "content": OPTIONS.instructions}]
    body = {
        "model": "gpt-audio-1.5",
        "modalities": ["text", "audio"],
        "messages": told + [message for message in messages if message is not None],
        "max_completion_tokens": 2048,
        "audio": {"voice": "alloy", "format": "pcm16"},
        "temperature": 0.5,
        **options,
        "stream": True,
        "stream_options": {"include_usage": True, "include_obfuscation": False},
    }
    return json.dumps(body, separators=(",", ":")).encode()


@pytest.mark.parametrize("block", [1, 3, 32])
def test_the_bytes_are_those_of_the_whole_made_anew_each_time(
    backend: Backend, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nbaudio.outgoing._BLOCK", block)
    outgoing, pairs = Outgoing(), conversation(backend)
    # Nowhere between a call and its results, as in a conversation.
    for count in (1, 2, 5, 12, len(pairs), len(pairs), 9, len(pairs)):
        turns, messages = map(list, zip(*pairs[:count], strict=True))
        assert sent(exchange(turns, backend, outgoing)) == expected(messages)


def test_edits_of_what_was_said_go_out(backend: Backend) -> None:
    outgoing = Outgoing()
    turns: list[Turn] = [Turn("user", f"Question {number}?") for number in range(200)]

    def check() -> None:
        messages = [{"role": "user", "content": turn.text} for turn in turns]
        assert sent(exchange(turns, backend, outgoing)) == expected(messages)

    check()
    turns[70] = Turn("user", "Edited.")
    check()
    turns[70] = replace(turns[70], text="Edited again.")  # the same id
    check()
    turns.insert(3, Turn("user", "Put in."))
    check()
    del turns[100:150]
    check()
    turns.reverse()
    check()


def test_an_id_that_dies_or_ends_between_two_questions_is_not_sent_again(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    outgoing, now = Outgoing(), time.time()
    answers = [spoken(backend, f"audio_{number}", expires_at=int(now) + 3600 + number) for number in range(100)]
    turns: list[Turn] = [*answers, Turn("user", "Why?")]

    def ids(model: str = "gpt-audio-1.5", dead: frozenset[str] = frozenset()) -> list[str]:
        made = exchange(turns, backend, outgoing, model=model)
        made.dead_ids = set(dead)
        messages = json.loads(sent(made))["messages"]
        assert len(messages) == 102
        return [message["audio"]["id"] for message in messages if "audio" in message]

    all_ids = [answer.audio_id for answer in answers] if backend.dialect.keeps_audio_ids else []
    assert ids() == ids() == all_ids
    assert ids(dead=frozenset({"audio_40"})) == [one for one in all_ids if one != "audio_40"]
    assert ids(model="gpt-audio-mini") == []
    assert ids() == all_ids
    monkeypatch.setattr(time, "time", lambda: now + 3540 + 50)
    assert ids() == all_ids[51:]
    monkeypatch.setattr(time, "time", lambda: now + 3800)
    assert ids() == []


def test_tools_come_in_their_place(backend: Backend) -> None:
    tool = {"type": "function", "function": {"name": "weather", "parameters": {}}}
    made = exchange([Turn("user", "Hi")], backend, tools=(tool,), tool_choice="weather")
    choice = {"type": "function", "function": {"name": "weather"}}
    assert sent(made) == expected([{"role": "user", "content": "Hi"}], tools=[tool], tool_choice=choice)


def test_texts_are_sent_in_one_piece(backend: Backend) -> None:
    """Each part is written to the connection by itself."""
    turns = [turn for turn, _ in conversation(backend)]
    _, parts = serialized(exchange(turns, backend).body())
    kinds = [isinstance(part, Inline) for part in parts]
    assert kinds == [False, True] * 3 + [False]


def test_what_went_out_before_is_not_made_again(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Message] = []
    to_wire = Message.to_wire
    monkeypatch.setattr(Message, "to_wire", lambda message: made.append(message) or to_wire(message))
    outgoing, now = Outgoing(), time.time()
    turns: list[Turn] = []
    for number in range(500):
        ends = int(now) + 3600 + number
        turns += [Turn("user", f"Question {number}?"), spoken(backend, f"audio_{number}", expires_at=ends)]
    turns.append(Turn("user", "And now?"))
    sent(exchange(turns, backend, outgoing))
    assert len(made) == 1 + len(turns)  # with the instructions
    most = 2 + 32
    for number in range(500, 600):
        made.clear()
        ends = int(now) + 3600 + number
        turns += [spoken(backend, f"audio_{number}", expires_at=ends), Turn("user", "And now?")]
        again = exchange(turns, backend, outgoing)
        assert again.weight()[0] > 0
        assert len(json.loads(sent(again))["messages"]) == len(turns) + 1
        assert len(made) <= 2 * most
    # Once the first are an hour old, one more of them is with each question.
    monkeypatch.setattr(time, "time", lambda: now + 3541)
    made.clear()
    sent(exchange(turns, backend, outgoing))
    assert len(made) <= 2 * most


def test_its_weight_is_that_of_what_goes_out(backend: Backend) -> None:
    outgoing, pairs = Outgoing(), conversation(backend)
    for _ in range(2):
        text_bytes, sound_s = exchange([turn for turn, _ in pairs], backend, outgoing).weight()
        messages = [message for _, message in pairs if message is not None]
        words = [OPTIONS.instructions]
        sounds = 0
        for message in messages:
            content = message.get("content") or ""
            words += [content] if isinstance(content, str) else [part["text"] for part in content if "text" in part]
            for call in message.get("tool_calls", ()):
                words += call["function"].values()
            sounds += sum("input_audio" in part for part in content) if not isinstance(content, str) else 0
        by_id = sum("audio" in message for message in messages)
        assert text_bytes == sum(len(word.encode("utf-8", "surrogatepass")) for word in words)
        assert sound_s == pytest.approx(CLIP.duration_s * sounds + OTHER.duration_s * by_id)


def test_no_sound_stays_in_memory(backend: Backend) -> None:
    loaded: list[int] = []
    clip = Clip(CLIP)
    data, _ = clip.as_kept()
    clip.park(lambda: loaded.append(1) or data)
    loaded.clear()
    outgoing = Outgoing()
    made = exchange([Turn("user", "Hear.", (clip,)), Turn("user", "Well?")], backend, outgoing)
    assert made.weight()[1] == CLIP.duration_s
    assert loaded == []
    sent(made)
    sent(made)
    assert len(loaded) == 2
