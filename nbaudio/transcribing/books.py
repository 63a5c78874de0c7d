"""Within the budgets, and on the books: what writing down a recording may cost, and has cost."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator

from nbaudio.errors import SetupError
from nbaudio.prices import Cost, price_of
from nbaudio.settings import Backend
from nbaudio.spending.accounts import Spent
from nbaudio.spending.estimate import TOKENS_IN_PER_S, Estimate, Toll
from nbaudio.spending.ledger import Ledger
from nbaudio.transcribing.wanted import Wanted
from nbaudio.wire.transcripts import Heard
from nbaudio.wire.usage import Usage

__all__ = ["NAME", "Books"]

NAME = "(transcripts)"
"""What recordings that belong to no conversation are called in the table of what was spent."""


class Books:
    """The money side of one recording.

    Parameters
    ----------
    backend : Backend
    wanted : Wanted
    ledger : Ledger
        Of the conversation that it belongs to, or of its own.
    """

    def __init__(self, backend: Backend, wanted: Wanted, ledger: Ledger) -> None:
        self._backend, self._wanted, self._ledger = backend, wanted, ledger

    @contextlib.contextmanager
    def expecting(self, sound_s: float) -> Iterator[None]:
        """A context in which so many seconds of sound are sent.

        Raises
        ------
        BudgetExceeded
            Before anything is sent.
        SetupError
            If a file of prices or the day's total can't be read.
        """
        able, model = self._wanted.able, self._wanted.options.model
        tokens = 0 if able.billed_by == "minutes" else math.ceil(sound_s * TOKENS_IN_PER_S)
        usage = Usage(input_tokens=tokens, input_audio_tokens=tokens)
        expected = Estimate(usage, sound_s, 0.0, self._cost(usage, sound_s))
        self._ledger.check(expected, model)
        with self._ledger.expecting(expected.toll):
            yield

    def pay(self, heard: Heard, sound_s: float) -> None:
        """Enter what one request took."""
        cost = None
        with contextlib.suppress(SetupError):  # it could be read before, and what was heard must not be lost for it
            cost = self._cost(heard.usage, heard.billed_s or sound_s)
        toll = Toll(heard.usage.input_tokens + heard.usage.output_tokens, Cost() + cost, sound_s)
        self._ledger.enter(Spent(1, 0, 0, heard.usage, Cost() + cost, toll))

    def _cost(self, usage: Usage, sound_s: float) -> Cost | None:
        if self._backend.offline:
            return Cost()
        price = price_of(self._wanted.options.model, server=self._backend.name)
        return price.of_hearing(usage, sound_s) if price is not None else None
