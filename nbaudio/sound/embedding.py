"""A sound made small enough for a page, or put into a file beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import numpy as np

from nbaudio.display.player import Embedded
from nbaudio.sound import codecs
from nbaudio.sound.codecs import Samples

__all__ = ["embedded"]

_RATE = 24_000  # Hz; speech has nothing above 12 kHz that is missed
_KBIT_S = (codecs.SPEECH_KBIT_S, 16, 8)  # speech is good at 32, clear at 16, understandable at 8
_SMALLER = "Re-encoded smaller to fit the notebook; the clip itself is unchanged."


def embedded(
    samples: Samples, sample_rate: int, budget_bytes: int, folder: Path, digest: Callable[[], str]
) -> Embedded:
    """A sound as MP3 within a size, else smaller, else as a file.

    Parameters
    ----------
    samples : float32, shape (frames, channels)
    sample_rate : int
        Hz.
    budget_bytes : int
        The most bytes of MP3 to put into the page.
    folder : Path
        Where a file goes that is still too large.
    digest : callable
        Gives a name that only this sound has, where one is needed.
    """
    channels, duration_s = samples.shape[1], len(samples) / sample_rate
    heard = samples if channels <= 2 else _mono(samples)
    rate = min(sample_rate, _RATE)
    heard = codecs.resample(heard, sample_rate, rate)
    steps = [(_mono(heard), kbit_s) for kbit_s in _KBIT_S]
    if heard.shape[1] == 2:
        steps.insert(0, (heard, 2 * _KBIT_S[0]))
    for step, (sound, kbit_s) in enumerate(steps):
        if duration_s * kbit_s * 125 > budget_bytes:
            continue  # it can't fit: don't spend the time
        data = codecs.encode(sound, rate, "mp3", kbit_s=kbit_s)
        if len(data) <= budget_bytes:
            note = _SMALLER if step or channels > 2 else ""
            return Embedded(data, "audio/mpeg", duration_s=duration_s, note=note)
    target = folder / f"{digest()[:16]}.mp3"
    note = f"Too long to keep inside the notebook: the sound is in {target.as_posix()}, which goes with it."
    href = quote(target.as_posix(), safe="/:")
    try:
        if not target.exists():
            folder.mkdir(parents=True, exist_ok=True)
            unfinished = target.with_suffix(".part")  # what is broken off must not pass for the whole
            unfinished.write_bytes(codecs.encode(_mono(heard), rate, "mp3", kbit_s=_KBIT_S[0]))
            unfinished.replace(target)
    except OSError as error:
        href = ""
        note = (
            f"Too long to keep inside the notebook, and {folder.as_posix()} can't be written to "
            f"({error.strerror}): save the clip where you can, clip.save('sound.mp3')."
        )
    return Embedded(None, "audio/mpeg", href=href, duration_s=duration_s, note=note)


def _mono(samples: Samples) -> Samples:
    if samples.shape[1] == 1:
        return samples
    mean: Samples = samples.mean(axis=1, keepdims=True, dtype=np.float32)
    return mean
