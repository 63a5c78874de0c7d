"""What a spoken text is likely to take, what budgets say to that, and what it took."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from nbaudio.errors import SetupError
from nbaudio.prices import Cost, price_of
from nbaudio.settings import Backend
from nbaudio.speaking.passage import Order, Passage
from nbaudio.spending.accounts import Spent
from nbaudio.spending.budget import Budget
from nbaudio.spending.estimate import S_PER_CHARACTER, TOKENS_OUT_PER_S, Estimate, Toll, text_tokens
from nbaudio.spending.ledger import Ledger
from nbaudio.wire.answers import STREAM_SAMPLE_RATE
from nbaudio.wire.usage import Usage

__all__ = ["BOOKED_AS", "Paying"]

BOOKED_AS = "(spoken texts)"
"""Their row in what `nbaudio.usage` shows."""
_LESS = "speak less"


class Paying:
    """The books of one spoken text.

    Parameters
    ----------
    order : Order
    backend : Backend
    budgets : sequence of Budget
        All of them hold; one that is per conversation holds for this text.
    """

    def __init__(self, order: Order, backend: Backend, budgets: Sequence[Budget]) -> None:
        self._order, self._backend = order, backend
        self._ledger = Ledger(BOOKED_AS, budgets=budgets)

    def expect(self, texts: Sequence[str], model: str, *, told: str = "", echoes: bool = False) -> list[Estimate]:
        """What each of these passages is likely to take, where all of them together fit into the budgets.

        Parameters
        ----------
        texts : sequence of str
        model : str
        told : str
            The instructions that go with each.
        echoes : bool
            Whether the words come back as tokens of text, as from a model that reads.

        Raises
        ------
        BudgetExceeded
            Where they do not.
        SetupError
            If a file of prices or the day's total can't be read.
        """
        guesses = []
        for text in texts:
            sound_s = len(text) * S_PER_CHARACTER / self._order.speed
            usage = self._usage(text_tokens([text, told]), text_tokens([text]) if echoes else 0, sound_s, text)
            guesses.append(Estimate(usage, 0.0, sound_s, self._cost(usage, model)))
        usage = sum((guess.usage for guess in guesses), Usage())
        known = [guess.cost for guess in guesses if guess.cost is not None]
        cost = sum(known, Cost()) if len(known) == len(guesses) else None
        whole = Estimate(usage, 0.0, sum(guess.sound_out_s for guess in guesses), cost)
        self._ledger.check(whole, model, less=_LESS)
        return guesses

    @contextlib.contextmanager
    def on_its_way(self, expected: Estimate) -> Iterator[None]:
        """Count a passage as sent, and not paid yet, while the context lasts."""
        with self._ledger.expecting(expected.toll):
            yield

    def pay(self, passage: Passage, expected: Estimate) -> None:
        """Put a passage that has brought sound on the books."""
        sound_s = passage.frames / STREAM_SAMPLE_RATE
        usage, paid = passage.usage, Cost() + self._known_cost(passage.usage, passage.model)
        if not passage.reported:
            sent = expected.usage
            usage = self._usage(sent.input_text_tokens, sent.output_text_tokens, sound_s, passage.text)
        toll_cost = Cost() + self._known_cost(usage, passage.model)
        toll = Toll(usage.input_tokens + usage.output_tokens, toll_cost, sound_s)
        unreported = not passage.reported and bool(paid.unknown)
        self._ledger.enter(Spent(1, 0, unreported, passage.usage, paid, toll))

    def _usage(self, text_in: int, text_out: int, sound_s: float, text: str) -> Usage:
        audio_out = math.ceil(sound_s * TOKENS_OUT_PER_S)
        return replace(
            Usage.of_speech({"input_tokens": text_in, "output_tokens": audio_out}),
            output_tokens=text_out + audio_out,
            output_text_tokens=text_out,
            characters=len(text),
        )

    def _cost(self, usage: Usage, model: str) -> Cost | None:
        if self._backend.offline:
            return Cost()
        price = price_of(model, server=self._backend.name)
        return price.of(usage) if price is not None else None

    def _known_cost(self, usage: Usage, model: str) -> Cost | None:
        try:
            return self._cost(usage, model)
        except SetupError:  # the file of prices could be read before, and the sound must not be lost for it
            return None
