"""Running what a model asks for: results, errors, refusals, and calls side by side."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import json
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nbaudio import errors
from nbaudio.tools.outcome import Outcome, outcome_of_value
from nbaudio.tools.toolbox import Toolbox
from nbaudio.wire.tool_calls import ToolCall

WAIT_S = 10


def call(name: str, **arguments: Any) -> ToolCall:
    return ToolCall("id", name, json.dumps(arguments))


def run(box: Toolbox, calls: Sequence[ToolCall]) -> list[Outcome]:
    came = dict(box.run(calls))
    return [came[at] for at in range(len(calls))]


def arun(box: Toolbox, calls: Sequence[ToolCall]) -> list[Outcome]:
    async def all_of_them() -> dict[int, Outcome]:
        return {at: outcome async for at, outcome in box.arun(calls)}

    came = asyncio.run(all_of_them())
    return [came[at] for at in range(len(calls))]


Run = Callable[[Toolbox, Sequence[ToolCall]], list[Outcome]]


@pytest.fixture(params=[run, arun], ids=["plain", "awaited"])
def running(request: pytest.FixtureRequest) -> Run:
    way: Run = request.param
    return way


def add(a: int, b: int = 1) -> int:
    return a + b


async def aadd(a: int, b: int = 1) -> int:
    return a + b


class TestResults:
    def test_of_plain_and_of_async_functions(self, running: Run) -> None:
        box = Toolbox([add, aadd])
        assert running(box, [call("add", a=1), call("aadd", a=2, b=2)]) == [Outcome("2"), Outcome("4")]

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ("words as they are\n", "words as they are\n"),
            (None, "null"),
            (2.5, "2.5"),
            (2**70, str(2**70)),
            (np.float32(1.5), "1.5"),
            (np.int64(3), "3"),
            (np.arange(4).reshape(2, 2), "[[0, 1], [2, 3]]"),
            ({"mean": np.float64(0.5)}, '{"mean": 0.5}'),
            ({1: "a"}, '{"1": "a"}'),
            ({(1, 2): "a"}, "{(1, 2): 'a'}"),
            (pd.DataFrame({"a": [1, 2]}), '{"index": [0, 1], "columns": ["a"], "data": [[1], [2]]}'),
            (pd.Series([1.5], index=["x"]), '{"x": 1.5}'),
            ([pd.Timestamp("2026-11-23")], '["2026-11-23 00:00:00"]'),
            ("half \ud83d", "half ?"),
        ],
        ids=range(14),
    )
    def test_as_text(self, value: Any, text: str) -> None:
        assert outcome_of_value(value) == Outcome(text)

    def test_of_dataclasses(self) -> None:
        @dataclass
        class Place:
            name: str
            at: tuple[int, int]

        assert outcome_of_value([Place("Rome", (1, 2))]).text == '[{"name": "Rome", "at": [1, 2]}]'

    def test_too_long_for_a_model(self) -> None:
        text = outcome_of_value("x" * 250_000).text
        assert text.startswith("x" * 100_000)
        assert text.endswith("\n[cut here: these are the first 100,000 of 250,000 characters]")

    def test_a_circle_of_lists_has_words_of_its_own(self) -> None:
        circle: list[Any] = []
        circle.append(circle)
        assert outcome_of_value(circle).text == "[[...]]"

    def test_what_has_no_words_says_what_it_is(self, running: Run) -> None:
        class Mute:
            def __str__(self) -> str:
                raise ValueError("no words")

            __repr__ = __str__

        deep: list[Any] = []
        for _ in range(100_000):
            deep = [deep]

        def mute() -> Any:
            return Mute()

        def nested() -> list[Any]:
            return deep

        found = running(Toolbox([mute, nested]), [call("mute"), call("nested")])
        assert ["Mute object at" in found[0].text, "list object at" in found[1].text] == [True, True]
        assert not any(outcome.failed for outcome in found)


class TestErrors:
    def test_the_model_is_told_and_the_person_warned_each_time(self, running: Run) -> None:
        def fails(text: str) -> str:
            raise ValueError(f"no {text}")

        async def afails(text: str) -> str:
            raise KeyError(text)

        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default")
            outcomes = running(
                Toolbox([fails, afails]),
                [call("fails", text="a"), call("afails", text="b"), call("fails", text="a")],
            )
        assert outcomes == [
            Outcome('{"error": "ValueError: no a"}', failed=True),
            Outcome('{"error": "KeyError: \'b\'"}', failed=True),
            Outcome('{"error": "ValueError: no a"}', failed=True),
        ]
        assert {one.category for one in caught} == {errors.NbaudioWarning}
        said = sorted(str(one.message) for one in caught)
        assert said[1:] == ["The tool fails failed, and the model is told: ValueError: no a"] * 2
        assert {one.filename for one in caught} == {__file__}

    def test_a_key_in_an_error_goes_nowhere(self) -> None:
        def fails() -> None:
            raise RuntimeError("bad key sk-proj-abcdefghijklmnop")

        with pytest.warns(errors.NbaudioWarning, match=r"bad key \[key\]"):
            (outcome,) = run(Toolbox([fails]), [call("fails")])
        assert outcome.text == '{"error": "RuntimeError: bad key [key]"}'

    def test_of_one_that_is_long_the_beginning_is_told(self, running: Run) -> None:
        def tell() -> None:
            raise ValueError("x" * 99_970 + " sk-proj-0123456789-a-key-of-somebody " + "y" * 2_000_000)

        with pytest.warns(errors.NbaudioWarning, match="xxx") as warned:
            (outcome,) = running(Toolbox([tell]), [call("tell")])
        told = json.loads(outcome.text)["error"]
        assert "[key]" in told
        assert "sk-proj" not in told
        assert "these are the first 100,000 of 2,100,0" in told
        assert len(outcome.text) < 101_000
        assert len(str(warned[0].message)) < 6_000

    def test_one_that_has_no_words(self, running: Run) -> None:
        class Mute(Exception):
            def __str__(self) -> str:
                raise TypeError("no words")

        def fail() -> None:
            raise Mute

        def leave(_: ToolCall) -> bool:
            raise Mute

        with pytest.warns(errors.NbaudioWarning, match="The tool fail failed"):
            (outcome,) = running(Toolbox([fail]), [call("fail")])
        assert outcome.failed
        assert "Mute object at" in outcome.text
        with pytest.warns(errors.NbaudioWarning, match="approve failed"):
            (outcome,) = running(Toolbox([fail], approve=leave), [call("fail")])
        assert "did not allow" in outcome.text

    def test_a_tool_that_cancels_itself_has_failed(self, running: Run) -> None:
        async def gives_up() -> None:
            raise asyncio.CancelledError

        with pytest.warns(errors.NbaudioWarning, match="The tool gives_up failed"):
            (outcome,) = running(Toolbox([gives_up]), [call("gives_up")])
        assert outcome.failed

    @pytest.mark.parametrize("is_async", [False, True])
    def test_an_exit_is_an_error_of_the_tool(self, running: Run, is_async: bool) -> None:
        def leaves() -> None:
            raise SystemExit(2)

        async def aleaves() -> None:
            raise SystemExit(2)

        tool = aleaves if is_async else leaves
        with pytest.warns(errors.NbaudioWarning, match="leaves failed"):
            (left, added) = running(Toolbox([tool, add]), [call(tool.__name__), call("add", a=1)])
        assert json.loads(left.text) == {"error": "SystemExit: 2"}
        assert left.failed
        assert added == Outcome("2")

    @pytest.mark.parametrize("is_async", [False, True])
    def test_an_interrupt_is_no_error_of_the_tool(self, running: Run, is_async: bool) -> None:
        def interrupted() -> None:
            raise KeyboardInterrupt

        async def ainterrupted() -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            running(Toolbox([ainterrupted if is_async else interrupted, add]),
                    [call("ainterrupted" if is_async else "interrupted")])  # fmt: skip
        assert running(Toolbox([aadd]), [call("aadd", a=1)]) == [Outcome("2")], "the loop of tools is gone"


class TestRefusals:
    def test_only_what_was_passed_in_is_run(self, running: Run) -> None:
        (outcome,) = running(Toolbox([add]), [call("eval", text="1")])
        assert outcome == Outcome("There is no tool 'eval'. There are: add.", failed=True)

    def test_arguments_that_do_not_fit_never_reach_the_function(self, running: Run) -> None:
        asked: list[Any] = []

        def tool(a: int) -> None:
            asked.append(a)

        (outcome,) = running(
            Toolbox([tool], approve=lambda call: asked.append(call) or True),  # type: ignore[func-returns-value]
            [call("tool", a="x")],
        )
        assert outcome == Outcome("The arguments of tool don't fit: Expected `int`, got `str` - at `$.a`", failed=True)
        assert asked == []

    @pytest.mark.parametrize("is_async", [False, True])
    def test_approve_is_asked_before_each_call(self, running: Run, is_async: bool) -> None:
        happened: list[str] = []

        def tool(a: int) -> None:
            happened.append(f"run {a}")

        def approve(call: ToolCall) -> bool:
            happened.append(f"asked {call.arguments}")
            return "1" in call.arguments

        async def aapprove(call: ToolCall) -> bool:
            await asyncio.sleep(0)
            return approve(call)

        outcomes = running(
            Toolbox([tool], approve=aapprove if is_async else approve), [call("tool", a=1), call("tool", a=2)]
        )
        assert happened == ['asked {"a": 1}', "run 1", 'asked {"a": 2}']
        assert outcomes == [Outcome("null"), Outcome("The person did not allow tool to be run.", failed=True)]

    def test_an_error_in_approve_is_no_leave(self, running: Run) -> None:
        def approve(call: ToolCall) -> bool:
            raise RuntimeError("hm")

        with pytest.warns(errors.NbaudioWarning, match="approve failed, and add is not run: RuntimeError: hm"):
            (outcome,) = running(Toolbox([add], approve=approve), [call("add", a=1)])
        assert outcome.failed


class TestSideBySide:
    def test_async_calls_go_on_together(self, running: Run) -> None:
        # Each waits for the other: one after the other they would never end.
        events: dict[str, asyncio.Event] = {}

        async def meet(me: str, other: str) -> str:
            for name in (me, other):
                events.setdefault(name, asyncio.Event())
            events[me].set()
            await asyncio.wait_for(events[other].wait(), WAIT_S)
            return me

        calls = [call("meet", me="a", other="b"), call("meet", me="b", other="a")]
        assert running(Toolbox([meet]), calls) == [Outcome("a"), Outcome("b")]

    def test_results_come_as_they_are_there(self) -> None:
        go_on = threading.Event()

        async def slow() -> str:
            await asyncio.to_thread(go_on.wait, WAIT_S)
            return "slow"

        async def quick() -> str:
            return "quick"

        outcomes = Toolbox([slow, quick]).run([call("slow"), call("quick")])
        assert next(outcomes) == (1, Outcome("quick"))
        go_on.set()
        assert next(outcomes) == (0, Outcome("slow"))

    def test_plain_functions_run_in_the_callers_thread_while_async_ones_go_on(self) -> None:
        ran = threading.Event()

        async def waits() -> bool:
            return await asyncio.to_thread(ran.wait, WAIT_S)

        def plain() -> bool:
            ran.set()
            return threading.current_thread() is threading.main_thread()

        assert run(Toolbox([waits, plain]), [call("waits"), call("plain")]) == [Outcome("true"), Outcome("true")]

    def test_all_async_tools_share_a_loop_and_see_the_callers_context(self) -> None:
        who = contextvars.ContextVar("who", default="nobody")
        loops = []

        async def tool() -> str:
            loops.append(asyncio.get_running_loop())
            return who.get()

        who.set("me")
        assert [run(Toolbox([tool]), [call("tool")]) for _ in range(2)] == [[Outcome("me")]] * 2
        assert loops[0] is loops[1]

    def test_inside_a_running_loop_too(self) -> None:
        async def cell() -> list[Outcome]:
            return run(Toolbox([aadd]), [call("aadd", a=1)])

        assert asyncio.run(cell()) == [Outcome("2")]

    @pytest.mark.parametrize("how", ["interrupt", "leave"])
    def test_what_still_runs_is_cancelled(self, how: str) -> None:
        began, ended = threading.Event(), threading.Event()

        async def for_ever() -> None:
            began.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        def stops() -> None:
            assert began.wait(WAIT_S)
            if how == "interrupt":
                raise KeyboardInterrupt

        outcomes = Toolbox([for_ever, stops]).run([call("for_ever"), call("stops")])
        with pytest.raises(KeyboardInterrupt) if how == "interrupt" else contextlib.nullcontext():
            next(outcomes)
        outcomes.close()
        assert ended.wait(WAIT_S)

    def test_a_cancelled_task_cancels_its_tools(self) -> None:
        ended = []

        async def cell() -> None:
            began = asyncio.Event()

            async def for_ever() -> None:
                began.set()
                try:
                    await asyncio.Event().wait()
                finally:
                    ended.append(True)

            async def use() -> None:
                async for _ in Toolbox([for_ever]).arun([call("for_ever")]):
                    pass

            task = asyncio.create_task(use())
            await began.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(cell())
        assert ended == [True]


class TestMistakes:
    @pytest.mark.parametrize("wrong", [add, "add", {"add": add}], ids=["function", "text", "dict"])
    def test_tools_is_a_list(self, wrong: Any) -> None:
        with pytest.raises(errors.CellError, match="tools is a list of functions"):
            Toolbox(wrong)

    def test_two_of_one_name(self) -> None:
        with pytest.raises(errors.CellError, match="Two tools are called 'add'"):
            Toolbox([add, add])

    def test_a_choice_that_is_none(self) -> None:
        with pytest.raises(errors.CellError, match=r"there is no such tool\. Did you mean add\?"):
            Toolbox([add]).check_choice("ad")
        Toolbox([add]).check_choice("add")
        Toolbox().check_choice("none")


@pytest.fixture(autouse=True)
def no_coroutine_is_left_alone() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        yield
