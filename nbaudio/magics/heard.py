"""``%%listen --transcribe``: what the person said is written down while the answer to it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future
from typing import Any

from nbaudio.backends import loop
from nbaudio.backends.transcribing import ready
from nbaudio.conversation.talk import Conversation
from nbaudio.conversation.transcribing import put_words
from nbaudio.conversation.turnlist import turn_of
from nbaudio.errors import NbaudioError
from nbaudio.magics.above import Above
from nbaudio.settings import settings
from nbaudio.tools.outcome import warn
from nbaudio.transcribing.calls import start

__all__ = ["Heard"]


class Heard:
    """The transcript of a question; where it can't be had there is a warning, and the answer stays.

    Parameters
    ----------
    talk : Conversation
        Where the question is going to be a turn.
    parts : sequence
        The question, as `Conversation.say` takes it.
    above : Above, optional
        Where the words are shown.
    """

    def __init__(self, talk: Conversation, parts: Sequence[Any], above: Above | None) -> None:
        self._talk, self._clips, self._above = talk, turn_of(parts).clips, above
        self._future: Future[str] | None = None
        self._words: str | None = None
        self._trouble: NbaudioError | None = None
        try:
            ready(settings().resolve())  # what has to be fetched for it is fetched now, not while the answer comes
        except NbaudioError as error:
            self._trouble = error

    def look(self) -> None:
        """Show the words, if they have come; the first time they are asked for, when the answer has begun."""
        if self._words is not None:
            return
        # Not before: the question's own upload goes first, and of one that fails nobody needs the words.
        if self._future is None:
            self._begin()
        elif self._future.done():
            self._take(self._future)

    def _begin(self) -> None:
        try:
            if self._trouble is not None:
                raise self._trouble
            self._future = start(self._clips, ledger=self._talk.ledger())
        except NbaudioError as error:
            self._words = ""
            self._warn(f"What you said could not be written down: {error}")

    def wait(self) -> None:
        """Wait for the words, and put them into the conversation."""
        self.look()
        if self._future is None:  # it could not be begun
            return
        try:
            loop.wait(self._future)
        except (KeyboardInterrupt, CancelledError):
            self._future.cancel()
        except Exception:  # noqa: S110 - `_take` tells of it
            pass
        self._keep()

    async def await_(self) -> None:
        """As `wait`, awaited."""
        self.look()
        if self._future is None:  # as above
            return
        try:
            await asyncio.wrap_future(self._future)
        except (KeyboardInterrupt, asyncio.CancelledError):
            self._future.cancel()
        except Exception:  # noqa: S110 - `_take` tells of it
            pass
        self._keep()

    def give_up(self) -> None:
        """No answer came: keep the words if they are there, and wait no longer."""
        if self._future is None:
            return
        if not self._future.done():
            self._future.cancel()
        elif not self._future.cancelled() and self._future.exception() is None:
            self._keep()

    def _take(self, future: Future[str]) -> None:
        self._words = ""
        try:
            self._words = future.result()
        except CancelledError:
            self._warn("Stopped before what you said was written down; chat.transcribe() does it later.")
        except NbaudioError as error:
            self._warn(f"What you said could not be written down: {error}")
        else:
            if self._above is not None:
                self._above.heard(self._words)

    def _warn(self, text: str) -> None:
        if self._above is None:
            warn(text)
        else:
            self._above.warning(text)

    def _keep(self) -> None:
        assert self._future is not None  # the callers have looked
        if self._words is None:
            self._take(self._future)
        for turn in reversed(list(self._talk)):
            if turn.role == "user" and turn.clips and turn.clips[0] is self._clips[0]:
                put_words(self._talk, turn.id, self._words or "")
                return
