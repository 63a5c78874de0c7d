"""The tools of one conversation, and running what the model asks of them."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import json
import warnings
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec

from nbaudio.errors import CellError
from nbaudio.tools.schema import Refused, Tool
from nbaudio.wire.tool_calls import ToolCall

__all__ = ["Approve", "Outcome", "Toolbox"]

Approve: TypeAlias = Callable[[ToolCall], object]
"""Says whether a call may be run: anything true lets it, anything else does not."""


@dataclass(frozen=True)
class Outcome:
    """What came of a call: `text` is what the model reads; `failed` that it is an error or a refusal."""

    text: str
    failed: bool = False


class Toolbox:
    """Functions by the names that a model calls them by. What is not in it is never run.

    Parameters
    ----------
    functions : iterable of callable
        Plain and async functions, see `nbaudio.tools.schema.Tool`.
    approve : callable, optional
        Is asked before each call, with its `ToolCall`.

    Examples
    --------
    >>> def add(a: int, b: int = 1) -> int:
    ...     return a + b
    >>> Toolbox([add]).run([ToolCall("1", "add", '{"a": 2}')])
    [Outcome(text='3', failed=False)]
    """

    def __init__(self, functions: Iterable[Callable[..., Any]] = (), *, approve: Approve | None = None) -> None:
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

    def run(self, calls: Sequence[ToolCall]) -> list[Outcome]:
        """What came of each call, in their order, one after the other and in this thread.

        What async functions give is awaited on a loop of their own, all together. No error of a tool gets out of here:
        it goes to the model, and to the person as a warning.
        """
        begun = [self._begin(call) for call in calls]
        waiting = {at: given for at, given in enumerate(begun) if not isinstance(given, Outcome)}
        if waiting:
            # In a thread: a notebook's own thread has a loop that runs already.
            context = contextvars.copy_context()
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                outcomes = pool.submit(context.run, asyncio.run, self._all(calls, waiting)).result()
            begun = [outcomes.get(at, given) for at, given in enumerate(begun)]
        return [given for given in begun if isinstance(given, Outcome)]

    async def arun(self, calls: Sequence[ToolCall]) -> list[Outcome]:
        """As `run`; async functions are awaited here, side by side."""
        begun = [self._begin(call) for call in calls]
        waiting = {at: given for at, given in enumerate(begun) if not isinstance(given, Outcome)}
        outcomes = await self._all(calls, waiting) if waiting else {}
        return [outcomes.get(at, given) for at, given in enumerate(begun)]  # type: ignore[misc]

    def _begin(self, call: ToolCall) -> Outcome | Coroutine[Any, Any, Any]:
        """Run a plain function; of an async one, what is still to be awaited."""
        tool = self._tools.get(call.name)
        if tool is None:
            return Outcome(f"There is no tool {call.name!r}. There are: {', '.join(self._tools)}.", failed=True)
        try:
            arguments = tool.arguments(call.arguments)
        except Refused as refused:
            return Outcome(str(refused), failed=True)
        try:
            if self._approve is not None and not self._approve(call):
                return Outcome(f"The person did not allow {call.name} to be run.", failed=True)
            given = tool.function(**arguments)
        except Exception as error:
            return _failed(call, error)
        return given if asyncio.iscoroutine(given) else _outcome(call, given)

    async def _all(
        self, calls: Sequence[ToolCall], waiting: Mapping[int, Coroutine[Any, Any, Any]]
    ) -> dict[int, Outcome]:
        async def one(at: int, coroutine: Coroutine[Any, Any, Any]) -> tuple[int, Outcome]:
            try:
                return at, _outcome(calls[at], await coroutine)
            except Exception as error:
                return at, _failed(calls[at], error)

        return dict(await asyncio.gather(*(one(at, coroutine) for at, coroutine in waiting.items())))


def _outcome(call: ToolCall, given: Any) -> Outcome:
    if isinstance(given, str):
        return Outcome(given)
    try:
        return Outcome(msgspec.json.encode(given, enc_hook=_as_plain).decode())
    except Exception as error:
        return _failed(call, error)


def _as_plain(value: Any) -> Any:
    """What JSON has no word for: arrays and tables as lists, else its own text."""
    for name in ("model_dump", "to_dict", "tolist"):
        if callable(give := getattr(value, name, None)):
            return give()
    return str(value)


def _failed(call: ToolCall, error: Exception) -> Outcome:
    said = f"{type(error).__name__}: {error}"
    warnings.warn(f"The tool {call.name} failed, and the model is told: {said}", stacklevel=4)
    return Outcome(json.dumps({"error": said}, ensure_ascii=False), failed=True)
