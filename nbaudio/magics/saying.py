"""``%say`` and ``%%say``: a text is spoken as it stands, and heard while it comes."""

from __future__ import annotations

from typing import Any

from IPython.display import DisplayHandle, display

from nbaudio.display.html import tag
from nbaudio.display.player import NOTE
from nbaudio.errors import Interrupted, RequestError
from nbaudio.magics.live import live_answer
from nbaudio.settings import settings
from nbaudio.speaking.progress import Bar, Progress
from nbaudio.speaking.saying import speak, stream
from nbaudio.speaking.speech import Speech
from nbaudio.widgets.front_end import front_end

__all__ = ["say"]


def say(
    shell: Any,
    names: dict[str, Any],
    text: str,
    *,
    shows: bool,
    name: str | None,
    play: str | None = None,
    **options: Any,
) -> Speech:
    """The speech of a cell.

    Parameters
    ----------
    shell : InteractiveShell
    names : dict
        The notebook's variables.
    text : str
    shows : bool
        Whether it is heard and shown as it comes.
    name : str, optional
        The variable that the speech is given to.
    play : {"queue", "auto", "click"}, optional
    options : Any
        What `nbaudio.speak` takes.

    Raises
    ------
    NbaudioError
        In one of its kinds. What had come of a speech that broke off is shown and named before.
    """
    speech: Speech | None = None
    live, failed, stopped = None, False, False
    try:
        if not shows:
            speech = speak(text, **options)
        else:
            chosen = settings()
            options.setdefault("stream", chosen.stream)
            events = stream(text, bar=_bar(shell), **options)
            source = chosen.resolve().name
            live = live_answer(shell, aloud=True, play=play or chosen.play, source=source, exact=True, title="Speech")
            try:
                for event in events:
                    if isinstance(event, Speech):
                        speech = event
                    else:
                        live.add(event)
            except KeyboardInterrupt as stop:
                # While it is being shown the stream hears of it only so: it ends the requests, and says what came.
                events.throw(stop)
    except (RequestError, Interrupted) as error:
        speech, failed, stopped = error.partial, True, isinstance(error, Interrupted)
        raise
    finally:
        if name and speech is not None:  # first, for showing it can be interrupted
            names[name] = speech
        if live is not None:
            live.finish(speech, stopped=stopped)
        if speech is not None and failed:
            display(speech)  # what came of it, above the error
    assert speech is not None  # a stream that raises nothing ends with it
    return speech


def _bar(shell: Any) -> Bar:
    return Bar() if front_end(shell) == "terminal" else _PageBar()


class _PageBar(Bar):
    """A bar in the cell's output; it goes with all else that is shown until the speech is there."""

    def __init__(self) -> None:
        super().__init__()
        self._handle = DisplayHandle()
        self._shown = False

    def show(self, progress: Progress) -> None:
        """Draw it anew."""
        if progress.passages < 2:
            return
        said = f"Spoken: {progress.done} of {progress.passages} passages"
        bar = tag("progress", value=str(progress.done), max=str(progress.passages))
        html = tag("p", tag("label", tag("small", said), " ", bar), style=NOTE)
        draw = self._handle.update if self._shown else self._handle.display
        self._shown = True
        draw({"text/plain": said, "text/html": str(html)}, raw=True)

    def close(self) -> None:
        """Nothing: the cell's output is cleared when the speech is there."""
