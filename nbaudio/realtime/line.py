"""The connection of a session to its server: opened, and opened again when it breaks off."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import anyio

from nbaudio import errors
from nbaudio.backends.realtime import Channel, ChannelClosed, open_channel
from nbaudio.realtime.said_before import items_of
from nbaudio.settings import Backend, NbAudio
from nbaudio.turns import Turn
from nbaudio.wire.realtime import events as server
from nbaudio.wire.realtime import sending
from nbaudio.wire.realtime.session import RealtimeOptions
from nbaudio.wire.realtime.troubles import error_of, gravity

__all__ = ["Line"]

_AGAIN_S = (0.5, 1.0, 2.0, 4.0, 8.0)  # between the tries to come back
_LASTS_S = 30.0  # a connection that breaks off sooner was none: the next try counts as one more
_PASSING = (errors.ConnectionFailed, errors.TimedOut, errors.ServerFailed, errors.RateLimited)


class Line:
    """Runs on the loop of `nbaudio.backends.loop`.

    Parameters
    ----------
    backend : Backend
    settings : NbAudio
    options : RealtimeOptions
        What every session on it is set to.
    """

    def __init__(self, backend: Backend, settings: NbAudio, options: RealtimeOptions) -> None:
        self._backend, self._settings, self._options = backend, settings, options
        self._channel: Channel | None = None
        self._opened_s = 0.0
        self._tries = 0  # to come back, since the last connection that lasted

    async def open(self, turns: Sequence[Turn]) -> None:
        """Connect, set the session, and tell it what was said before.

        Raises
        ------
        RequestError
            In one of its kinds.
        """
        backend = self._backend
        channel = await open_channel(backend, self._settings, self._options.model)
        try:
            with anyio.fail_after(self._settings.timeout_s):
                await channel.send(sending.update(self._options))
                while not isinstance(event := server.read_event(await channel.receive()), server.SessionUpdated):
                    if isinstance(event, server.Trouble) and gravity(event.error) != "harmless":
                        raise self.error(event.error)
                for said in items_of(turns):
                    await channel.send(said)
        except ChannelClosed as closed:
            raise errors.ConnectionFailed(
                f"{backend.name} closed the connection at once: {closed.reason or closed.code}.",
                "Does it speak the Realtime protocol? docs/servers.md says which servers do.",
            ) from None
        except TimeoutError:
            await channel.aclose()
            raise errors.TimedOut(f"{backend.name} does not answer.", "Try again later.") from None
        except BaseException:
            with anyio.CancelScope(shield=True):
                await channel.aclose()
            raise
        self._channel, self._opened_s = channel, time.monotonic()

    async def again(self, turns: Callable[[], Sequence[Turn]], notice: Callable[[str], None]) -> None:
        """Open it once more, with pauses that grow; `notice` tells the person of each.

        Raises
        ------
        RequestError
            In one of its kinds, if it can't be had any more, or breaks off as soon as it is there.
        """
        await self.aclose()
        if time.monotonic() - self._opened_s >= _LASTS_S:
            self._tries = 0
        cause = f"The connection to {self._backend.name} breaks off again and again."
        error: errors.RequestError = errors.ConnectionFailed(cause, "Try again later.")
        while self._tries <= len(_AGAIN_S):
            if self._tries:
                wait_s = _AGAIN_S[self._tries - 1]
                notice(f"{error.cause} Trying again in {wait_s:g} s.")
                await anyio.sleep(wait_s)
            self._tries += 1
            try:
                await self.open(turns())
            except _PASSING as failed:
                error = failed
            else:
                return
        raise error

    async def receive(self) -> str | bytes:
        """The next message; raises `ChannelClosed`."""
        assert self._channel is not None
        return await self._channel.receive()

    async def send(self, event: dict[str, Any]) -> None:
        """Send an event; where the connection is gone, whoever receives finds out, and says it on the next."""
        try:
            assert self._channel is not None
            await self._channel.send(event)
        except ChannelClosed:
            pass

    async def aclose(self) -> None:
        """Close it; nothing, where it is closed."""
        if self._channel is not None:
            await self._channel.aclose()

    def error(self, wrong: server.Wrong) -> errors.ServerRefused:
        """The exception for what the server says is wrong."""
        backend = self._backend
        return error_of(wrong, server=backend.name, key_from=backend.key_from, key_env=backend.key_env)
