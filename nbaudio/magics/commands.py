"""``%nbaudio``: what there is to know and to do beside talking, a word each."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass

from IPython.display import display

from nbaudio.errors import CellError

__all__ = ["COMMANDS", "Command", "run"]


@dataclass(frozen=True)
class Command:
    """One command: what it does in a line, and a function that gets what follows it."""

    help: str
    run: Callable[[str], None]


def run(line: str) -> None:
    """Do what the line says.

    Raises
    ------
    CellError
        If there is no such command, with the nearest.
    """
    word, _, rest = line.strip().partition(" ")
    if word in ("--help", "-h", "help"):
        _print("%nbaudio alone prints where requests go, which model and voice, and what is wrong if anything is.\n")
        for name, command in COMMANDS.items():
            _print(f"%nbaudio {name:<10} {command.help}")
    elif not word:
        from nbaudio.doctor import status

        _print(status())
    elif word in COMMANDS:
        COMMANDS[word].run(rest.strip())
    else:
        near = difflib.get_close_matches(word, COMMANDS, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(COMMANDS)}."
        raise CellError(f"%nbaudio does not know {word!r}.", hint)


def _chats(rest: str) -> None:
    """The conversations by name."""
    from nbaudio.conversation.chats import chats
    from nbaudio.display.table import Table

    _alone("chats", rest)
    rows = []
    for name, talk in chats().items():
        last = next((turn.words for turn in reversed(talk) if turn.words), "")
        seconds = sum(clip.duration_s for turn in talk for clip in turn.clips)
        rows.append([name, str(len(talk)), f"{seconds:.1f} s", last])
    display(Table(["Conversation", "Turns", "Sound", "Last words"], rows, empty="No conversation has begun yet."))


def _usage(rest: str) -> None:
    """Tokens and money so far."""
    from nbaudio.spending.accounts import usage

    _alone("usage", rest)
    display(usage())


def _alone(name: str, rest: str) -> None:
    if rest:
        raise CellError(f"%nbaudio {name} does not know what to do with {rest!r}.", f"Write %nbaudio {name} alone.")


def _print(text: str) -> None:
    print(text)  # noqa: T201 - what the person asked to read, in the cell's own output


def _history(rest: str) -> None:
    """What was said in all notebooks."""
    from nbaudio.magics.history import history

    history(rest)


def _use(rest: str) -> None:
    """Have requests go to another server."""
    from nbaudio.magics.using import use

    use(rest)


COMMANDS: dict[str, Command] = {
    "chats": Command("lists the conversations of this kernel", _chats),
    "history": Command("lists what was said in all notebooks, searches it, restores a conversation", _history),
    "usage": Command("says how many tokens, and how much money, they have taken", _usage),
    "use": Command("has requests go to a server, by its name or its address; alone lists those with a name", _use),
}
"""By the word after ``%nbaudio``, in the order in which ``--help`` lists them."""
