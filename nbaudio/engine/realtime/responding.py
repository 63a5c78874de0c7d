"""The engine's side of a Realtime session: which responses are being given, and which may be."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from nbaudio.engine.answer import Answerer
from nbaudio.engine.asked import Refusal
from nbaudio.engine.realtime.incoming import Incoming
from nbaudio.engine.realtime.items import Item
from nbaudio.engine.realtime.response import Response
from nbaudio.engine.realtime.response_asked import ResponseAsked, read_response
from nbaudio.engine.realtime.shared import Shared
from nbaudio.engine.realtime.silence import Silence
from nbaudio.engine.realtime.usage import Read

__all__ = ["Responding"]

_MOST_ASIDE = 4  # responses at once that go nowhere


class Responding:
    """Gives responses: of the conversation one at a time.

    Parameters
    ----------
    shared : Shared
        Of the session; its conversation gets their items.
    incoming : Incoming
        Hears what of their input was not heard yet.
    silence : Silence
        Begins after each.
    drained : callable
        Returns when the client has taken most of what was sent.
    """

    def __init__(
        self, shared: Shared, incoming: Incoming, silence: Silence, drained: Callable[[], Awaitable[None]]
    ) -> None:
        self._answerer = Answerer(shared.engine)
        self._shared = shared
        self._incoming, self._silence, self._drained = incoming, silence, drained
        self._going: dict[Response, asyncio.Task[None]] = {}
        self._read: list[Read] = []
        self._spoke = self._finishing = False

    def read(self, value: Any) -> ResponseAsked:
        """What is asked for; None asks for what the session is set to.

        Raises
        ------
        Refusal
            If it can't be.
        """
        return read_response(value, self._shared.settings, self._shared.conversation, self._incoming.read)

    def respond(self, asked: ResponseAsked) -> None:
        """Begin a response.

        Raises
        ------
        Refusal
            If there can be none now.
        """
        if self._finishing:
            raise Refusal("The server is stopping. Ask again when it is back.", status=503, code="server_stopping")
        if asked.aloud:
            self.check_voice(asked.voice)
        going = self._of_conversation()
        if asked.conversation is not None and going is not None:
            raise Refusal(
                f"Conversation already has an active response in progress: {going.id}. "
                "Wait until the response is finished before creating a new one.",
                code="conversation_already_has_active_response",
            )
        if asked.conversation is None and sum(one.asked.conversation is None for one in self._going) >= _MOST_ASIDE:
            message = f"At most {_MOST_ASIDE} responses outside of the conversation can be given at once."
            raise Refusal(message, status=429, code="rate_limit_exceeded")
        self._silence.wait_no_more()
        for item in asked.items:
            if any(part.words is None and part.hearing is None for part in item.parts):
                self._incoming.hear(item, told=False)
        response = Response(asked, self._answerer, self._shared.tell, self._read)
        response.begin()
        self._going[response] = asyncio.create_task(self._give(response))

    def check_voice(self, voice: str) -> None:
        """Nothing, where answers may have this voice: all have that of the first.

        Raises
        ------
        Refusal
            Else.
        """
        self._spoke = self._spoke or any(response.duration_ms for response in self._going)
        if self._spoke and voice != self._shared.settings.voice:
            message = "Cannot update a conversation's voice if assistant audio is present."
            raise Refusal(message, code="cannot_update_voice")

    def interrupt(self, reason: Literal["turn_detected", "client_cancelled"]) -> None:
        """Stop the response of the conversation, where one is being given."""
        going = self._of_conversation()
        if going is not None:
            self._stop(going, reason)

    def cancel(self, response_id: str | None) -> None:
        """Stop a response; without an id that of the conversation.

        Raises
        ------
        Refusal
            If it is not being given.
        """
        found = self._of_conversation()
        if response_id is not None:
            found = next((one for one in self._going if one.id == response_id and not one.over), None)
        if found is None:
            raise Refusal("Cancellation failed: no active response found", code="response_cancel_not_active")
        self._stop(found, "client_cancelled")

    def stop_saying(self, item: Item) -> None:
        """Who cuts or deletes what is still being said has heard enough of it."""
        going = self._of_conversation()
        if going is not None and going.item is item:
            self._stop(going, "client_cancelled")

    async def finish(self) -> None:
        """Begin none any more; returns when those that were begun are over."""
        self._finishing = True
        await asyncio.gather(*self._going.values(), return_exceptions=True)

    async def close(self) -> None:
        """Let go of all."""
        tasks = list(self._going.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _of_conversation(self) -> Response | None:
        going = (one for one in self._going if one.asked.conversation is not None and not one.over)
        return next(going, None)

    async def _give(self, response: Response) -> None:
        began = time.monotonic()
        try:
            await response.run(self._drained)
        finally:
            self._let_go(response)
        if response.status in ("completed", "incomplete") and response.asked.conversation is not None:
            detection = self._shared.settings.turn_detection
            if detection is not None and detection.idle_timeout_ms is not None and not self._going:
                sounds_s = response.duration_ms / 1000 - (time.monotonic() - began)
                self._silence.begin(sounds_s, detection.idle_timeout_ms / 1000)

    def _stop(self, response: Response, reason: Literal["turn_detected", "client_cancelled"]) -> None:
        response.cancel(reason)
        task = self._going[response]
        self._let_go(response)
        task.cancel()

    def _let_go(self, response: Response) -> None:
        if self._going.pop(response, None) is None:
            return
        self._spoke = self._spoke or response.duration_ms > 0
        if response.read and response.asked.conversation is not None:
            self._read = response.read
