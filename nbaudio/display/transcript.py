"""A transcript on the page: player, words by speaker, what the reader should know of it, and details folded away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nbaudio.display.html import AS_WRITTEN, Html, emphasised, escape_markdown, paragraphs, tag
from nbaudio.display.player import FIGURE, NOTE, Embedded, audio_html, live_class
from nbaudio.legible import legible

__all__ = ["OFFLINE_EARS", "TranscriptView", "transcript_html", "transcript_markdown", "transcript_plain"]

OFFLINE_EARS = "Offline ears: a small model on this machine, which mishears now and then."
_WORDLESS = "(no words)"
_WORDS = "margin:.4em 0"


@dataclass(frozen=True)
class TranscriptView:
    """What of a transcript is shown: `paragraphs` are who speaks, where that is known, and what.

    `live` is the key of a living player, see `nbaudio.display.player.live_class`.
    """

    paragraphs: Sequence[tuple[str, str]]
    sound: Embedded | None = None
    note: str = ""
    offline: bool = False
    details: Mapping[str, str] = field(default_factory=dict)
    live: str = ""

    @property
    def notes(self) -> list[str]:
        """Every line that the reader should know."""
        of_sound = self.sound.note if self.sound else ""
        return [line for line in (self.note, of_sound, OFFLINE_EARS if self.offline else "") if line]


def transcript_html(view: TranscriptView) -> Html:
    """The transcript as HTML that lives without trust, kernel or network."""
    parts: list[str] = []
    if view.sound and view.sound.source:
        parts.append(audio_html(view.sound, title=f"Recording, {view.sound.duration_s:.1f} s"))
    said = [
        tag("p", tag("strong", f"{name}:"), " ", " ".join(text.split()), style=_WORDS)
        if name
        else paragraphs(text, style=_WORDS)
        for name, text in view.paragraphs
    ]
    parts.append(tag("figcaption", *(said or [tag("p", _WORDLESS, style=_WORDS)])))
    parts += [tag("p", tag("small", note), style=NOTE) for note in view.notes]
    if view.details:
        rows = [
            tag("tr", tag("td", name, style="text-align:left"), tag("td", value, style="text-align:left"))
            for name, value in view.details.items()
        ]
        summary = tag("summary", tag("small", "Details"), style=NOTE)
        parts.append(tag("details", summary, tag("table", tag("tbody", *rows))))
    return tag("figure", *parts, class_=AS_WRITTEN + live_class(view.live), style=FIGURE)


def transcript_plain(view: TranscriptView) -> str:
    """The transcript as plain text: its words, then a line of what else there is to know."""
    said = [f"{name}: {' '.join(text.split())}" if name else text for name, text in view.paragraphs]
    facts = [f"recording, {view.sound.duration_s:.1f} s"] if view.sound else []
    facts += [note.rstrip(".") for note in view.notes]
    return legible("\n".join([*(said or [_WORDLESS]), *([f"[{'; '.join(facts)}]"] if facts else [])]))


def transcript_markdown(view: TranscriptView) -> str:
    """The transcript as Markdown, with nothing in it that a speaker could have marked up."""
    said = [
        f"**{escape_markdown(' '.join(name.split()))}:** {escape_markdown(' '.join(text.split()))}"
        if name
        else escape_markdown(text)
        for name, text in view.paragraphs
    ]
    notes = [emphasised(note) for note in view.notes]
    return "\n\n".join([*(said or [escape_markdown(_WORDLESS)]), *notes])
