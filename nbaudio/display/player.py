"""The static player: a sound on ``<audio src>`` itself, with its words beside it."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from nbaudio.display.html import AS_WRITTEN, Html, emphasised, escape_markdown, paragraphs, tag

__all__ = ["FIGURE", "NOTE", "Embedded", "audio_html", "live_class", "player_bundle", "player_html", "player_markdown"]

# Plain inline styles, no colours: the text takes the theme's own, which is readable in light and in dark. Notes stand
# back behind the words by opacity, which the sanitizer keeps; 0.7 leaves them a contrast above 4.5 in both.
FIGURE = "margin:.5em 0;max-width:44em"
NOTE = "margin:.2em 0;opacity:.7"
_AUDIO = "width:100%;max-width:32em;height:40px;display:block"
_WORDS = "margin:.4em 0"


@dataclass(frozen=True)
class Embedded:
    """A sound as a page holds it.

    `data` are the bytes to put into the page, or None when the sound is a file at `href`; `note` tells the
    reader what was done to make it fit.
    """

    data: bytes | None
    mime: str
    duration_s: float
    href: str = ""
    note: str = ""

    @property
    def source(self) -> str:
        """What ``src`` says: a data URL, the path of the file, or nothing where no sound could be kept."""
        if self.data is None:
            return self.href
        return f"data:{self.mime};base64,{base64.b64encode(self.data).decode('ascii')}"


def audio_html(embedded: Embedded, title: str) -> Html:
    """The ``<audio>`` element; `title` is its label for the mouse and for screen readers."""
    return tag("audio", controls=True, preload="metadata", title=title, src=embedded.source, style=_AUDIO)


def live_class(key: str) -> str:
    """The class, with a space before it, by which a living player of this key finds the figure whose place it takes.

    JupyterLab shows a saved widget only where its kernel still lives, else "model not found", whatever stands beside
    it in the bundle. So what is saved is the static figure, and the widget of a living page covers it
    (``widgets/static/in_place.js``).
    """
    return f" nbaudio-live-{key}" if key else ""


def player_html(embedded: Embedded, *, title: str, words: str, live: str = "") -> Html:
    """A player with its words below it, and a note where the sound was made smaller or put in a file."""
    note = [tag("p", tag("small", embedded.note), style=NOTE)] if embedded.note else []
    caption = tag("figcaption", paragraphs(words, style=_WORDS), *note)
    player = [audio_html(embedded, title)] if embedded.source else []
    return tag("figure", *player, caption, class_=AS_WRITTEN + live_class(live), style=FIGURE)


def player_markdown(words: str, note: str = "") -> str:
    """The words where there can be no player."""
    return escape_markdown(words) + (f"\n\n{emphasised(note)}" if note else "")


def player_bundle(embedded: Embedded, title: str, words: str) -> dict[str, str]:
    """A player as a notebook's output: as HTML, and as its words alone."""
    return {
        "text/plain": words,
        "text/html": player_html(embedded, title=title, words=words),
        "text/markdown": player_markdown(words, embedded.note),
    }
