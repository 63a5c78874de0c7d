"""What a clip can be made from: a path, bytes, an open file, or samples, each read and checked here."""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from nbaudio.errors import ClipError, ClipNotFound
from nbaudio.sound.codecs import Samples

__all__ = ["checked_rate", "checked_samples", "finite", "read_bytes"]

_MOST_CHANNELS = 64  # more is a (channels, frames) array the wrong way round, not a recording
_FULL_SCALES = {"int8": 2**7, "int16": 2**15, "int32": 2**31}


def read_bytes(source: Any) -> bytes | None:
    """The file's bytes behind a path, bytes or an open file; None for anything else, which may be samples.

    Raises
    ------
    ClipError
        If the file can't be read, or gives text.
    ClipNotFound
        If there is no such file.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source)
    if isinstance(source, (str, os.PathLike)):
        path = Path(os.fspath(source)).expanduser()
        try:
            return path.read_bytes()
        except FileNotFoundError:
            raise ClipNotFound(f"There is no file {str(path)!r}.", _nearest_file(path)) from None
        except (OSError, ValueError) as error:  # ValueError: a name that no file can have
            reason = getattr(error, "strerror", None) or str(error)
            raise ClipError(f"The file {str(path)!r} can't be read: {reason}.", "Name a sound file.") from error
    if hasattr(source, "read"):
        data = source.read()
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise ClipError("The open file gives text, not bytes.", 'Open it with open(path, "rb").')
        return bytes(data)
    return None


def _nearest_file(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"Nor is there a folder {str(folder)!r}."
    names = [entry.name for entry in folder.iterdir() if re.search(r"\.(wav|mp3|flac|ogg|opus)$", entry.name, re.I)]
    near = difflib.get_close_matches(path.name, names, n=1)
    if near:
        return f"Did you mean {str(folder / near[0])!r}?"
    return f"Looked in {str(folder.resolve())!r}."


def checked_rate(sample_rate: Any) -> int:
    """A sample rate in whole Hz.

    Raises
    ------
    ClipError
        If it is no number, or none that sound is sampled at.
    """
    try:
        whole = int(sample_rate)
        good = whole == sample_rate and 1 <= whole <= 1_000_000
    except (TypeError, ValueError, OverflowError):
        good = False
    if not good:
        raise ClipError(
            f"A sample rate of {sample_rate!r} Hz can't be.", "Common ones are 16000, 24000, 44100 and 48000."
        )
    return whole


def checked_samples(source: Any) -> Samples:
    """A copy of samples as float32, shape ``(frames, channels)``, full scale ±1.0, read-only.

    Raises
    ------
    ClipError
        If they are no numbers, empty, ``(channels, frames)``, NaN or infinite, or of a type without a full scale.
    """
    try:
        array = np.asarray(source)
    except ValueError:
        raise ClipError(
            "The samples are a list of lists of different lengths.", "Give every frame one number a channel."
        ) from None
    if array.dtype.kind not in "fiub" or array.ndim == 0:
        raise ClipError(
            f"A {type(source).__name__} is no sound.", "Give a path, bytes, an open file, or samples and a sample_rate."
        )
    if array.ndim == 1:
        array = array[:, np.newaxis]
    if array.ndim != 2:
        raise ClipError(f"Samples of shape {array.shape} have too many axes.", "Give (frames,) or (frames, channels).")
    frames, channels = array.shape
    if frames == 0 or channels == 0:
        raise ClipError(f"The sound is empty: its samples have the shape {array.shape}.", "Record it again.")
    if channels > _MOST_CHANNELS or (channels > frames and frames <= 8):
        raise ClipError(
            f"Samples of shape {array.shape} would be {channels} channels of {frames} frames.",
            "That looks like (channels, frames): give samples.T.",
        )
    return finite(_scaled(array))


def _scaled(array: Any) -> Samples:
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):  # beyond float32 it becomes infinite, which is refused next
            return np.array(array, dtype=np.float32)
    if array.dtype == np.uint8:
        return np.asarray((array.astype(np.float32) - 128) / 128)  # 8-bit PCM is unsigned, silence at 128
    full_scale = _FULL_SCALES.get(array.dtype.name)
    if full_scale is None:
        # int64 is what a list of whole numbers becomes, and nobody records in it: scaling it would silence the sound.
        raise ClipError(
            f"Samples of type {array.dtype} have no agreed full scale.", "Give float32 (full scale 1.0) or int16."
        )
    return np.asarray(array.astype(np.float32) / np.float32(full_scale))


def finite(samples: Samples) -> Samples:
    """These samples, made read-only.

    Raises
    ------
    ClipError
        If one of them is NaN or infinite.
    """
    if not np.isfinite(samples).all():
        bad = int(np.count_nonzero(~np.isfinite(samples)))
        raise ClipError(
            f"{bad} of {samples.size} samples are NaN or infinite.", "Mend them first, for example with np.nan_to_num."
        )
    samples.flags.writeable = False
    return samples
