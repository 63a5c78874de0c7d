"""What the tools give that an answer of a session asks for; nothing that they raise gets out."""

from __future__ import annotations

import time

from nbaudio.tools.outcome import Outcome, outcome_of_error
from nbaudio.tools.toolbox import Toolbox
from nbaudio.turns import Reply, ToolResult

__all__ = ["results_of"]


def results_of(toolbox: Toolbox, calling: Reply) -> list[ToolResult]:
    """Run what an answer asks for, in this thread, and get one result for each call.

    Also an interrupt that a tool raises is a result: nobody is here whom it could stop, and out of a task it would end
    the loop that all requests run on.
    """
    calls = calling.tool_calls
    outcomes: list[tuple[int, Outcome]] = []
    try:
        outcomes += toolbox.run(calls)
    except BaseException as error:
        lost = sorted(set(range(len(calls))) - {at for at, _ in outcomes})
        failed = outcome_of_error(calls[lost[0]].name, None, error)
        outcomes += [(at, failed) for at in lost]
    return [
        ToolResult(
            text=outcome.text, time=time.time(), name=calls[at].name, call_id=calls[at].id, failed=outcome.failed
        )
        for at, outcome in outcomes
    ]
