"""Bytes of samples, for properties of sound files."""

from __future__ import annotations

from hypothesis import strategies as st

__all__ = ["pcm16"]

# libsndfile takes samples that spell one of these for another file in a WAV, and can't read it then.
_OTHER_FILES = (b"OggS", b"wvpk")


def pcm16(*, min_size: int = 0, max_size: int) -> st.SearchStrategy[bytes]:
    """Any bytes that a WAV can hold as samples."""
    return st.binary(min_size=min_size, max_size=max_size).filter(lambda data: data[:4] not in _OTHER_FILES)
