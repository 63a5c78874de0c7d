"""One escaping HTML builder: a child that is not `Html` already is text, and is escaped.

>>> print(tag("p", "1 < 2", tag("b", "!"), title='a "b"'))
<p title="a &quot;b&quot;">1 &lt; 2<b>!</b></p>
"""

from __future__ import annotations

import html
import re

__all__ = ["Html", "escape_markdown", "paragraphs", "tag"]

_VOID = {"br", "hr", "img"}


class Html(str):
    """Text that is markup already, made by `tag`."""

    __slots__ = ()


def tag(name: str, *children: str, **attributes: str | bool) -> Html:
    """An element: children in order, attributes escaped; ``True`` is an attribute without a value.

    A trailing underscore of an attribute name is dropped (``class_``); ``False`` leaves it out.
    """
    written = "".join(
        f" {key.rstrip('_')}" + ("" if value is True else f'="{html.escape(value)}"')
        for key, value in attributes.items()
        if value is not False
    )
    if name in _VOID:
        return Html(f"<{name}{written}>")
    inner = "".join(child if isinstance(child, Html) else html.escape(child, quote=False) for child in children)
    return Html(f"<{name}{written}>{inner}</{name}>")


def paragraphs(text: str, **attributes: str | bool) -> Html:
    r"""Plain text as paragraphs: blank lines part them, single line ends stay line ends.

    >>> print(paragraphs("one\ntwo"))
    <p>one<br>two</p>
    """
    found = [part for part in re.split(r"\n\s*\n", text.strip()) if part]
    made = []
    for part in found:
        lines: list[str] = []
        for line in part.splitlines():
            lines += [tag("br"), line] if lines else [line]
        made.append(tag("p", *lines, **attributes))
    return Html("".join(made))


def escape_markdown(text: str) -> str:
    r"""Text that Markdown shows as it is written: no links, images, headings or HTML come of it.

    >>> print(escape_markdown("# a *b* ![c](http://d) <e>"))
    \# a \*b\* !\[c\](http://d) \<e\>
    """
    text = re.sub(r"([\\`*_\[\]<>|&~$])", r"\\\1", text)
    return re.sub(r"(?m)^(\s*)([#+\-=]|\d+(?=[.)]))", lambda m: f"{m[1]}{_mark(m[2])}", text)


def _mark(start: str) -> str:
    return start + "&#8203;" if start.isdigit() else "\\" + start
