"""One question until its answer: a request, the tools that the model asks for, and the next request."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import aclosing, closing, contextmanager
from dataclasses import replace

from nbaudio.completing.exchange import exchange_for
from nbaudio.exchange import Exchange
from nbaudio.settings import Backend, NbAudio
from nbaudio.tools.outcome import Outcome
from nbaudio.tools.toolbox import Toolbox
from nbaudio.turns import Reply, ToolResult, Turn
from nbaudio.wire.requests import Options
from nbaudio.wire.tool_calls import ToolCall

__all__ = ["Answering"]


class Answering:
    """The turns that come of a question, one request after the other.

    Parameters
    ----------
    history : sequence of Turn
        What was said before.
    question : Turn
    backend, options, settings
        As in `nbaudio.exchange.Exchange`.
    toolbox : Toolbox
        What the model may call.
    max_tool_rounds : int
        How often results of tools go back, before the model has to answer without more of them.
    dead_ids : set of str
        Audio ids that the server has forgotten.
    """

    def __init__(
        self,
        history: Sequence[Turn],
        question: Turn,
        backend: Backend,
        options: Options,
        settings: NbAudio,
        *,
        toolbox: Toolbox,
        max_tool_rounds: int,
        dead_ids: set[str],
    ) -> None:
        self._history, self._backend, self._options, self._settings = history, backend, options, settings
        self._rounds_left = max_tool_rounds
        self.toolbox = toolbox
        self.dead_ids = set(dead_ids)
        self.heard: dict[str, str] = {}
        """What was written down of recordings, by the ids of their turns, where the server can't hear."""
        self.turns: list[Turn] = [question]
        """The question, and what has come so far: answers that call tools, and the tools' results."""
        self.exchange = self._next()

    def _next(self) -> Exchange:
        options = self._options
        if options.tools and not self._rounds_left:
            options = replace(options, tool_choice="none")
        elif len(self.turns) > 1 and options.tool_choice not in ("auto", "none"):
            options = replace(options, tool_choice="")  # a call that was required has been made: now it may answer
        exchange = exchange_for([*self._history, *self.turns], self._backend, options, self._settings)
        exchange.dead_ids, exchange.heard = self.dead_ids, self.heard
        return exchange

    def wants(self, reply: Reply) -> tuple[ToolCall, ...]:
        """The calls that an answer asks for, and that are to be run now."""
        return reply.tool_calls if self.toolbox and self._rounds_left else ()

    def run(self, reply: Reply) -> Generator[ToolResult, None, None]:
        """Run what an answer asks for; results come as each is there, and `exchange` is the next request then."""
        with self._gathering(reply) as take, closing(self.toolbox.run(reply.tool_calls)) as outcomes:
            for at, outcome in outcomes:
                yield take(at, outcome)

    async def arun(self, reply: Reply) -> AsyncGenerator[ToolResult, None]:
        """As `run`, awaited."""
        with self._gathering(reply) as take:
            async with aclosing(self.toolbox.arun(reply.tool_calls)) as outcomes:
                async for at, outcome in outcomes:
                    yield take(at, outcome)

    @contextmanager
    def _gathering(self, reply: Reply) -> Generator[Callable[[int, Outcome], ToolResult], None, None]:
        """Keep the results in the order of their calls; where it ends early, of those that were stopped too."""
        results: dict[int, ToolResult] = {}

        def take(at: int, outcome: Outcome) -> ToolResult:
            results[at] = _result(reply.tool_calls[at], outcome)
            return results[at]

        try:
            yield take
        finally:
            if results:
                stopped = Outcome("The person stopped this call before it was done.", failed=True)
                for at, call in enumerate(reply.tool_calls):
                    results.setdefault(at, _result(call, stopped))
                # Its note says that it asks for a tool instead of answering, which is true of a last answer only.
                self.turns.append(replace(reply, note="") if not reply.text else reply)
                self.turns += [results[at] for at in range(len(results))]
                self._rounds_left -= 1
                self.dead_ids = self.exchange.dead_ids
                self.exchange = self._next()

    def finished(self, reply: Reply | None) -> list[Turn]:
        """All turns to keep: without any answer none, so that asking again does not ask twice.

        What tools have done stays done, so their results are kept whatever became of the answer.
        """
        question, *came = self.turns
        turns = [replace(question, transcript=question.transcript or self.heard.get(question.id, "")), *came]
        if reply is not None:
            return [*turns, reply]
        return turns if len(turns) > 1 else []


def _result(call: ToolCall, outcome: Outcome) -> ToolResult:
    return ToolResult(text=outcome.text, time=time.time(), name=call.name, call_id=call.id, failed=outcome.failed)
