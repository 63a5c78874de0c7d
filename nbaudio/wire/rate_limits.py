"""When a server takes requests again, by the headers of the answer that refused one.

Sources: ``retry-after`` is HTTP's (RFC 9110, 10.2.3), ``retry-after-ms`` and ``x-ratelimit-remaining-*`` with
``x-ratelimit-reset-*`` are OpenAI's (docs/protocol.md).
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from email.utils import mktime_tz, parsedate_tz

__all__ = ["retry_after_s", "until_reset_s", "wait_in_words"]

_LONGEST_S = 31 * 86_400.0  # what is longer is no limit of requests, but nonsense
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_DURATION = re.compile(r"(?:\d{1,9}(?:\.\d{1,9})?(?:ms|s|m|h|d))+")
_PART = re.compile(r"([\d.]+)(ms|s|m|h|d)")


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds after which the server wants to be asked again, or None where it does not say; a past date is negative.

    Examples
    --------
    >>> retry_after_s({"retry-after-ms": "120", "retry-after": "1"})
    0.12
    """
    try:
        return float(headers["retry-after-ms"]) / 1000
    except (KeyError, ValueError):
        pass
    value = headers.get("retry-after", "")
    try:
        return float(value)
    except ValueError:
        pass
    try:
        date = parsedate_tz(value)
        return None if date is None else mktime_tz(date) - time.time()
    except (ValueError, OverflowError, TypeError, IndexError):  # a date that no calendar has
        return None


def until_reset_s(headers: Mapping[str, str]) -> float | None:
    """Seconds until none of the limits that are used up stands in the way, or None where the server does not say.

    A limit counts where nothing of it remains. ``retry-after`` counts too: some servers send one, some the other.

    Examples
    --------
    >>> until_reset_s({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"})
    360.0
    """
    waits = [retry_after_s(headers)]
    for what in ("requests", "tokens"):
        if headers.get(f"x-ratelimit-remaining-{what}", "").strip() == "0":
            waits.append(_duration_s(headers.get(f"x-ratelimit-reset-{what}", "").strip()))
    return max((wait for wait in waits if wait is not None and -_LONGEST_S < wait < _LONGEST_S), default=None)


def wait_in_words(seconds: float | None) -> str:
    """A wait as a person would say it; a minute at least, for who was refused has asked again several times by then.

    Examples
    --------
    >>> wait_in_words(None), wait_in_words(361), wait_in_words(10_000)
    ('a minute', '7 minutes', '3 hours')
    """
    minutes = math.ceil((seconds or 0) / 60)
    if minutes <= 1:
        return "a minute"
    return f"{minutes} minutes" if minutes < 100 else f"{math.ceil(minutes / 60)} hours"


def _duration_s(text: str) -> float | None:
    """The seconds of ``120ms``, ``1s``, ``6m0s``."""
    if not _DURATION.fullmatch(text):
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
