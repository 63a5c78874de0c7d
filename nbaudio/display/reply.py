"""An answer on the page: player, words, what the reader should know of it, and details folded away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nbaudio.display.html import AS_WRITTEN, Html, emphasised, escape_markdown, paragraphs, tag
from nbaudio.display.player import FIGURE, NOTE, Embedded, audio_html, live_class
from nbaudio.display.tool import calls_html, calls_markdown, calls_plain
from nbaudio.legible import legible

__all__ = ["ReplyView", "reply_html", "reply_markdown", "reply_plain", "words_html"]

OFFLINE = "Offline voice: a small model on this machine, which is often wrong."
_WORDLESS = "(no words)"


@dataclass(frozen=True)
class ReplyView:
    """What of an answer is shown: `sound` is None where it has none; `details` are names and values.

    `live` is the key of a living player, see `nbaudio.display.player.live_class`.
    """

    words: str
    sound: Embedded | None = None
    note: str = ""
    offline: bool = False
    details: Mapping[str, str] = field(default_factory=dict)
    live: str = ""
    calls: Sequence[str] = ()
    """The tools that it asks for, each with its arguments."""
    title: str = "Answer"
    """What its sound is called."""
    by: str = ""
    """Who heard and who spoke, where the server that answers did not."""

    @property
    def notes(self) -> list[str]:
        """Every line that the reader should know."""
        of_sound = self.sound.note if self.sound else ""
        return [line for line in (self.note, of_sound, self.by, OFFLINE if self.offline else "") if line]


def reply_html(view: ReplyView) -> Html:
    """The answer as HTML that lives without trust, kernel or network."""
    parts: list[str] = []
    if view.sound and view.sound.source:
        parts.append(audio_html(view.sound, title=f"{view.title}, {view.sound.duration_s:.1f} s"))
    if view.words or not view.calls:
        parts.append(_caption(view.words or _WORDLESS))
    parts.append(calls_html(view.calls))
    parts += [tag("p", tag("small", note), style=NOTE) for note in view.notes]
    if view.details:
        rows = [
            tag("tr", tag("td", name, style="text-align:left"), tag("td", value, style="text-align:left"))
            for name, value in view.details.items()
        ]
        summary = tag("summary", tag("small", "Details"), style=NOTE)
        parts.append(tag("details", summary, tag("table", tag("tbody", *rows))))
    return tag("figure", *parts, class_=AS_WRITTEN + live_class(view.live), style=FIGURE)


def words_html(words: str, live: str = "") -> Html:
    """The words alone, as they stand while the answer is still coming: in the lines that they keep when it is there."""
    return tag("figure", _caption(words), class_=AS_WRITTEN + live_class(live), style=FIGURE)


def _caption(words: str) -> Html:
    return tag("figcaption", paragraphs(words, style="margin:.4em 0"))


def reply_plain(view: ReplyView) -> str:
    """The answer as plain text: its words, then a line of what else there is to know."""
    facts = [f"spoken, {view.sound.duration_s:.1f} s"] if view.sound else []
    facts += [note.rstrip(".") for note in view.notes]
    said = [view.words or ("" if view.calls else _WORDLESS), calls_plain(view.calls)]
    return legible("\n".join(filter(None, [*said, f"[{'; '.join(facts)}]" if facts else ""])))


def reply_markdown(view: ReplyView) -> str:
    """The answer as Markdown, with nothing in it that the model could have marked up."""
    notes = "".join(f"\n\n{emphasised(note)}" for note in view.notes)
    said = [escape_markdown(view.words or ("" if view.calls else _WORDLESS)), calls_markdown(view.calls)]
    return "\n\n".join(filter(None, said)) + notes
