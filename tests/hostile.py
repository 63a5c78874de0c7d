"""Words that a model, a file or a server could send to do something on the page, and a reader that sees if they did."""

from __future__ import annotations

import random
import re
from html.parser import HTMLParser

HOSTILE = [
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<a href=\"javascript:alert(1)\">click</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>click</a>",
    "<audio src=x onerror=alert(1)>",
    "<video><source onerror=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<style>body{background:url(//evil.example)}</style>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<form action=//evil.example><button>ok</button></form>",
    "<base href=//evil.example/>",
    "<object data=//evil.example></object><embed src=//evil.example>",
    "<div style=\"background:url(javascript:alert(1))\">x</div>",
    "<button data-commandlinker-command='docmanager:delete-file'>x</button>",
    "</figcaption></figure><script>alert(1)</script>",
    "</audio><img src=x onerror=alert(1)>",
    "\"><script>alert(1)</script>",
    "' onmouseover='alert(1)",
    "\" autofocus onfocus=\"alert(1)",
    "`onerror=alert(1)`",
    "<<script>script>alert(1)<</script>/script>",
    "<scr\x00ipt>alert(1)</scr\x00ipt>",
    "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &#60;b&#62;",
    "<!--><script>alert(1)</script-->",
    "<math><mi xlink:href=\"javascript:alert(1)\">x</mi></math>",
    "<x onclick=alert(1)>x",
    "[click](javascript:alert(1))",
    "[click](https://evil.example \"title\")",
    "![pixel](https://evil.example/pixel.png)",
    "[click][1]\n\n[1]: https://evil.example",
    "<https://evil.example>",
    "https://evil.example/?a=b and www.evil.example and WWW.EVIL.EXAMPLE and me@evil.example",
    "# a heading\n\n- a list\n1. another\n\n> a quote\n\n---\n\n    code\n\n```\ncode\n```\n~~~\ncode\n~~~",
    "a heading\n===\nanother\n---",
    "|a|b|\n|-|-|\n|1|2|",
    "*a* **b** _c_ __d__ ~~e~~ `f` ***g*** <u>h</u>",
    "costs $5 and then $10, \\(x\\) \\[y\\] $$z$$ \\begin{equation}q\\end{equation} @@0@@",
    "ends with a backslash \\",
    "line one\nline two\\\nline three  \nline four\r\nline five",
    "- [ ] a task\n- [x] another",
    "a[^1]\n\n[^1]: a footnote",
]  # fmt: skip


class Page(HTMLParser):
    """The elements, attributes and words of a piece of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "br":
            self.words += "\n"

    def handle_endtag(self, tag: str) -> None:
        if tag in ("p", "td", "summary"):
            self.words += "\n"

    def handle_data(self, data: str) -> None:
        self.words += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment on the page: {data!r}")

    @property
    def names(self) -> set[str]:
        """The names of its elements."""
        return {name for name, _ in self.elements}

    @property
    def audio(self) -> dict[str, str | None]:
        """The attributes of its only player."""
        (attributes,) = [attributes for name, attributes in self.elements if name == "audio"]
        return attributes


def folded(text: str) -> str:
    """Words as they are read: white space is one space."""
    return " ".join(text.replace("\x00", "").replace("\ufffd", "").split())


_PIECES = [
    *HOSTILE,
    "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\x1b[2J\x1b[H", "\x9b31m",
    "\x1b]8;;http://evil.example\x1b\\\\x", "\x08\x08\x08", "\x07",
    "\u202egnp.exe", "\u202d\u202e\u202b\u2067\u2066",
    "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627", "\u200b\u200d\ufeff",
    "\x00", "a\x00b\x00", "\ud83d", "\udc00\ud800", "\U0001f415\u200d\U0001f9ba", "Z" + "\u0351" * 50, "\ufffe\uffff",
    "-->", "00:00:00.000 --> 00:00:09.000", "WEBVTT", "NOTE x", "</c><v Mallory>", "{\\an8}", "<00:00:01.000>",
    "]]>", "<![CDATA[", "<?php", "<!doctype html>", "</body></html>", "</textarea></title></style></script></noscript>",
    "<plaintext>", "<template>", "<table><td>", "<frameset>", "<select><option>", "</p></div></figure></details>",
    "You:", "\nYou:\n    yes\n", "Conversation(0 turns)", "```\n", "\u2028", "\x85",
    "\x0b", "\x0c", "\r", "\r\n", "\n\n", "\t", "  ",
    "word", "It costs $5 & more.", "\u65e5\u672c\u8a9e\u3002",
]  # fmt: skip


def transcripts(count: int, seed: int = 1) -> list[str]:
    """So many different texts, each hostile in several ways; a few are one line of a megabyte."""
    chosen = random.Random(seed)
    made: dict[str, None] = {}
    while len(made) < count:
        pieces = chosen.choices(_PIECES, k=chosen.randint(1, 8))
        if chosen.random() < 0.3:
            pieces = [piece[: chosen.randint(1, len(piece))] for piece in pieces]
        if chosen.random() < 0.3:
            pieces.append("".join(map(chr, chosen.choices(range(0x300), k=20))))
        text = chosen.choice(["", " ", "\n"]).join(pieces)
        if len(made) % 500 == 7:
            text = (text.replace("\n", "") + "<b>&") * (1_000_000 // (len(text) + 4))
        made[text] = None
    return list(made)


def read(text: str) -> str:
    """Words as they are read from any display: without what is none to read, and white space is one space."""
    text = re.sub("[\x0b\x0c\x1c-\x1e\x85\u2028\u2029\xa0]", " ", text)
    return " ".join(re.sub("[\x00-\x08\x0e-\x1f\x7f-\x9f\u202d\u202e\ud800-\udfff\ufffd]", "", text).split())
