"""``%nbaudio history``: what was said in all notebooks."""

from __future__ import annotations

from collections.abc import Callable

from IPython.display import display

from nbaudio import history as told
from nbaudio.display.player import player_html, player_markdown
from nbaudio.errors import CellError, NbaudioError
from nbaudio.journal.found import Found
from nbaudio.magics.options import take_word
from nbaudio.settings import settings
from nbaudio.turns import Reply

__all__ = ["history"]

_HELP = """%nbaudio history lists the latest conversations, and what was said last.

    %nbaudio history golden retriever    searches for words, and replays the newest sounds
    %nbaudio history restore             takes this notebook's conversation up again, as after a crash
    %nbaudio history restore NAME        another one, by its name, or by the id that the list shows
    %nbaudio history export talks.sqlite3
    %nbaudio history clear               deletes all of it; clear 30 what is older than 30 days
    %nbaudio history off                 writes nothing down from now on, in this kernel; on begins again

After -- everything is words: %nbaudio history -- off searches for "off"."""
_REPLAYED = 3
_LISTED = 10
_before_off: list[str] = []


def history(line: str) -> None:
    """Do what the line says.

    Raises
    ------
    NbaudioError
        If it can't be done.
    """
    word, rest = take_word(line)
    if word in ("--help", "-h"):
        _print(_HELP)
    elif word == "--":
        _search(rest)
    elif not line.strip():
        _list()
    elif word in _COMMANDS:
        _COMMANDS[word](rest)
    elif word.startswith("-"):
        raise CellError(f"There is no option {word}.", "%nbaudio history --help says what there is.")
    else:
        _search(line)


def _list() -> None:
    display(told.chats(_LISTED))
    if found := told.latest(_LISTED):
        display(found)


def _search(words: str) -> None:
    found = told.search(words)
    display(found)
    for one in [one for one in found if one.sounds][:_REPLAYED]:
        _replay(one)


def _replay(found: Found) -> None:
    try:
        clip = found.turn.clip
        embedded = clip.embed(settings().embed_budget_kb * 1000) if clip is not None else None
    except NbaudioError as error:  # what is damaged does not hide the others
        _print(str(error))
        return
    if clip is None or embedded is None:
        return
    words = found.snippet or "(no words)"
    bundle = {
        "text/plain": f"{words} [{clip.duration_s:.1f} s]",
        "text/html": player_html(embedded, title=f"Replay, {clip.duration_s:.1f} s", words=words),
        "text/markdown": player_markdown(words, embedded.note),
    }
    display(bundle, raw=True)


def _restore(rest: str) -> None:
    name, more = take_word(rest)
    _nothing_more("restore", more)
    talk = told.restore(name or "notebook")
    last = talk[-1]
    more = ""
    if last.role == "user":
        more = " The last question has no answer; nba.chat().retry() asks it again."
    elif isinstance(last, Reply) and last.partial:
        more = " The last answer broke off; what had come of it is kept."
    elif not (isinstance(last, Reply) and last.answers):
        more = " The last question has no answer; nba.chat().retry() goes on from what tools have done."
    named = f"The conversation {talk.name!r}" if talk.name else "The conversation, which has no name,"
    _print(f"{named} is here again, with {len(talk)} turn{'' if len(talk) == 1 else 's'}.{more}")


def _export(rest: str) -> None:
    path, more = take_word(rest)
    _nothing_more("export", more)
    if not path:
        raise CellError("Where to is not said.", "%nbaudio history export talks.sqlite3")
    _print(f"Copied to {told.export(path)}.")


def _clear(rest: str) -> None:
    try:
        days = float(rest) if rest else None
    except ValueError:
        raise CellError(f"{rest!r} is no number of days.", "%nbaudio history clear 30") from None
    count = told.clear(days)
    _print(f"Deleted {count} turn{'' if count == 1 else 's'}.")


def _off(rest: str) -> None:
    _nothing_more("off", rest)
    if settings().journal != "off":
        _before_off[:] = [settings().journal]
    settings().journal = "off"
    _print("Nothing is written down from now on, in this kernel. NBAUDIO_JOURNAL=off says so for all.")


def _on(rest: str) -> None:
    _nothing_more("on", rest)
    if settings().journal.strip().lower() == "off":
        settings().journal = _before_off[0] if _before_off else ""
    _print("What is said is written down.")


def _nothing_more(name: str, rest: str) -> None:
    if rest:
        raise CellError(
            f"%nbaudio history {name} does not know what to do with {rest!r}.",
            f"To search for these words: %nbaudio history -- {name} {rest}",
        )


def _print(text: str) -> None:
    print(text)  # noqa: T201 - what the person asked to read, in the cell's own output


_COMMANDS: dict[str, Callable[[str], None]] = {
    "restore": _restore,
    "export": _export,
    "clear": _clear,
    "off": _off,
    "on": _on,
}
