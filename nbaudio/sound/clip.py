"""Clip: an immutable piece of sound.

A clip remembers the bytes it came from until its samples are asked for, so that a recording that the server
takes as it is gets sent as it is, and a folder of recordings can be listed without being decoded.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import ArrayLike

from nbaudio.display.player import Embedded, player_bundle
from nbaudio.errors import ClipError
from nbaudio.sound import codecs
from nbaudio.sound.codecs import Samples
from nbaudio.sound.recorded import Recorded
from nbaudio.sound.sources import checked_rate, checked_samples, finite, read_bytes

__all__ = ["Clip"]

_LISTENING_RATE = 24_000  # Hz; what audio models listen at: more only costs upload


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
    _digest: str | None
    _encoded: bytes | Recorded | None
    _samples: Samples | None
    _load: Callable[[], bytes] | None
    _load_for_model: Callable[[], bytes] | None
    __slots__ = (
        "__weakref__", "_digest", "_encoded", "_format", "_load", "_load_for_model", "_mp3", "_samples", "_shape",
        "_subtype",
    )  # fmt: skip

    def __init__(
        self,
        source: str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | ArrayLike | Recorded | Clip,
        sample_rate: int | None = None,
    ) -> None:
        self._clear()
        if isinstance(source, Clip):
            for name in self.__slots__[1:]:
                setattr(self, name, getattr(source, name))
            return
        if isinstance(source, Recorded):  # all that has to be known of it is, and it need not be read
            self._encoded, self._format, self._subtype = source, "wav", "PCM_16"
            self._shape = (source.frames, 1, source.sample_rate)
            return
        data = read_bytes(source)
        if data is None:
            samples = checked_samples(source)
            if sample_rate is None:
                raise ClipError(
                    "Samples alone don't say how fast they play.", "Say Clip(samples, sample_rate=24000), in Hz."
                )
            self._hold(samples, checked_rate(sample_rate))
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
        self._shape = (header.frames, header.channels, header.sample_rate)
        if header.subtype in ("FLOAT", "DOUBLE"):
            _ = self.samples  # only float files can hold NaN: find it now, not when it is played

    def _clear(self) -> None:
        self._digest = self._encoded = self._samples = self._load = self._load_for_model = None
        self._format = self._subtype = ""
        self._mp3 = b""

    def _hold(self, samples: Samples, sample_rate: int) -> None:
        frames, channels = samples.shape
        self._samples, self._shape = samples, (frames, channels, sample_rate)

    @classmethod
    def _of(cls, samples: Samples, sample_rate: int) -> Clip:
        """A clip of samples made here, whose shape is not in doubt: one frame of stereo is one frame of stereo."""
        clip = cls.__new__(cls)
        clip._clear()
        clip._hold(finite(np.array(samples, dtype=np.float32)), sample_rate)
        return clip

    @classmethod
    def from_pcm16(cls, data: bytes, sample_rate: int = 24_000, channels: int = 1) -> Clip:
        """A clip from headerless signed 16-bit little-endian PCM, as the protocol's ``pcm16``.

        Bytes beyond the last whole frame are dropped.

        Examples
        --------
        >>> Clip.from_pcm16(bytes(4800)).duration_s
        0.1
        """
        if not 1 <= channels <= codecs.FORMATS["wav"].most_channels:
            raise ClipError(f"Sound of {channels} channels can't be.", "Give 1 for mono or 2 for stereo.")
        frames = len(data) // (2 * channels)
        if frames == 0:
            raise ClipError("The sound is empty: not one whole frame of PCM.", "Record it again.")
        pcm16 = bytes(data[: frames * 2 * channels])
        return cls(codecs.wav_header(len(pcm16), checked_rate(sample_rate), channels) + pcm16)

    def __reduce__(self) -> tuple[Any, ...]:
        # Not slot by slot: unpickled arrays can be written to, and a clip's can't.
        data = self._bytes()
        if data is not None:
            return Clip, (data,)
        return Clip._of, (self._samples, self.sample_rate)

    # -- what it is -------------------------------------------------------------------------------------

    @property
    def samples(self) -> Samples:
        """float32, shape ``(frames, channels)``, full scale ±1.0, read-only."""
        if self._samples is not None:
            return self._samples
        data = self._bytes()
        assert data is not None  # one of the two is always there
        samples = finite(codecs.decode(data)[0])
        if self._load is None:
            self._hold(samples, self.sample_rate)  # a header's length may be an estimate
        return samples

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
            hashed.update(np.ascontiguousarray(self.samples + np.float32(0), dtype="<f4").data)  # -0.0 is 0.0
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
        return Clip._of(self.samples[start:stop], self.sample_rate)

    def _frame(self, time_s: float | None, default: int) -> int:
        if time_s is None:
            return default
        frame = time_s * self.sample_rate
        return round(min(self.frames, max(0, frame + self.frames if time_s < 0 else frame)))

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
            raise ClipError("There are no clips to join.", "Give one or more.")
        if gap_s < 0:
            raise ClipError(f"A gap of {gap_s} s can't be.", "Give 0 or more seconds.")
        first = clips[0]
        silence = np.zeros((round(gap_s * first.sample_rate), first.channels), np.float32)
        parts: list[Samples] = []
        for clip in clips:
            samples = clip.resample(first.sample_rate).samples
            if clip.channels != first.channels:
                samples = np.repeat(samples.mean(axis=1, keepdims=True, dtype=np.float32), first.channels, 1)
            parts += [np.asarray(samples, np.float32), silence]
        return cls._of(np.concatenate(parts[:-1]), first.sample_rate)

    def mono(self) -> Clip:
        """One channel: the mean of all."""
        if self.channels == 1:
            return self
        return Clip._of(self.samples.mean(axis=1, keepdims=True, dtype=np.float32), self.sample_rate)

    def resample(self, sample_rate: int) -> Clip:
        """The same sound at another rate in Hz."""
        if checked_rate(sample_rate) == self.sample_rate:
            return self
        return Clip._of(codecs.resample(self.samples, self.sample_rate, sample_rate), sample_rate)

    # -- out of it --------------------------------------------------------------------------------------

    def encode(self, format: str = "wav", *, kbit_s: float | None = None) -> bytes:
        """A sound file's bytes: ``wav``, ``mp3``, ``flac``, ``ogg``, ``opus``, or headerless ``pcm16``.

        Bytes that the clip came from are given back as they are when they have that format already.
        """
        if format == "pcm16":
            return codecs.samples_to_pcm16(self.samples)
        data = self._bytes()
        if data is not None and format == self._format and kbit_s is None:
            return data
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
        if self._load_for_model is not None:
            return self._load_for_model(), "wav"
        data = self._bytes()
        if data is not None and (self._format, self._subtype) in codecs.FIT_TO_SEND:
            return data, self._format
        heard = self.mono().resample(min(self.sample_rate, _LISTENING_RATE))
        return codecs.encode(heard.samples, heard.sample_rate, "wav"), "wav"  # anew: it may be a WAV of another kind

    def as_kept(self) -> tuple[bytes, str]:
        """A sound file's bytes from which the very same clip can be made again, and the ending of its name.

        The bytes that it came from, else a WAV: of 16 bits where they hold every sample, else of floats.
        """
        data = self._bytes()
        if data is not None:
            return data, self._format
        return codecs.encode_exactly(self.samples, self.sample_rate), "wav"

    def park(self, load: Callable[[], bytes], load_for_model: Callable[[], bytes] | None = None) -> None:
        """Hold the sound in memory no longer. The clip itself is not changed by it.

        `load` gives the bytes of `as_kept` back, whenever they are needed; `load_for_model` those of `for_model`, where
        they are others: so that they need not be made for every request.
        """
        if self._load is None:
            if self._encoded is None:  # from now on it is what it was kept as
                header = codecs.read_header(load())
                self._format, self._subtype = header.format, header.subtype
            self._load, self._encoded, self._samples, self._mp3 = load, None, None, b""
        self._load_for_model = load_for_model or self._load_for_model

    @property
    def parked(self) -> bool:
        """Whether its sound lies elsewhere, and is loaded when it is used."""
        return self._load is not None

    @property
    def recorded(self) -> Recorded | None:
        """The recording that it is, which can be sent and kept part by part; None where it is none, or is parked."""
        return self._encoded if isinstance(self._encoded, Recorded) else None

    def _bytes(self) -> bytes | None:
        """The file that it came from, or that it is parked in."""
        if self._load is not None:
            return self._load()
        return self._encoded.whole() if isinstance(self._encoded, Recorded) else self._encoded

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
        mp3 = self._bytes() if self._format == "mp3" else self._mp3
        if mp3 and len(mp3) <= budget_bytes:
            return Embedded(mp3, "audio/mpeg", duration_s=self.duration_s)
        from nbaudio.sound.embedding import embedded

        beside = folder or Path("nbaudio-media")
        made = embedded(self.samples, self.sample_rate, budget_bytes, beside, lambda: self.sha256)
        if made.data and not made.note and self._load is None:
            self._mp3 = made.data
        return made

    def adopt_mp3(self, data: bytes) -> None:
        """Take an MP3 of this very sound, as `nbaudio.sound.codecs.Mp3Writer` made it while the sound came in.

        Then showing the clip need not make one. The clip itself is not changed by it.
        """
        self._mp3 = data

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        from nbaudio.settings import settings

        embedded = self.embed(settings().embed_budget_kb * 1000)
        return player_bundle(embedded, f"Clip, {self.duration_s:.1f} s", repr(self))


def _decibel(amplitude: float) -> float:
    return 20 * math.log10(amplitude) if amplitude > 0 else -math.inf
