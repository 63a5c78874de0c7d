"""Clip: an immutable piece of sound.

A clip remembers the bytes it came from until its samples are asked for, so that a recording that the server
takes as it is gets sent as it is, and a folder of recordings can be listed without being decoded.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import ArrayLike

from nbaudio import codecs
from nbaudio.codecs import Samples
from nbaudio.display.player import Embedded, player_html, player_markdown
from nbaudio.errors import ClipError, ClipNotFound

__all__ = ["Clip"]

_MOST_CHANNELS = 64  # more is a (channels, frames) array the wrong way round, not a recording
_LISTENING_RATE = 24_000  # Hz; what audio models listen at: more only costs upload
_EMBED_KBIT_S = (32, 16, 8)  # speech is good at 32, clear at 16, understandable at 8


class Clip:
    """A piece of sound that never changes.

    Parameters
    ----------
    source : path, bytes, open binary file, samples, or Clip
        Samples are numbers with full scale ±1.0, shape ``(frames,)`` or ``(frames, channels)``; integer
        arrays (int16, int32, uint8) are scaled by their type. Files may be WAV, MP3, FLAC, Ogg Vorbis or Opus.
    sample_rate : int, optional
        Hz. Needed for samples, refused for anything else.

    Raises
    ------
    ClipError
        If it is empty, has NaN or infinite samples, is ``(channels, frames)``, or is no sound file.
    ClipNotFound
        If there is no such file.

    Examples
    --------
    >>> import numpy as np
    >>> tone = Clip(0.5 * np.sin(np.arange(24_000) / 9), sample_rate=24_000)
    >>> tone
    Clip(1.00 s, 24000 Hz, mono, -9.0 dBFS)
    >>> tone[0.25:0.75].duration_s
    0.5
    >>> (tone + tone).duration_s
    2.0
    """

    _shape: tuple[int, int, int]
    _samples: Samples | None
    __slots__ = ("__weakref__", "_digest", "_encoded", "_format", "_samples", "_shape", "_subtype")

    def __init__(
        self,
        source: str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | ArrayLike | Clip,
        sample_rate: int | None = None,
    ) -> None:
        self._digest: str | None = None
        self._encoded: bytes | None = None
        if isinstance(source, Clip):
            for name in ("_encoded", "_format", "_subtype", "_samples", "_shape", "_digest"):
                setattr(self, name, getattr(source, name))
            return
        data = _read_bytes(source)
        if data is None:
            self._format = self._subtype = ""
            self._samples = _checked_samples(source, sample_rate)
            assert sample_rate is not None  # _checked_samples saw to it
            frames, channels = self._samples.shape
            self._shape = (frames, channels, int(sample_rate))
            return
        if sample_rate is not None:
            raise ClipError(
                "A sound file says its sample rate itself.",
                "Leave sample_rate out, or use Clip.from_pcm16(data, sample_rate) for headerless PCM.",
            )
        data = codecs.repair_wav(data)
        header = codecs.read_header(data)
        if header.frames == 0:
            raise ClipError("The sound file holds no sound: 0 frames.", "Record it again.")
        self._encoded = data
        self._format, self._subtype = header.format, header.subtype
        self._samples = None
        self._shape = (header.frames, header.channels, header.sample_rate)
        if header.subtype in ("FLOAT", "DOUBLE"):
            _ = self.samples  # only float files can hold NaN: find it now, not when it is played

    @classmethod
    def from_pcm16(cls, data: bytes, sample_rate: int = 24_000, channels: int = 1) -> Clip:
        """A clip from headerless signed 16-bit little-endian PCM, as the protocol's ``pcm16``.

        Examples
        --------
        >>> Clip.from_pcm16(bytes(4800)).duration_s
        0.1
        """
        if len(data) < 2 * channels:
            raise ClipError("The sound is empty: not one whole frame of PCM.")
        whole = len(data) - len(data) % (2 * channels)
        clip = cls.__new__(cls)
        clip._digest = None
        clip._samples = None
        clip._encoded = codecs.wav_header(whole, sample_rate, channels) + data[:whole]
        clip._format, clip._subtype = "wav", "PCM_16"
        clip._shape = (whole // (2 * channels), channels, sample_rate)
        return clip

    # -- what it is -------------------------------------------------------------------------------------

    @property
    def samples(self) -> Samples:
        """float32, shape ``(frames, channels)``, full scale ±1.0, read-only."""
        if self._samples is None:
            assert self._encoded is not None  # one of the two is always there
            samples, _ = codecs.decode(self._encoded)
            self._samples = _checked(samples)
            self._shape = (len(samples), samples.shape[1], self._shape[2])
        return self._samples

    @property
    def sample_rate(self) -> int:
        """Frames a second, Hz."""
        return self._shape[2]

    @property
    def channels(self) -> int:
        """How many channels."""
        return self._shape[1]

    @property
    def frames(self) -> int:
        """Length in frames."""
        return self._shape[0]

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.frames / self.sample_rate

    @property
    def level_dbfs(self) -> float:
        """Root mean square level in dB relative to full scale; ``-inf`` for silence.

        A full-scale square wave is 0 dBFS, a full-scale sine -3.0 dBFS.
        """
        return _decibel(math.sqrt(float(np.mean(np.square(self.samples, dtype=np.float64)))))

    @property
    def peak_dbfs(self) -> float:
        """Highest absolute sample in dB relative to full scale; ``-inf`` for silence."""
        return _decibel(float(np.max(np.abs(self.samples))))

    @property
    def sha256(self) -> str:
        """SHA-256 of the sound itself: rate, channels and samples, whatever file it came in."""
        if self._digest is None:
            hashed = hashlib.sha256(f"{self.sample_rate} {self.channels}\n".encode())
            hashed.update(np.ascontiguousarray(self.samples, dtype="<f4").data)
            self._digest = hashed.hexdigest()
        return self._digest

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Clip):
            return NotImplemented
        return self is other or (self.sample_rate == other.sample_rate and np.array_equal(self.samples, other.samples))

    def __hash__(self) -> int:
        return hash(self.sha256)

    def __repr__(self) -> str:
        channels = {1: "mono", 2: "stereo"}.get(self.channels, f"{self.channels} channels")
        level = self.level_dbfs
        loudness = "silent" if level == -math.inf else f"{level:.1f} dBFS"
        return f"Clip({self.duration_s:.2f} s, {self.sample_rate} Hz, {channels}, {loudness})"

    # -- other clips from it ----------------------------------------------------------------------------

    def __getitem__(self, seconds: slice) -> Clip:
        """The part between two times in seconds; negative times count from the end."""
        if not isinstance(seconds, slice) or seconds.step is not None:
            raise TypeError("A clip is sliced by seconds: clip[1.5:3] is from 1.5 s to 3 s.")
        start, stop = self._frame(seconds.start, 0), self._frame(seconds.stop, self.frames)
        if stop <= start:
            raise ClipError(
                f"Nothing lies between {seconds.start} s and {seconds.stop} s.",
                f"The clip is {self.duration_s:.2f} s long.",
            )
        return Clip(self.samples[start:stop], self.sample_rate)

    def _frame(self, time_s: float | None, default: int) -> int:
        if time_s is None:
            return default
        frame = round(time_s * self.sample_rate)
        return min(self.frames, max(0, frame + self.frames if time_s < 0 else frame))

    def __add__(self, other: Clip) -> Clip:
        if not isinstance(other, Clip):
            return NotImplemented
        return Clip.join([self, other])

    @classmethod
    def join(cls, clips: Iterable[Clip], gap_s: float = 0.0) -> Clip:
        """One clip after the other, at the first one's sample rate and channels.

        Parameters
        ----------
        clips : iterable of Clip
        gap_s : float
            Silence between them, in seconds.
        """
        clips = list(clips)
        if not clips:
            raise ClipError("There are no clips to join.")
        first = clips[0]
        silence = np.zeros((round(gap_s * first.sample_rate), first.channels), np.float32)
        parts: list[Samples] = []
        for clip in clips:
            samples = clip.resample(first.sample_rate).samples
            if clip.channels != first.channels:
                samples = np.repeat(samples.mean(axis=1, keepdims=True, dtype=np.float32), first.channels, 1)
            parts += [np.asarray(samples, np.float32), silence]
        return cls(np.concatenate(parts[:-1]), first.sample_rate)

    def mono(self) -> Clip:
        """One channel: the mean of all."""
        if self.channels == 1:
            return self
        return Clip(self.samples.mean(axis=1, keepdims=True, dtype=np.float32), self.sample_rate)

    def resample(self, sample_rate: int) -> Clip:
        """The same sound at another rate in Hz."""
        if sample_rate == self.sample_rate:
            return self
        return Clip(codecs.resample(self.samples, self.sample_rate, sample_rate), sample_rate)

    # -- out of it --------------------------------------------------------------------------------------

    def encode(self, format: str = "wav", *, kbit_s: float | None = None) -> bytes:
        """A sound file's bytes: ``wav``, ``mp3``, ``flac``, ``ogg``, ``opus``, or headerless ``pcm16``.

        Bytes that the clip came from are given back as they are when they have that format already.
        """
        if format == "pcm16":
            return codecs.samples_to_pcm16(self.samples)
        if self._encoded is not None and format == self._format and kbit_s is None:
            return self._encoded
        return codecs.encode(self.samples, self.sample_rate, format, kbit_s=kbit_s)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a sound file, whose ending says the format; returns its path."""
        path = Path(path)
        ending = path.suffix.lstrip(".").lower() or "(none)"
        if ending not in codecs.FORMATS:
            endings = ", ".join("." + name for name in codecs.FORMATS)
            raise ClipError(f"Sound can't be saved with the ending {ending!r}.", f"End the name in one of {endings}.")
        path.write_bytes(self.encode(ending))
        return path

    def for_model(self) -> tuple[bytes, str]:
        """Bytes and format (``"wav"`` or ``"mp3"``) for a request: the only two that OpenAI's chat takes.

        A 16-bit WAV or an MP3 goes as it is. Anything else becomes a mono 16-bit WAV of at most 24,000 Hz,
        which is what the models listen at.
        """
        if self._encoded is not None and (self._format, self._subtype) in _FIT_TO_SEND:
            return self._encoded, self._format
        heard = self.mono()
        return heard.resample(min(heard.sample_rate, _LISTENING_RATE)).encode("wav"), "wav"

    # -- in a notebook ----------------------------------------------------------------------------------

    def embed(self, budget_bytes: int, folder: Path | None = None) -> Embedded:
        """The clip as a page can hold it: MP3 within a size, else smaller, else a file beside the notebook.

        Parameters
        ----------
        budget_bytes : int
            The most bytes of MP3 to put into the page.
        folder : Path, optional
            Where a file goes that is still too large; by default ``nbaudio-media`` in the working folder.
        """
        heard, notes = self, ""
        if self._format == "mp3" and self._encoded is not None and len(self._encoded) <= budget_bytes:
            return Embedded(self._encoded, "audio/mpeg", duration_s=self.duration_s)
        for kbit_s in _EMBED_KBIT_S:
            if self.duration_s * kbit_s * 125 > budget_bytes:
                notes = "Re-encoded smaller to fit the notebook; the clip itself is unchanged."
                continue
            heard = self.mono() if notes else self
            heard = heard.resample(_LISTENING_RATE) if heard.sample_rate > _LISTENING_RATE else heard
            data = heard.encode("mp3", kbit_s=kbit_s * heard.channels)
            if len(data) <= budget_bytes:
                return Embedded(data, "audio/mpeg", duration_s=self.duration_s, note=notes)
            notes = "Re-encoded smaller to fit the notebook; the clip itself is unchanged."
        folder = folder or Path("nbaudio-media")
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / f"{self.sha256[:16]}.mp3"
        if not target.exists():
            target.write_bytes(self.mono().encode("mp3", kbit_s=_EMBED_KBIT_S[0]))
        note = f"Too long to keep inside the notebook: the sound is in {target.as_posix()}, which goes with it."
        return Embedded(None, "audio/mpeg", href=target.as_posix(), duration_s=self.duration_s, note=note)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        from nbaudio.settings import settings

        embedded = self.embed(settings().embed_budget_kb * 1000)
        caption = repr(self)
        return {
            "text/plain": caption,
            "text/html": player_html(embedded, title=f"Clip, {self.duration_s:.1f} s", words=caption),
            "text/markdown": player_markdown(caption, embedded.note),
        }


_FIT_TO_SEND = {("wav", "PCM_16"), ("mp3", "MPEG_LAYER_III")}


def _read_bytes(source: Any) -> bytes | None:
    """The file bytes behind a path, bytes or an open file; None for samples."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source)
    if isinstance(source, (str, os.PathLike)):
        path = Path(os.fspath(source)).expanduser()
        try:
            return path.read_bytes()
        except FileNotFoundError:
            raise ClipNotFound(f"There is no file {str(path)!r}.", _nearest_file(path)) from None
        except OSError as error:
            raise ClipError(f"The file {str(path)!r} can't be read: {error.strerror}.") from error
    if hasattr(source, "read"):
        data = source.read()
        if not isinstance(data, bytes):
            raise ClipError("The open file gives text, not bytes.", 'Open it with open(path, "rb").')
        return data
    return None


def _nearest_file(path: Path) -> str:
    import difflib

    folder = path.parent
    if not folder.is_dir():
        return f"Nor is there a folder {str(folder)!r}."
    names = [entry.name for entry in folder.iterdir() if re.search(r"\.(wav|mp3|flac|ogg|opus)$", entry.name, re.I)]
    near = difflib.get_close_matches(path.name, names, n=1)
    if near:
        return f"Did you mean {str(folder / near[0])!r}?"
    return f"Looked in {str(folder.resolve())!r}."


def _checked_samples(source: Any, sample_rate: int | None) -> Samples:
    array = np.asarray(source)
    if array.dtype == object or array.dtype.kind not in "fiub":
        raise ClipError(
            f"A {type(source).__name__} is no sound.", "Give a path, bytes, an open file, or samples and a sample_rate."
        )
    if sample_rate is None:
        raise ClipError("Samples alone don't say how fast they play.", "Say Clip(samples, sample_rate=24000), in Hz.")
    if not 1 <= sample_rate <= 1_000_000:
        raise ClipError(
            f"A sample rate of {sample_rate} Hz can't be.", "Common ones are 16000, 24000, 44100 and 48000."
        )
    if array.ndim == 1:
        array = array[:, np.newaxis]
    if array.ndim != 2:
        raise ClipError(f"Samples of shape {array.shape} have too many axes.", "Give (frames,) or (frames, channels).")
    frames, channels = array.shape
    if frames == 0 or channels == 0:
        raise ClipError(f"The sound is empty: its samples have the shape {array.shape}.")
    if channels > _MOST_CHANNELS or (channels > frames and frames <= 8):
        raise ClipError(
            f"Samples of shape {array.shape} would be {channels} channels of {frames} frames.",
            "That looks like (channels, frames): give samples.T.",
        )
    if array.dtype.kind == "f":
        samples = np.array(array, dtype=np.float32)
    elif array.dtype == np.uint8:
        samples = (array.astype(np.float32) - 128) / 128  # 8-bit PCM is unsigned, silence at 128
    elif array.dtype.kind == "i":
        samples = array.astype(np.float32) / np.float32(2 ** (8 * array.dtype.itemsize - 1))
    else:
        raise ClipError(f"Samples of type {array.dtype} have no agreed full scale.", "Give float32 or int16.")
    return _checked(samples)


def _checked(samples: Samples) -> Samples:
    if not np.isfinite(samples).all():
        bad = int(np.count_nonzero(~np.isfinite(samples)))
        raise ClipError(
            f"{bad} of {samples.size} samples are NaN or infinite.", "Mend them first, for example with np.nan_to_num."
        )
    samples.flags.writeable = False
    return samples


def _decibel(amplitude: float) -> float:
    return 20 * math.log10(amplitude) if amplitude > 0 else -math.inf
