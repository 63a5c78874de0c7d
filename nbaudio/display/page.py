"""One page of HTML that stands alone: it loads nothing, runs nothing, and is readable by day, by night and on paper."""

from __future__ import annotations

from nbaudio.display.html import Html, tag

__all__ = ["page_begin", "page_end"]

# Colours have a contrast of 7:1 and more; inline opacity of 0.7 leaves 5:1.
_STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1b; --ground: #ffffff; --line: #c8c8c8; }
@media (prefers-color-scheme: dark) { :root { --ink: #ececec; --ground: #161616; --line: #4a4a4a; } }
body { color: var(--ink); background: var(--ground); font: 1rem/1.5 system-ui, sans-serif; max-width: 46rem;
  margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; }
figure { margin: 0; padding: .4rem 0 .8rem; border-top: 1px solid var(--line); }
figcaption p, td { unicode-bidi: plaintext; }
td { padding: 0 1rem 0 0; vertical-align: top; }
code { white-space: pre-wrap; }
summary { cursor: pointer; }
@media print {
  :root { --ink: #000000; --ground: #ffffff; --line: #808080; }
  body { margin: 0; max-width: none; }
  audio, summary { display: none !important; }
  details::details-content { content-visibility: visible; display: block; }
  p { orphans: 3; widows: 3; }
}
"""
_MAY = "default-src 'none'; media-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def page_begin(title: str) -> str:
    """All of the page that stands before its content."""
    head = tag(
        "head",
        Html('<meta charset="utf-8">'),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{_MAY}">'),  # the browser keeps it to this
        Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        tag("title", title),
        Html(f"<style>{_STYLE}</style>"),
    )
    return f'<!doctype html>\n<html lang="en">\n{head}\n<body>\n{tag("h1", title)}\n'


def page_end() -> str:
    """What closes it."""
    return "</body>\n</html>\n"
