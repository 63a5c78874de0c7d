"""A conversation as one file: a zip of ``conversation.json`` and its sounds. ``docs/saved-files.md`` is its definition.

A file may come from anybody. Nothing of it is unpacked to a name that it says itself, nothing in it is run, and what is
not as it should be is a `SavedFileError`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from nbaudio.conversation.writing import written_whole
from nbaudio.errors import ClipError, NbaudioError, SavedFileError
from nbaudio.records import record_of, turn_of_record
from nbaudio.sound.clip import Clip
from nbaudio.sound.spool import park
from nbaudio.turns import Reply, Turn

__all__ = ["ENDING", "Saved", "load", "save"]

ENDING = ".nbaudio"
_FORMAT, _VERSION = "nbaudio conversation", 1
_TEXT = "conversation.json"
_SOUND = re.compile(r"sounds/([0-9a-f]{64})\.([a-z0-9]{1,8})", re.A)
_PRESSED = {"mp3", "flac", "ogg", "opus"}  # compressed by themselves
_TEXT_BYTES = 64 << 20
_SOUND_BYTES = 512 << 20  # three hours of 16-bit mono at 24 kHz
_ALL_BYTES = 4 << 30
_MOST_LARGER = 20  # of more than _ALL_BYTES, so many times the file's own size is still believed
_LATEST = 253_402_300_800  # the year 10000, which no clock here can show
_LARGEST = 2**53  # the largest count that every reader of JSON understands


class _Options(msgspec.Struct, omit_defaults=True, kw_only=True):
    """What is kept of a conversation's options: plain values that shape a request. Never tools, never keys."""

    model: str | None = None
    voice: str | None = None
    instructions: str | None = None
    stream: bool | None = None
    audio_format: str | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None


class _Head(msgspec.Struct, kw_only=True):
    """``conversation.json``; each turn is checked by itself."""

    format: str = ""
    version: int = 0
    name: str = ""
    options: _Options = msgspec.field(default_factory=_Options)
    turns: list[Any] = []


@dataclass(frozen=True)
class Saved:
    """What a file held."""

    turns: list[Turn]
    name: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


# -- writing --------------------------------------------------------------------------------------------------


def save(
    path: str | os.PathLike[str], turns: Iterable[Turn], *, name: str = "", options: Mapping[str, Any] | None = None
) -> Path:
    """Write a conversation to a file whose name ends in ``.nbaudio``; returns its path.

    The file appears when it is whole; one that stood there is replaced then. Sounds are written one by one.

    Raises
    ------
    SavedFileError
        If the name ends otherwise, the folder can't be written, or the conversation is too large to be loaded again.
    """
    path = Path(path).expanduser()
    if path.suffix.lower() != ENDING:
        raise SavedFileError(
            f"A conversation can't be saved with the ending {path.suffix or '(none)'!r}.",
            f"End the name in {ENDING}; chat.export(path) writes other formats.",
        )
    kept = _plain_options(options or {})
    with written_whole(path) as file, zipfile.ZipFile(file, "w") as packed:
        sounds = _Sounds(packed)
        head = {
            "format": _FORMAT,
            "version": _VERSION,
            "name": name,
            "options": kept,
            "turns": [_record(number, turn, sounds) for number, turn in enumerate(turns, 1)],
        }
        # In ASCII, for JSON can escape half a character, which UTF-8 can't hold.
        text = json.dumps(head, indent=1).encode("ascii")
        _add(packed, _TEXT, text, limit=_TEXT_BYTES, what="The words are", pressed=False)
    return path


def _plain_options(options: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in options.items() if key in _Options.__struct_fields__}
    try:
        plain: dict[str, Any] = msgspec.to_builtins(msgspec.convert(kept, _Options))
    except msgspec.ValidationError as error:
        raise SavedFileError(f"An option can't be saved: {error}.") from error
    return plain


def _record(number: int, turn: Turn, sounds: _Sounds) -> dict[str, Any]:
    if doubt := _doubt(turn):  # it could not be loaded again
        raise SavedFileError(f"Turn {number} has {doubt}.", "Mend it with chat.edit(...).")
    return record_of(turn, sounds.add)


class _Sounds:
    """The sounds of a file that is being written, each once."""

    def __init__(self, packed: zipfile.ZipFile) -> None:
        self._packed = packed
        self._names: set[str] = set()

    def add(self, clip: Clip) -> str:
        data, ending = clip.as_kept()
        name = f"sounds/{hashlib.sha256(data).hexdigest()}.{ending}"
        if name not in self._names:
            what = f"A sound of {clip.duration_s:.0f} s is"
            _add(self._packed, name, data, limit=_SOUND_BYTES, what=what, pressed=ending in _PRESSED)
            self._names.add(name)
        return name


def _add(packed: zipfile.ZipFile, name: str, data: bytes, *, limit: int, what: str, pressed: bool) -> None:
    if len(data) > limit:
        raise SavedFileError(f"{what} too large for a saved file: {len(data)} bytes.", f"{limit} bytes can be loaded.")
    entry = zipfile.ZipInfo(name)  # its date is fixed: the same conversation is the same file
    entry.compress_type = zipfile.ZIP_STORED if pressed else zipfile.ZIP_DEFLATED
    # Of sound the least effort saves nearly as much as the most.
    packed.writestr(entry, data, compresslevel=None if name == _TEXT else 1)


# -- reading --------------------------------------------------------------------------------------------------


def load(path: str | os.PathLike[str]) -> Saved:
    """What is in a file that `save` wrote. Sounds are put aside on disk one by one, and loaded when they are used.

    Raises
    ------
    SavedFileError
        If there is no such file, or it is damaged, is none of these, or is a newer nbaudio's.
    """
    path = Path(path).expanduser()
    try:
        with zipfile.ZipFile(path) as packed:
            entries = _checked(packed, path.stat().st_size)
            head = _head(_read(packed, entries[_TEXT]))
            shelf = _Shelf(packed, entries)
            turns = [_turn(number, record, shelf) for number, record in enumerate(head.turns, 1)]
    except SavedFileError:
        raise
    except FileNotFoundError:
        raise SavedFileError(f"There is no file {str(path)!r}.", f"Looked in {str(path.parent.resolve())!r}.") from None
    except OSError as error:
        raise SavedFileError(f"The file {str(path)!r} can't be read: {error.strerror or error}.") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        # the last three are what zipfile raises of names, versions and encryption that it can't read
        raise _damaged(f"it is no whole zip ({error})") from error
    options: dict[str, Any] = msgspec.to_builtins(head.options)
    return Saved(turns, head.name, options)


def _damaged(why: str) -> SavedFileError:
    return SavedFileError(
        f"This is no saved conversation, or it is damaged: {why}.", "Take another copy of the file, or save it again."
    )


def _checked(packed: zipfile.ZipFile, own_bytes: int) -> dict[str, zipfile.ZipInfo]:
    """The members by name, none of them strange."""
    entries: dict[str, zipfile.ZipInfo] = {}
    for entry in packed.infolist():
        name = entry.filename
        if name == "sounds/":  # who packs the file anew by hand may add the folder
            continue
        is_link = stat.S_ISLNK(entry.external_attr >> 16)
        if (name != _TEXT and not _SOUND.fullmatch(name)) or name in entries or is_link:
            raise _damaged(f"it holds {name[:80]!r}, {'a link' if is_link else 'which is not one of its files'}")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or entry.flag_bits & 1:
            raise _damaged(f"{name[:80]!r} is packed in a way that is not read")
        if entry.file_size > (_TEXT_BYTES if name == _TEXT else _SOUND_BYTES):
            raise _damaged(f"{name[:80]!r} is too large, {entry.file_size} bytes")
        entries[name] = entry
    if _TEXT not in entries:
        raise _damaged(f"there is no {_TEXT} in it")
    if sum(entry.file_size for entry in entries.values()) > max(_ALL_BYTES, _MOST_LARGER * own_bytes):
        raise _damaged("unpacked it would be too large")
    return entries


def _read(packed: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    with packed.open(entry) as file:
        return file.read(entry.file_size + 1)  # never more than it said, which has been checked


def _head(text: bytes) -> _Head:
    try:
        plain = json.loads(text, parse_constant=_no_constant)
        version = plain.get("version") if isinstance(plain, dict) else None
        if isinstance(version, int) and version > _VERSION and plain.get("format") == _FORMAT:
            raise SavedFileError(
                f"A newer nbaudio saved this conversation: its format is version {version}, and {_VERSION} is known "
                "here.",
                "pip install -U nbaudio",
            )
        head = msgspec.convert(plain, _Head)
    except (ValueError, RecursionError) as error:  # msgspec's and json's errors are ValueErrors
        raise _damaged(f"{_TEXT} can't be read ({str(error)[:200]})") from error
    if head.format != _FORMAT or head.version != _VERSION:
        raise _damaged(f"{_TEXT} does not say {_FORMAT!r}, version {_VERSION}")
    return head


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


class _Shelf:
    """The sounds of a file that is being read, each checked, and put aside before the next."""

    def __init__(self, packed: zipfile.ZipFile, entries: Mapping[str, zipfile.ZipInfo]) -> None:
        self._packed, self._entries = packed, entries
        self._clips: dict[str, Clip] = {}

    def get(self, name: str, *, sent: bool) -> Clip:
        clip = self._clips.get(name)
        if clip is None:
            found = _SOUND.fullmatch(name)
            if found is None or name not in self._entries:
                raise _damaged(f"the sound {name[:80]!r} is missing")
            data = _read(self._packed, self._entries[name])
            if hashlib.sha256(data).hexdigest() != found[1]:
                raise _damaged(f"the sound {name[:80]!r} is not the one that was saved")
            try:
                clip = self._clips[name] = Clip(data)
                park(clip, sent=sent)
            except ClipError as error:
                raise _damaged(f"{name[:80]!r} is no sound. {error.cause}") from error
        return clip


def _turn(number: int, record: Any, shelf: _Shelf) -> Turn:
    sent = isinstance(record, dict) and record.get("role") == "user"
    try:
        turn = turn_of_record(record, lambda name: shelf.get(name, sent=sent))
    except SavedFileError:
        raise
    except NbaudioError as error:
        raise _damaged(f"turn {number} is none. {error.cause.rstrip('.')}") from error
    if doubt := _doubt(turn):
        raise _damaged(f"turn {number} has {doubt}")
    return turn


def _doubt(turn: Turn) -> str:
    """What of a turn can't be."""
    if not 0 <= turn.time < _LATEST:
        return "a time that can't be"
    if isinstance(turn, Reply):
        counts = [turn.expires_at, *turn.usage.to_dict().values()]
        before = [(0, 0), *turn.marks]
        if any(not 0 <= count <= _LARGEST for count in counts) or any(
            not (0 <= left <= mark <= _LARGEST and 0 <= earlier <= frames <= _LARGEST)
            for (left, earlier), (mark, frames) in zip(before, turn.marks, strict=False)
        ):
            return "numbers that can't be"
    return ""
