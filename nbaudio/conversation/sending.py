"""One request on its way: within the budgets, from the cache where its answer is in there, and on the books."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from nbaudio.exchange import Exchange
from nbaudio.spending.accounts import Account, Spent, book, notebook
from nbaudio.spending.answer_cache import AnswerCache, events_of, key_of
from nbaudio.spending.budget import Budget
from nbaudio.spending.day_totals import day_totals
from nbaudio.spending.estimate import Estimate, Toll, estimate, learn, toll_of
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
        self._name, self._account, self._budgets = name, account, budgets
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
                self._book(Spent.on(kept))
                for event in events_of(kept, streamed=exchange.options.stream):
                    put(event)
                return kept
            reply = await self._send(exchange, put)
            await asyncio.to_thread(self._cache.keep, key, reply, aloud=exchange.options.aloud)
            return reply
        finally:
            self.over.set()

    async def _send(self, exchange: Exchange, put: Callable[[TextDelta | AudioDelta], None]) -> Reply:
        expected = estimate(exchange)
        with ExitStack() as on_the_way:
            # All requests run on one loop, and there is no await here: two can't both take the last of a budget.
            for budget in self._budgets:
                budget.check(lambda per=budget.per: self._spent(per), expected, exchange.options.model)  # type: ignore[misc]
            for account in (self._account, notebook):
                on_the_way.enter_context(account.expecting(expected.toll))
            try:
                reply = await exchange.run(put)
            except BaseException:
                if (partial := exchange.partial()) is not None:
                    day_totals().add(self._pay(exchange, expected, partial))
                raise
            toll = self._pay(exchange, expected, reply)
            # It waits for the disk, and this loop is that of all requests.
            await asyncio.to_thread(day_totals().add, toll)
        learn(exchange, expected, reply)
        return reply

    def _spent(self, per: str) -> Toll:
        if per == "day":
            return day_totals().today() + notebook.on_the_way
        account = self._account if per == "conversation" else notebook
        return account.spent.toll + account.on_the_way

    def _pay(self, exchange: Exchange, expected: Estimate, reply: Reply) -> Toll:
        toll = toll_of(exchange, expected, reply)
        self._book(Spent.on(reply, toll))
        return toll

    def _book(self, spent: Spent) -> None:
        self._account.add(spent)
        book(self._name, spent)
