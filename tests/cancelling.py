"""What ends with `Cancelled`, on every Python."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from nbaudio.errors import Interrupted
from nbaudio.widgets.recorder import Cancelled

__all__ = ["cancelled"]


@contextmanager
def cancelled(match: str = "") -> Iterator[None]:
    """What is awaited inside ends with `Cancelled`.

    Python 3.10 gives whoever awaits the task an error of its own, with that one as its context.
    """
    with pytest.raises(asyncio.CancelledError) as raised:
        yield
    error = raised.value if isinstance(raised.value, Cancelled) else raised.value.__context__
    assert isinstance(error, Cancelled)
    assert isinstance(error, Interrupted)
    assert re.search(match, str(error))
