"""A request's body, read before its turn and kept until then.

So a client that goes away is noticed while it waits, which a server can't where there is more to read. Long bodies wait
on disk: 64 recordings in memory would be gigabytes. How many are read at once is limited, for each may come as slowly
as its client likes, and have a place on the disk meanwhile.
"""

from __future__ import annotations

import logging
import math
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import IO

from starlette.types import Message, Receive

from nbaudio.engine.asked import Refusal

__all__ = ["BeingRead", "Body", "Gone", "declared_bytes"]

log = logging.getLogger("nbaudio.serving")
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


class BeingRead:
    """How many bodies are being read, in all and of each client.

    Parameters
    ----------
    most : int
        At once; of one client half of them.

    Examples
    --------
    >>> being_read = BeingRead(2)
    >>> with being_read.one_of("alice") as refused, being_read.one_of("alice") as refused_too:
    ...     refused, refused_too.status
    (None, 429)
    """

    def __init__(self, most: int) -> None:
        self._most, self._most_of_one = most, math.ceil(most / 2)
        self._of: Counter[str] = Counter()

    @contextmanager
    def one_of(self, client: str) -> Iterator[Refusal | None]:
        """While a client's body is being read; gives why it may not be kept, or None where it may."""
        if self._of.total() >= self._most or self._of[client] >= self._most_of_one:
            message = "So many requests are being sent to the server that it takes no more. Ask again later."
            yield Refusal(message, status=429, code="rate_limit_exceeded")
            return
        self._of[client] += 1
        try:
            yield None
        finally:
            self._of[client] -= 1
            self._of += Counter()  # forget who has none


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
        self._drop()

    async def read(self, receive: Receive, declared: int = 0, refusal: Refusal | None = None) -> None:
        """Take it from the client.

        Parameters
        ----------
        receive : callable
            As ASGI gives it.
        declared : int
            How long it is going to be, in bytes.
        refusal : Refusal, optional
            Why it can't be kept.

        Raises
        ------
        Gone
            If the client goes before the end.
        Refusal
            `refusal`, or 413, once a body is read that was too long; 503 where the disk has no room for it.
        """
        read, more = 0, True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                raise Gone
            data, more = message.get("body", b""), message.get("more_body", False)
            read += len(data)
            if max(read, declared) <= self._most_bytes:
                # A client that still sends is read even so: else it would not come to know why.
                refusal = refusal or self._keep(data)
            elif max(read, declared) > _READ_ON * self._most_bytes:
                break
        if (size := max(read, declared)) > self._most_bytes:
            raise Refusal(
                f"Maximum content size limit ({self._most_bytes}) exceeded ({size} bytes read)",
                status=413,
                code="request_too_large",
            )
        refusal = refusal or self._keep(b"", whole=True)
        if refusal is not None:
            raise refusal
        self._left = read

    def _keep(self, data: bytes, *, whole: bool = False) -> Refusal | None:
        """Keep a piece; gives why it can't be, or None."""
        try:
            self._file.write(data)
            if whole:
                self._file.seek(0)
        except OSError as error:
            self._drop()
            log.error("A request could not be kept: %s", error)
            return Refusal("The server has no room on its disk for this request. Ask again later.", status=503)
        return None

    def _drop(self) -> None:
        with suppress(OSError):  # what found no room on the disk is written once more
            self._file.close()

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
