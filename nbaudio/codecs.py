"""Bytes to samples and back: libsndfile for files, soxr for rates, and the two things they leave to us.

Those are headerless PCM16, and WAV files whose sizes say "unknown" because they were written to a stream
(OpenAI's are: both sizes 0xFFFFFFFF, https://github.com/pollinations/pollinations/issues/11951).

Samples are float32, shape ``(frames, channels)``, full scale ±1.0. Nothing here changes their level.
"""

from __future__ import annotations

import io
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
    (empty: any), in Hz.
    """

    mime: str
    container: str
    subtype: str
    sample_rates: tuple[int, ...] = ()


_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_OPUS_RATES = (8000, 12000, 16000, 24000, 48000)
FORMATS: dict[str, Format] = {
    "wav": Format("audio/wav", "WAV", "PCM_16"),
    "mp3": Format("audio/mpeg", "MP3", "MPEG_LAYER_III", _MP3_RATES),
    "flac": Format("audio/flac", "FLAC", "PCM_16"),
    "opus": Format("audio/ogg", "OGG", "OPUS", _OPUS_RATES),
    "ogg": Format("audio/ogg", "OGG", "VORBIS"),
}
"""The formats that can be written, by the names that the protocol and file endings use."""

_BLOCK_FRAMES = 65_536  # libsndfile crashes on Vorbis written in one call of some minutes: write in blocks
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
    """The format, rate, channels and length of a sound file's bytes, without decoding all of it.

    Raises
    ------
    ClipError
        If libsndfile can't read it.
    """
    import soundfile

    try:
        info = soundfile.info(io.BytesIO(data))
    except (soundfile.LibsndfileError, ValueError) as error:
        raise ClipError(_unreadable(data), _CAN_READ) from error
    known = {(f.container, f.subtype): name for name, f in FORMATS.items() if name in ("opus", "ogg")}
    name = known.get((info.format, info.subtype), {"WAVEX": "wav"}.get(info.format, info.format.lower()))
    return Header(name, info.subtype, int(info.samplerate), int(info.channels), int(info.frames))


def decode(data: bytes) -> tuple[Samples, int]:
    """Samples and sample rate in Hz of a sound file's bytes.

    Raises
    ------
    ClipError
        If libsndfile can't read it.
    """
    import soundfile

    try:
        samples, sample_rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, ValueError) as error:
        raise ClipError(_unreadable(data), _CAN_READ) from error
    return samples, int(sample_rate)


def encode(samples: Samples, sample_rate: int, format: str, *, kbit_s: float | None = None) -> bytes:
    """A sound file's bytes.

    Parameters
    ----------
    samples : float32, shape (frames, channels), full scale ±1.0; beyond it is clipped
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
        For an unknown format.
    """
    import soundfile

    spec = FORMATS.get(format)
    if spec is None:
        raise ClipError(f"Sound can't be written as {format!r}.", f"Choose one of {', '.join(FORMATS)}.")
    if spec.sample_rates and sample_rate not in spec.sample_rates:
        target = next((rate for rate in spec.sample_rates if rate > sample_rate), spec.sample_rates[-1])
        samples, sample_rate = resample(samples, sample_rate, target), target
    options: dict[str, Any] = {}
    if kbit_s is not None and format == "mp3":
        options = {"bitrate_mode": "CONSTANT", "compression_level": _mp3_level(kbit_s, sample_rate)}
    buffer = io.BytesIO()
    with soundfile.SoundFile(
        buffer, "w", sample_rate, samples.shape[1], spec.subtype, format=spec.container, **options
    ) as file:
        for start in range(0, len(samples), _BLOCK_FRAMES):
            file.write(samples[start : start + _BLOCK_FRAMES])
    return buffer.getvalue()


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

    return np.asarray(soxr.resample(samples, from_rate, to_rate, quality="HQ"), dtype=np.float32)


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

    A size counts as untrue when it points beyond the end, or when the ``data`` chunk says 0 or 0xFFFFFFFF
    although bytes follow. Chunks before ``data`` are kept; what follows an unknown size is taken as sound.
    """
    if len(data) < 12 or data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return data
    at = 12
    while at + 8 <= len(data):
        name, size = data[at : at + 4], struct.unpack_from("<I", data, at + 4)[0]
        rest = len(data) - at - 8
        if name == b"data":
            unknown = size == _UNKNOWN_SIZE or size > rest or (size == 0 and rest > 0)
            if not unknown and struct.unpack_from("<I", data, 4)[0] <= len(data) - 8:
                return data
            size = rest if unknown else size
            end = at + 8 + size
            repaired = bytearray(data[: end + (end & 1)])
            struct.pack_into("<I", repaired, at + 4, size)
            struct.pack_into("<I", repaired, 4, len(repaired) - 8)
            return bytes(repaired)
        at += 8 + size + (size & 1)
    return data


_CAN_READ = "WAV, MP3, FLAC, Ogg Vorbis and Opus files can be read."


def _unreadable(data: bytes) -> str:
    if not data:
        return "The sound is empty: 0 bytes."
    if data[4:8] == b"ftyp":
        return "This is an MP4 or M4A file, whose sound can't be read here."
    if data[:4] == b"\x1aE\xdf\xa3":
        return "This is a WebM or Matroska file, whose sound can't be read here."
    return f"These {len(data)} bytes are no sound file that can be read."
