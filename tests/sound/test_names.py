"""Names of sounds: those of the files that are kept and sent, read once for each clip, and forgotten with it."""

from __future__ import annotations

import gc
import hashlib

import nbaudio as nba
from nbaudio.sound import names
from nbaudio.sound.names import kept_name, sent_name
from nbaudio.sound.spool import park


def stereo() -> nba.Clip:
    return nba.Clip([[0.25, -0.5]] * 4800, sample_rate=48_000)


def test_they_are_those_of_what_is_kept_and_of_what_is_sent() -> None:
    clip = stereo()
    assert kept_name(clip) == (hashlib.sha256(clip.as_kept()[0]).hexdigest(), "wav")
    assert sent_name(clip) == (hashlib.sha256(clip.for_model()[0]).hexdigest(), "wav")
    assert kept_name(clip) != sent_name(clip)  # which is mono


def test_they_outlive_parking_and_are_those_of_a_clip_that_was_parked_before() -> None:
    before, after = stereo(), stereo()
    names_before = kept_name(before), sent_name(before)
    for clip in (before, after):
        park(clip, sent=True)
    assert (kept_name(before), sent_name(before)) == names_before == (kept_name(after), sent_name(after))


def test_nothing_is_kept_of_a_clip_that_is_gone() -> None:
    clip = stereo()
    kept_name(clip), sent_name(clip)
    mine = {(id(clip), False), (id(clip), True)}
    assert mine <= names._known.keys()
    del clip
    gc.collect()
    assert not mine & names._known.keys()
