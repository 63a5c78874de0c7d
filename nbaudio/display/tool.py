"""A tool's call and its result on the page: one line each, longer ones folded away."""

from __future__ import annotations

from collections.abc import Sequence

from nbaudio.display.html import AS_WRITTEN, Html, escape_markdown, tag
from nbaudio.display.player import FIGURE, NOTE
from nbaudio.legible import legible

__all__ = ["calls_html", "calls_markdown", "calls_plain", "result_html", "result_markdown", "result_plain"]

_SHORT = 120  # characters that stand in the line
_LONG = 4_000  # characters that are kept in the page; all of it is in the turn
_LINE = NOTE
_WRAPPED = "white-space:pre-wrap;margin:.2em 0"


def calls_html(calls: Sequence[str]) -> Html:
    """What a model asks for, each as ``name({"argument": 1})``."""
    lines = [tag("p", "Calls ", tag("code", _shortened(call, _LONG)), style=_LINE) for call in calls]
    return Html("".join(lines))


def calls_markdown(calls: Sequence[str]) -> str:
    """As `calls_html`, as Markdown."""
    return "\n\n".join(f"*Calls* {escape_markdown(_shortened(call, _LONG))}" for call in calls)


def calls_plain(calls: Sequence[str]) -> str:
    """As `calls_html`, as plain text."""
    return "\n".join(f"[calls {_shortened(call, _LONG)}]" for call in calls)


def result_html(name: str, text: str, *, failed: bool) -> Html:
    """What a tool gave back; a long text is folded away."""
    text, says = legible(text), _says(name, failed)
    if len(text) <= _SHORT and "\n" not in text:
        line = tag("p", says, tag("code", text), style=_LINE)
    else:
        summary = tag("summary", says, tag("code", _shortened(text, _SHORT)), style=_LINE)
        line = tag("details", summary, tag("pre", _cut(text), style=_WRAPPED))
    return tag("figure", line, class_=AS_WRITTEN, style=FIGURE)


def result_markdown(name: str, text: str, *, failed: bool) -> str:
    """As `result_html`, as Markdown."""
    return f"*{escape_markdown(_says(name, failed).strip())}* {escape_markdown(_cut(legible(text)))}"


def result_plain(name: str, text: str, *, failed: bool) -> str:
    """As `result_html`, as plain text."""
    return f"[{_says(name, failed)}{_cut(legible(text))}]"


def _says(name: str, failed: bool) -> str:
    return f"{legible(name)} {'failed' if failed else 'gave'}: "


def _shortened(text: str, most: int) -> str:
    """The beginning of a text, in one line."""
    line = " ".join(legible(text).split())
    return line if len(line) <= most else line[:most] + "…"


def _cut(text: str) -> str:
    return text if len(text) <= _LONG else f"{text[:_LONG]}…\n({len(text) - _LONG:,} characters more)"
