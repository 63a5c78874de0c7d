"""Who may ask, and who is who: one token for all, or for each person one of their own that is made from it.

A person's own token is their name and a signature of it, ``alice.6dcfa7ce312c09299f042a181068954f``: the first 32 hex
digits of the HMAC-SHA-256 of the name under the server's token (RFC 2104). So the server keeps no list of people, a hub
can make the token of each with Python's standard library, and nobody can pass for somebody else.
"""

from __future__ import annotations

import hashlib
import hmac
import re

from nbaudio.errors import CellError, SetupError, register_secret

__all__ = ["Keys", "personal_token"]

SHORTEST_TOKEN = 16
"""Characters. Who has a token of their own could find out a short one by trying."""
_NAME = re.compile(r"[\w.@+~%\-]{1,64}", re.ASCII)  # what a hub makes of any name for an address is one
_DIGITS = 32


def personal_token(token: str, name: str) -> str:
    """The token of one person, made from the server's.

    Parameters
    ----------
    token : str
        The server's.
    name : str
        1 to 64 letters, digits and ``. @ + ~ % - _``.

    Raises
    ------
    CellError
        If this can't be a name.

    Examples
    --------
    >>> personal_token("the token of the server", "alice")
    'alice.6dcfa7ce312c09299f042a181068954f'
    """
    if not _NAME.fullmatch(name):
        raise CellError(f"{name!r} can't be a name.", "Use 1 to 64 letters, digits and . @ + ~ % - _")
    signature = hmac.new(token.encode(), name.encode(), hashlib.sha256).hexdigest()
    return f"{name}.{signature[:_DIGITS]}"


class Keys:
    """Tells clients apart by the key that they send.

    Parameters
    ----------
    token : str
        The server's; empty where everybody may ask.

    Raises
    ------
    SetupError
        If the token is too short.
    """

    def __init__(self, token: str = "") -> None:
        if token and len(token) < SHORTEST_TOKEN:
            raise SetupError(
                f"The token has {len(token)} characters, and needs {SHORTEST_TOKEN}.",
                "Make one: python -c 'import secrets; print(secrets.token_urlsafe())'",
            )
        register_secret(token)
        self._token = token

    @property
    def open(self) -> bool:
        """Whether everybody may ask."""
        return not self._token

    def client(self, authorization: str, address: str) -> str | None:
        """What this client is called where turns are given out; None if it may not ask.

        Parameters
        ----------
        authorization : str
            The request's header.
        address : str
            Where the request comes from. Clients with the same key, or with none, are told apart by it.
        """
        scheme, _, key = authorization.partition(" ")
        key = key.strip() if scheme.lower() == "bearer" else ""
        if self.open:
            # Whatever the key is, it is its owner's: in a turn's name and in a log it stands as a piece of its hash.
            return f"key {hashlib.sha256(key.encode()).hexdigest()[:8]}" if key else address
        if _same(key, self._token):
            return address
        name, _, _ = key.rpartition(".")
        if _NAME.fullmatch(name) and _same(key, personal_token(self._token, name)):
            return name
        return None


def _same(one: str, other: str) -> bool:
    """Whether two texts are equal, found out in a time that does not tell how much of them is."""
    return hmac.compare_digest(one.encode(), other.encode())
