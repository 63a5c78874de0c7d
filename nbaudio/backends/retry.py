"""When to ask again, and how long to wait first: the official SDK's rules.

Source: https://github.com/openai/openai-python, ``_base_client.py``: ``retry-after-ms``, then ``retry-after`` (seconds
or a date) is honoured up to two minutes, and a longer wait is not waited; else 0.5 s doubling up to 8 s, less up to a
quarter of it by chance, so that a class of notebooks does not come back all at once.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

from nbaudio.wire.rate_limits import retry_after_s

__all__ = ["wait_s"]

_LONGEST_WAIT_S = 120.0


def wait_s(attempt: int, headers: Mapping[str, str]) -> float | None:
    """Seconds to wait before asking again, or None where the server wants a longer wait than anybody has.

    Parameters
    ----------
    attempt : int
        0 after the first failure.
    headers : mapping
        Of the response that failed; empty where there was none.

    Examples
    --------
    >>> wait_s(0, {"retry-after-ms": "120"})
    0.12
    >>> wait_s(0, {"retry-after": "3600"}) is None
    True
    """
    asked = retry_after_s(headers)
    if asked is not None and asked > _LONGEST_WAIT_S:
        return None
    if asked is not None and asked > 0:
        return asked
    return min(0.5 * 2.0 ** min(attempt, 4), 8.0) * (1 - 0.25 * random.random())  # noqa: S311 - spreads load, keeps no secret
