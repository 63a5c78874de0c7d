"""What is asked again: from the beginning, or from what tools have done."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from openai_server import Gate, OpenAIServer, ToolCall

import nbaudio as nba
from nbaudio import errors
from nbaudio.conversation.again import Again

QUESTION = nba.Turn("user", "Weather?")
CALLING = nba.Reply(
    model="m", voice="ash", tool_calls=(nba.ToolCall("a", "look", "{}"), nba.ToolCall("b", "look", "{}"))
)
FIRST = nba.ToolResult(text="one", name="look", call_id="a")
SECOND = nba.ToolResult(text="two", name="look", call_id="b")
STOPPED = nba.ToolResult(text="The person stopped this call before it was done.", name="look", call_id="b", failed=True)
REFUSED = nba.ToolResult(text="No.", name="look", call_id="b", failed=True)
ANSWER = nba.Reply(text="Mild.", model="m")
PARTIAL = nba.Reply(text="Mi", partial=True)


@pytest.mark.parametrize(
    ("came", "rounds", "answered"),
    [
        ([], [], False),
        ([ANSWER], [], True),
        ([PARTIAL], [], False),
        ([CALLING], [], False),
        ([CALLING, FIRST], [CALLING, FIRST], False),
        ([CALLING, FIRST, SECOND], [CALLING, FIRST, SECOND], False),
        ([CALLING, FIRST, STOPPED], [CALLING, FIRST], False),
        ([CALLING, FIRST, REFUSED], [CALLING, FIRST, REFUSED], False),
        ([CALLING, STOPPED], [], False),
        ([CALLING, FIRST, SECOND, PARTIAL], [CALLING, FIRST, SECOND], False),
        ([CALLING, FIRST, CALLING], [CALLING, FIRST], False),
        ([CALLING, FIRST, CALLING, SECOND], [CALLING, FIRST, CALLING, SECOND], False),
        ([CALLING, FIRST, SECOND, ANSWER], [], True),
    ],
)
def test_what_it_goes_on_from(came: list[nba.Turn], rounds: list[nba.Turn], answered: bool) -> None:
    before = [nba.Turn("user", "Hello."), ANSWER]
    again = Again.of([*before, QUESTION, *came])
    assert again.at == 2
    assert again.question is QUESTION
    assert list(again.rounds) == rounds
    assert again.answered is answered


@pytest.mark.parametrize(
    ("came", "aloud"),
    [
        ([], True),
        ([ANSWER], False),
        ([nba.Reply(text="Mild.", model="m", voice="ash")], False),  # words came, although sound was asked for
        ([nba.Reply(text="Mi", model="m", voice="ash", partial=True)], True),  # the sound had not come yet
        ([nba.Reply(text="Mi", model="m", partial=True)], False),
        ([PARTIAL], True),
        ([CALLING, FIRST], True),
        ([CALLING, FIRST, PARTIAL], True),
        ([nba.Reply(model="m", tool_calls=CALLING.tool_calls), FIRST, PARTIAL], False),
        ([nba.Reply(text="Mi", partial=True, clips=(nba.Clip.from_pcm16(bytes(480)),))], True),
    ],
)
def test_whether_it_was_to_be_spoken(came: list[nba.Turn], aloud: bool) -> None:
    assert Again.of([QUESTION, *came]).aloud is aloud


def test_there_is_nothing_to_ask_again() -> None:
    with pytest.raises(errors.CellError, match="no question to ask again"):
        Again.of([ANSWER])


def calls(*cities: str) -> list[ToolCall]:
    return [ToolCall("get_weather", {"city": city}, id=f"call_{number}") for number, city in enumerate(cities)]


class TestInATalk:
    def test_rounds_that_were_used_are_used(self, server: OpenAIServer) -> None:
        ran: list[str] = []

        def get_weather(city: str) -> str:
            ran.append(city)
            if city == "Rome":
                server.fail_next("quota")
            return "mild"

        server.script = [calls("Paris"), calls("Rome")]
        chat = nba.Conversation(tools=[get_weather], max_tool_rounds=2)
        with pytest.raises(errors.QuotaExceeded):
            chat.say("Weather?")
        assert chat.retry().text
        assert ran == ["Paris", "Rome"]
        assert server.requests[-1].body["tool_choice"] == "none"
        assert [turn.role for turn in chat] == ["user", *["assistant", "tool"] * 2, "assistant"]

    def test_a_second_failure_keeps_what_tools_have_done_meanwhile(self, server: OpenAIServer) -> None:
        def get_weather(city: str) -> str:
            server.fail_next("quota")
            return f"mild in {city}"

        server.script = [calls("Paris")]
        chat = nba.Conversation(tools=[get_weather])
        with pytest.raises(errors.QuotaExceeded):
            chat.say("Weather?")
        server.script = [calls("Rome")]
        with pytest.raises(errors.QuotaExceeded):
            chat.retry()
        assert [turn.text for turn in chat if turn.role == "tool"] == ["mild in Paris", "mild in Rome"]
        before = list(chat)
        server.fail_next("quota")
        with pytest.raises(errors.QuotaExceeded):
            chat.retry()
        assert list(chat) == before
        assert chat.retry().text
        assert [turn.text for turn in chat if turn.role == "tool"] == ["mild in Paris", "mild in Rome"]
        assert len(chat) == 6

    def test_a_call_that_was_stopped_may_be_made_again(self, server: OpenAIServer) -> None:
        ran: list[str] = []

        def get_weather(city: str) -> str:
            ran.append(city)
            if ran == ["Paris", "Rome"]:
                raise KeyboardInterrupt
            return "mild"

        server.script = [calls("Paris", "Rome"), calls("Rome"), "Mild in both."]
        chat = nba.Conversation(tools=[get_weather])
        with pytest.raises(errors.Interrupted, match="what tools have done is in the conversation"):
            chat.say("Weather?")
        assert chat.retry().text == "Mild in both."
        assert ran == ["Paris", "Rome", "Rome"]
        sent = server.requests[1].body["messages"]
        assert [message["role"] for message in sent] == ["user", "assistant", "tool"]

    def test_an_interrupt_of_a_second_attempt_says_that_nothing_has_changed(self, server: OpenAIServer) -> None:
        ran: list[str] = []

        def get_weather(city: str) -> str:
            ran.append(city)
            if len(ran) > 1:
                raise KeyboardInterrupt
            server.fail_next("quota")
            return "mild"

        server.script = [calls("Paris")]
        chat = nba.Conversation(tools=[get_weather])
        with pytest.raises(errors.QuotaExceeded):
            chat.say("Weather?")
        before = list(chat)
        server.script = [calls("Rome")]
        with pytest.raises(errors.Interrupted, match="The conversation is as it was"):
            chat.retry()
        assert list(chat) == before

    @pytest.mark.parametrize(
        ("meanwhile", "found"),
        [
            (lambda chat: chat.say("And you?"), ["Well?", "New.", "And you?", "Old."]),
            (lambda chat: chat.insert(0, "Hello."), ["Hello.", "Well?", "New."]),
            (lambda chat: chat.undo(), ["Well?", "New."]),
            (lambda chat: chat.edit(0, "Edited?", transcript="words"), ["Edited?", "New."]),
        ],
        ids=["said", "put in", "taken back", "edited"],
    )
    def test_what_cells_do_while_its_answer_comes_stays(
        self,
        meanwhile: Callable[[nba.Conversation], object],
        found: list[str],
        server: OpenAIServer,
        journal_file: Path,
    ) -> None:
        chat = nba.Conversation(name="beside")
        server.words = "Old."
        chat.say("Well?")
        server.words, server.gate = "New.", Gate(pieces=2)
        asking = threading.Thread(target=chat.retry)
        asking.start()
        gate = server.gate
        gate.wait_until_held()
        server.words, server.gate = "Old.", None
        meanwhile(chat)
        gate.open()
        asking.join(10)
        assert [turn.text for turn in chat] == found
        assert [turn.text for turn in nba.history.restore(chat.id)] == found
        assert chat[0].transcript == ("words" if found[0] == "Edited?" else "")
