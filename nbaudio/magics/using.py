"""``%nbaudio use``: which server requests go to, and which there are."""

from __future__ import annotations

from IPython.display import display

from nbaudio.connecting import connect
from nbaudio.display.table import Table
from nbaudio.doctor import status
from nbaudio.errors import CellError
from nbaudio.magics.options import Option, parse, take_word, usage_text
from nbaudio.settings import settings
from nbaudio.wire.dialects import known_dialects

__all__ = ["use"]

_USE = """%nbaudio use has requests of this notebook go to another server.

    %nbaudio use ollama --model llama3.2
    %nbaudio use http://localhost:8000/v1 --dialect vllm
    %nbaudio use kitchen          a server by its name in your own file, see docs/servers.md
    %nbaudio use offline
    %nbaudio use                  lists the names"""

_OPTIONS = [
    Option("model", "The model; by default a usual one of that server.", takes="NAME"),
    Option("dialect", "The server's habits, where its address does not tell them.", takes="NAME"),
    Option("key", "Where the key is: env:NAME, file:PATH or keyring:NAME.", takes="PLACE"),
    Option("hear_with", "Who writes down what you say, if the model can't hear.", takes="NAME|URL"),
    Option("speak_with", "Who says the answer, if the model can't speak.", takes="NAME|URL"),
    Option("help", "Show this."),
]


def use(line: str) -> None:
    """Connect to the server that the line names, and print what is set up then; alone, list the servers.

    Raises
    ------
    CellError
        If there is more on the line than a server and options.
    SetupError
        As `nbaudio.connect`.
    """
    words = "" if line.startswith("-") else line
    where, rest = take_word(words)
    parsed = parse(rest if where else line, _OPTIONS)
    if parsed.values.pop("help", False):
        _print(usage_text("%nbaudio use", _USE, _OPTIONS))
        return
    if parsed.rest or (parsed.values and not where):
        raise CellError(
            f"%nbaudio use does not know what to do with {parsed.rest or line!r}.",
            "Write the server's name or address, then options: %nbaudio use ollama --model llama3.2",
        )
    if not where:
        display(_servers())
        return
    connect(where, **parsed.values)
    _print(status())


def _servers() -> Table:
    """The servers that have a name."""
    mine = settings().servers()
    rows = [
        [one.name, one.url, one.model or "its usual one", f"yours, in {mine.path}"] for one in mine.profiles.values()
    ]
    rows += [
        [row.name, row.url, row.default_model, row.title]
        for row in (*mine.dialects, *known_dialects())
        if row.url and row.name not in mine.profiles
    ]
    rows.append(["offline", "this machine", "offline", "the offline engine"])
    return Table(["Name", "Address", "Model", "What it is"], rows)


def _print(text: str) -> None:
    print(text)  # noqa: T201 - what the person asked to read, in the cell's own output
