"""Budgets: how much may be spent, on what, and the refusal of a request that would go beyond."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, TypeAlias

from nbaudio.errors import BudgetExceeded, CellError
from nbaudio.journal.place import told_notebook
from nbaudio.prices import dollars
from nbaudio.settings import NbAudio
from nbaudio.spending.estimate import Estimate, Toll

__all__ = ["LESS", "Budget", "Scope"]

Scope: TypeAlias = Literal["conversation", "notebook", "day"]
LESS = "send less (chat.compact(), a shorter recording, --max-completion-tokens)"
"""How a question is made smaller."""
_SCOPES: dict[str, tuple[str, str]] = {
    "conversation": ("This conversation has", "begin a new conversation"),
    "notebook": ("This notebook has", "restart the kernel"),
    "day": ("All notebooks together have today", "wait until tomorrow"),
}


@dataclass(frozen=True)
class Budget:
    """How much may be spent; a limit that is left out does not hold.

    Parameters
    ----------
    usd : Decimal, float, str, optional
        US dollars, by the prices of `nbaudio.prices`.
    tokens : int, optional
        Tokens in and out, of text and of sound.
    minutes : float, optional
        Minutes of sound in and out. What goes out again with a later question is counted again, as it is paid again.
    per : {"conversation", "notebook", "day"}
        Of what: one conversation; this notebook, with what it has taken before its kernel was restarted, where Jupyter
        tells which it is, else all of this kernel; or all notebooks of the day.

    Raises
    ------
    CellError
        If there is no limit in it, or one that can't be.

    Examples
    --------
    >>> print(Budget(usd=0.5, minutes=10, per="day"))
    $0.5000 and 10 minutes of sound for all notebooks of a day
    """

    usd: Decimal | float | str | None = None
    tokens: int | None = None
    minutes: float | None = None
    per: Scope = "conversation"

    def __post_init__(self) -> None:
        if self.per not in _SCOPES:
            raise CellError(f"A budget can't be per {self.per!r}.", f"Choose one of {', '.join(_SCOPES)}.")
        if self.usd is None and self.tokens is None and self.minutes is None:
            raise CellError(
                "A budget needs a limit.", "Write Budget(usd=0.50), Budget(tokens=...), Budget(minutes=...)."
            )
        for name in ("usd", "tokens", "minutes"):
            value = getattr(self, name)
            try:
                good = value is None or (not isinstance(value, bool) and Decimal(str(value)) >= 0)
            except InvalidOperation:
                good = False
            if not good:
                raise CellError(f"A budget of {value!r} {name} can't be.", "Give a number, 0 or more.")

    @classmethod
    def of(cls, value: Any) -> Budget:
        """A budget as it is, or a number of dollars for the conversation."""
        return value if isinstance(value, Budget) else cls(usd=value)

    @classmethod
    def of_settings(cls, chosen: NbAudio) -> Budget | None:
        """What the settings allow; None where they set no limit."""
        usd, tokens, minutes = chosen.budget_usd, chosen.budget_tokens, chosen.budget_minutes
        if not (usd or tokens or minutes):
            return None
        per: Any = chosen.budget_per  # one of the three: the setting lets nothing else in
        return cls(usd or None, tokens or None, minutes or None, per)

    def check(self, spent: Callable[[], Toll], expected: Estimate, model: str, *, less: str = LESS) -> None:
        """Nothing, where a request still fits.

        Parameters
        ----------
        spent : callable
            Gives what has been spent in `per` so far, with what is on its way.
        expected : Estimate
            What the request and a usual answer are likely to take.
        model : str
        less : str
            How a request of this kind is made smaller.

        Raises
        ------
        BudgetExceeded
            With the numbers, where it does not.
        """
        if self.usd is not None and expected.cost is None and self.tokens is None and self.minutes is None:
            raise BudgetExceeded(
                f"The price of {model} is not known, so a budget in dollars can't hold; nothing was sent.",
                "Give its price in a file (see docs/money.md), or a budget in tokens or minutes.",
            )
        before, more = spent(), expected.toll
        if self.usd is not None and expected.cost is not None:
            unknown = f", and {before.cost.unknown} answers of unknown price" if before.cost.unknown else ""
            self._check(before.cost.usd, more.cost.usd, Decimal(str(self.usd)), dollars, less, unknown)
        if self.tokens is not None:
            self._check(before.tokens, more.tokens, self.tokens, _tokens, less)
        if self.minutes is not None:
            self._check(before.sound_s / 60, more.sound_s / 60, self.minutes, _minutes, less)

    def _check(
        self, before: Any, more: Any, limit: Any, written: Callable[[Any], str], less: str, unknown: str = ""
    ) -> None:
        if before + more <= limit:
            return
        who, way_out = _SCOPES[self.per]
        if self.per == "notebook" and told_notebook():  # its kernels are counted together
            way_out = "go on in another notebook"
        error = BudgetExceeded(
            f"{who} taken {written(before)}{unknown} of a budget of {written(limit)}, and this request with a usual "
            f"answer would take about {written(more)} more; nothing was sent.",
            f"Allow more, {less}, or {way_out}.",
        )
        error.spent, error.estimate, error.limit = float(before), float(more), float(limit)
        raise error

    def __str__(self) -> str:
        limits = [
            dollars(Decimal(str(self.usd))) if self.usd is not None else "",
            _tokens(self.tokens) if self.tokens is not None else "",
            _minutes(self.minutes) if self.minutes is not None else "",
        ]
        what = {"conversation": "a conversation", "notebook": "this notebook", "day": "all notebooks of a day"}
        return f"{' and '.join(filter(None, limits))} for {what[self.per]}"


def _tokens(count: int) -> str:
    return f"{count:,} tokens"


def _minutes(minutes: float) -> str:
    return f"{minutes:.3g} minutes of sound"
