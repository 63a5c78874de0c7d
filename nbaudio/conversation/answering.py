"""One question until its answer: a request, the tools that the model asks for, and the next request."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import aclosing, closing, contextmanager
from dataclasses import replace

from nbaudio.completing.exchange import exchange_for
from nbaudio.exchange import Exchange
from nbaudio.outgoing import Outgoing
from nbaudio.settings import Backend, NbAudio
from nbaudio.tools.outcome import Outcome
from nbaudio.tools.toolbox import Toolbox
from nbaudio.turns import Reply, ToolResult, Turn
from nbaudio.wire.requests import Options
from nbaudio.wire.tool_calls import ToolCall

__all__ = ["STOPPED", "Answering"]

STOPPED = "The person stopped this call before it was done."
"""What the model reads in the place of a result that never came."""


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
    rounds : sequence of Turn
        What had come of the question when it was asked before: calls of tools and their results, to go on from.
    outgoing : Outgoing, optional
        What has been made of the history for earlier requests.
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
        rounds: Sequence[Turn] = (),
        outgoing: Outgoing | None = None,
    ) -> None:
        self._history, self._backend, self._options, self._settings = history, backend, options, settings
        self._outgoing = outgoing
        self._rounds_left = max(0, max_tool_rounds - sum(isinstance(turn, Reply) for turn in rounds))
        self.toolbox = toolbox
        self.dead_ids = set(dead_ids)
        self.heard: dict[str, str] = {}
        """What was written down of recordings, by the ids of their turns, where the server can't hear."""
        self.tools_ran = False
        """Whether tools have been run."""
        self.turns: list[Turn] = [question, *rounds]
        """The question, and what has come so far: answers that call tools, and the tools' results."""
        self.exchange = self._next()

    def _next(self) -> Exchange:
        options = self._options
        if options.tools and not self._rounds_left:
            options = replace(options, tool_choice="none")
        elif len(self.turns) > 1 and options.tool_choice not in ("auto", "none"):
            options = replace(options, tool_choice="")  # a call that was required has been made: now it may answer
        exchange = exchange_for(
            list(self.turns),
            self._backend,
            options,
            self._settings,
            history=self._history,
            outgoing=self._outgoing,
        )
        exchange.dead_ids, exchange.heard = self.dead_ids, self.heard
        return exchange

    def calling(self, reply: Reply) -> Reply | None:
        """An answer as a turn, if it asks for tools that are to be run now; None where it is the last."""
        if not (reply.tool_calls and self.toolbox and self._rounds_left):
            return None
        # Its note says that it asks for a tool instead of answering, which is true of a last answer only.
        return replace(reply, note="") if not reply.text else reply

    def run(self, calling: Reply) -> Generator[ToolResult, None, None]:
        """Run what an answer asks for; results come as each is there, and `exchange` is the next request then."""
        with self._gathering(calling) as take, closing(self.toolbox.run(calling.tool_calls)) as outcomes:
            for at, outcome in outcomes:
                yield take(at, outcome)

    async def arun(self, calling: Reply) -> AsyncGenerator[ToolResult, None]:
        """As `run`, awaited."""
        with self._gathering(calling) as take:
            async with aclosing(self.toolbox.arun(calling.tool_calls)) as outcomes:
                async for at, outcome in outcomes:
                    yield take(at, outcome)

    @contextmanager
    def _gathering(self, calling: Reply) -> Generator[Callable[[int, Outcome], ToolResult], None, None]:
        """Keep the results in the order of their calls; where it ends early, of those that were stopped too."""
        results: dict[int, ToolResult] = {}

        def take(at: int, outcome: Outcome) -> ToolResult:
            results[at] = _result(calling.tool_calls[at], outcome)
            return results[at]

        try:
            yield take
        finally:
            if results:
                stopped = Outcome(STOPPED, failed=True)
                for at, call in enumerate(calling.tool_calls):
                    results.setdefault(at, _result(call, stopped))
                self.turns += [calling, *(results[at] for at in range(len(results)))]
                self.tools_ran = True
                self._rounds_left -= 1
                self.dead_ids = self.exchange.dead_ids
                self.exchange = self._next()

    def finished(self, reply: Reply | None) -> list[Turn]:
        """All turns to keep: without any answer none, so that asking again does not ask twice.

        What tools have done stays done, so their results are kept whatever became of the answer.
        """
        question, *came = self.turns
        if not question.transcript and (words := self.heard.get(question.id)):
            question = replace(question, transcript=words)
        turns = [question, *came]
        if reply is not None:
            return [*turns, reply]
        return turns if len(turns) > 1 else []


def _result(call: ToolCall, outcome: Outcome) -> ToolResult:
    return ToolResult(text=outcome.text, time=time.time(), name=call.name, call_id=call.id, failed=outcome.failed)
