"""One request on its way: within the budgets, from the cache where its answer is in there, and on the books."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence

from nbaudio.completing.exchange import CompletedExchange
from nbaudio.errors import TimedOut
from nbaudio.exchange import Exchange
from nbaudio.spending.accounts import Account, Spent
from nbaudio.spending.answer_cache import AnswerCache, events_of, key_of
from nbaudio.spending.budget import Budget
from nbaudio.spending.estimate import Estimate, estimate, learn, toll_of
from nbaudio.spending.ledger import Ledger
from nbaudio.turns import Reply
from nbaudio.wire.answers import AudioDelta, TextDelta

__all__ = ["Sending"]


class Sending:
    """Sends the requests of one question.

    Parameters
    ----------
    name : str
        What the conversation is called.
    account : Account
        Of the conversation.
    budgets : sequence of Budget
        All of them hold.
    cache : AnswerCache, optional
        Where answers are kept.
    anew : bool
        Whether an answer is wanted that is not from the cache.
    """

    def __init__(
        self,
        name: str,
        account: Account,
        budgets: Sequence[Budget] = (),
        cache: AnswerCache | None = None,
        *,
        anew: bool = False,
    ) -> None:
        self._ledger = Ledger(name, account, budgets)
        self._cache, self._anew = cache, anew
        self.over = threading.Event()
        """Set when nothing more will come of the request, and what came is on the books."""

    async def run(self, exchange: Exchange, put: Callable[[TextDelta | AudioDelta], None]) -> Reply:
        """The reply to a request, as `Exchange.run`.

        Raises
        ------
        BudgetExceeded
            Before anything is sent.
        SetupError
            If a file of prices or the day's total can't be read.
        RequestError
            In one of its kinds.
        """
        self.over.clear()
        try:
            if self._cache is None:
                return await self._send(exchange, put)
            # In a thread: the sounds of a long conversation take a while to read, and others wait on this loop.
            key = await asyncio.to_thread(key_of, exchange)
            kept = None if self._anew else await asyncio.to_thread(self._cache.get, key)
            if kept is not None:
                self._ledger.enter(Spent.on(kept.reply))
                turns = enumerate(exchange.turns)
                exchange.heard |= {turn.id: kept.heard[place] for place, turn in turns if place in kept.heard}
                for event in events_of(kept.reply, streamed=exchange.options.stream):
                    put(event)
                return kept.reply
            reply = await self._send(exchange, put)
            turns = enumerate(exchange.turns)
            heard = {place: exchange.heard[turn.id] for place, turn in turns if turn.id in exchange.heard}
            await asyncio.to_thread(self._cache.keep, key, reply, aloud=exchange.aloud, heard=heard)
            return reply
        finally:
            self.over.set()

    async def _send(self, exchange: Exchange, put: Callable[[TextDelta | AudioDelta], None]) -> Reply:
        if isinstance(exchange, CompletedExchange):
            exchange.ledger = self._ledger
        expected = estimate(exchange)
        self._ledger.check(expected, expected.unpriced or exchange.options.model)
        with self._ledger.expecting(expected.toll):
            try:
                reply = await exchange.run(put)
            except BaseException as error:
                came = exchange.partial()
                if came is None and isinstance(error, (asyncio.CancelledError, TimedOut)):
                    came = exchange.unanswered()  # the server goes on with it, and charges for it
                if came is not None:
                    self._ledger.enter(_spent(exchange, expected, came))
                raise
            await self._ledger.enter_on_thread(_spent(exchange, expected, reply))
        learn(exchange, expected, reply)
        return reply


def _spent(exchange: Exchange, expected: Estimate, reply: Reply) -> Spent:
    return Spent.on(reply, toll_of(exchange, expected, reply))
