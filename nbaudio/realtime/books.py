"""Within the budgets, and on the books: what a session may cost, and has cost."""

from __future__ import annotations

from nbaudio.prices import Cost, price_of
from nbaudio.settings import Backend
from nbaudio.spending.accounts import Spent
from nbaudio.spending.estimate import Estimate, Toll, known_cost
from nbaudio.spending.ledger import Ledger
from nbaudio.turns import Reply
from nbaudio.wire.usage import Usage

__all__ = ["Books"]

# Tokens of one exchange, some 10 s of question and 8 s of answer: a guess, for the server says afterwards what it took.
_USUAL = Usage(
    input_tokens=100, output_tokens=200, input_audio_tokens=100, output_text_tokens=40, output_audio_tokens=160
)
_LESS = "speak to it less"


class Books:
    """The money side of one session.

    Parameters
    ----------
    ledger : Ledger
        Of the conversation.
    backend : Backend
    model : str
    """

    def __init__(self, ledger: Ledger, backend: Backend, model: str) -> None:
        self._ledger, self._backend, self._model = ledger, backend, model

    def check(self) -> None:
        """Nothing, where one more exchange fits into the budgets.

        Raises
        ------
        BudgetExceeded
            Where it does not.
        SetupError
            If a file of prices or the day's total can't be read.
        """
        self._ledger.check(Estimate(_USUAL, 10.0, 8.0, self._cost(_USUAL)), self._model, less=_LESS)

    def enter(self, reply: Reply) -> None:
        """Enter an answer as the server counted it."""
        used = reply.usage
        sound_s = sum(clip.duration_s for clip in reply.clips)
        toll = Toll(used.input_tokens + used.output_tokens, Cost() + known_cost(reply), sound_s)
        self._ledger.enter(Spent.on(reply, toll))

    def _cost(self, usage: Usage) -> Cost | None:
        if self._backend.offline:
            return Cost()
        price = price_of(self._model, server=self._backend.name)
        return price.of(usage) if price is not None else None
