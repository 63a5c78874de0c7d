"""The browser's side of a widget as one ES module text, with no bundler.

anywidget takes one text and imports it from a ``blob:`` address, from where ``import "./sound.js"`` leads nowhere. So
the text is a small loader with all modules compressed inside: it makes a ``blob:`` address for each, once a page, and
puts it where another module says ``"./sound.js"``. A browser keeps modules by address: what two widgets import is
loaded once, and the two share it, as they would share a file. Addresses are ``blob:`` and not ``data:`` because every
front end that runs anywidget admits them, and because worklets may import from them.
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from functools import cache
from pathlib import Path

__all__ = ["module_text", "style_text"]

_FOLDER = Path(__file__).parent / "static"
_IMPORT = re.compile(r"""^((?:import|export)\b[^"';]*?|.*?new URL\(\s*)(["'])\./([\w-]+\.js)\2""", re.MULTILINE)
_EXPORT = re.compile(r"^export (?:async )?(?:class|const|function\*?|let) (\w+)", re.MULTILINE)
_COMMENT = re.compile(r"^[ \t]*(?://.*|/\*(?:(?!\*/)[\s\S])*\*/[ \t]*$)", re.MULTILINE)

_LOADER = """\
// nbaudio: {names}. Each is one file of nbaudio/widgets/static, compressed.
const bytes = Uint8Array.from(atob("{packed}"), (letter) => letter.charCodeAt(0));
const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
const page = (globalThis.nbaudio ??= {{}});
const known = (page.modules ??= new Map());
const addresses = [];
for (const packed of JSON.parse(await new Response(unpacked).text())) {{
  const text = packed.replace(/\\0(\\d+)\\0/g, (_, number) => addresses[number]);
  if (!known.has(text)) known.set(text, URL.createObjectURL(new Blob([text], {{ type: "text/javascript" }})));
  addresses.push(known.get(text));
}}
const module = await import(addresses.at(-1));
export default module.default;
"""


@cache
def module_text(name: str) -> str:
    """The text of a module of ``static/``, whose imports need no server.

    ``import ... from "./name.js"``, ``export ... from "./name.js"`` and ``new URL("./name.js", import.meta.url)`` (for
    a worklet) are understood where they begin a line. Comments that begin a line are left out. What the module exports
    under names is exported by this text too. A module is evaluated once a page, however many widgets import it.

    Raises
    ------
    RecursionError
        For modules that import each other: neither would have an address before the other.

    Examples
    --------
    >>> len(module_text("sound.js")) < 40_000
    True
    """
    modules: dict[str, str] = {}
    _collect(name, modules, ())
    packed = base64.b64encode(zlib.compress(json.dumps(list(modules.values())).encode(), 9)).decode("ascii")
    exported = _EXPORT.findall(modules[name])
    loader = _LOADER.format(names=", ".join(modules), packed=packed)
    return loader + "".join(f"export const {{ {each} }} = module;\n" for each in exported)


@cache
def style_text(name: str) -> str:
    """The text of a style sheet of ``static/``."""
    return (_FOLDER / name).read_text(encoding="utf-8")


def bare_text(name: str) -> str:
    """A module's text without the comments that begin a line; the lines keep their numbers."""
    text = (_FOLDER / name).read_text(encoding="utf-8")
    return _COMMENT.sub(lambda comment: "\n" * comment[0].count("\n"), text)


def _collect(name: str, modules: dict[str, str], above: tuple[str, ...]) -> int:
    """Put a module behind those that it imports; the number of its place."""
    if name in above:
        raise RecursionError(f"{' imports '.join((*above, name))}: modules that import each other can't be packed.")

    def place(found: re.Match[str]) -> str:
        return f'{found[1]}"\0{_collect(found[3], modules, (*above, name))}\0"'

    if name not in modules:
        # The name is what a browser's console and debugger show.
        modules[name] = _IMPORT.sub(place, bare_text(name)) + f"//# sourceURL=nbaudio/{name}\n"
    return list(modules).index(name)
