"""The sounds that the server speaks, and the measuring of those it is sent."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import soundfile

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAMPLE_RATE = 24_000
FORMATS = ("wav", "mp3", "flac", "opus", "pcm16")

_CONTAINERS = {"mp3": ("MP3", "MPEG_LAYER_III"), "flac": ("FLAC", "PCM_16"), "opus": ("OGG", "OPUS")}
_UNKNOWN_SIZE = 0xFFFFFFFF


def tone_sweep(words: str, duration_s: float) -> NDArray[np.float32]:
    """A tone that rises by an octave; other words start at another pitch.

    Parameters
    ----------
    words : str
        What the sound stands for: it sets the pitch, so that two answers can be told apart.
    duration_s : float
        Length in seconds.

    Returns
    -------
    numpy.ndarray
        float32, shape (frames, 1), at 24,000 Hz, peak 0.4. Each value is a 16-bit step, so that pcm16, WAV
        and FLAC give exactly these samples back.
    """
    frames = round(duration_s * SAMPLE_RATE)
    start_hz = 200 + zlib.crc32(words.encode()) % 400
    seconds = np.arange(frames, dtype=np.float64) / SAMPLE_RATE
    rise = start_hz * seconds**2 / (2 * max(duration_s, 1 / SAMPLE_RATE))
    wave = 0.4 * np.sin(2 * np.pi * (start_hz * seconds + rise))
    return (np.round(wave * 32768) / 32768).astype(np.float32)[:, np.newaxis]


def pcm16(samples: NDArray[np.float32]) -> bytes:
    """Headerless signed 16-bit little-endian samples."""
    return np.round(samples * 32768).astype("<i2").tobytes()


def encode(samples: NDArray[np.float32], audio_format: str) -> bytes:
    """Bytes of the samples in one of `FORMATS`."""
    if audio_format == "pcm16":
        return pcm16(samples)
    if audio_format == "wav":
        return unsized_wav(samples)
    container, subtype = _CONTAINERS[audio_format]
    file = BytesIO()
    soundfile.write(file, samples, SAMPLE_RATE, format=container, subtype=subtype)
    return file.getvalue()


def unsized_wav(samples: NDArray[np.float32]) -> bytes:
    """A WAV whose RIFF and data sizes are both 0xFFFFFFFF, as OpenAI writes it while it speaks."""
    shape = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, SAMPLE_RATE, 2 * SAMPLE_RATE, 2, 16)
    riff = struct.pack("<4sI4s", b"RIFF", _UNKNOWN_SIZE, b"WAVE")
    return riff + shape + struct.pack("<4sI", b"data", _UNKNOWN_SIZE) + pcm16(samples)


def measured_s(data: bytes, audio_format: str) -> float:
    """Length in seconds of a sound file; ValueError where the bytes are not what `audio_format` says.

    What libsndfile can't read (MP4, WebM) is taken for a second long.
    """
    if audio_format in ("m4a", "mp4", "webm"):
        if data[4:8] != b"ftyp" and data[:4] != b"\x1aE\xdf\xa3":
            raise ValueError(f"not a {audio_format} file")
        return 1.0
    # An MP3 starts with a tag or with a frame's eleven sync bits.
    is_mp3 = data[:3] == b"ID3" or (len(data) > 1 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0)
    is_ogg, is_wav = data[:4] == b"OggS", data[:4] == b"RIFF" and data[8:12] == b"WAVE"
    kinds = {"wav": is_wav, "flac": data[:4] == b"fLaC", "ogg": is_ogg, "oga": is_ogg}
    if not kinds.get(audio_format, is_mp3):
        raise ValueError(f"not a {audio_format} file")
    try:
        found = soundfile.info(BytesIO(data))
    except soundfile.LibsndfileError as refusal:
        raise ValueError(str(refusal)) from refusal
    if found.frames <= 0:
        raise ValueError("no sound in it")
    return float(found.frames / found.samplerate)
