"""Pieces that are written down already, kept on disk until the whole recording is: a failure is not paid for twice.

A job is a recording, by the hash of its file, with all that is asked of it and of whom. Its folder holds one file for
each finished piece, which only its owner can read, and is deleted when the transcript is whole. What nobody came back
for within a week goes too.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import time
from dataclasses import replace
from pathlib import Path

import msgspec

from nbaudio.settings import Backend, NbAudio
from nbaudio.transcribing.cutting import Piece
from nbaudio.transcribing.wanted import Wanted
from nbaudio.wire.transcriptions import form_fields
from nbaudio.wire.transcripts import Heard

__all__ = ["Kept", "job_name"]

_FORMAT = 1
_DAYS = 7
_SUFFIX = ".heard"


class Kept:
    """The finished pieces of one job; where the disk can't be written, there are none.

    Parameters
    ----------
    job : str
        Its name, see `job_name`; empty for one that keeps nothing.
    chosen : NbAudio
        Whose `cache_folder` says where.
    """

    def __init__(self, job: str, chosen: NbAudio) -> None:
        self._folder = _base(chosen) / job if job else None

    def get(self, piece: Piece) -> Heard | None:
        """What was heard in a piece; None where it is not here, or the file is damaged."""
        if self._folder is None:
            return None
        path = self._path(piece)
        try:
            return msgspec.json.decode(path.read_bytes(), type=Heard)
        except OSError:
            return None
        except msgspec.DecodeError:
            with contextlib.suppress(OSError):
                path.unlink()
            return None

    def put(self, piece: Piece, heard: Heard) -> bool:
        """Keep what was heard in a piece; gives whether that could be done."""
        if self._folder is None:
            return False
        path = self._path(piece)
        unfinished = path.with_name(f"{path.stem}-{secrets.token_hex(4)}.part")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
                file.write(msgspec.json.encode(heard))
            unfinished.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                unfinished.unlink(missing_ok=True)
            return False
        return True

    def clear(self) -> None:
        """Forget this job, and those that nobody has touched for a week."""
        if self._folder is None:
            return
        shutil.rmtree(self._folder, ignore_errors=True)
        oldest = time.time() - _DAYS * 86_400
        with contextlib.suppress(OSError):
            for folder in self._folder.parent.iterdir():
                if folder.is_dir() and folder.stat().st_mtime < oldest:
                    shutil.rmtree(folder, ignore_errors=True)

    def _path(self, piece: Piece) -> Path:
        assert self._folder is not None  # the callers have looked
        span = f"{piece.start_s:.3f} {piece.end_s:.3f}"
        return self._folder / (hashlib.sha256(span.encode()).hexdigest()[:32] + _SUFFIX)


def job_name(digest: str, backend: Backend, wanted: Wanted) -> str:
    """The same for the same recording, server and options, and for no other."""
    # Whether words are streamed changes nothing of what is heard. Times that are estimated are in no field.
    fields = form_fields(replace(wanted.options, stream=False))
    told = [_FORMAT, digest, backend.name, backend.base_url, wanted.translate, wanted.estimate, fields]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:32]


def _base(chosen: NbAudio) -> Path:
    if chosen.cache_folder:
        folder = Path(chosen.cache_folder).expanduser()
    else:
        import platformdirs

        folder = Path(platformdirs.user_cache_dir("nbaudio")) / "answers"
    return folder / "unfinished-transcripts"
