"""Around a question: however it ends, what came of it is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import aclosing, closing
from types import TracebackType
from typing import TypeAlias

from nbaudio import errors
from nbaudio.backends import loop
from nbaudio.conversation.answering import Answering
from nbaudio.conversation.sending import Sending
from nbaudio.conversation.turnlist import TurnList
from nbaudio.conversation.watching import Watcher
from nbaudio.exchange import Exchange
from nbaudio.turns import Reply, ToolResult, Turn
from nbaudio.wire.answers import AudioDelta, TextDelta

__all__ = ["Keeping", "Piece", "stopped"]

Piece: TypeAlias = TextDelta | AudioDelta
_TOGETHER_S = 0.003  # to write a piece down and to wake who waits takes longer than to read it: so many go at once
_STOPPING_S = 0.3  # a request ends within milliseconds; whoever stops it is not kept longer than this


class Keeping:
    """A context in which a question is answered.

    An interrupt becomes `Interrupted`, with what had come as its `partial`; a cancelled task and a generator that is
    left stop the request too.

    Parameters
    ----------
    answering : Answering
    talk : TurnList
        The conversation, for the watchers.
    watchers : iterable of Watcher
    keep : callable
        Gets the turns to add to the conversation, and gives those that it has added.
    sending : Sending
    """

    def __init__(
        self,
        answering: Answering,
        talk: TurnList,
        watchers: Iterable[Watcher],
        keep: Callable[[Sequence[Turn]], Sequence[Turn]],
        sending: Sending,
    ) -> None:
        self._sending = sending
        self._answering, self._talk, self._watchers, self._keep = answering, talk, list(watchers), keep
        self._question = answering.turns[0]
        self._future: Future[Reply] | None = None
        self._over = False
        self._kept: Sequence[Turn] = ()

    def start(self, put: Callable[[Sequence[Piece]], None]) -> Future[Reply]:
        """Send the next request; `put` gets what comes, on the loop of requests: what came at once, at once."""
        exchange = self._answering.exchange
        self._future = loop.start(self._run, exchange, put)
        return self._future

    def calling(self, reply: Reply) -> Reply | None:
        """An answer as a turn, if it asks for tools that are to be run now; None where it is the last."""
        calling = self._answering.calling(reply)
        if calling is not None:
            self._tell(calling)
        return calling

    def run(self, calling: Reply) -> Generator[ToolResult, None, None]:
        """Run what an answer asks for; results come as each is there, and the watchers have heard of it by then."""
        with closing(self._answering.run(calling)) as results:
            for result in results:
                self._tell(result)
                yield result

    async def arun(self, calling: Reply) -> AsyncGenerator[ToolResult, None]:
        """As `run`, awaited."""
        async with aclosing(self._answering.arun(calling)) as results:
            async for result in results:
                self._tell(result)
                yield result

    def _tell(self, turn: Turn) -> None:
        for watcher in self._watchers:
            watcher.went_on(self._talk, self._question, turn)

    async def _run(self, exchange: Exchange, put: Callable[[Sequence[Piece]], None]) -> Reply:
        arrived: list[Piece] = []
        here, not_before, sounding = asyncio.get_running_loop(), 0.0, False

        def hand_over() -> None:
            nonlocal not_before
            if pieces := arrived[:]:
                arrived.clear()
                not_before = here.time() + _TOGETHER_S
                try:
                    for watcher in self._watchers:
                        watcher.came(self._question, *pieces)
                finally:
                    put(pieces)

        def take(piece: Piece) -> None:
            nonlocal sounding
            if not arrived:  # where the time is past, as soon as the request waits for more
                here.call_at(not_before, hand_over)
            arrived.append(piece)
            if not sounding and isinstance(piece, AudioDelta):
                sounding = True
                try:
                    hand_over()
                except Exception as error:  # as where the loop calls it: the request goes on
                    here.call_exception_handler({"message": "A watcher failed.", "exception": error})

        try:
            return await self._sending.run(exchange, take)
        finally:
            hand_over()

    def finish(self, reply: Reply | None) -> None:
        """Keep the question with its answer, or with what came of it."""
        self._over = True
        self._kept = self._keep(self._answering.finished(reply))
        for watcher in self._watchers:
            watcher.kept(self._talk, self._question, self._kept)

    def __enter__(self) -> None:
        for watcher in self._watchers:
            watcher.asked(self._talk, self._question)

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        if self._over:
            return
        if isinstance(error, (KeyboardInterrupt, CancelledError)):
            partial = self._stop()
            kept = partial is None or (bool(self._kept) and self._kept[-1] is partial)
            raise stopped(partial, tools_ran=bool(self._kept), kept=kept) from None
        if isinstance(error, (GeneratorExit, asyncio.CancelledError)):
            self._stop()
        else:
            self.finish(error.partial if isinstance(error, errors.RequestError) else None)

    def _stop(self) -> Reply | None:
        partial = None
        if self._future is not None:
            self._future.cancel()
            self._sending.over.wait(_STOPPING_S)
            partial = self._answering.exchange.partial()
        self.finish(partial)
        return partial


def stopped(partial: Reply | None, *, tools_ran: bool = False, kept: bool = True) -> errors.Interrupted:
    """The error that tells the person of their own interrupt, and what is left of the answer."""
    if partial is None and tools_ran:
        return errors.Interrupted(
            "Stopped before an answer came; what tools have done is in the conversation.", "chat.retry() asks again."
        )
    if partial is None:
        return errors.Interrupted("Stopped before an answer came.", "The conversation is as it was.")
    said = "Stopped; what had come of the answer is kept.", "It is the last turn, and it plays."
    if not kept:  # it was asked for again, and what there was before is more
        said = "Stopped; the conversation is as it was.", "What had come of the answer is the error's partial."
    error = errors.Interrupted(*said)
    error.partial = partial
    return error
