"""What a parsed cell does: one question to a conversation, shown while its answer comes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from IPython.display import display

from nbaudio.clip import Clip
from nbaudio.conversation import Conversation, chat
from nbaudio.errors import CellError, Interrupted, RequestError
from nbaudio.exchange import Finished
from nbaudio.magics.live import LiveAnswer
from nbaudio.turns import Reply, Turn

__all__ = ["ask"]


def ask(
    shell: Any,
    names: dict[str, Any],
    text: str,
    source: str,
    *,
    aloud: bool,
    shows: bool,
    name: str | None,
    **options: Any,
) -> Reply:
    """The reply to a cell.

    Parameters
    ----------
    shell : InteractiveShell
    names : dict
        The notebook's variables.
    text, source : str
        What is said, and the recording that goes with it: a file or a variable; empty where there is none.
    aloud : bool
        Whether the answer is spoken.
    shows : bool
        Whether words are shown as they come.
    name : str, optional
        The variable that the reply is given to.
    options : Any
        `chat`, `new`, `once`, and what `Conversation.say` takes.

    Raises
    ------
    NbaudioError
        In one of its kinds. What had come of an answer that broke off is shown and named before.
    """
    parts = [text, _recording(source, names)] if source else [text]
    talk = _conversation(options)
    live = LiveAnswer(shell) if shows else None
    reply: Reply | None = None
    try:
        if live is None:
            reply = talk.say(*parts, aloud=aloud, **options)
        else:
            events = talk.stream(*parts, aloud=aloud, **options)
            try:
                for event in events:
                    if isinstance(event, Finished):
                        reply = event.reply
                    else:
                        live.add(event)
            except KeyboardInterrupt as stop:
                # While words are being shown the stream hears of it only so: it ends the request, and says what came.
                events.throw(stop)
    except (RequestError, Interrupted) as error:
        reply = error.partial
        raise
    finally:
        if live is not None:
            live.finish(reply)
        if reply is not None and reply.partial:
            display(reply)  # what came of it, above the error
        if name and reply is not None:
            names[name] = reply
    assert reply is not None  # a stream that raises nothing ends with `Finished`
    return reply


def _conversation(options: dict[str, Any]) -> Conversation:
    """The conversation that the options name; they are taken out."""
    name, new, once = options.pop("chat", ""), options.pop("new", False), options.pop("once", False)
    if once:
        if name or new:
            raise CellError("--once belongs to no conversation.", "Leave out --chat and --new.")
        return Conversation()
    return chat(name, new=new) if name else chat(new=new)


def _recording(source: str, names: dict[str, Any]) -> Clip | Turn:
    value = names.get(source)
    if isinstance(value, Turn):
        if not value.clips:
            raise CellError(f"{source} has no sound.", "Answers have one when they were asked for with %%speak.")
        return value
    if isinstance(value, (Clip, bytes, Path)):
        return Clip(value)
    if value is not None and re.fullmatch(r"\w+", source) and not Path(source).exists():
        raise CellError(
            f"{source} is a {type(value).__name__}, no recording.",
            f"Make a clip of it: clip = nbaudio.Clip({source}, sample_rate=...)",
        )
    return Clip(source)
