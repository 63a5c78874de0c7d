"""Keys that open one session each and end soon: for a web page, which must not have the key of whoever made it.

The request and its answer are OpenAI's: https://platform.openai.com/docs/api-reference/realtime-sessions. There a key
opens as many sessions as somebody likes until it ends; here it opens one, so that who finds it later has nothing.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nbaudio.engine.asked import Refusal
from nbaudio.engine.realtime.checked import among, record, whole
from nbaudio.engine.realtime.items import new_id
from nbaudio.engine.realtime.settings import Settings

__all__ = ["ENDED", "OWNER", "PATH", "ClientSecret", "ClientSecrets", "is_client_secret"]

PATH = "/v1/realtime/client_secrets"
OWNER = "nbaudio.owner"
"""Where in a request's ASGI scope a server says who asks."""
ENDED = Refusal(
    "Incorrect API key provided: this client secret has expired, or has opened its session. Ask for another.",
    status=401,
    code="invalid_api_key",
)
"""For who comes with a key that opens nothing."""
_PREFIX = "ek_"
_SHORTEST_S, _USUAL_S, _LONGEST_S = 10, 600, 7200
_MOST = 256  # that have not ended: each holds instructions of up to 100,000 characters
_SHARE = 4  # one owner has at most one in so many of them


@dataclass(frozen=True)
class ClientSecret:
    """A key, and the session that it opens."""

    value: str = field(repr=False)
    expires_at: int
    settings: Settings
    session_id: str
    owner: str = ""
    """Who asked for it, where the server tells its clients apart."""

    def as_answer(self) -> dict[str, Any]:
        """As the protocol has it."""
        session = self.settings.as_event() | {"id": self.session_id, "expires_at": 0}  # it has not begun
        return {"value": self.value, "expires_at": self.expires_at, "session": session}


class ClientSecrets:
    """All keys of a server that have not ended; belongs to one event loop.

    Parameters
    ----------
    clock : callable
        Unix seconds.

    Examples
    --------
    >>> keys = ClientSecrets(lambda: 1000.0)
    >>> key = keys.create({"session": {"type": "realtime", "instructions": "Be brief."}})
    >>> key.expires_at, keys.use(key.value).settings.instructions, keys.use(key.value)
    (1600, 'Be brief.', None)
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._all: dict[str, ClientSecret] = {}

    def create(self, body: Any, owner: str = "") -> ClientSecret:
        """A key for what a request asks for.

        Raises
        ------
        Refusal
            If there can be no such session, or there are too many keys.
        """
        given = record(body, "", ("expires_after", "session"))
        lasts_s = _lasts_s(given)
        settings = Settings() if given.get("session") is None else Settings().updated(given["session"])
        now = self._clock()
        self._all = {value: one for value, one in self._all.items() if one.expires_at > now}
        if len(self._all) >= _MOST:
            message = f"There are {_MOST} client secrets already that have not ended. Ask again later."
            raise Refusal(message, status=429, code="rate_limit_exceeded")
        if owner and sum(one.owner == owner for one in self._all.values()) >= _MOST // _SHARE:
            message = f"You have {_MOST // _SHARE} client secrets already that have not ended. Ask again later."
            raise Refusal(message, status=429, code="rate_limit_exceeded")
        value = _PREFIX + secrets.token_hex(16)
        made = ClientSecret(value, int(now) + lasts_s, settings, new_id("sess"), owner)
        self._all[value] = made
        return made

    def find(self, value: str) -> ClientSecret | None:
        """What a key opens; None where it has ended, or never was."""
        found = self._all.get(value)
        return found if found is not None and found.expires_at > self._clock() else None

    def use(self, value: str) -> ClientSecret | None:
        """As `find`; it opens nothing more."""
        found = self.find(value)
        self._all.pop(value, None)
        return found


def is_client_secret(key: str) -> bool:
    """Whether a key says of itself that it is one of these."""
    return key.startswith(_PREFIX)


def _lasts_s(given: Mapping[str, Any]) -> int:
    if given.get("expires_after") is None:
        return _USUAL_S
    fields = record(given["expires_after"], "expires_after", ("anchor", "seconds"))
    if fields.get("anchor") is not None:
        among(fields["anchor"], "expires_after.anchor", ("created_at",))
    if fields.get("seconds") is None:
        return _USUAL_S
    return whole(fields["seconds"], "expires_after.seconds", _SHORTEST_S, _LONGEST_S)
