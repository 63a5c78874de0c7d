"""What is to be written down: a clip, a file, or a file that only the server can read."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from nbaudio.errors import ClipError, ClipNotFound
from nbaudio.sound import codecs
from nbaudio.sound.blocks import BlockReader
from nbaudio.sound.clip import Clip
from nbaudio.sound.on_disk import ClipOnDisk, block_reader, clip_of_file
from nbaudio.transcribing.transcript import Transcript
from nbaudio.turns import Turn

__all__ = ["Recording"]

_AS_THEY_ARE = {"mp3": "mp3", "flac": "flac", "ogg": "ogg", "opus": "ogg"}  # our names and the endings servers know
_FOR_THE_SERVER = {"m4a", "mp4", "mpeg", "mpga", "webm"}  # libsndfile reads none of them, or not always
_HASHED_AT_ONCE = 1 << 20


class Recording:
    """A sound, and how to get at it without holding it.

    Attributes
    ----------
    clip : Clip or None
        None where it can't be read here.
    duration_s : float or None
    """

    def __init__(self, clip: Clip | None, file: Path | None = None) -> None:
        self.clip, self._file = clip, file
        self.duration_s = clip.duration_s if clip is not None else None

    @classmethod
    def of(cls, sound: Any) -> Recording:
        """The recording that somebody gives: a path, a clip, a turn or a transcript with one, or what `Clip` takes.

        Raises
        ------
        ClipError
            If it is no sound, or there is none in it.
        ClipNotFound
            If there is no such file.
        """
        if isinstance(sound, Recording):
            return sound
        if isinstance(sound, (Turn, Transcript)):
            if sound.clip is None:
                raise ClipError("There is no sound in it to listen to.", "Its words are in .text.")
            return cls(sound.clip)
        if not isinstance(sound, (str, os.PathLike)):
            return cls(sound if isinstance(sound, Clip) else Clip(sound))
        path = Path(os.fspath(sound)).expanduser()
        try:
            return cls(clip_of_file(path))
        except ClipNotFound:
            raise
        except ClipError:
            if path.suffix.lstrip(".").lower() not in _FOR_THE_SERVER:
                raise
            return cls(None, path)

    def reader(self, sample_rate: int | None = None) -> BlockReader:
        """Its sound in blocks."""
        assert self.clip is not None  # what can't be read is sent as it is
        return block_reader(self.clip, sample_rate)

    def as_it_is(self, most_bytes: int) -> tuple[bytes, str] | None:
        """Its file and the ending that says what it is, ready to be sent; None where that is too large.

        Raises
        ------
        ClipError
            If it is too large, and can't be made smaller here.
        """
        if self.clip is None:
            assert self._file is not None  # one of the two is there
            size = self._file.stat().st_size
            if size > most_bytes:
                raise ClipError(
                    f"{str(self._file)!r} has {size / 1e6:.0f} MB, more than the server takes, and can't be read here.",
                    "Convert it to MP3 or FLAC, which can be cut into pieces.",
                )
            return self._file.read_bytes(), self._file.suffix.lstrip(".").lower()
        clip = self.clip
        if isinstance(clip, ClipOnDisk):
            if clip.bytes_in_file > most_bytes:
                return None
        elif clip.frames * 2 > 4 * most_bytes:  # not even as MP3 would it fit: don't make a file of it to find out
            return None
        data, format = clip.as_kept()
        if format in _AS_THEY_ARE:
            ending = _AS_THEY_ARE[format]
        else:
            data, ending = clip.for_model()
        return (data, ending) if len(data) <= most_bytes else None

    def digest(self) -> str:
        """SHA-256 of its file: by which it is known again."""
        hashed = hashlib.sha256()
        path = self.clip.path if isinstance(self.clip, ClipOnDisk) else self._file
        if path is None:
            assert self.clip is not None  # one of the two is there
            hashed.update(self.clip.as_kept()[0])
        else:
            with path.open("rb") as file:
                while block := file.read(_HASHED_AT_ONCE):
                    hashed.update(block)
        return hashed.hexdigest()

    @property
    def likely_s(self) -> float:
        """How long it is, at 64 kbit/s where that can't be read: in seconds."""
        if self.duration_s is not None:
            return self.duration_s
        assert self._file is not None  # as above
        return self._file.stat().st_size / 8_000

    @property
    def sending_rate(self) -> int:
        """The rate in Hz at which a piece of it is sent: what speech models listen at, or less where it has less."""
        assert self.clip is not None  # as above
        return codecs.FORMATS["mp3"].rate_for(min(self.clip.sample_rate, 16_000))
