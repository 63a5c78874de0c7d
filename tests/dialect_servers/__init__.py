"""Servers on the loopback that stand in for the real ones that `nbaudio/wire/dialects.json` has rows for.

    with serve("openrouter") as server:
        server.words = "Yes."
        ...  # a client with server.url and server.key
        assert server.requests[0].body["stream"] is True

Each is built from published descriptions of the real one: it takes the key where that takes it, refuses what that
refuses, in its own words, and answers in its shapes. None is the real one.
"""

from __future__ import annotations

from .hosted import HOSTED
from .local import LOCAL
from .server import Server, StandIn, serve_stand_in
from .texts import TEXTS

STAND_INS: dict[str, type[StandIn]] = {stand_in.dialect: stand_in for stand_in in (*HOSTED, *LOCAL, *TEXTS)}
"""By the name of the dialect."""

__all__ = ["STAND_INS", "Server", "StandIn", "serve"]


def serve(dialect: str):  # type: ignore[no-untyped-def]
    """A running stand-in for the servers of a dialect, for a ``with`` block."""
    return serve_stand_in(STAND_INS[dialect]())
