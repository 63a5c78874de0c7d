"""Ports of the loopback, each for one server of a process only."""

from __future__ import annotations

import socket

__all__ = ["new_listener"]

_used: set[int] = set()


def new_listener() -> socket.socket:
    """A socket that listens on a port of the loopback where nobody of this process has listened before.

    What nbaudio learns of a server belongs to its address, and the system gives a free port to another server soon:
    among thousands of tests some met what was known of an earlier server.
    """
    while True:
        found = socket.create_server(("127.0.0.1", 0))
        port = found.getsockname()[1]
        if port not in _used:
            _used.add(port)
            return found
        found.close()
