"""What a conversation has taken so far, and what its next request would take."""

from __future__ import annotations

from nbaudio.prices import Cost
from nbaudio.spending.accounts import Account, Spent
from nbaudio.wire.usage import Usage

__all__ = ["Counted"]


class Counted:
    """The tokens and the money of a conversation.

    They are those of all answers it has had, also of those that were taken back, asked again or broke off, and with
    those that it began with where it was loaded or forked.
    """

    _account: Account

    @property
    def usage(self) -> Usage:
        """The tokens that servers reported for its answers."""
        return self._account.spent.usage

    @property
    def cost(self) -> Cost:
        """What its answers cost, and of how many the price is not known."""
        return self._account.spent.cost

    @property
    def spent(self) -> Spent:
        """Requests, tokens and money together, and how many answers came from the cache."""
        return self._account.spent
