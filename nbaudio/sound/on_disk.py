"""A clip whose sound stays in its file: for recordings that are too long to be held in memory for nothing."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from nbaudio.display.player import Embedded
from nbaudio.errors import ClipError
from nbaudio.sound import codecs
from nbaudio.sound.blocks import BlockReader, BlockWriter
from nbaudio.sound.clip import Clip
from nbaudio.sound.unfinished import let_go, mended

__all__ = ["ClipOnDisk", "block_reader", "clip_of_file"]

_LARGE_BYTES = 10_000_000  # what is smaller is read at once, and then nothing that happens to the file changes it
_RATE = 24_000  # Hz of what a page gets
_KBIT_S = (codecs.SPEECH_KBIT_S, 16, 8)
_FOR_BROWSERS = {".wav": "audio/wav", ".mp3": "audio/mpeg", ".flac": "audio/flac", ".ogg": "audio/ogg"}


class ClipOnDisk(Clip):
    """A `Clip` of a file that is read when its sound is used, and is not kept in memory then.

    It is the sound that the file held when the clip was made: a file that has been changed since is refused.

    Parameters
    ----------
    path : path

    Raises
    ------
    ClipError
        If it is empty, or no sound file that can be read.
    """

    __slots__ = ("_stamp", "path")

    def __init__(self, path: str | os.PathLike[str]) -> None:
        import soundfile

        self.path = Path(path).expanduser().resolve()
        source = mended(self.path)
        try:
            info = soundfile.info(source)
            self._stamp = _stamp_of(self.path)
        except (OSError, soundfile.LibsndfileError, ValueError) as error:
            raise ClipError(f"{str(path)!r} is no sound file that can be read.", codecs.CAN_READ) from error
        finally:
            let_go(source)
        frames = int(info.frames)
        if frames > 100 * self._stamp[1]:  # it was written to a stream, and nobody knows
            with BlockReader(self.path) as reader:
                frames = sum(map(len, reader.blocks()))
        if frames == 0:
            raise ClipError("The sound file holds no sound: 0 frames.", "Record it again.")
        self._digest = self._encoded = self._samples = self._load_for_model = None
        self._mp3 = b""
        self._load = self._read
        self._format, self._subtype = codecs.format_name(info.format, info.subtype), info.subtype
        self._shape = (frames, int(info.channels), int(info.samplerate))

    def _read(self) -> bytes:
        self.check()
        return codecs.repair_wav(self.path.read_bytes())

    def check(self) -> None:
        """Nothing, while the file is what it was.

        Raises
        ------
        ClipError
            If it is gone or has been changed.
        """
        try:
            changed = _stamp_of(self.path) != self._stamp
        except OSError as error:
            raise ClipError(
                f"{str(self.path)!r} is gone: {error.strerror}.", "Put it back, or name it anew."
            ) from error
        if changed:
            raise ClipError(f"{str(self.path)!r} has been changed since.", "Make a new clip of it.")

    @property
    def bytes_in_file(self) -> int:
        """How large the file is."""
        return self._stamp[1]

    def __reduce__(self) -> tuple[Any, ...]:
        return ClipOnDisk, (str(self.path),)

    def __repr__(self) -> str:
        channels = {1: "mono", 2: "stereo"}.get(self.channels, f"{self.channels} channels")
        return f"Clip({self.duration_s:.2f} s, {self.sample_rate} Hz, {channels}, in {self.path.name!r})"

    def as_mp3(self, kbit_s: float = codecs.SPEECH_KBIT_S) -> bytes:
        """A mono MP3 of it, made without holding its samples."""
        self.check()
        rate = codecs.FORMATS["mp3"].rate_for(min(self.sample_rate, _RATE))
        writer = BlockWriter("mp3", rate, kbit_s)
        with BlockReader(self.path, rate) as reader:
            for block in reader.blocks():
                writer.write(block)
        return writer.finish()

    def embed(self, budget_bytes: int, folder: Path | None = None) -> Embedded:
        """As `Clip.embed`; a file that is too long for the page and lies below the working folder is linked to."""
        if self._format == "mp3" and self.bytes_in_file <= budget_bytes:
            return Embedded(self._read(), "audio/mpeg", duration_s=self.duration_s)
        for kbit_s in _KBIT_S:
            if self.duration_s * kbit_s * 125 <= budget_bytes * 0.99:
                note = "" if kbit_s == _KBIT_S[0] else "Re-encoded smaller to fit the notebook."
                return Embedded(self.as_mp3(kbit_s), "audio/mpeg", duration_s=self.duration_s, note=note)
        mime = _FOR_BROWSERS.get(self.path.suffix.lower())
        if mime and folder is None and self.path.is_relative_to(Path.cwd()):
            href = self.path.relative_to(Path.cwd()).as_posix()
            note = f"Too long to keep inside the notebook: the sound is in {href}, which goes with it."
            return Embedded(None, mime, duration_s=self.duration_s, href=quote(href, safe="/:"), note=note)
        return self._beside(folder or Path("nbaudio-media"))

    def _beside(self, folder: Path) -> Embedded:
        target = folder / f"{self.path.stem}-{self._stamp[0] % 16**8:08x}.mp3"
        note = f"Too long to keep inside the notebook: the sound is in {target.as_posix()}, which goes with it."
        href = quote(target.as_posix(), safe="/:")
        try:
            if not target.exists():
                folder.mkdir(parents=True, exist_ok=True)
                unfinished = target.with_suffix(".part")  # what is broken off must not pass for the whole
                unfinished.write_bytes(self.as_mp3())
                unfinished.replace(target)
        except OSError as error:
            href = ""
            note = (
                f"Too long to keep inside the notebook, and {folder.as_posix()} can't be written to ({error.strerror})."
            )
        return Embedded(None, "audio/mpeg", href=href, duration_s=self.duration_s, note=note)


def clip_of_file(path: str | os.PathLike[str]) -> Clip:
    """The clip of a file: a large one stays on disk.

    Raises
    ------
    ClipError
        As `Clip`.
    ClipNotFound
        If there is no such file.
    """
    place = Path(os.fspath(path)).expanduser()
    try:
        large = place.is_file() and place.stat().st_size > _LARGE_BYTES
    except (OSError, ValueError):  # what can't be a name, Clip tells
        large = False
    return ClipOnDisk(place) if large else Clip(place)


def block_reader(clip: Clip, sample_rate: int | None = None) -> BlockReader:
    """A clip's sound in blocks."""
    if isinstance(clip, ClipOnDisk):
        clip.check()
        return BlockReader(clip.path, sample_rate)
    return BlockReader(io.BytesIO(clip.as_kept()[0]), sample_rate)


def _stamp_of(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_size
