"""What answers took: of one conversation, of the whole notebook, and by the name of the conversation."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from nbaudio.display.table import Table
from nbaudio.prices import Cost, dollars
from nbaudio.spending.estimate import TOKENS_IN_PER_S, Toll, least_cost
from nbaudio.turns import Reply, Turn
from nbaudio.wire.usage import Usage

__all__ = ["Account", "Spending", "Spent", "book", "notebook", "usage"]


@dataclass(frozen=True)
class Spent:
    """What answers took; it adds up.

    `answers` is how many were asked for, `from_cache` how many more were here already; of `unreported` ones the server
    did not say the tokens, mostly because they broke off. `usage` and `cost` are what was reported; `toll` is what
    budgets count, where an estimate stands in for what was not.
    """

    answers: int = 0
    from_cache: int = 0
    unreported: int = 0
    usage: Usage = field(default_factory=Usage)
    cost: Cost = field(default_factory=Cost)
    toll: Toll = field(default_factory=Toll)

    @classmethod
    def on(cls, reply: Reply, toll: Toll | None = None) -> Spent:
        """What one answer took."""
        if reply.cached:
            return cls(from_cache=1)
        used, cost = reply.usage, least_cost(reply)
        reported = bool(used.input_tokens or used.output_tokens)
        if toll is None:  # of an answer of another day only this is known
            toll = Toll(used.input_tokens + used.output_tokens, cost, _sound_s(reply))
        return cls(1, 0, not reported, used, cost, toll)

    @classmethod
    def on_all(cls, turns: Iterable[Turn]) -> Spent:
        """What the answers among some turns took."""
        total = cls()
        for turn in turns:
            if isinstance(turn, Reply):
                total += cls.on(turn)
        return total

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            self.answers + other.answers,
            self.from_cache + other.from_cache,
            self.unreported + other.unreported,
            self.usage + other.usage,
            self.cost + other.cost,
            self.toll + other.toll,
        )


class Account:
    """What has been spent in one place, and what requests that are on their way are likely to take.

    It is written on the loop of requests only, one after the other; reading it is safe anywhere.
    """

    def __init__(self, spent: Spent | None = None) -> None:
        self._spent = spent or Spent()
        self._on_the_way: list[Toll] = []

    @property
    def spent(self) -> Spent:
        """What is over and paid for."""
        return self._spent

    @property
    def on_the_way(self) -> Toll:
        """What was sent, and has not been answered yet."""
        return sum(tuple(self._on_the_way), Toll())

    def add(self, spent: Spent) -> None:
        """Count one more."""
        self._spent += spent

    @contextlib.contextmanager
    def expecting(self, toll: Toll) -> Iterator[None]:
        """Count this as on its way while the context lasts."""
        self._on_the_way.append(toll)
        try:
            yield
        finally:
            self._on_the_way.remove(toll)


notebook = Account()
"""All conversations of this process together."""
_by_name: dict[str, Account] = {}


def book(name: str, spent: Spent) -> None:
    """Count an answer of the conversation of this name for the notebook."""
    notebook.add(spent)
    _by_name.setdefault(name, Account()).add(spent)


@dataclass(frozen=True, repr=False)
class Spending:
    """What a notebook has taken so far: in all, and by the name of the conversation; a table where it is shown.

    Conversations without a name, and the cells with ``--once``, are one row.
    """

    total: Spent
    by_conversation: dict[str, Spent]

    @property
    def usage(self) -> Usage:
        """All tokens that were reported."""
        return self.total.usage

    @property
    def cost(self) -> Cost:
        """All that was paid, as far as prices are known."""
        return self.total.cost

    @property
    def table(self) -> Table:
        """A row for each conversation, and one for all."""
        rows = [_row(name or "(no name)", spent) for name, spent in self.by_conversation.items()]
        if rows:
            rows.append(_row("In all", self.total))
        return Table(_HEADINGS, rows, empty="Nothing has been asked yet.")

    def __repr__(self) -> str:
        return str(self.table)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return self.table._repr_mimebundle_(include, exclude)


def usage() -> Spending:
    """The tokens and the money that this notebook has taken since its kernel began, ``--once`` included.

    Examples
    --------
    >>> usage().total.answers >= 0
    True
    """
    return Spending(notebook.spent, {name: account.spent for name, account in tuple(_by_name.items())})


_HEADINGS = (
    "Conversation", "Requests", "From cache", "Text in", "Audio in", "Cached in", "Text out", "Audio out", "Cost",
)  # fmt: skip


def _row(name: str, spent: Spent) -> list[str]:
    used = spent.usage
    counts = (
        spent.answers, spent.from_cache, used.input_tokens - used.input_audio_tokens, used.input_audio_tokens,
        used.cached_tokens, used.output_tokens - used.output_audio_tokens, used.output_audio_tokens,
    )  # fmt: skip
    return [name, *(f"{count:,}" for count in counts), _money(spent.cost, spent.answers)]


def _money(cost: Cost, answers: int) -> str:
    if cost.unknown and cost.unknown == answers and not cost.usd:
        return "unknown"
    return f"at least {dollars(cost.usd)}; {cost.unknown} unknown" if cost.unknown else dollars(cost.usd)


def _sound_s(reply: Reply) -> float:
    out_s = sum(clip.duration_s for clip in reply.clips)
    return reply.usage.input_audio_tokens / TOKENS_IN_PER_S + out_s
