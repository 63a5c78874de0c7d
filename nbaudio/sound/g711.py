"""Telephone sound: G.711, 8,000 Hz with one byte a sample, as ``audio/pcmu`` (µ-law) and ``audio/pcma`` (A-law).

Each byte stands for itself, so that any part of a sound can be read alone.
Source: https://www.itu.int/rec/T-REC-G.711
"""

from __future__ import annotations

import io
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["SAMPLE_RATE", "Law", "from_g711", "to_g711"]

SAMPLE_RATE = 8_000
"""Hz."""

Law: TypeAlias = Literal["pcmu", "pcma"]
_SUBTYPES = {"pcmu": "ULAW", "pcma": "ALAW"}  # as libsndfile calls them


def from_g711(data: bytes, law: Law) -> bytes:
    """G.711 as PCM16, mono at `SAMPLE_RATE`.

    Examples
    --------
    >>> len(from_g711(bytes(80), "pcma"))
    160
    """
    if not data:
        return b""
    import soundfile

    samples: NDArray[np.int16]
    samples, _ = soundfile.read(io.BytesIO(data), dtype="int16", channels=1, **_raw(law))
    return samples.astype("<i2").tobytes()


def to_g711(pcm16: bytes, law: Law) -> bytes:
    r"""PCM16, mono at `SAMPLE_RATE`, as G.711.

    Examples
    --------
    >>> to_g711(bytes(4), "pcmu")
    b'\xff\xff'
    >>> from_g711(to_g711(from_g711(bytes(range(256)), "pcma"), "pcma"), "pcma") == from_g711(bytes(range(256)), "pcma")
    True
    """
    if not pcm16:
        return b""
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, np.frombuffer(pcm16, "<i2"), **_raw(law))
    return file.getvalue()


def _raw(law: Law) -> dict[str, Any]:
    how = {"subtype": _SUBTYPES[law], "format": "RAW"}
    return {"samplerate": SAMPLE_RATE, **how}
