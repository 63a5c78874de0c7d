"""Ledger: the one place where a request meets the budgets before it is sent, and is entered when it is over.

Chat, speech and transcription know what theirs are likely to take and what they took; what is spent of which budget,
and on which books it stands, is the same for all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from nbaudio.journal.place import told_notebook
from nbaudio.spending.accounts import Account, Spent, book, notebook
from nbaudio.spending.budget import LESS, Budget
from nbaudio.spending.day_totals import day_totals
from nbaudio.spending.estimate import Estimate, Toll

__all__ = ["Ledger"]


class Ledger:
    """The books that the requests of one conversation, or of one call, stand on.

    Parameters
    ----------
    name : str
        Their row in what `nbaudio.usage` shows.
    account : Account, optional
        Of the conversation; by default one of their own.
    budgets : sequence of Budget
        All of them hold.
    """

    def __init__(self, name: str, account: Account | None = None, budgets: Sequence[Budget] = ()) -> None:
        self._name, self._account, self._budgets = name, account or Account(), budgets

    def check(self, expected: Estimate, model: str, *, less: str = LESS) -> None:
        """Nothing, where a request fits into all budgets; parameters as of `Budget.check`.

        All requests run on one loop: where there is no await between this and `expecting`, two of them can't both take
        the last of a budget.

        Raises
        ------
        BudgetExceeded
            Where it does not; nothing is to be sent then.
        SetupError
            If the day's total can't be read.
        """
        for budget in self._budgets:
            budget.check(lambda per=budget.per: self._spent(per), expected, model, less=less)  # type: ignore[misc]

    @contextmanager
    def expecting(self, toll: Toll) -> Iterator[None]:
        """Count this as sent, and not paid yet, while the context lasts."""
        with self._account.expecting(toll), notebook.expecting(toll):
            yield

    def enter(self, spent: Spent) -> None:
        """Put what is over on the books of the conversation, the notebook and the day."""
        self._book(spent)
        if not spent.from_cache:
            day_totals().add(spent.toll)

    async def enter_on_thread(self, spent: Spent) -> None:
        """As `enter`; while it waits for the disk, other requests go on."""
        self._book(spent)
        if not spent.from_cache:
            await asyncio.to_thread(day_totals().add, spent.toll)

    def _book(self, spent: Spent) -> None:
        self._account.add(spent)
        book(self._name, spent)

    def _spent(self, per: str) -> Toll:
        if per == "day":
            return day_totals().today() + notebook.on_the_way
        if per == "notebook" and (path := told_notebook()):  # also what its kernels before this one have spent
            return day_totals().of_notebook(path) + notebook.on_the_way
        account = self._account if per == "conversation" else notebook
        return account.spent.toll + account.on_the_way
