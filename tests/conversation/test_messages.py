"""Messages as OpenAI's package types them: out, back, and what is refused on the way."""

from __future__ import annotations

import base64
import time
from typing import Any

import pytest
from openai.types.chat import ChatCompletionMessage, ChatCompletionMessageParam
from openai_server import OpenAIServer
from openai_server.sdk_types import validated
from signals import voice

from nbaudio import Clip, Conversation, Reply, ToolCall, ToolResult, Turn
from nbaudio.errors import CellError

CLIP = Clip.from_pcm16(Clip(voice(), 24_000).encode("pcm16"))
MP3 = Clip(CLIP.encode("mp3"))
CALLS = (ToolCall("call_1", "weather", '{"city": "Oslo"}'), ToolCall("call_2", "time", "{"))
TURNS = [
    Turn("user", "Listen.", (CLIP, MP3)),
    Reply(text="Let me look.", tool_calls=CALLS),
    ToolResult(text="3", name="weather", call_id="call_1"),
    ToolResult(text="noon", name="time", call_id="call_2"),
    Reply(text="It is cold.", clips=(CLIP,), audio_id="audio_1", expires_at=2**40),
    Turn("user", "Thank you."),
]


def user(*content: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": content[0] if isinstance(content[0], str) else list(content)}]


def sound(data: str, format: str = "wav") -> dict[str, Any]:
    return {"type": "input_audio", "input_audio": {"data": data, "format": format}}


WAV = base64.b64encode(CLIP.encode("wav")).decode()


class TestOut:
    def test_all_kinds_of_turns(self) -> None:
        made = Conversation(TURNS, instructions="Be brief.").to_messages()

        assert made == [
            {"role": "system", "content": "Be brief."},
            *user(
                {"type": "text", "text": "Listen."},
                sound(WAV),
                sound(base64.b64encode(MP3.encode("mp3")).decode(), "mp3"),
            ),
            {"role": "assistant", "content": "Let me look.", "tool_calls": [call.to_wire() for call in CALLS]},
            {"role": "tool", "tool_call_id": "call_1", "content": "3"},
            {"role": "tool", "tool_call_id": "call_2", "content": "noon"},
            {"role": "assistant", "content": "It is cold."},
            *user("Thank you."),
        ]

    @pytest.mark.parametrize("audio_ids", [False, True])
    def test_the_types_of_the_openai_package_know_every_one(self, audio_ids: bool) -> None:
        made = Conversation(TURNS, instructions="Be brief.").to_messages(audio_ids=audio_ids)

        assert len(made) == 7
        for message in made:
            validated(ChatCompletionMessageParam, message)

    def test_audio_ids_only_while_they_live(self) -> None:
        fresh, old = Reply(text="a", audio_id="1", expires_at=2**40), Reply(text="b", audio_id="2", expires_at=9)

        assert Conversation([fresh, old]).to_messages(audio_ids=True) == [
            {"role": "assistant", "audio": {"id": "1"}},
            {"role": "assistant", "content": "b"},
        ]

    def test_the_server_takes_them(self, server: OpenAIServer) -> None:
        chat = Conversation(TURNS[:4], instructions="Be brief.")
        chat.say("And tomorrow?", CLIP)
        from openai import OpenAI

        with OpenAI(base_url=server.base_url, api_key=server.api_key) as client:
            answer = client.chat.completions.create(
                model="gpt-audio-1.5",
                modalities=["text"],
                messages=chat.to_messages(audio_ids=True) + user("Why?"),  # type: ignore[arg-type]
            )
        assert answer.choices[0].message.content

    def test_a_call_without_its_result_and_a_result_without_its_call_stay_out(self) -> None:
        turns = [
            Turn("user", "a"),
            Reply(text="b", tool_calls=CALLS),
            ToolResult(text="3", name="weather", call_id="call_1"),
            ToolResult(text="?", name="other", call_id="call_9"),
            Turn("user", "c"),
            Reply(tool_calls=CALLS),
            ToolResult(text="late", name="time", call_id="call_0"),
        ]

        assert Conversation(turns).to_messages() == [
            *user("a"),
            {"role": "assistant", "content": "b", "tool_calls": [CALLS[0].to_wire()]},
            {"role": "tool", "tool_call_id": "call_1", "content": "3"},
            *user("c"),
        ]

    def test_recordings_whose_words_are_sent_are_words(self) -> None:
        turn = Turn("user", "Listen.", (CLIP,), transcript="Good morning.", as_words=True)

        assert Conversation([turn]).to_messages() == user("Listen.\n\nGood morning.")


class TestBack:
    @pytest.mark.parametrize("audio_ids", [False, True])
    def test_messages_become_the_same_messages(self, audio_ids: bool) -> None:
        made = Conversation(TURNS, instructions="Be brief.").to_messages(audio_ids=audio_ids)

        assert Conversation.from_messages(made).to_messages(audio_ids=audio_ids) == made

    def test_turns_become_the_same_turns(self) -> None:
        found = Conversation.from_messages(Conversation(TURNS, instructions="Be brief.").to_messages())

        assert found.instructions == "Be brief."
        assert [(type(turn), turn.text) for turn in found] == [(type(turn), turn.text) for turn in TURNS]
        assert found[0].clips == (CLIP, MP3)
        assert found[1].tool_calls == CALLS  # type: ignore[attr-defined]
        assert found[2:4] == TURNS[2:4]

    def test_what_a_server_answers_is_taken_as_it_comes(self) -> None:
        audio = {"id": "audio_1", "data": WAV, "transcript": "Yes.", "expires_at": int(time.time()) + 3600}
        answer = ChatCompletionMessage.model_validate({"role": "assistant", "content": None, "audio": audio})

        (reply,) = Conversation.from_messages([answer])

        assert isinstance(reply, Reply)
        assert (reply.text, reply.clip, reply.audio_id) == ("Yes.", CLIP, "audio_1")
        assert reply.expires_at == audio["expires_at"]

    def test_a_refusal(self) -> None:
        for message in ({"content": [{"type": "refusal", "refusal": "No."}]}, {"content": None, "refusal": "No."}):
            (reply,) = Conversation.from_messages([{"role": "assistant", **message}])
            assert (reply.text, reply.refusal) == ("No.", "No.")  # type: ignore[attr-defined]

    def test_an_audio_id_alone_is_kept_and_said(self) -> None:
        message = {"role": "assistant", "audio": {"id": "audio_1"}}

        chat = Conversation.from_messages([message])

        assert "audio id only" in chat[0].note  # type: ignore[attr-defined]
        assert chat.to_messages(audio_ids=True) == [message]

    def test_instructions_are_joined_and_options_count(self) -> None:
        told = [{"role": "system", "content": "Be brief."}, {"role": "developer", "content": [
            {"type": "text", "text": "Be kind."}]}]  # fmt: skip

        assert Conversation.from_messages(told).instructions == "Be brief.\n\nBe kind."
        assert Conversation.from_messages(told, instructions="Be long.", voice="ash").options == {
            "instructions": "Be long.",
            "voice": "ash",
        }


def calls(*given: Any) -> list[dict[str, Any]]:
    return [{"role": "assistant", "content": None, "tool_calls": list(given)}]


CALL = CALLS[0].to_wire()
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "3"}


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ("Hello.", "A str is no list of messages"),
        ({"role": "user"}, "A dict is no list of messages"),
        (["Hello."], r"messages\[0\] is a str"),
        ([{"content": "x"}], r"messages\[0\] has the role None"),
        ([{"role": "function", "content": "x"}], "has the role 'function'"),
        ([*user("x"), {"role": "system", "content": "y"}], r"messages\[1\] has the role 'system' in the middle"),
        ([{"role": "user"}], r"messages\[0\]\.content is neither text nor a list"),
        (user(""), r"messages\[0\] says nothing"),
        (user({"type": "image_url", "image_url": {}}), r"content\[0\] is of the type 'image_url'"),
        (user({"type": "text"}), r"content\[0\]\.text is missing"),
        (user({"type": "text", "text": 3}), r"content\[0\]\.text is a int"),
        (user(3), r"content\[0\] is a int"),
        (user({"type": "input_audio"}), r"content\[0\]\.input_audio is missing"),
        (user(sound(WAV, "flac")), "format is 'flac'"),
        (user(sound("data:audio/wav;base64," + WAV)), "is a data: address"),
        (user(sound("???")), "It is no base64"),
        (user(sound("AAAA")), "These 3 bytes are no sound file"),
        (user(sound("ä" * 8)), "It is no base64"),
        ([{"role": "assistant"}], r"messages\[0\] says nothing"),
        ([{"role": "assistant", "content": [sound(WAV)]}], "which no answer is"),
        ([{"role": "assistant", "audio": "audio_1"}], r"messages\[0\]\.audio is a str"),
        ([{"role": "assistant", "audio": {}}], r"audio\.id is missing"),
        ([{"role": "assistant", "content": "x", "tool_calls": {}}], "tool_calls is no list"),
        (calls({**CALL, "type": "custom"}), r"tool_calls\[0\] is of the type 'custom'"),
        (calls({**CALL, "function": {"name": "f", "arguments": {}}}), r"function\.arguments is a dict"),
        (calls(CALL, CALL), "has the id of another call"),
        (calls(CALL), r"messages\[0\] calls weather \(call_1\), and no result"),
        ([*calls(CALL), *user("x")], "and no result of it follows"),
        ([RESULT], r"messages\[0\] is the result of a call that is not"),
        ([*calls(CALL), RESULT, RESULT], r"messages\[2\] is the result of a call that is not"),
        ([*calls(CALL), {**RESULT, "content": [sound(WAV)]}], "Only text can stand here"),
    ],
)
def test_what_can_not_be_held_is_refused_with_its_place(messages: Any, said: str) -> None:
    with pytest.raises(CellError, match=said):
        Conversation.from_messages(messages)
