"""Bytes to samples and back: libsndfile for files, soxr for rates, and the two things they leave to us.

Those are headerless PCM16, and WAV files whose sizes say "unknown" because they were written to a stream
(OpenAI's are: both sizes 0xFFFFFFFF, https://github.com/pollinations/pollinations/issues/11951).

Samples are float32, shape ``(frames, channels)``, full scale ±1.0. Nothing here changes their level.
"""

from __future__ import annotations

import io
import math
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbaudio.errors import ClipError

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Format:
    """How one file format is written.

    `container` and `subtype` are libsndfile's names; `sample_rates` are those that the format can hold
    (empty: any up to `highest_rate`), in Hz; `most_channels` is how many.
    """

    mime: str
    container: str
    subtype: str
    sample_rates: tuple[int, ...] = ()
    highest_rate: int = 1_000_000
    most_channels: int = 64

    def rate_for(self, sample_rate: int) -> int:
        """The rate to write at, Hz: this one, or the next higher one that the format can hold, or its highest."""
        if not self.sample_rates:
            return min(sample_rate, self.highest_rate)
        return next((rate for rate in self.sample_rates if rate >= sample_rate), self.sample_rates[-1])


_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_OPUS_RATES = (8000, 12000, 16000, 24000, 48000)
FORMATS: dict[str, Format] = {
    "wav": Format("audio/wav", "WAV", "PCM_16"),
    "mp3": Format("audio/mpeg", "MP3", "MPEG_LAYER_III", _MP3_RATES, most_channels=2),
    "flac": Format("audio/flac", "FLAC", "PCM_16", highest_rate=655_350, most_channels=8),
    "opus": Format("audio/ogg", "OGG", "OPUS", _OPUS_RATES),
    # Measured with libsndfile 1.2.2: writing Vorbis above 200 kHz ends the process with a segmentation fault.
    "ogg": Format("audio/ogg", "OGG", "VORBIS", highest_rate=192_000),
}
"""The formats that can be written, by the names that the protocol and file endings use."""

FIT_TO_SEND = {("wav", "PCM_16"), ("mp3", "MPEG_LAYER_III")}
"""Formats, with libsndfile's name of what is in them, that OpenAI's chat takes as they are."""

_BLOCK_FRAMES = 65_536  # libsndfile crashes on Vorbis written in one call of some minutes: write in blocks
SPEECH_KBIT_S = 32
"""The bit rate of MP3 at which mono speech is good."""
_UNKNOWN_SIZE = 0xFFFFFFFF


@dataclass(frozen=True)
class Header:
    """What a file says of itself: `format` is a key of `FORMATS`, or libsndfile's name in lower case."""

    format: str
    subtype: str
    sample_rate: int
    channels: int
    frames: int


def read_header(data: bytes) -> Header:
    """The format, rate, channels and length of a sound file's bytes, decoded only where its length is not in it.

    Raises
    ------
    ClipError
        If libsndfile can't read it.
    """
    import soundfile

    try:
        info = soundfile.info(io.BytesIO(data))
    except (soundfile.LibsndfileError, ValueError) as error:
        raise ClipError(_unreadable(data), CAN_READ) from error
    frames = len(decode(data)[0]) if _is_doubtful(info.frames, data) else int(info.frames)
    return Header(
        format_name(info.format, info.subtype), info.subtype, int(info.samplerate), int(info.channels), frames
    )


def format_name(container: str, subtype: str) -> str:
    """What libsndfile calls so, as a key of `FORMATS`, or its own name in lower case.

    >>> format_name("OGG", "OPUS"), format_name("WAVEX", "PCM_16"), format_name("AIFF", "PCM_16")
    ('opus', 'wav', 'aiff')
    """
    known = {(f.container, f.subtype): name for name, f in FORMATS.items() if name in ("opus", "ogg")}
    return known.get((container, subtype), {"WAVEX": "wav"}.get(container, container.lower()))


class SoundTooLong(ClipError):
    """A sound that goes on beyond the length that somebody was ready to read."""


def decode(data: bytes, *, most_s: float = math.inf) -> tuple[Samples, int]:
    """Samples and sample rate in Hz of a sound file's bytes.

    Parameters
    ----------
    most_s : float
        Seconds of the longest sound to read. A file of some megabytes can hold hours, and gigabytes of samples.

    Raises
    ------
    ClipError
        If libsndfile can't read it, or not to its end.
    SoundTooLong
        If it is longer than `most_s`; little more than that was read.
    """
    import soundfile

    try:
        file = soundfile.SoundFile(io.BytesIO(data))
    except (soundfile.LibsndfileError, ValueError) as error:
        raise ClipError(_unreadable(data), CAN_READ) from error
    with file:
        try:
            most_frames = most_s * file.samplerate
            doubtful = _is_doubtful(file.frames, data)
            if not doubtful and file.frames > most_frames:
                raise too_long(most_s)
            if doubtful:
                samples = _read_to_the_end(file, most_frames)
                if len(samples) > most_frames:
                    raise too_long(most_s)
            else:
                samples = file.read(dtype="float32", always_2d=True)
        except SoundTooLong:
            raise
        except (soundfile.LibsndfileError, ValueError) as error:
            raise ClipError(
                f"This {file.format} file is damaged or cut short: it can't be read to its end.",
                "Copy or record it again.",
            ) from error
        return samples, int(file.samplerate)


def _is_doubtful(frames: int, data: bytes) -> bool:
    """Whether a header's length is one to count rather than to make room for.

    It is 2**63 - 1 where a file was written to a stream, and anything where one byte of an MP3's header is damaged.
    """
    return frames > max(1_000_000, 100 * len(data))


def too_long(most_s: float) -> SoundTooLong:
    """The error that says so."""
    return SoundTooLong(f"The sound is longer than {most_s:g} s.", "Send a shorter one, or in pieces.")


def _read_to_the_end(file: Any, most_frames: float) -> Samples:
    # After each read soundfile seeks to where it is anyway, which libsndfile can't do in FLAC of unknown length.
    file.seekable = lambda: False
    blocks, frames = [np.zeros((0, file.channels), np.float32)], 0
    while frames <= most_frames and len(block := file.read(_BLOCK_FRAMES, dtype="float32", always_2d=True)):
        blocks.append(block)
        frames += len(block)
    return np.concatenate(blocks)


def encode(samples: Samples, sample_rate: int, format: str, *, kbit_s: float | None = None) -> bytes:
    """A sound file's bytes.

    Parameters
    ----------
    samples : float32, shape (frames, channels), full scale ±1.0; WAV and FLAC are clipped beyond it
    sample_rate : int
        Hz. A format that can't hold this rate gets the next higher one that it can.
    format : str
        A key of `FORMATS`.
    kbit_s : float, optional
        For ``"mp3"``: the constant bit rate, 8 to 320; libsndfile takes the nearest that the rate allows.
        None leaves it to libsndfile.

    Raises
    ------
    ClipError
        For an unknown format, and for more channels than it can hold.
    """
    import soundfile

    spec = FORMATS.get(format)
    if spec is None:
        raise ClipError(f"Sound can't be written as {format!r}.", f"Choose one of {', '.join(FORMATS)}.")
    channels = samples.shape[1]
    if channels > spec.most_channels:
        raise ClipError(
            f"{format} holds at most {spec.most_channels} channels, and this sound has {channels}.",
            "Take clip.mono(), or another format.",
        )
    target = spec.rate_for(sample_rate)
    numbers: NDArray[Any] = resample(samples, sample_rate, target)
    if spec.subtype == "PCM_16":  # rounded here: libsndfile rounds down, which is half a step of offset
        numbers = np.frombuffer(samples_to_pcm16(numbers), dtype="<i2").reshape(numbers.shape)
    options: dict[str, Any] = {}
    if kbit_s is not None and format == "mp3":
        options = {"bitrate_mode": "CONSTANT", "compression_level": _mp3_level(kbit_s, target)}
    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", target, channels, spec.subtype, format=spec.container, **options) as file:
        for start in range(0, len(numbers), _BLOCK_FRAMES):
            file.write(numbers[start : start + _BLOCK_FRAMES])
    return buffer.getvalue()


def encode_exactly(samples: Samples, sample_rate: int) -> bytes:
    """A WAV file's bytes that hold every sample: of 16 bits where these do, else of 32-bit floats."""
    import soundfile

    pcm16 = encode(samples, sample_rate, "wav")
    if np.array_equal(decode(pcm16)[0], samples):
        return pcm16
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, sample_rate, "FLOAT", format="WAV")
    return buffer.getvalue()


class Mp3Writer:
    """Makes an MP3 of a sound while it still comes, so that it is ready when its last piece has come.

    Parameters
    ----------
    sample_rate : int
        Hz, one that MP3 can hold.
    kbit_s : float
        As in `encode`.

    Examples
    --------
    >>> writer = Mp3Writer(24_000)
    >>> writer.write(np.zeros((24_000, 1), np.float32))
    >>> read_header(writer.finish()).format
    'mp3'
    """

    def __init__(self, sample_rate: int, kbit_s: float = SPEECH_KBIT_S) -> None:
        import soundfile

        spec, self._buffer = FORMATS["mp3"], io.BytesIO()
        self._file = soundfile.SoundFile(
            self._buffer,
            "w",
            sample_rate,
            1,
            spec.subtype,
            format=spec.container,
            bitrate_mode="CONSTANT",
            compression_level=_mp3_level(kbit_s, sample_rate),
        )

    def write(self, samples: Samples) -> None:
        """Add samples, shape ``(frames, 1)``."""
        self._file.write(samples)

    def finish(self) -> bytes:
        """The MP3; nothing can be added any more."""
        self._file.close()
        return self._buffer.getvalue()


def _mp3_level(kbit_s: float, sample_rate: int) -> float:
    # libsndfile maps its "compression level" 0..1 on a straight line from the highest bit rate of the MPEG
    # version to the lowest: MPEG-1 320..32, MPEG-2 160..8, MPEG-2.5 64..8 kbit/s (libsndfile src/mpeg_l3_encode.c).
    highest, lowest = (320, 32) if sample_rate >= 32_000 else (160, 8) if sample_rate >= 16_000 else (64, 8)
    # Measured with libsndfile 1.2.2: 1.0 itself is refused with "Error set compression level".
    return min(0.99, max(0.0, (highest - kbit_s) / (highest - lowest)))


def resample(samples: Samples, from_rate: int, to_rate: int) -> Samples:
    """The same sound at another sample rate (Hz), by soxr's high quality setting."""
    if from_rate == to_rate:
        return samples
    import soxr

    heard = np.asarray(soxr.resample(samples, from_rate, to_rate, quality="HQ"), dtype=np.float32)
    # A sound of less than one frame at the new rate would be none at all.
    return heard if len(heard) else samples.mean(axis=0, keepdims=True, dtype=np.float32)


class Resampler:
    """Brings mono PCM16 to another rate (Hz) while it comes, with the setting of `resample`.

    Examples
    --------
    >>> resampler = Resampler(48_000, 24_000)
    >>> len(resampler.take(bytes(96_000)) + resampler.finish()) // 2
    24000
    >>> del resampler  # one that is left at the end of the process makes soxr complain
    """

    def __init__(self, from_rate: int, to_rate: int) -> None:
        import soxr

        self._stream = soxr.ResampleStream(from_rate, to_rate, 1, dtype="float32", quality="HQ")

    def take(self, pcm16: bytes) -> bytes:
        """What can be given of the sound so far, which lags behind by some milliseconds."""
        return samples_to_pcm16(self._stream.resample_chunk(pcm16_to_samples(pcm16)[:, 0]))

    def finish(self) -> bytes:
        """What is left."""
        return samples_to_pcm16(self._stream.resample_chunk(np.zeros(0, np.float32), last=True))


def pcm16_to_samples(data: bytes, channels: int = 1) -> Samples:
    """Samples from headerless signed 16-bit little-endian PCM, as the protocol's ``pcm16``.

    Examples
    --------
    >>> pcm16_to_samples(bytes([0, 0, 0, 64])).tolist()
    [[0.0], [0.5]]
    """
    frame_bytes = 2 * channels
    whole = len(data) - len(data) % frame_bytes
    numbers = np.frombuffer(data[:whole] if whole < len(data) else data, dtype="<i2")
    return (numbers.astype(np.float32) * np.float32(1 / 32768)).reshape(-1, channels)


def samples_to_pcm16(samples: Samples) -> bytes:
    """Headerless signed 16-bit little-endian PCM; the exact inverse of `pcm16_to_samples`.

    Examples
    --------
    >>> samples_to_pcm16(pcm16_to_samples(bytes([1, 2, 3, 4]))) == bytes([1, 2, 3, 4])
    True
    """
    scaled = np.rint(samples * np.float32(32768))
    pcm16: bytes = np.clip(scaled, -32768, 32767).astype("<i2").tobytes()
    return pcm16


def wav_header(data_bytes: int, sample_rate: int, channels: int = 1) -> bytes:
    """The 44 bytes that make headerless PCM16 a WAV file (http://soundfile.sapp.org/doc/WaveFormat/).

    Examples
    --------
    >>> read_header(wav_header(4, 24_000) + bytes(4)).frames
    2
    """
    frame_bytes = 2 * channels
    form = struct.pack("<HHIIHH", 1, channels, sample_rate, sample_rate * frame_bytes, frame_bytes, 16)
    riff = b"RIFF" + struct.pack("<I", 36 + data_bytes) + b"WAVE"
    return riff + b"fmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", data_bytes)


def repair_wav(data: bytes) -> bytes:
    """WAV bytes whose sizes are true; anything else, and a WAV already sound, comes back as it is.

    A size counts as untrue when it points beyond the end, or when it says 0 although bytes follow. Other chunks are
    kept, but where the size of ``data`` is unknown nobody can tell where it ends, and all that follows is sound.
    """
    if len(data) < 12 or data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return data
    riff_size = struct.unpack_from("<I", data, 4)[0]
    at = 12
    while at + 8 <= len(data):
        name, size = data[at : at + 4], struct.unpack_from("<I", data, at + 4)[0]
        rest = len(data) - at - 8
        if name == b"data":
            unknown = size == _UNKNOWN_SIZE or size > rest or (size == 0 and rest > 0)
            if not unknown and 0 < riff_size <= len(data) - 8:
                return data
            repaired = bytearray(data)
            if unknown:
                struct.pack_into("<I", repaired, at + 4, rest)
                repaired += bytes(rest & 1)  # a chunk of odd length is followed by one byte of padding
            struct.pack_into("<I", repaired, 4, len(repaired) - 8)
            return bytes(repaired)
        at += 8 + size + (size & 1)
    return data


CAN_READ = "WAV, MP3, FLAC, Ogg Vorbis and Opus files can be read."


def _unreadable(data: bytes) -> str:
    if not data:
        return "The sound is empty: 0 bytes."
    if data[4:8] == b"ftyp":
        return "This is an MP4 or M4A file, whose sound can't be read here."
    if data[:4] == b"\x1aE\xdf\xa3":
        return "This is a WebM or Matroska file, whose sound can't be read here."
    return f"These {len(data)} bytes are no sound file that can be read."
