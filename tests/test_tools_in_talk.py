"""Tools in a conversation: from the first call over the wire to the answer, and what is kept and shown of it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from openai_server import Gate, OpenAIServer, Scripted, ToolCall
from openai_server.sdk_types import validated

import nbaudio as nba
from nbaudio import errors

STREAMS = Path(__file__).parent / "fixtures" / "wire" / "chat" / "streams"
Say = Callable[..., nba.Reply]


def get_weather(city: str) -> dict[str, float]:
    """The weather now.

    Args:
        city: Its name.
    """
    return {"temp_c": float(len(city))}


def weather(*cities: str) -> list[ToolCall]:
    return [ToolCall("get_weather", {"city": city}, id=f"call_{number}") for number, city in enumerate(cities)]


def body(server: OpenAIServer, index: int = -1) -> dict[str, Any]:
    found: dict[str, Any] = server.requests[index].body
    return found


def say(chat: nba.Conversation, *parts: Any, **options: Any) -> nba.Reply:
    return chat.say(*parts, **options)


def asay(chat: nba.Conversation, *parts: Any, **options: Any) -> nba.Reply:
    return asyncio.run(chat.asay(*parts, **options))


def stream(chat: nba.Conversation, *parts: Any, **options: Any) -> nba.Reply:
    *_, last = chat.stream(*parts, **options)
    assert isinstance(last, nba.Finished)
    return last.reply


def astream(chat: nba.Conversation, *parts: Any, **options: Any) -> nba.Reply:
    async def events() -> list[Any]:
        return [event async for event in chat.astream(*parts, **options)]

    last = asyncio.run(events())[-1]
    assert isinstance(last, nba.Finished)
    return last.reply


@pytest.fixture(params=[say, asay, stream, astream], ids=lambda way: way.__name__)
def asking(request: pytest.FixtureRequest) -> Say:
    way: Say = request.param
    return way


class TestARound:
    @pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
    def test_calls_run_and_their_results_go_back(self, server: OpenAIServer, asking: Say, streamed: bool) -> None:
        server.script = [weather("Paris", "Rome"), "It is mild."]
        chat = nba.Conversation(tools=[get_weather], **({} if asking in (stream, astream) else {"stream": streamed}))
        reply = asking(chat, "Weather?")
        assert reply.text == "It is mild."
        assert reply.clip is not None
        question, calling, first, second, answer = chat
        assert answer is reply
        assert (question.role, calling.role, first.role, second.role) == ("user", "assistant", "tool", "tool")
        assert isinstance(calling, nba.Reply)
        assert [str(one) for one in calling.tool_calls] == [
            'get_weather({"city":"Paris"})',
            'get_weather({"city":"Rome"})',
        ]
        assert (first.text, second.text) == ('{"temp_c": 5.0}', '{"temp_c": 4.0}')
        tool = body(server, 0)["tools"][0]
        validated(ChatCompletionToolParam, tool)
        assert tool["function"]["parameters"]["properties"]["city"]["description"] == "Its name."
        sent = body(server)["messages"]
        for message in sent:
            validated(ChatCompletionMessageParam, message)
        assert [message["role"] for message in sent] == ["user", "assistant", "tool", "tool"]
        assert sent[1]["tool_calls"][1]["function"] == {"name": "get_weather", "arguments": '{"city":"Rome"}'}
        assert sent[3] == {"role": "tool", "tool_call_id": "call_1", "content": '{"temp_c": 4.0}'}

    def test_each_call_and_result_is_an_event(self, server: OpenAIServer) -> None:
        server.script = [weather("Paris"), "Mild."]
        kinds = [type(event).__name__ for event in nba.Conversation(tools=[get_weather]).stream("Weather?")]
        assert kinds[:2] == ["ToolCalled", "ToolReturned"]
        assert set(kinds[2:-1]) == {"TextDelta", "AudioDelta"}
        assert kinds[-1] == "Finished"

    def test_the_next_question_sends_the_calls_too(self, server: OpenAIServer) -> None:
        server.script = [weather("Paris"), "Mild."]
        chat = nba.Conversation(tools=[get_weather])
        chat.say("Weather?")
        chat.say("Why?")
        assert [message["role"] for message in body(server)["messages"]] == [
            *("user", "assistant", "tool", "assistant", "user")
        ]

    def test_the_fixture_stream_runs(self, server: OpenAIServer) -> None:
        raw = (STREAMS / "tool_calls.sse").read_bytes()
        server.fail_next(Scripted(200, {"content-type": "text/event-stream"}, raw))
        chat = nba.Conversation(tools=[get_weather])
        assert chat.say("Weather?").text
        assert chat[2].text == '{"temp_c": 5.0}'

    def test_calls_without_ids_get_some(self, server: OpenAIServer) -> None:
        calls = [{"type": "function", "function": {"name": "get_weather", "arguments": f'{{"city": "{city}"}}'}}
                 for city in ("a", "bc")]  # fmt: skip
        message = {"role": "assistant", "content": None, "tool_calls": calls}
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
        server.fail_next(Scripted(200, {}, {"choices": [choice]}))
        chat = nba.Conversation(tools=[get_weather])
        chat.say("Weather?")
        assert [turn.text for turn in chat[2:4]] == ['{"temp_c": 1.0}', '{"temp_c": 2.0}']
        assert server.requests[-1].status == 200

    def test_retry_and_fork_keep_the_tools(self, server: OpenAIServer) -> None:
        server.script = [weather("Paris"), "Mild.", weather("Rome"), "Warm."]
        chat = nba.Conversation(tools=[get_weather])
        chat.say("Weather?")
        assert chat.retry().text == "Warm."
        assert [turn.text for turn in chat[2:]] == ['{"temp_c": 4.0}', "Warm."]
        server.script = [weather("Oslo"), "Cold."]
        assert chat.fork(0).say("Weather?").text == "Cold."


class TestOptions:
    def test_on_the_wire(self, server: OpenAIServer) -> None:
        chat = nba.Conversation(tools=[get_weather], parallel_tool_calls=False)
        chat.say("One", tool_choice="required")
        chat.say("Two", tool_choice="get_weather")
        chat.say("Three")
        first, second, third = (body(server, index) for index in range(3))
        assert first["tool_choice"] == "required"
        assert second["tool_choice"] == {"type": "function", "function": {"name": "get_weather"}}
        assert "tool_choice" not in third
        assert first["parallel_tool_calls"] is False

    @pytest.mark.parametrize("choice", ["required", "get_weather"])
    def test_a_call_that_must_be_made_is_made_once(self, server: OpenAIServer, choice: str) -> None:
        server.script = [weather("Paris"), "Mild."]
        nba.Conversation(tools=[get_weather]).say("Weather?", tool_choice=choice)
        assert "tool_choice" in body(server, 0)
        assert "tool_choice" not in body(server, 1)

    def test_after_the_last_round_it_has_to_answer(self, server: OpenAIServer) -> None:
        server.script = [weather("Paris"), weather("Rome"), "Mild."]
        chat = nba.Conversation(tools=[get_weather], max_tool_rounds=2)
        assert chat.say("Weather?").text == "Mild."
        assert [request.body.get("tool_choice") for request in server.requests] == [None, None, "none"]

    def test_a_model_that_calls_all_the_same_does_not_spoil_the_talk(self, server: OpenAIServer) -> None:
        server.script = [weather("Paris"), weather("Rome")]
        chat = nba.Conversation(tools=[get_weather], max_tool_rounds=1)
        reply = chat.say("Weather?")
        assert len(server.requests) == 2
        assert reply.note == "The model asks for a tool instead of answering: get_weather."
        assert chat.say("Well?").text  # the server refuses calls without results
        assert [message["role"] for message in body(server)["messages"]] == ["user", "assistant", "tool", "user"]

    def test_an_edit_that_parts_calls_and_results_does_not_spoil_it_either(self, server: OpenAIServer) -> None:
        server.script = [weather("Paris", "Rome"), "Mild."]
        chat = nba.Conversation(tools=[get_weather])
        chat.say("Weather?")
        del chat[2]
        chat.say("Why?")
        assert len(body(server)["messages"][1]["tool_calls"]) == 1
        del chat[1]
        chat.say("Why?")
        assert [message["role"] for message in body(server)["messages"]][:2] == ["user", "assistant"]

    def test_mistakes(self, server: OpenAIServer) -> None:
        with pytest.raises(errors.CellError, match=r"Did you mean get_weather\?"):
            nba.Conversation(tools=[get_weather]).say("Hi", tool_choice="get_wether")
        with pytest.raises(errors.CellError, match="max_tool_rounds can't be 0"):
            nba.Conversation(tools=[get_weather], max_tool_rounds=0).say("Hi")
        with pytest.raises(errors.CellError, match="tools is a list of functions"):
            nba.Conversation(tools=get_weather).say("Hi")
        assert server.requests == []


class TestWhatGoesWrong:
    def test_an_error_goes_to_the_model_and_the_talk_goes_on(self, server: OpenAIServer, asking: Say) -> None:
        def get_weather(city: str) -> None:
            raise ConnectionError(f"no line to {city}")

        server.script = [weather("Paris"), "I could not find out."]
        chat = nba.Conversation(tools=[get_weather])
        with pytest.warns(errors.NbaudioWarning, match="The tool get_weather failed"):
            assert asking(chat, "Weather?").text == "I could not find out."
        assert isinstance(chat[2], nba.ToolResult)
        assert chat[2].failed
        assert body(server)["messages"][2]["content"] == '{"error": "ConnectionError: no line to Paris"}'

    def test_refusals_go_to_the_model(self, server: OpenAIServer) -> None:
        server.script = [
            [ToolCall("get_weather", '{"town": "Paris"}', id="a"), ToolCall("rm", {"path": "/"}, id="b"),
             *weather("Rome")],
            "I see.",
        ]  # fmt: skip
        chat = nba.Conversation(tools=[get_weather], approve=lambda call: False)
        chat.say("Weather?")
        assert [turn.text for turn in chat[2:5]] == [
            "The arguments of get_weather don't fit: Object contains unknown field `town`",
            "There is no tool 'rm'. There are: get_weather.",
            "The person did not allow get_weather to be run.",
        ]

    def test_an_interrupt_in_a_tool_is_an_interrupt(self, server: OpenAIServer) -> None:
        def get_weather(city: str) -> None:
            raise KeyboardInterrupt

        server.script = [weather("Paris")]
        chat = nba.Conversation(tools=[get_weather])
        with pytest.raises(errors.Interrupted, match="Stopped before an answer came"):
            chat.say("Weather?")
        assert list(chat) == []

    def test_what_had_been_done_before_an_interrupt_is_kept(self, server: OpenAIServer) -> None:
        done: list[str] = []

        def get_weather(city: str) -> str:
            if done:
                raise KeyboardInterrupt
            done.append(city)
            return "done"

        server.script = [weather("Paris", "Rome"), "I see."]
        chat = nba.Conversation(tools=[get_weather])
        with pytest.raises(errors.Interrupted, match="what tools have done is in the conversation"):
            chat.say("Weather?")
        assert [turn.text for turn in chat[2:]] == ["done", "The person stopped this call before it was done."]
        assert chat.say("Go on").text == "I see."
        assert len(body(server)["messages"]) == 5

    def test_an_error_of_the_second_request_loses_no_result(self, server: OpenAIServer) -> None:
        def get_weather(city: str) -> str:
            server.fail_next("quota")
            return "mild"

        server.script = [weather("Paris")]
        chat = nba.Conversation(tools=[get_weather])
        with pytest.raises(errors.QuotaExceeded):
            chat.say("Weather?")
        assert [turn.role for turn in chat] == ["user", "assistant", "tool"]
        assert chat.retry().text  # it goes on from what the tool has done, and does not run it again
        assert [turn.role for turn in chat] == ["user", "assistant", "tool", "assistant"]
        assert [message["role"] for message in body(server)["messages"]] == ["user", "assistant", "tool"]

    def test_leaving_a_stream_between_call_and_result(self, server: OpenAIServer) -> None:
        ran: list[str] = []

        def get_weather(city: str) -> None:
            ran.append(city)

        server.script = [weather("Paris")]
        chat = nba.Conversation(tools=[get_weather])
        for event in chat.stream("Weather?"):
            assert isinstance(event, nba.ToolCalled)
            break
        assert ran == []
        assert list(chat) == []

    def test_a_cancelled_task_cancels_the_tool(self, server: OpenAIServer) -> None:
        ended: list[str] = []

        async def talk() -> None:
            began = asyncio.Event()

            async def get_weather(city: str) -> None:
                began.set()
                try:
                    await asyncio.Event().wait()
                finally:
                    ended.append(city)

            task = asyncio.create_task(nba.Conversation(tools=[get_weather]).asay("Weather?"))
            await began.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        server.script = [weather("Paris")]
        asyncio.run(talk())
        assert ended == ["Paris"]

    def test_a_call_that_breaks_off_is_not_run(self, server: OpenAIServer) -> None:
        server.fail_next("cut_stream")
        server.script = [weather("Paris")]
        chat = nba.Conversation(tools=[get_weather])
        with pytest.raises(errors.RequestError):
            chat.say("Weather?")
        assert list(chat) == []

    @pytest.mark.offline
    def test_the_offline_engine_says_that_it_can_not(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NBAUDIO_BACKEND", "offline")
        with pytest.raises(errors.BadRequest, match="can't call tools") as caught:
            nba.Conversation(tools=[get_weather]).say("Weather?")
        assert (caught.value.param, caught.value.code) == ("tools", "unsupported_parameter")


HOSTILE = '<img src=x onerror="alert(1)">\x1b[31m\u202e[a](javascript:b)'


class TestWhatIsShown:
    @pytest.fixture
    def turns(self, server: OpenAIServer) -> Iterator[tuple[nba.Reply, nba.ToolResult]]:
        server.script = [weather(HOSTILE), "Hm."]
        chat = nba.Conversation(tools=[lambda_named_get_weather()])
        chat.say("Weather?")
        assert isinstance(chat[1], nba.Reply)
        assert isinstance(chat[2], nba.ToolResult)
        return iter([(chat[1], chat[2])])

    def test_calls_and_results_escaped(self, turns: Iterator[tuple[nba.Reply, nba.ToolResult]]) -> None:
        for turn in next(turns):
            bundle = turn._repr_mimebundle_()
            assert "<img" not in bundle["text/html"]
            assert "&lt;img" in bundle["text/html"]
            assert "get_weather" in bundle["text/plain"]
            assert "<img" not in bundle["text/markdown"].replace("\\<", "")
            for text in bundle.values():
                assert "\x1b" not in text
                assert "\u202e" not in text

    def test_in_plain_text(self, server: OpenAIServer) -> None:
        server.script = [weather("Paris"), "Mild."]
        chat = nba.Conversation(tools=[get_weather])
        chat.say("Weather?")
        calling, result = chat[1]._repr_mimebundle_(), chat[2]._repr_mimebundle_()  # type: ignore[attr-defined]
        assert calling["text/plain"] == '[calls get_weather({"city":"Paris"})]'
        assert result["text/plain"] == '[get_weather gave: {"temp_c": 5.0}]'
        assert "<details" in calling["text/html"]  # model and tokens
        assert "no words" not in calling["text/html"]

    def test_a_long_result_is_folded_and_a_failed_one_marked(self) -> None:
        long = nba.ToolResult(text="line\n" * 5000, name="read")._repr_mimebundle_()
        assert long["text/html"].startswith("<figure")
        assert "<details><summary" in long["text/html"]
        assert "(21,000 characters more)" in long["text/plain"]
        assert len(long["text/html"]) < 6000
        failed = nba.ToolResult(text="no", name="read", failed=True)._repr_mimebundle_()
        assert failed["text/plain"] == "[read failed: no]"
        assert "read failed: " in failed["text/html"]


def lambda_named_get_weather() -> Any:
    def get_weather(city: str) -> str:
        return city

    return get_weather


def test_an_interrupt_while_a_second_answer_comes_keeps_results_and_the_part(server: OpenAIServer) -> None:
    server.script = [weather("Paris"), "It is rather mild today."]
    chat = nba.Conversation(tools=[get_weather])
    events = chat.stream("Weather?")
    server.gate = Gate(pieces=5)  # two pieces of the call come first
    next(event for event in events if isinstance(event, nba.AudioDelta))
    with pytest.raises(errors.Interrupted):
        events.throw(KeyboardInterrupt())
    assert [turn.role for turn in chat] == ["user", "assistant", "tool", "assistant"]
    assert isinstance(chat[-1], nba.Reply)
    assert chat[-1].partial
    server.gate.open()


def test_results_wait_for_nobody(server: OpenAIServer) -> None:
    """The loop of requests serves others while a tool runs."""
    other: list[str] = []

    def get_weather(city: str) -> str:
        thread = threading.Thread(target=lambda: other.append(nba.Conversation().say("Hi").text))
        thread.start()
        thread.join(20)
        return json.dumps(other)

    server.script = [weather("Paris"), "Hello.", "Mild."]
    assert nba.Conversation(tools=[get_weather]).say("Weather?").text == "Mild."
    assert other == ["Hello."]
