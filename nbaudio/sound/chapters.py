"""Chapters of a sound file: the marks that WAV and MP3 have for them, as bytes.

WAV: a ``cue`` chunk with the places and a ``LIST`` of the type ``adtl`` with their labels (Multimedia Programming
Interface and Data Specifications 1.0, 1991; https://www.recordingblogs.com/wiki/cue-chunk-of-a-wave-file). MP3: ID3v2.3
with a ``CTOC`` and a ``CHAP`` frame for each (https://id3.org/id3v2-chapters-1.0, https://id3.org/id3v2.3.0).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Chapter", "id3_chapters", "wav_chapters"]

_MOST_ENTRIES = 255  # a CTOC counts its entries in one byte
_NO_OFFSET = 0xFFFFFFFF  # "use the times": a chapter may be given by its place in the file too


@dataclass(frozen=True)
class Chapter:
    """A part of a sound, with the seconds at which it begins and ends."""

    title: str
    start_s: float
    end_s: float


def wav_chapters(chapters: Sequence[Chapter], sample_rate: int) -> bytes:
    """The chunks that stand behind the ``data`` of a WAV file, at a place of even number.

    Examples
    --------
    >>> wav_chapters([Chapter("One", 0.0, 1.0)], 24_000)[:4]
    b'cue '
    """
    points, labels = b"", b"adtl"
    for number, chapter in enumerate(chapters, 1):
        frame = round(chapter.start_s * sample_rate)
        points += struct.pack("<II4sIII", number, frame, b"data", 0, 0, frame)
        labels += _chunk(b"labl", struct.pack("<I", number) + chapter.title.encode("utf-8", "replace") + b"\0")
    return _chunk(b"cue ", struct.pack("<I", len(chapters)) + points) + _chunk(b"LIST", labels)


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + bytes(len(data) & 1)


def id3_chapters(chapters: Sequence[Chapter], title: str) -> bytes:
    """The tag that stands before the first frame of an MP3.

    Examples
    --------
    >>> id3_chapters([Chapter("One", 0.0, 1.0)], "A talk")[:3]
    b'ID3'
    """
    names = [f"chapter{number}".encode() for number in range(1, len(chapters) + 1)]
    frames = [_frame(b"TIT2", _text(title))]
    shelf, tables = names, 0
    while len(shelf) > _MOST_ENTRIES:  # a table of tables
        parts = [shelf[start : start + _MOST_ENTRIES] for start in range(0, len(shelf), _MOST_ENTRIES)]
        shelf = [f"table{tables + number}".encode() for number in range(len(parts))]
        frames += [_table(name, part, top=False) for name, part in zip(shelf, parts, strict=True)]
        tables += len(parts)
    frames.insert(1, _table(b"contents", shelf, top=True))
    for name, chapter in zip(names, chapters, strict=True):
        times = struct.pack(">IIII", round(chapter.start_s * 1000), round(chapter.end_s * 1000), _NO_OFFSET, _NO_OFFSET)
        frames.append(_frame(b"CHAP", name + b"\0" + times + _frame(b"TIT2", _text(chapter.title))))
    body = b"".join(frames)
    # The size of a tag has seven bits a byte, that of a frame in this version eight.
    size = bytes((len(body) >> shift) & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\x00\x00" + size + body


def _table(name: bytes, entries: Sequence[bytes], *, top: bool) -> bytes:
    flags = 0b01 | (0b10 if top else 0)  # in order; and whether it is the one at the top
    return _frame(b"CTOC", name + b"\0" + bytes([flags, len(entries)]) + b"".join(entry + b"\0" for entry in entries))


def _frame(name: bytes, data: bytes) -> bytes:
    return name + struct.pack(">I", len(data)) + bytes(2) + data


def _text(text: str) -> bytes:
    return b"\x01\xff\xfe" + text.encode("utf-16-le", "replace")  # version 2.3 has UTF-16 and no UTF-8
