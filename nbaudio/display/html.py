"""One escaping HTML builder: a child that is not `Html` already is text, and is escaped.

>>> print(tag("p", "1 < 2", tag("b", "!"), title='a "b"'))
<p title="a &quot;b&quot;">1 &lt; 2<b>!</b></p>
"""

from __future__ import annotations

import html
import re

from nbaudio.legible import legible, without_halves

__all__ = ["AS_WRITTEN", "Html", "emphasised", "escape_markdown", "paragraphs", "tag"]

AS_WRITTEN = "mathjax_ignore tex2jax_ignore"
"""The class of what is no formula: MathJax, in JupyterLab and in exported pages, would make one of two prices in $."""

_VOID = {"br", "hr", "img"}


class Html(str):
    """Text that is markup already, made by `tag`."""

    __slots__ = ()


def tag(name: str, *children: str, **attributes: str | bool) -> Html:
    """An element: children in order, attributes escaped; ``True`` is an attribute without a value.

    A trailing underscore of an attribute name is dropped (``class_``); ``False`` leaves it out.
    """
    written = "".join(
        f" {key.rstrip('_')}" + ("" if value is True else f'="{html.escape(without_halves(value))}"')
        for key, value in attributes.items()
        if value is not False
    )
    if name in _VOID:
        return Html(f"<{name}{written}>")
    inner = "".join(
        child if isinstance(child, Html) else html.escape(without_halves(child), quote=False) for child in children
    )
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
    r"""Text that Markdown shows as it is written: no links, images, headings, formulas or HTML come of it.

    >>> print(escape_markdown("# a *b* ![c](http://d) <e>"))
    \# a \*b\* !\[c\](http\://d) \<e\>
    """
    # No backslash does it: nbconvert would read the &#60; that is left of \&\#60; as <.
    text = _ENTITY.sub("&amp;", legible(text))
    # JupyterLab looks for formulas before it reads Markdown, and takes an escaped backslash for half a \\( ... \\).
    text = "&#92;".join(_MARKS.sub(r"\\\g<0>", part) for part in text.split("\\"))
    text = text.replace("@", "&#64;")  # JupyterLab looks for @@0@@ in what Markdown has made, and fails on it
    text = _AT_LINE_START.sub(r"\1\\\2", text)
    text = _INDENT.sub(lambda spaces: "&nbsp;" * len(spaces[0].expandtabs(4)), text)
    return _LINE_END.sub("  \n", text)  # two spaces keep a line end


def emphasised(text: str) -> str:
    """Text as one line in italics, as Markdown; nothing where there is none."""
    line = " ".join(legible(text).split())  # a star alone on a line would begin a list
    return f"*{escape_markdown(line)}*" if line else ""


_MARKS = re.compile(r"[`*_\[\]<>|~$#]|:(?=//)|(?<=[Ww]{3})\.")  # the last two would make links of addresses
_ENTITY = re.compile(r"&(?=[#\w])")
_AT_LINE_START = re.compile(r"(?m)^([ \t]*(?:\d+(?=[.)]))?)([+\-=.):])")
_INDENT = re.compile(r"(?m)^[ \t]+(?=\S)")  # four spaces would make code of a line
_LINE_END = re.compile(r"(?<=\S)\n(?=[^\n])")
