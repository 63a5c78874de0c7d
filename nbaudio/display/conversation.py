"""A conversation on the page: who said what, with players, and what else is known folded away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from textwrap import indent

from nbaudio.display.html import AS_WRITTEN, Html, emphasised, escape_markdown, paragraphs, tag
from nbaudio.display.player import FIGURE, NOTE, Embedded, audio_html
from nbaudio.display.tool import calls_html, calls_markdown, calls_plain
from nbaudio.legible import legible

__all__ = [
    "ConversationView",
    "TurnView",
    "conversation_html",
    "conversation_markdown",
    "conversation_plain",
    "turn_html",
    "turn_markdown",
]

_HEADING = "margin:.8em 0 .2em 0"
_WORDS = "margin:.4em 0"
_LEFT = "text-align:left"


@dataclass(frozen=True)
class TurnView:
    """What of a turn is shown.

    `mark` says what became of it, such as "broke off"; `duration_s` is the length of its sound, which need not be
    there as `sound`; `calls` are the tools that it asks for; `details` are names and values.
    """

    speaker: str
    words: str = ""
    time: str = ""
    mark: str = ""
    sound: Embedded | None = None
    duration_s: float = 0.0
    notes: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    details: Mapping[str, str] = field(default_factory=dict)

    @property
    def heading(self) -> str:
        """Who, when, and what became of it."""
        return ", ".join(part for part in (self.speaker, self.time, self.mark) if part)

    @property
    def lines(self) -> str:
        """Its words, or what there is to say where it has none."""
        return self.words.strip() or ("" if self.calls else "(no words)")

    @property
    def facts(self) -> list[str]:
        """What else a reader should know, a line each."""
        spoken = [f"Spoken, {self.duration_s:.1f} s."] if self.duration_s else []
        return [*spoken, *self.notes]


@dataclass(frozen=True)
class ConversationView:
    """The latest turns of a conversation; `before` says how many there are that are not shown."""

    title: str
    turns: tuple[TurnView, ...] = ()
    before: int = 0

    @property
    def earlier(self) -> str:
        """The line on the turns before these."""
        if not self.before:
            return "" if self.turns else "Nothing has been said yet."
        plural, has = ("", "is") if self.before == 1 else ("s", "are")
        return f"{self.before} earlier turn{plural} {has} not shown here; chat.export('talk.html') has all."


def turn_html(view: TurnView) -> Html:
    """One turn as HTML that lives without trust, kernel or network."""
    when = [tag("small", ", ".join(part for part in (view.time, view.mark) if part))] if view.time or view.mark else []
    parts: list[str] = [tag("p", tag("strong", view.speaker), " ", *when, style=_HEADING)]
    if view.sound is not None and view.sound.source:
        parts.append(audio_html(view.sound, title=f"{view.speaker[:80]}, {view.duration_s:.1f} s"))
    if view.lines:
        parts.append(tag("figcaption", paragraphs(view.lines, style=_WORDS)))
    parts.append(calls_html(view.calls))
    parts += [tag("p", tag("small", note), style=NOTE) for note in view.notes]
    if view.details:
        rows = [
            tag("tr", tag("td", name, style=_LEFT), tag("td", value, style=_LEFT))
            for name, value in view.details.items()
        ]
        summary = tag("summary", tag("small", "Details"), style=NOTE)
        parts.append(tag("details", summary, tag("table", tag("tbody", *rows))))
    return tag("figure", *parts, class_=AS_WRITTEN, style=FIGURE)


def turn_markdown(view: TurnView) -> str:
    """One turn as Markdown, with nothing in it that somebody could have marked up."""
    parts = [f"**{_in_one_line(view.speaker)}**" + _in_one_line(view.heading[len(view.speaker) :])]
    parts += [escape_markdown(view.lines)] if view.lines else []
    parts += [calls_markdown(view.calls)] if view.calls else []
    parts += [emphasised(fact) for fact in view.facts]
    return "\n\n".join(parts)


def _in_one_line(text: str) -> str:
    return escape_markdown(" ".join(legible(text).split())) if text.strip() else ""


def conversation_html(view: ConversationView) -> Html:
    """The conversation as HTML that lives without trust, kernel or network."""
    earlier = [tag("p", tag("small", view.earlier), style=NOTE)] if view.earlier else []
    return tag("div", *earlier, *(turn_html(turn) for turn in view.turns), class_=AS_WRITTEN)


def conversation_markdown(view: ConversationView) -> str:
    """The conversation as Markdown."""
    earlier = [emphasised(view.earlier)] if view.earlier else []
    return "\n\n".join([*earlier, *(turn_markdown(turn) for turn in view.turns)])


def conversation_plain(view: ConversationView) -> str:
    """The conversation as plain text. What is said is indented, so that it can't pass for somebody else's turn."""
    blocks = [view.title, *([f"[{view.earlier.rstrip('.')}]"] if view.earlier else [])]
    for turn in view.turns:
        facts = [f"[{' '.join(fact.split()).rstrip('.')}]" for fact in turn.facts]
        said = legible("\n".join(part for part in (turn.lines, calls_plain(turn.calls), *facts) if part))
        blocks.append(" ".join(legible(turn.heading).split()) + ":\n" + indent(said, "    "))
    return "\n\n".join(blocks)
