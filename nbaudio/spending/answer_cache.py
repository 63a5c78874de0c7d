"""Answers that were given before, for requests that are the same: Run All on an unchanged notebook pays once.

Two requests are the same when everything that the model gets is the same: server, model, voice and all other options,
tools, instructions, and the turns before it. Earlier answers count by their words and their sound, and not by their
ids, which are others each time and live for an hour. Keys are no part of it, and are in no file here.

One answer is one file: a line with the SHA-256 of the rest, a line of JSON, and the sounds one after the other.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import time
import uuid
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nbaudio.errors import NbaudioError, NbaudioWarning
from nbaudio.exchange import Exchange
from nbaudio.records import record_of, turn_of_record
from nbaudio.settings import settings
from nbaudio.sound.clip import Clip
from nbaudio.sound.names import kept_name, sent_name
from nbaudio.turns import Reply, ToolResult, Turn
from nbaudio.wire.answers import AudioDelta, TextDelta
from nbaudio.wire.requests import request_body
from nbaudio.wire.usage import Usage

__all__ = ["AnswerCache", "Cached", "answer_cache", "events_of", "key_of"]

_FORMAT = 1
_PIECE_FRAMES = 24_000  # of sound that is given as if it were streamed: a second
_WHOLE = ("stop", "length", "tool_calls")


@dataclass(frozen=True)
class Cached:
    """An answer that was given before.

    `heard` is what was written down of recordings for it, by the places of their turns in the request: the next
    question has these words in it, and is another one without them.
    """

    reply: Reply
    heard: Mapping[int, str] = field(default_factory=dict)


class AnswerCache:
    """Answers in a folder that only its owner can read.

    Parameters
    ----------
    folder : pathlib.Path
        Made when the first answer is kept.
    most_bytes : int
        How much there may be; those that were not used for longest go first.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder, self._most_bytes = folder, most_bytes

    def get(self, key: str) -> Cached | None:
        """The answer kept under a key, marked as one from here; None where there is none.

        A file that is damaged is deleted.
        """
        path = self._path(key)
        try:
            data = path.read_bytes()
        except OSError:
            return None
        try:
            cached, answered = _cached_of(data)
        except (ValueError, KeyError, TypeError, RecursionError, NbaudioError):
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        with contextlib.suppress(OSError):
            os.utime(path)  # it was used now, and goes last
        when = time.strftime("%Y-%m-%d at %H:%M", time.localtime(answered))
        note = f"From the cache: answered on {when}; nothing was sent."
        reply = replace(
            cached.reply,
            id=uuid.uuid4().hex,
            time=time.time(),
            usage=Usage(),
            cached=True,
            note=f"{note} {cached.reply.note}".strip(),
        )
        return replace(cached, reply=reply)

    def keep(self, key: str, reply: Reply, *, aloud: bool, heard: Mapping[int, str] | None = None) -> None:
        """Keep an answer that came whole, and as it was asked for. Where the disk can't take it a warning says so."""
        # Sound that did not come this time may come the next.
        silent = aloud and not (reply.clips or reply.tool_calls or reply.refusal)
        if reply.partial or reply.finish_reason not in _WHOLE or silent:
            return
        data = _data_of(Cached(reply, heard or {}))
        if len(data) > self._most_bytes:
            return
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._write(self._path(key), data)
            self._prune()
        except OSError as error:
            warnings.warn(
                f"This answer can't be kept in {self._folder} ({error.strerror}), and will be asked for again.",
                NbaudioWarning,
                stacklevel=2,
            )

    def clear(self) -> int:
        """Forget all answers; returns how many there were."""
        count = 0
        for path, _, _ in self._oldest_first():
            with contextlib.suppress(OSError):
                path.unlink()
                count += 1
        return count

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.answer"

    def _write(self, path: Path, data: bytes) -> None:
        unfinished = path.with_name(f"{path.stem}-{secrets.token_hex(4)}.part")
        try:
            with os.fdopen(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
                file.write(data)
            unfinished.replace(path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise

    def _oldest_first(self) -> list[tuple[Path, int, float]]:
        """Files with their bytes and when each was last used."""
        found = []
        for path in self._folder.glob("*.*"):
            if path.suffix in (".answer", ".part"):
                with contextlib.suppress(OSError):  # another kernel has deleted it
                    stat = path.stat()
                    found.append((path, stat.st_size, stat.st_mtime))
        return sorted(found, key=lambda entry: entry[2])

    def _prune(self) -> None:
        entries = self._oldest_first()
        total = sum(size for _, size, _ in entries)
        for path, size, used in entries:
            forgotten = path.suffix == ".part" and used < time.time() - 3600  # of a kernel that was killed
            if total > self._most_bytes or forgotten:
                with contextlib.suppress(OSError):
                    path.unlink()
                total -= size


def answer_cache() -> AnswerCache:
    """The cache of the person: where ``NbAudio.cache_folder`` says, else in the user's cache folder."""
    chosen = settings()
    if chosen.cache_folder:
        folder = Path(chosen.cache_folder).expanduser()
    else:
        import platformdirs

        folder = Path(platformdirs.user_cache_dir("nbaudio")) / "answers"
    return AnswerCache(folder, chosen.cache_mb * 1_000_000)


def key_of(exchange: Exchange) -> str:
    """A name for a request: the same for the same request, and for no other."""
    backend, chosen = exchange.backend, exchange.settings
    told = {
        "format": _FORMAT,
        "server": [backend.name, backend.base_url, chosen.brain if backend.offline else "", *exchange.others],
        "options": request_body([], exchange.options),
        "turns": [_as_sent(turn) for turn in exchange.turns],
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _as_sent(turn: Turn) -> list[Any]:
    """What the model gets to know of a turn, whichever way it is sent."""
    if isinstance(turn, ToolResult):
        return ["tool", turn.text, turn.call_id]
    if isinstance(turn, Reply):
        calls = [call.to_wire() for call in turn.tool_calls]
        sounds = [kept_name(clip) for clip in turn.clips]
        # By whom it was said decides whether its sound or its words go out.
        return ["assistant", turn.text, sounds, turn.as_words, turn.partial, turn.model, turn.backend, calls]
    if turn.as_words:
        return [turn.role, turn.words]
    return [turn.role, turn.text, [sent_name(clip) for clip in turn.clips]]


def events_of(reply: Reply, *, streamed: bool) -> Iterator[TextDelta | AudioDelta]:
    """Words and sound of an answer as pieces, in the order in which they came; sound only where it was streamed."""
    clip = reply.clip if streamed else None
    if clip is None:
        if reply.text:
            yield TextDelta(reply.text)
        return
    pcm16 = clip.mono().resample(24_000).encode("pcm16")
    words, frames = 0, 0
    for words_end, frames_end in [*reply.marks, (len(reply.text), len(pcm16) // 2)]:
        for start in range(frames, frames_end, _PIECE_FRAMES):
            yield AudioDelta(pcm16[2 * start : 2 * min(start + _PIECE_FRAMES, frames_end)])
        if words_end > words:
            yield TextDelta(reply.text[words:words_end])
        words, frames = max(words, words_end), max(frames, frames_end)


def _data_of(cached: Cached) -> bytes:
    reply = cached.reply
    sounds: list[bytes] = []

    def keep(clip: Clip) -> str:
        sounds.append(clip.as_kept()[0])
        return str(len(sounds) - 1)

    record = record_of(reply, keep)
    head = {
        "format": _FORMAT,
        "answered": reply.time,
        "record": record,
        "heard": list(cached.heard.items()),
        "bytes": [len(sound) for sound in sounds],
    }
    rest = b"\n".join([json.dumps(head).encode(), b"".join(sounds)])
    return hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest


def _cached_of(data: bytes) -> tuple[Cached, float]:
    digest, _, rest = data.partition(b"\n")
    if hashlib.sha256(rest).hexdigest().encode() != digest:
        raise ValueError("not what was written")
    line, _, joined = rest.partition(b"\n")
    head = json.loads(line)
    if head["format"] != _FORMAT:
        raise ValueError("of another version")
    sounds: list[bytes] = []
    at = 0
    for size in head["bytes"]:
        sounds.append(joined[at : at + size])
        at += size
    reply = turn_of_record(head["record"], lambda name: Clip(sounds[int(name)]))
    if not isinstance(reply, Reply):
        raise ValueError("no answer")
    heard = {int(place): str(words) for place, words in head.get("heard", ())}
    return Cached(reply, heard), float(head["answered"])
