"""What went wrong with what was asked in a chat, as the person at the page is told."""

from __future__ import annotations

import asyncio

from nbaudio import errors

__all__ = ["told"]


def told(error: BaseException) -> str:
    """What went wrong and what to do, in words for a person."""
    if isinstance(error, asyncio.CancelledError):
        return "Stopped before an answer came."
    if isinstance(error, (errors.NbaudioError, errors.Interrupted)):
        return errors.mask(f"{error.cause} {error.next_step}".strip())
    return errors.mask(f"{type(error).__name__}: {error}")
