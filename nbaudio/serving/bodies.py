"""A request's body, read before its turn and kept until then.

So a client that goes away is noticed while it waits, which a server can't where there is more to read. Long bodies wait
on disk: 64 recordings in memory would be gigabytes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from typing import IO

from starlette.types import Message, Receive

from nbaudio.engine.asked import Refusal

__all__ = ["Body", "Gone", "declared_bytes"]

_IN_MEMORY_BYTES = 1_000_000
_PIECE_BYTES = 1_000_000
# A client that still sends does not read: what it sends too much is read as well, up to this many times the most
# that it may, so that it comes to know why.
_READ_ON = 4


class Gone(Exception):
    """The client has gone."""


def declared_bytes(headers: Iterable[tuple[bytes, bytes]]) -> int:
    """How long the body is, as the headers say; 0 where they don't."""
    for name, value in headers:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


class Body:
    """The body of one request; a context manager, after which it is no longer kept.

    Parameters
    ----------
    most_bytes : int
        The longest that is taken.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115 - closed in __exit__
        self._left = 0

    def __enter__(self) -> Body:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    async def read(self, receive: Receive, declared: int = 0) -> None:
        """Take it from the client.

        Parameters
        ----------
        receive : callable
            As ASGI gives it.
        declared : int
            How long it is going to be, in bytes.

        Raises
        ------
        Gone
            If the client goes before the end.
        Refusal
            413, once a body is read that was too long.
        """
        read, more = 0, True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                raise Gone
            data, more = message.get("body", b""), message.get("more_body", False)
            read += len(data)
            if max(read, declared) <= self._most_bytes:
                self._file.write(data)
            elif max(read, declared) > _READ_ON * self._most_bytes:
                break
        if (size := max(read, declared)) > self._most_bytes:
            raise Refusal(
                f"Maximum content size limit ({self._most_bytes}) exceeded ({size} bytes read)",
                status=413,
                code="request_too_large",
            )
        self._left = read
        self._file.seek(0)

    def next_message(self) -> Message | None:
        """The next piece of it, as ASGI gives it to an app; None when all is given."""
        if self._left < 0:
            return None
        data = self._file.read(_PIECE_BYTES)
        self._left -= len(data)
        if more := self._left > 0:
            return {"type": "http.request", "body": data, "more_body": more}
        self._left = -1
        return {"type": "http.request", "body": data, "more_body": False}
