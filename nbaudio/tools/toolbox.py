"""The tools of one conversation, and running what the model asks of them."""

from __future__ import annotations

import asyncio
import concurrent.futures
import difflib
import inspect
import queue
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from nbaudio.errors import CellError
from nbaudio.tools import side_loop
from nbaudio.tools.outcome import Outcome, outcome_of_error, outcome_of_value, said_by, warn
from nbaudio.tools.schema import Refused, Tool
from nbaudio.wire.tool_calls import ToolCall

__all__ = ["Approve", "Toolbox"]

Approve: TypeAlias = Callable[[ToolCall], "object | Awaitable[object]"]
"""Says whether a call may be run: anything true lets it, anything else does not. It may be an async function."""

# An exit is how argparse and click refuse arguments; it is the tool's, and no reason for the kernel to end.
_FAILS = (Exception, SystemExit)


@dataclass(frozen=True)
class _Came:
    """What a function gave, or the error that it raised."""

    value: Any = None
    error: BaseException | None = None


class Toolbox:
    """Functions by the names that a model calls them by. What is not in it is never run.

    Parameters
    ----------
    functions : iterable of callable
        Plain and async functions, see `nbaudio.tools.schema.Tool`.
    approve : callable, optional
        Is asked before each call, with its `ToolCall`.

    Raises
    ------
    CellError
        If one of them can't be a tool, or two have one name.

    Examples
    --------
    >>> def add(a: int, b: int = 1) -> int:
    ...     return a + b
    >>> list(Toolbox([add]).run([ToolCall("1", "add", '{"a": 2}')]))
    [(0, Outcome(text='3', failed=False))]
    """

    def __init__(self, functions: Iterable[Callable[..., Any]] = (), *, approve: Approve | None = None) -> None:
        if callable(functions) or isinstance(functions, (str, Mapping)):
            raise CellError(f"tools is a list of functions, not {functions!r}.", "Write tools=[function].")
        self._tools: dict[str, Tool] = {}
        self._approve = approve
        for function in functions:
            tool = Tool.of(function)
            if tool.name in self._tools:
                raise CellError(f"Two tools are called {tool.name!r}.", "Give one of them another name.")
            self._tools[tool.name] = tool

    @property
    def schemas(self) -> tuple[Mapping[str, Any], ...]:
        """What the request says of them."""
        return tuple(tool.schema for tool in self._tools.values())

    def __bool__(self) -> bool:
        return bool(self._tools)

    def check_choice(self, choice: str) -> None:
        """Have an error for a `tool_choice` that can't be.

        Raises
        ------
        CellError
            With the nearest name that there is.
        """
        known = ["auto", "none", "required", *self._tools]
        if choice and choice not in known:
            near = difflib.get_close_matches(choice, known, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(known)}."
            raise CellError(f"tool_choice can't be {choice!r}: there is no such tool.", hint)

    def run(self, calls: Sequence[ToolCall]) -> Generator[tuple[int, Outcome], None, None]:
        """What came of each call, as it comes, with the call's place in the list.

        Plain functions run in this thread, in their order. Async ones begin in that order too and go on side by side,
        on a loop in another thread. No error of a tool gets out of here: it goes to the model, and to the person as a
        warning. An interrupt does; it cancels what still runs, as leaving the generator does.
        """
        going: dict[concurrent.futures.Future[_Came], tuple[int, Tool]] = {}
        done: queue.SimpleQueue[concurrent.futures.Future[_Came]] = queue.SimpleQueue()
        try:
            for at, call in enumerate(calls):
                found = self._found(call)
                if isinstance(found, Outcome):
                    yield at, found
                    continue
                tool, arguments = found
                allowed = _called(self._ask, call)
                if inspect.isawaitable(allowed.value):
                    allowed = side_loop.wait(side_loop.start(_settled(allowed.value)))
                if refused := _refusal(call, allowed):
                    yield at, refused
                    continue
                came = _called(tool.function, **arguments)
                if inspect.isawaitable(came.value):
                    future = side_loop.start(_settled(came.value))
                    going[future] = at, tool
                    future.add_done_callback(done.put)
                else:
                    yield at, _outcome(tool, came)
            while going:
                future = side_loop.next_of(done)
                at, tool = going.pop(future)
                yield at, _outcome(tool, future.result())
        finally:
            for future in going:
                future.cancel()

    async def arun(self, calls: Sequence[ToolCall]) -> AsyncGenerator[tuple[int, Outcome], None]:
        """As `run`, on the loop of the caller; plain functions hold it up while they run."""
        going: dict[asyncio.Task[_Came], tuple[int, Tool]] = {}
        try:
            for at, call in enumerate(calls):
                found = self._found(call)
                if isinstance(found, Outcome):
                    yield at, found
                    continue
                tool, arguments = found
                allowed = _called(self._ask, call)
                if inspect.isawaitable(allowed.value):
                    allowed = await _settled(allowed.value)
                if refused := _refusal(call, allowed):
                    yield at, refused
                    continue
                came = _called(tool.function, **arguments)
                if inspect.isawaitable(came.value):
                    going[asyncio.ensure_future(_settled(came.value))] = at, tool
                else:
                    yield at, _outcome(tool, came)
            while going:
                done, _ = await asyncio.wait(going, return_when=asyncio.FIRST_COMPLETED)
                for task in sorted(done, key=lambda one: going[one][0]):
                    at, tool = going.pop(task)
                    yield at, _outcome(tool, task.result())
        finally:
            for task in going:
                task.cancel()
            await asyncio.gather(*going, return_exceptions=True)

    def _found(self, call: ToolCall) -> Outcome | tuple[Tool, dict[str, Any]]:
        """The tool that a call names, with its arguments; else why it can't be run."""
        tool = self._tools.get(call.name)
        if tool is None:
            return Outcome(f"There is no tool {call.name!r}. There are: {', '.join(self._tools)}.", failed=True)
        try:
            return tool, tool.arguments(call.arguments)
        except Refused as refused:
            return Outcome(str(refused), failed=True)

    def _ask(self, call: ToolCall) -> Any:
        return True if self._approve is None else self._approve(call)


def _called(function: Callable[..., Any], *given: Any, **named: Any) -> _Came:
    try:
        return _Came(function(*given, **named))
    except _FAILS as error:
        return _Came(error=error)


async def _settled(given: Awaitable[Any]) -> _Came:
    """What an awaitable gives; every error is told and not raised, for nothing else would get it to the caller."""
    try:
        return _Came(await given)
    except BaseException as error:
        return _Came(error=error)


def _refusal(call: ToolCall, allowed: _Came) -> Outcome | None:
    """What the model is told where the person does not let a call be run."""
    if isinstance(allowed.error, _FAILS):
        warn(f"approve failed, and {call.name} is not run: {said_by(allowed.error)}")
    elif allowed.error is not None:
        raise allowed.error
    elif allowed.value:
        return None
    return Outcome(f"The person did not allow {call.name} to be run.", failed=True)


def _outcome(tool: Tool, came: _Came) -> Outcome:
    if isinstance(came.error, (*_FAILS, asyncio.CancelledError)):  # a tool may cancel itself; it ends as others do
        return outcome_of_error(tool.name, tool.function, came.error)
    if came.error is not None:
        raise came.error
    return outcome_of_value(came.value)
