"""What runs in the kernel: each player, given the same pieces at the same times. Gives when each piece was sent."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
from IPython.display import display

from .sound import PACES, SAMPLE_RATE, sound_of

__all__ = ["by_ipyaudio", "by_nbaudio", "for_ipyaudio", "for_listen", "for_speak"]

THINKING_S = 0.5
"""From the player's appearance to its first piece: models take longer."""


def by_nbaudio(pace: int, duration_s: float, source: str = "") -> list[float]:
    """A `Player` and its `Feed`, as ``%%speak`` uses them. `source`: whose lead the page knows; empty: nobody's."""
    from nbaudio.captions.alignment import Follower
    from nbaudio.widgets.feed import Feed
    from nbaudio.widgets.player import Player
    from nbaudio.wire.answers import AudioDelta

    player = Player(state="arriving", play="auto", source=source or uuid.uuid4().hex)
    display(player)
    feed = Feed(player.send_piece, Follower(SAMPLE_RATE))
    time.sleep(THINKING_S)
    sent = []
    for wait_s, piece in PACES[pace].sends(sound_of(duration_s)):
        time.sleep(wait_s)
        sent.append(time.time())
        feed.add(AudioDelta(piece))
    player.send({"kind": "whole", "frames": feed.finish()})
    return sent


async def by_ipyaudio(pace: int, duration_s: float) -> list[float]:
    """`ipyaudio.play` with an asynchronous stream, as its README has it."""
    import ipyaudio

    sent: list[float] = []

    async def stream() -> AsyncIterator[Any]:
        await asyncio.sleep(THINKING_S)
        for wait_s, piece in PACES[pace].sends(sound_of(duration_s)):
            await asyncio.sleep(wait_s)
            sent.append(time.time())
            yield np.frombuffer(piece, "<i2")[None, :]

    await ipyaudio.play(stream(), rate=SAMPLE_RATE).wait_until_done()
    return sent


def for_speak(base_url: str, api_key: str) -> None:
    """Have ``%%speak`` ask this server."""
    os.environ.pop("NBAUDIO_BACKEND", None)
    os.environ.update(OPENAI_BASE_URL=base_url, OPENAI_API_KEY=api_key, NBAUDIO_DIALECT="openai")


def for_listen(base_url: str, api_key: str, folder: str) -> None:
    """Have ``%%listen`` ask this server, and keep its recordings in this folder and not among the person's own."""
    from nbaudio.widgets import take

    for_speak(base_url, api_key)
    take.recordings_folder = lambda: Path(folder)


def for_ipyaudio(url: str, path: str) -> Any:
    """An ipyaudio recorder, what it records sent as soon as Python has it."""
    import ipyaudio

    from .first_byte import post_file

    recorder = ipyaudio.record(filename=path)
    recorder.observe(lambda change: change["new"] and post_file(url, path), "completed")
    return recorder
