"""What a page's output says: when sound was first heard, where it broke off, how many messages came."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Page

from .sound import Sound

__all__ = ["Heard", "install", "listen"]

_PATIENCE_S = 15.0  # longer than any pause that a player makes before it goes on
_LOST_S = 0.2  # of the tone may be missing
_NEAR_S = 0.03  # encoders smear the ends of a phrase
_FADE_S = 0.006  # and a player fades where it breaks off


def install(context: BrowserContext) -> None:
    """Have every page of a browser context listen to itself."""
    for name in ("tap.js", "prefill.js"):
        context.add_init_script(path=Path(__file__).with_name(name))


@dataclass(frozen=True)
class Heard:
    """One sound as it came out.

    Attributes
    ----------
    first_s : float
        Seconds since 1970 at which its first sample left the loudspeaker.
    gaps_s : list of float
        Lengths of the silences within phrases.
    longer_s : list of float
        By how much pauses of the sound were longer than they are, where that is more than 30 ms.
    lost_s : float
        How much of the tone never came.
    messages : int
        The most messages through WebSockets within one second, from the second before the first sound to the last;
        answers to requests where there is no WebSocket.
    output_ms : float
        What the AudioContext says that its device takes; it is part of `first_s`.
    """

    first_s: float
    gaps_s: list[float]
    longer_s: list[float]
    lost_s: float
    messages: int
    output_ms: float


def listen(page: Page, sound: Sound) -> Heard:
    """What was heard since the last call, once it is over."""
    limit_ms = 1000 * (2 * sound.duration_s + 30)
    enough = [sum(sound.phrases_s) - _LOST_S, _PATIENCE_S]
    page.wait_for_function("enough => benchmark.over(enough)", arg=enough, timeout=limit_ms, polling=200)
    noted = page.evaluate("() => benchmark.take()")
    first_s, last_s = noted["changes"][0]["at_s"], noted["changes"][-1]["at_s"]
    gaps, longer, tone_s = _compare(noted["changes"], sound)
    came = noted["messages"] or noted["requests"]
    times = [at_s for at_s in came if first_s - 1 <= at_s <= last_s]
    return Heard(
        first_s=first_s,
        gaps_s=gaps,
        longer_s=longer,
        lost_s=max(0.0, sum(sound.phrases_s) - tone_s),
        messages=max((sum(0 <= other - one < 1 for other in times) for one in times), default=0),
        output_ms=1000 * noted["output"]["outputLatency"] if noted["output"] else float("nan"),
    )


def _compare(changes: list[dict[str, Any]], sound: Sound) -> tuple[list[float], list[float], float]:
    """Gaps, what pauses were longer, and how much tone there was, in seconds."""
    gaps, longer = [], []
    phrases, pauses = list(sound.phrases_s), list(sound.pauses_s)
    all_s = phrase_s = 0.0
    broken = 0
    for one, other in itertools.pairwise(changes):
        length_s = other["frame_s"] - one["frame_s"]
        if one["sounds"]:
            phrase_s += length_s
            all_s += length_s
        elif pauses and abs(phrase_s - phrases[0]) < _NEAR_S + broken * _FADE_S:
            if length_s - pauses[0] > _NEAR_S:
                longer.append(length_s - pauses[0])
            phrases.pop(0)
            pauses.pop(0)
            phrase_s, broken = 0.0, 0
        else:
            gaps.append(length_s)
            broken += 1
    return gaps, longer, all_s
