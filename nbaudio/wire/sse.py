"""Server-sent events, without I/O: bytes in, ``data`` texts out.

The format is https://html.spec.whatwg.org/multipage/server-sent-events.html: lines end with LF, CR or CRLF,
a blank line ends an event, a line that begins with a colon is a comment. Event names and ids are not used here.
"""

from __future__ import annotations

import re

from nbaudio.errors import BadReply

__all__ = ["SseDecoder"]

_LINE_END = re.compile(rb"\r\n|\n|\r")
_LONGEST_EVENT_BYTES = 256 * 1024 * 1024  # an hour of PCM16 in base64 is 230 MB; more is not an answer


class SseDecoder:
    """Cuts a byte stream into the ``data`` of its events, however the bytes are chopped.

    Examples
    --------
    >>> decoder = SseDecoder()
    >>> decoder.feed(b'data: {"a"'), decoder.feed(b': 1}' + bytes([10, 10]))
    ([], ['{"a": 1}'])
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0  # up to here the buffer holds no line end
        self._data: list[str] = []
        self._data_size = 0

    def feed(self, data: bytes) -> list[str]:
        """The events that these bytes complete.

        Raises
        ------
        BadReply
            If the bytes are not UTF-8, or one event does not end.
        """
        self._buffer += data
        found: list[str] = []
        start = 0
        while match := _LINE_END.search(self._buffer, max(start, self._scanned)):
            if match.group() == b"\r" and match.end() == len(self._buffer):
                break  # its LF may come with the next bytes
            event = self._line(bytes(self._buffer[start : match.start()]))
            if event is not None:
                found.append(event)
            start = self._scanned = match.end()
        del self._buffer[:start]
        self._scanned = max(0, len(self._buffer) - 1)
        if len(self._buffer) + self._data_size > _LONGEST_EVENT_BYTES:
            raise BadReply("The server sends an event that does not end.", "Is this an OpenAI-compatible address?")
        return found

    def flush(self) -> list[str]:
        """The last event, where the stream ended without its blank line."""
        events = [self._line(bytes(self._buffer).rstrip(b"\r")), self._line(b"")]
        self._buffer.clear()
        self._scanned = 0
        return [event for event in events if event is not None]

    def _line(self, line: bytes) -> str | None:
        if not line:
            event = "\n".join(self._data) if self._data else None
            self._data.clear()
            self._data_size = 0
            return event
        name, _, value = line.partition(b":")
        if name.lstrip(b"\xef\xbb\xbf") == b"data":
            try:
                self._data.append(value.removeprefix(b" ").decode("utf-8"))
            except UnicodeDecodeError as error:
                raise BadReply("The server's answer is not UTF-8 text.") from error
            self._data_size += len(value) + 1  # a line without a value takes room too
        return None
