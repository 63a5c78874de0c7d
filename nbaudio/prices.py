"""What tokens cost: prices by model, and sums of money that say what is not known.

Prices are data, `prices.json`, each with its date and source; a file of one's own goes before it (``NbAudio.prices``).
A model without a price has an unknown one, which is never counted as nothing.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from fnmatch import fnmatch
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeAlias

from nbaudio.errors import SetupError
from nbaudio.settings import settings
from nbaudio.wire.usage import Usage

__all__ = ["Cost", "Price", "Prices", "cost", "dollars", "price_of", "read_prices"]

_MILLION = 1_000_000
_RATES = ("text_in", "text_out", "audio_in", "audio_out", "cached_in", "characters", "minute_in")


@dataclass(frozen=True)
class Cost:
    """A sum of US dollars, and of how many answers the price is not known.

    Costs add; where one is None, the sum counts one answer of unknown price.

    Examples
    --------
    >>> print(Cost(Decimal("0.0123")))
    $0.0123
    >>> print(Cost(Decimal("0.0123")) + None + None)
    at least $0.0123, 2 answers of unknown price
    """

    usd: Decimal = Decimal(0)
    unknown: int = 0

    def __add__(self, other: Cost | None) -> Cost:
        if other is None:
            return Cost(self.usd, self.unknown + 1)
        if not isinstance(other, Cost):
            return NotImplemented
        return Cost(self.usd + other.usd, self.unknown + other.unknown)

    def __str__(self) -> str:
        if not self.unknown:
            return dollars(self.usd)
        missing = f"{self.unknown} answer{'' if self.unknown == 1 else 's'} of unknown price"
        return f"at least {dollars(self.usd)}, {missing}" if self.usd else f"unknown: {missing}"


@dataclass(frozen=True)
class Price:
    """US dollars for a million tokens of one model; None where there is no such price.

    `characters` is for a million characters (code points) of a text that is spoken; where it is there, it alone counts.
    `minute_in` are dollars for a minute of sound that is written down.

    `server` is a pattern for the names of servers (``"OpenAI"``, ``"*.azure.com"``); `date` and `source` say when and
    where the price was read.
    """

    model: str
    text_in: Decimal | None = None
    text_out: Decimal | None = None
    audio_in: Decimal | None = None
    audio_out: Decimal | None = None
    cached_in: Decimal | None = None
    characters: Decimal | None = None
    minute_in: Decimal | None = None
    server: str = "*"
    date: str = ""
    source: str = ""

    def of(self, usage: Usage) -> Cost | None:
        """What so many tokens cost; None where that can't be said.

        Cached tokens of the input cost what other input does, where there is no price of their own. They are taken for
        text, as far as there is any, where the server does not say which of them are sound.
        """
        if self.characters is not None:
            return Cost(usage.characters * self.characters / _MILLION) if usage.characters else None
        if not (usage.input_tokens or usage.output_tokens):
            return None  # the server has not said
        cached = usage.cached_tokens if self.cached_in is not None else 0
        cached_audio = min(usage.cached_audio_tokens, cached)
        into = _parted(usage.input_tokens, usage.input_text_tokens, usage.input_audio_tokens, cached, cached_audio)
        out = _parted(usage.output_tokens, usage.output_text_tokens, usage.output_audio_tokens)
        bill = (
            (into[0], self.text_in), (into[1], self.audio_in), (cached, self.cached_in),
            (out[0], self.text_out), (out[1], self.audio_out),
        )  # fmt: skip
        if any(tokens and rate is None for tokens, rate in bill):
            return None
        for unparted, text_rate, audio_rate in (
            (into[2], self.text_in, self.audio_in),
            (out[2], self.text_out, self.audio_out),
        ):
            if unparted and audio_rate not in (None, text_rate):
                return None  # words or sound, which cost a tenth or ten times as much
        return Cost(sum((tokens * rate for tokens, rate in bill if rate is not None), Decimal(0)) / _MILLION)

    def of_hearing(self, usage: Usage, seconds: float) -> Cost | None:
        """What writing down so many seconds of sound costs, by the minute, or by the tokens; None where unknown."""
        if self.minute_in is None:
            return self.of(usage)
        return Cost(Decimal(str(round(seconds, 3))) * self.minute_in / 60)


def _parted(total: int, text: int, audio: int, cached: int = 0, cached_audio: int = 0) -> tuple[int, int, bool]:
    """Tokens of text and of sound that were not cached, and whether the server left unsaid which is which."""
    unparted = total > 0 and not text and not audio
    text += max(0, total - text - audio)
    cached_text = min(cached - cached_audio, text)
    return text - cached_text, max(0, audio - (cached - cached_text)), unparted


Prices: TypeAlias = "str | os.PathLike[str] | Iterable[Price]"
"""A file of prices, or prices."""


def cost(usage: Usage, model: str, prices: Prices | None = None, *, server: str = "") -> Cost | None:
    """What an answer cost; None where its price is not known.

    Parameters
    ----------
    usage : Usage
        What the server reported.
    model : str
        Its name, or that of a dated snapshot of it, such as ``"gpt-audio-1.5-2026-02-01"``.
    prices : path, or iterable of Price, optional
        Prices that go before the usual ones; by default the file that ``NbAudio.prices`` names.
    server : str
        The server's name, as `Reply.backend`: some have prices of their own.

    Raises
    ------
    SetupError
        If the file of prices can't be read.

    Examples
    --------
    >>> usage = Usage(input_tokens=20, output_tokens=310, input_text_tokens=20, output_text_tokens=10,
    ...               output_audio_tokens=300)
    >>> print(cost(usage, "gpt-audio-1.5"))
    $0.0194
    >>> print(cost(usage, "somebody-elses-model"))
    None
    """
    price = price_of(model, prices, server=server)
    return None if price is None else price.of(usage)


def price_of(model: str, prices: Prices | None = None, *, server: str = "") -> Price | None:
    """The price of a model on a server; None where it is not known. Parameters as in `cost`."""
    if prices is None and settings().prices:
        prices = Path(settings().prices).expanduser()
    if prices is None:
        own: tuple[Price, ...] = ()
    elif isinstance(prices, (str, os.PathLike)):
        own = read_prices(prices)
    else:
        own = tuple(prices)
    names = (model, re.sub(r"-20\d\d-\d\d-\d\d$", "", model))
    for rows in (own, _usual()):
        here = [row for row in rows if row.server != "*" and fnmatch(server, row.server)]
        # A server that has prices of its own in a list has no others in it.
        for name in names:
            for row in here or [row for row in rows if row.server == "*"]:
                if row.model == name:
                    return row
    return None


def dollars(usd: Decimal) -> str:
    """An amount to read: cents where there are dollars, else as many digits as it takes.

    Examples
    --------
    >>> [dollars(Decimal(amount)) for amount in ("12.346", "0.01234", "0.0000421", "0")]
    ['$12.35', '$0.0123', '$0.000042', '$0']
    """
    if not usd:
        return "$0"
    digits = 2 if usd >= 1 else max(4, 1 - usd.adjusted())
    return f"${usd:,.{digits}f}"


@cache
def _usual() -> tuple[Price, ...]:
    return _rows(json.loads(files("nbaudio").joinpath("prices.json").read_text(encoding="utf-8"), parse_float=Decimal))


_read: dict[Path, tuple[int, tuple[Price, ...]]] = {}


def read_prices(path: str | os.PathLike[str]) -> tuple[Price, ...]:
    """The prices in a file, which looks as ``prices.json`` of this package does; see ``docs/money.md``.

    Raises
    ------
    SetupError
        If it is not there, or no such file.
    """
    path = Path(path)
    try:
        changed = path.stat().st_mtime_ns
        if _read.get(path, (None,))[0] != changed:
            found = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
            _read[path] = (changed, _rows(found))
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise SetupError(
            f"The prices in {path} can't be read: {reason.rstrip('.')}.",
            "Write them as docs/money.md shows, or take the setting back: %config NbAudio.prices = ''",
        ) from error
    return _read[path][1]


def _rows(found: Any) -> tuple[Price, ...]:
    rows = found.get("prices") if isinstance(found, Mapping) else None
    if not isinstance(rows, list):
        raise ValueError('there is no list of "prices" in it')
    return tuple(_row(row) for row in rows)


def _row(row: Any) -> Price:
    if not isinstance(row, Mapping) or not isinstance(row.get("model"), str):
        raise ValueError(f'{row!r} has no "model"')
    known = {field.name for field in fields(Price)}
    if unknown := sorted(set(row) - known):
        raise ValueError(f"{row['model']} has {', '.join(unknown)}, which is no part of a price")
    made: dict[str, Any] = {}
    for name, value in row.items():
        if name not in _RATES:
            made[name] = str(value)
        elif value is not None:
            if not isinstance(value, (int, Decimal)) or isinstance(value, bool) or not 0 <= value < _MILLION:
                raise ValueError(f"{name} of {row['model']} is {value!r}, which is no price")
            made[name] = Decimal(value)
    return Price(**made)
