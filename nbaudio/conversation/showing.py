"""What of a conversation is shown: speakers, words, sounds within a budget, and what else is known."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Sequence

from nbaudio.display.conversation import ConversationView, TurnView
from nbaudio.display.player import Embedded
from nbaudio.display.reply import OFFLINE
from nbaudio.legible import legible
from nbaudio.turns import Reply, ToolResult, Turn

__all__ = ["SHOWN_TURNS", "speaker", "talk_view", "turn_view"]

SHOWN_TURNS = 20
_KNOWN_BYTES = 4_000_000  # of MP3 that is kept for the next look: a quarter of an hour
_BYTES_A_SECOND = 4000  # of an MP3 as `Clip.embed` makes it
_LATEST = 253_402_300_800  # the year 10000


class _Latest:
    """The sounds of turns that were shown lately, as a page holds them.

    Clips on disk don't keep theirs, and a view that is renewed with each answer would press all of them again.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[weakref.ref[Turn], Embedded]] = {}
        self._lock = threading.Lock()

    def embedded(self, turn: Turn, budget_bytes: int) -> Embedded | None:
        """As `Turn.embedded`."""
        # By which turn it is: to compare what two hold, their sounds would be read.
        with self._lock:
            known, sound = self._known.pop(id(turn), (None, None))
        if known is None or known() is not turn or sound is None or len(sound.data or b"") > budget_bytes:
            sound = turn.embedded(budget_bytes)
        if sound is not None and sound.data and not sound.note:  # whole, and small enough for a page
            with self._lock:
                self._known[id(turn)] = weakref.ref(turn), sound
                while sum(len(one.data or b"") for _, one in self._known.values()) > _KNOWN_BYTES:
                    del self._known[next(iter(self._known))]
        return sound


_latest = _Latest()


def speaker(turn: Turn) -> str:
    """Who says it: you, the model by its name, or a tool."""
    if isinstance(turn, ToolResult):
        return " ".join(legible(f"Tool {turn.name}").split())
    return " ".join(legible(turn.model).split()) or "Model" if isinstance(turn, Reply) else "You"


def turn_view(turn: Turn, sound: Embedded | None = None, note: str = "") -> TurnView:
    """What of one turn is shown.

    Parameters
    ----------
    turn : Turn
    sound : Embedded, optional
        Its sound as the page is to hold it.
    note : str
        One more line for the reader.
    """
    notes, mark, calls, details = [], "", [], {}
    if isinstance(turn, Reply):
        mark = "interrupted" if turn.interrupted else "broke off" if turn.partial else "refused" if turn.refusal else ""
        notes = [turn.note, turn.by, OFFLINE if turn.offline else ""]
        calls = [str(call) for call in turn.tool_calls]
        details = turn._details()
    elif isinstance(turn, ToolResult) and turn.failed:
        mark = "failed"
    notes += [sound.note if sound is not None else "", note]
    return TurnView(
        speaker=speaker(turn),
        words=turn.words,
        time=_when(turn.time),
        mark=mark,
        sound=sound,
        duration_s=sum(clip.duration_s for clip in turn.clips),
        notes=tuple(line for line in notes if line),
        calls=tuple(calls),
        details=details,
    )


def talk_view(turns: Sequence[Turn], title: str, budget_bytes: int, shown: int = SHOWN_TURNS) -> ConversationView:
    """The latest turns; of their sounds the latest that fit into so many bytes of MP3."""
    before = max(0, len(turns) - shown)
    views: list[TurnView] = []
    left = budget_bytes
    for index in range(len(turns) - 1, before - 1, -1):
        turn, sound, note = turns[index], None, ""
        if sum(clip.duration_s for clip in turn.clips) * _BYTES_A_SECOND <= left:
            sound = _latest.embedded(turn, left)
            left -= len(sound.data or b"") if sound is not None else 0
        else:
            note = f"Its sound is left out here, for size: chat[{index}].clip plays it."
        views.append(turn_view(turn, sound, note))
    return ConversationView(title, tuple(reversed(views)), before)


def _when(time_s: float) -> str:
    """Date and time in UTC, which is the same for every reader; empty where it is not known."""
    if not 0 < time_s < _LATEST:
        return ""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(time_s))
