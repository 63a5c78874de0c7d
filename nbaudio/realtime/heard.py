"""An answer that was interrupted, as far as it was heard: in words and in sound."""

from __future__ import annotations

from dataclasses import replace

from nbaudio.turns import INTERRUPTED, Reply

__all__ = ["heard_part"]


def heard_part(reply: Reply, played_ms: int) -> Reply:
    """The part of an answer that was heard.

    Words are cut where the sound was, by the times of its phrases: a word that had begun counts as heard.

    Parameters
    ----------
    reply : Reply
    played_ms : int
        How much of its sound was heard, in milliseconds.

    Examples
    --------
    >>> heard_part(Reply(text="Never heard."), 0).text
    ''
    """
    clip, time_s = reply.clip, played_ms / 1000
    if clip is not None and time_s >= clip.duration_s:
        return reply
    words = "" if clip is None else _words_until(reply, time_s)
    clips = (clip[:time_s],) if clip is not None and time_s > 0 else ()
    return replace(reply, text=words, clips=clips, marks=(), partial=True, note=INTERRUPTED)


def _words_until(reply: Reply, time_s: float) -> str:
    heard = []
    for phrase in reply.captions:
        if phrase.end_s <= time_s:
            heard.append(phrase.text)
        elif phrase.start_s < time_s:
            share = (time_s - phrase.start_s) / (phrase.end_s - phrase.start_s)
            letters = round(share * len(phrase.text))
            end = phrase.text.find(" ", letters)
            heard.append(phrase.text if end < 0 else phrase.text[:end])
    return " ".join(heard)
