"""Names of sounds: the hash of a clip's file, as it is kept and as it is sent, with the ending of its format.

A clip never changes, so its file is read and hashed once, and the name is known as long as the clip is there.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable

from nbaudio.sound.clip import Clip
from nbaudio.sound.parts import Whole

__all__ = ["Name", "kept_name", "sent_name"]

Name = tuple[str, str]
"""Of a file: what `nbaudio.sound.parts.name_of` gives, and the format."""

_known: dict[tuple[int, bool], Name] = {}


def kept_name(clip: Clip) -> Name:
    """The name of the file that `Clip.as_kept` gives.

    Examples
    --------
    >>> kept_name(Clip.from_pcm16(bytes(4800))) == kept_name(Clip.from_pcm16(bytes(4800)))
    True
    """
    return _once(clip, False, lambda: _named(clip.as_kept()))


def sent_name(clip: Clip) -> Name:
    """The name of the file that `Clip.for_model` gives."""

    def read() -> Name:
        # Of a recording it is known when it ends: it need not be read.
        return (clip.recorded.name, "wav") if clip.recorded is not None else _named(clip.for_model())

    return _once(clip, True, read)


def _named(file: tuple[bytes, str]) -> Name:
    return Whole(file[0]).name, file[1]


def _once(clip: Clip, sent: bool, read: Callable[[], Name]) -> Name:
    # By which clip it is, and not by what it holds: to compare two, all of their sound would be read.
    at = id(clip), sent
    name = _known.get(at)
    if name is None:
        name = _known[at] = read()
        weakref.finalize(clip, _known.pop, at, None).atexit = False  # before another clip can have this id
    return name
