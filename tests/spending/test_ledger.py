"""What a ledger lets through, and on which books it enters."""

from __future__ import annotations

from decimal import Decimal

import pytest

from nbaudio.errors import BudgetExceeded
from nbaudio.prices import Cost
from nbaudio.spending.accounts import Account, Spent, notebook
from nbaudio.spending.budget import Budget
from nbaudio.spending.day_totals import day_totals
from nbaudio.spending.estimate import Estimate, Toll
from nbaudio.spending.ledger import Ledger
from nbaudio.wire.usage import Usage

EXPECTED = Estimate(Usage(input_tokens=60, input_text_tokens=60), 0.0, 0.0, Cost())
SPENT = Spent(answers=1, toll=Toll(tokens=60, cost=Cost(Decimal("0.5"))))


@pytest.mark.parametrize("per", ["conversation", "notebook", "day"])
def test_what_is_spent_and_what_is_on_its_way_count_against_each_budget(per: str) -> None:
    already = {"conversation": 0, "notebook": notebook.spent.toll.tokens, "day": day_totals().today().tokens}[per]
    ledger = Ledger("a row", Account(), [Budget(tokens=already + 100, per=per)])  # type: ignore[arg-type]

    ledger.check(EXPECTED, "gpt-audio-1.5")
    with ledger.expecting(EXPECTED.toll), pytest.raises(BudgetExceeded):
        ledger.check(EXPECTED, "gpt-audio-1.5")
    ledger.check(EXPECTED, "gpt-audio-1.5")
    ledger.enter(SPENT)
    with pytest.raises(BudgetExceeded, match="say less"):
        ledger.check(EXPECTED, "gpt-audio-1.5", less="say less")


def test_it_enters_once_on_each_book() -> None:
    account = Account()
    before, day = notebook.spent, day_totals().today()
    Ledger("a row", account).enter(SPENT)

    assert account.spent == SPENT
    assert notebook.spent.toll.tokens == before.toll.tokens + 60
    assert day_totals().today().tokens == day.tokens + 60


def test_what_came_from_the_cache_costs_the_day_nothing() -> None:
    day = day_totals().today()
    account = Account()
    Ledger("a row", account).enter(Spent(from_cache=1))

    assert account.spent.from_cache == 1
    assert day_totals().today() == day
