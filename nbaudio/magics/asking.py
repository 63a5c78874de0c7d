"""What a parsed cell does: one question to a conversation, shown while its answer comes."""

from __future__ import annotations

import asyncio
import difflib
import re
from pathlib import Path
from typing import Any

from IPython.display import display

from nbaudio.conversation.chats import chat
from nbaudio.conversation.keeping import stopped
from nbaudio.conversation.talk import Conversation
from nbaudio.errors import CellError, Interrupted, RequestError
from nbaudio.events import Event, Finished, ToolCalled, ToolReturned
from nbaudio.magics.above import Above
from nbaudio.magics.heard import Heard
from nbaudio.magics.live import LiveAnswer, live_answer
from nbaudio.settings import settings
from nbaudio.sound.clip import Clip
from nbaudio.turns import Reply, Turn
from nbaudio.wire.answers import AudioDelta, TextDelta

__all__ = ["aask", "ask", "conversation", "find_tools"]


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
        Whether it is shown as it comes.
    name : str, optional
        The variable that the reply is given to.
    options : Any
        `chat`, `new`, `once`, `play`, `transcribe`, `tools` (names of functions), and what `Conversation.say` takes.

    Raises
    ------
    NbaudioError
        In one of its kinds. What had come of an answer that broke off is shown and named before.
    """
    parts = [text, _recording(source, names)] if source else [text]
    find_tools(options, names)
    talk, play = conversation(options), options.pop("play", None)
    above = Above.for_options(shell, options) if shows else None
    heard = Heard(talk, parts, above) if options.pop("transcribe", False) else None
    if not shows:
        with _Answering(None, names, name, heard=heard) as answering:
            answering.reply = talk.say(*parts, aloud=aloud, **options)
            answering.wait()
        return answering.reply
    events = talk.stream(*parts, aloud=aloud, **options)
    with _Answering(_live(shell, aloud, play), names, name, above=above, heard=heard) as answering:
        try:
            for event in events:
                answering.take(event)
        except KeyboardInterrupt as stop:
            # While words are being shown the stream hears of it only so: it ends the request, and says what came.
            events.throw(stop)
        answering.wait()
    assert answering.reply is not None  # a stream that raises nothing ends with `Finished`
    return answering.reply


async def aask(
    shell: Any,
    names: dict[str, Any],
    text: str,
    sound: Clip,
    *,
    aloud: bool,
    shows: bool,
    name: str | None,
    above: Above | None = None,
    **options: Any,
) -> Reply:
    """As `ask`, awaited, about a sound that is here already; an interrupt cancels the cell's task.

    `above` stands above the answer, where the caller clears the cell's output and shows it again itself.
    """
    find_tools(options, names)
    talk, play = conversation(options), options.pop("play", None)
    heard = Heard(talk, [text, sound], above) if options.pop("transcribe", False) else None
    turns_before = len(talk)
    live = _live(shell, aloud, play) if shows else None
    with _Answering(live, names, name, above=above, heard=heard) as answering:
        try:
            async for event in talk.astream(text, sound, aloud=aloud, **options):
                answering.take(event)
        except (asyncio.CancelledError, KeyboardInterrupt):
            newest = talk[-1] if len(talk) > turns_before else None
            raise stopped(newest if isinstance(newest, Reply) else None) from None
        if heard is not None:
            await heard.await_()
    assert answering.reply is not None  # a stream that raises nothing ends with `Finished`
    return answering.reply


class _Answering:
    """Around an answer: what comes of it is shown and gets its name, however it ends."""

    def __init__(
        self,
        live: LiveAnswer | None,
        names: dict[str, Any],
        name: str | None,
        *,
        above: Above | None = None,
        heard: Heard | None = None,
    ) -> None:
        self._live, self._names, self._name, self._above, self._heard = live, names, name, above, heard
        self.reply: Reply | None = None

    def take(self, event: Event) -> None:
        if self._heard is not None:
            self._heard.look()
        if isinstance(event, Finished):
            self.reply = event.reply
        elif self._above is not None and isinstance(event, ToolCalled):
            self._above.call(event.call)
        elif self._above is not None and isinstance(event, ToolReturned):
            self._above.result(event.result)
        elif self._live is not None and isinstance(event, (TextDelta, AudioDelta)):
            self._live.add(event)
            if self._above is not None and isinstance(event, TextDelta):
                self._above.mid_line = True

    def wait(self) -> None:
        if self._heard is not None:
            self._heard.wait()

    def __enter__(self) -> _Answering:
        return self

    def __exit__(self, _: Any, error: BaseException | None, __: Any) -> None:
        if isinstance(error, (RequestError, Interrupted)):
            self.reply = error.partial
        if self._name and self.reply is not None:  # first, for showing it can be interrupted
            self._names[self._name] = self.reply
        if error is not None and self._heard is not None:
            self._heard.give_up()
        cleared = self._live is not None and self._live.finish(self.reply, stopped=isinstance(error, Interrupted))
        if self._above is not None:
            self._above.stay(cleared=cleared)
        if self.reply is not None and self.reply.partial:
            display(self.reply)  # what came of it, above the error


def find_tools(options: dict[str, Any], names: dict[str, Any]) -> None:
    """Put the functions in the place of their names."""
    written = options.get("tools")
    if isinstance(written, str):
        options["tools"] = [_function(name.strip(), names) for name in written.split(",") if name.strip()]


def _function(name: str, names: dict[str, Any]) -> Any:
    first, *rest = name.split(".")
    try:
        found = names[first]
        for part in rest:
            found = getattr(found, part)
    except (KeyError, AttributeError):
        callables = [known for known, value in names.items() if callable(value) and not known.startswith("_")]
        near = difflib.get_close_matches(name, callables, n=1)
        hint = f"Did you mean {near[0]}?" if near else "Name functions of the notebook: --tools f,g"
        raise CellError(f"There is no function {name!r} in the notebook.", hint) from None
    if not callable(found):
        raise CellError(f"{name} is a {type(found).__name__}, no function.", "Name functions: --tools f,g")
    return found


def _live(shell: Any, aloud: bool, play: str | None) -> LiveAnswer:
    chosen = settings()
    backend = chosen.resolve()
    return live_answer(shell, aloud=aloud, play=play or chosen.play, source=backend.name, exact=backend.offline)


def conversation(options: dict[str, Any]) -> Conversation:
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
