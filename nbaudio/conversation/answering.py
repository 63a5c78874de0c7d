"""One question until its answer: a request, the tools that the model asks for, and the next request."""

from __future__ import annotations

import time
from collections.abc import Sequence

from nbaudio.exchange import Exchange
from nbaudio.settings import Backend, NbAudio
from nbaudio.tools.toolbox import Outcome, Toolbox
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
        What the model may call; it is not run here.
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
        self.turns: list[Turn] = [question]
        """The question, and what has come so far: answers that call tools, and the tools' results."""
        self.exchange = self._next()

    def _next(self) -> Exchange:
        options = self._options
        if options.tools and not self._rounds_left:
            options = _without_calls(options)
        exchange = Exchange([*self._history, *self.turns], self._backend, options, self._settings)
        exchange.dead_ids = self.dead_ids
        return exchange

    def wants(self, reply: Reply) -> tuple[ToolCall, ...]:
        """The calls that an answer asks for, and that are to be run now."""
        return reply.tool_calls if self.toolbox and self._rounds_left else ()

    def give(self, reply: Reply, outcomes: Sequence[Outcome]) -> list[ToolResult]:
        """Take what came of the calls; `exchange` is the next request then."""
        results = [
            ToolResult(text=outcome.text, time=time.time(), name=call.name, call_id=call.id, failed=outcome.failed)
            for call, outcome in zip(reply.tool_calls, outcomes, strict=True)
        ]
        self.turns += [reply, *results]
        self._rounds_left -= 1
        self.dead_ids = self.exchange.dead_ids
        self.exchange = self._next()
        return results

    def finished(self, reply: Reply | None) -> list[Turn]:
        """All turns to keep: without any answer none, so that asking again does not ask twice.

        What tools have done stays done, so their results are kept whatever became of the answer.
        """
        if reply is not None:
            return [*self.turns, reply]
        return self.turns if len(self.turns) > 1 else []


def _without_calls(options: Options) -> Options:
    from dataclasses import replace

    return replace(options, tool_choice="none")
