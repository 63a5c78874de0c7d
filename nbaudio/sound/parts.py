"""A sound's file in parts, and the name that they give it, so that it can be kept and named while it still grows.

The first part are the 44 bytes that a recording's WAV header takes: they are true only at its end. The others have
`PART_BYTES` each, but the last. A file that is no longer than the first two is one part.

The name of a file is its SHA-256; of one in several parts it is the SHA-256 of theirs, one after the other, with how
many there are. So most of ten minutes is hashed by the time they end, and a piece that comes late costs its own part
only. What a server has made comes once, so that nobody looks whether it is there already, and to hash it takes as long
as to write it down: its name is a random one with a checksum.
"""

from __future__ import annotations

import hashlib
import uuid
import zlib
from collections.abc import Sequence

from nbaudio.sound.codecs import wav_header

__all__ = ["HEADER_BYTES", "PART_BYTES", "GrowingDigests", "Whole", "bounds", "came_name", "is_named", "name_of"]

_CAME = "crc32-"
HEADER_BYTES = len(wav_header(0, 24_000))
PART_BYTES = 1 << 18
"""5.5 s at 24,000 Hz: what a recording's end may have to hash and to write."""


def bounds(file_bytes: int) -> list[tuple[int, int]]:
    """Where each part of a file of this length begins and ends.

    Examples
    --------
    >>> bounds(1000), bounds(600_000)
    ([(0, 1000)], [(0, 44), (44, 262188), (262188, 524332), (524332, 600000)])
    """
    if file_bytes <= HEADER_BYTES + PART_BYTES:
        return [(0, file_bytes)]
    starts = [0, *range(HEADER_BYTES, file_bytes, PART_BYTES)]
    return list(zip(starts, [*starts[1:], file_bytes], strict=True))


def name_of(digests: Sequence[bytes]) -> str:
    """The name of a file by the SHA-256s of its parts."""
    if len(digests) == 1:
        return digests[0].hex()
    return f"{hashlib.sha256(b''.join(digests)).hexdigest()}-{len(digests)}"


def came_name(header: bytes, checksum: int) -> str:
    """A name of its own for a sound that came: its header, and the CRC-32 of what follows it.

    Examples
    --------
    >>> name = came_name(wav_header(4, 24_000), zlib.crc32(b"abcd"))
    >>> is_named(wav_header(4, 24_000) + b"abcd", name), is_named(wav_header(4, 24_000) + b"abce", name)
    (True, False)
    """
    return f"{_CAME}{zlib.crc32(header, checksum):08x}-{uuid.uuid4().hex}"


def is_named(data: bytes, name: str) -> bool:
    """Whether a file's bytes are those of a name; one of many parts may also have been named as if it were one."""
    if name.startswith(_CAME):
        sound = zlib.crc32(memoryview(data)[HEADER_BYTES:])
        return name[len(_CAME) :].startswith(f"{zlib.crc32(data[:HEADER_BYTES], sound):08x}-")
    return name in (Whole(data).name, hashlib.sha256(data).hexdigest())


class Whole:
    """A file's bytes, seen as parts.

    Attributes
    ----------
    digests : tuple of bytes
        The SHA-256 of each part.
    name : str
    """

    def __init__(self, data: bytes) -> None:
        self._data, self._bounds = data, bounds(len(data))
        self.digests = tuple(hashlib.sha256(memoryview(data)[start:end]).digest() for start, end in self._bounds)
        self.name = name_of(self.digests)

    def part(self, number: int) -> bytes:
        """The bytes of a part."""
        start, end = self._bounds[number]
        return self._data[start:end] if len(self._bounds) > 1 else self._data


class GrowingDigests:
    """The SHA-256s of the parts of a recording that grows: all but the first, which is its header.

    Examples
    --------
    >>> growing = GrowingDigests()
    >>> for _ in range(100):
    ...     growing.add(bytes(4800))
    >>> len(growing.full), len(growing.all())
    (1, 2)
    >>> tuple(growing.all()) == Whole(bytes(44) + bytes(480_000)).digests[1:]
    True
    """

    def __init__(self) -> None:
        self.full: list[bytes] = []
        """Of the parts that are full."""
        self._last = hashlib.sha256()
        self._room = PART_BYTES

    def add(self, pcm16: bytes) -> None:
        """Take what comes next."""
        rest = memoryview(pcm16)
        while rest:
            taken, rest = rest[: self._room], rest[self._room :]
            self._last.update(taken)
            self._room -= len(taken)
            if not self._room:
                self.full.append(self._last.digest())
                self._last, self._room = hashlib.sha256(), PART_BYTES

    def replace(self, number: int, pcm16: bytes) -> None:
        """Take the sound of a part that has changed, all that is here of it; the header is not counted."""
        changed = hashlib.sha256(pcm16)
        if number < len(self.full):
            self.full[number] = changed.digest()
        else:
            self._last = changed

    def all(self) -> list[bytes]:
        """Of all that is here, also the last part."""
        return [*self.full, *([self._last.digest()] if self._room < PART_BYTES else [])]
