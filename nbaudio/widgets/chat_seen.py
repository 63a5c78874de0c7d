"""What a page sees of a conversation: its latest turns, those that arrive, and the sounds that it asks for."""

from __future__ import annotations

from collections import deque
from typing import Any

from nbaudio.conversation.talk import Conversation
from nbaudio.turns import Turn
from nbaudio.widgets.chat_arrivals import Arrivals
from nbaudio.widgets.chat_turns import Tally, entry_of, key_of
from nbaudio.widgets.player import for_page

__all__ = ["Seen"]

_WINDOW = 20  # turns that are shown at first, and that "Earlier" adds
_LONGEST_WINDOW = 200


class Seen:
    """The window of a `VoiceChat` on its conversation.

    Parameters
    ----------
    chat : Conversation
    arrivals : Arrivals
    """

    def __init__(self, chat: Conversation, arrivals: Arrivals) -> None:
        self._chat, self._arrivals = chat, arrivals
        self._window = _WINDOW
        self._tally = Tally()
        self.needed: deque[str] = deque(maxlen=_LONGEST_WINDOW)
        """The keys of turns whose sound the page lacks."""

    def earlier(self) -> None:
        """Show more turns, up to 200."""
        self._window = min(self._window + _WINDOW, _LONGEST_WINDOW)

    def need(self, key: str) -> None:
        """The page lacks the sound of a turn."""
        self.needed.append(key)

    def state(self) -> dict[str, Any]:
        """The traits of a `VoiceChat` that come of its conversation; none where they are about to be others."""
        turns = list(self._chat)
        if self._arrivals.settling(turns):  # an answer is in the conversation already, and will be told of at once
            return {}
        first = max(0, len(turns) - self._window)
        entries = []
        for turn in turns[first:]:
            heard_as = self._arrivals.heard_as(turn)
            entries.append(entry_of(turn, heard_as))
            if heard_as:  # its sound is there already, and so are the times of its words
                entries[-1]["phrases"] = _phrases(turn)
        return {
            "turns": entries,
            "earlier": first,
            "more": first > 0 and self._window < _LONGEST_WINDOW,
            "arriving": self._arrivals.entries(turns),
            "spent": self._tally.words(turns),
        }

    def sound(self) -> tuple[dict[str, Any], list[bytes]] | None:
        """The message with the next sound that is needed; None where it is of no turn within reach."""
        key = self.needed.popleft()
        turns = [*self._chat[-_LONGEST_WINDOW:], *self._arrivals.turns()]
        turn = next((one for one in turns if key in (key_of(one), self._arrivals.heard_as(one))), None)
        clip = turn.clip if turn is not None else None
        if turn is None or clip is None:
            return None
        data, mime = for_page(clip)
        return {"kind": "sound", "turn": key, "mime": mime, "frames": clip.frames, "phrases": _phrases(turn)}, [data]


def _phrases(turn: Turn) -> list[list[Any]]:
    return [[phrase.text, phrase.start_s, phrase.end_s] for phrase in turn.captions]
