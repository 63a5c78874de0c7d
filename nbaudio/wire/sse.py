"""Server-sent events, without I/O: bytes in, ``data`` texts out.

The format is https://html.spec.whatwg.org/multipage/server-sent-events.html: lines end with LF, CR or CRLF,
a blank line ends an event, a line that begins with a colon is a comment. Event names and ids are not used here.
"""

from __future__ import annotations

from nbaudio.errors import BadReply

__all__ = ["SseDecoder"]

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
        self._begun = bytearray()  # of a line whose end has not come
        self._after_return = False  # whether a line feed that comes next belongs to a line that has ended
        self._data: list[str] = []
        self._data_size = 0

    def feed(self, data: bytes) -> list[str]:
        """The events that these bytes complete.

        Raises
        ------
        BadReply
            If the bytes are not UTF-8, or one event does not end.
        """
        if self._after_return and data:
            self._after_return = False
            data = data.removeprefix(b"\n")
        if b"\r" in data:
            self._after_return = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        found: list[str] = []
        start = 0
        while (end := data.find(b"\n", start)) >= 0:  # with long lines several times faster than split
            line = data[start:end]
            if self._begun:
                line = bytes(self._begun) + line
                self._begun.clear()
            if (event := self._line(line)) is not None:
                found.append(event)
            start = end + 1
        self._begun += data[start:]
        if len(self._begun) + self._data_size > _LONGEST_EVENT_BYTES:
            raise BadReply("The server sends an event that does not end.", "Is this an OpenAI-compatible address?")
        return found

    def flush(self) -> list[str]:
        """The last event, where the stream ended without its blank line."""
        events = [self._line(bytes(self._begun)), self._line(b"")]
        self._begun.clear()
        return [event for event in events if event is not None]

    def _line(self, line: bytes) -> str | None:
        if not line:
            event = "\n".join(self._data) if self._data else None
            self._data.clear()
            self._data_size = 0
            return event
        if line.startswith(b"data: "):  # as nearly all are, and long ones: copied once
            value = line[6:]
        else:
            name, _, value = line.partition(b":")
            if name.lstrip(b"\xef\xbb\xbf") != b"data":
                return None
            value = value.removeprefix(b" ")
        try:
            self._data.append(value.decode())
        except UnicodeDecodeError as error:
            raise BadReply("The server's answer is not UTF-8 text.") from error
        self._data_size += len(value) + 1  # a line without a value takes room too
        return None
