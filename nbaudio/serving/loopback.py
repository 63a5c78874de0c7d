"""Whether a request was meant for this machine by whoever sent it, where no token says so.

A web page anywhere can have its own name lead to this machine, and so make a browser ask here and read the answer (DNS
rebinding); but the request still says the name. And WebSockets, and requests that look like a form's, a browser sends
for a page of any site without asking anybody; but it says whose page it is. Where there is a token, such a page does
not have it.
"""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.types import Scope

__all__ = ["is_asked_here", "is_from_here"]


def is_asked_here(scope: Scope) -> bool:
    """Whether a request was sent to a name of the loopback."""
    host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
    return _is_here(host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0])


def is_from_here(scope: Scope) -> bool:
    """Whether it comes from no web page, or from one of the loopback, as of a notebook on this machine."""
    origin = dict(scope["headers"]).get(b"origin")
    if origin is None:
        return True
    try:
        return _is_here(urlsplit(origin.decode("latin-1")).hostname or "")
    except ValueError:
        return False


def _is_here(name: str) -> bool:
    try:
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False
