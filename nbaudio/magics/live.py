"""What a cell does while its answer is still coming: a player that sounds, or words that grow."""

from __future__ import annotations

import queue
import threading
import time
from concurrent.futures import Future
from typing import Any, Protocol

from IPython.display import DisplayHandle, clear_output, display

from nbaudio.display.reply import words_html
from nbaudio.sound.codecs import Mp3Writer, pcm16_to_samples
from nbaudio.speaking.speech import Speech
from nbaudio.turns import Reply
from nbaudio.widgets.front_end import cell_of, deleted_cells, front_end, page_of, widget_view
from nbaudio.wire.answers import STREAM_SAMPLE_RATE, AudioDelta, TextDelta

__all__ = ["LiveAnswer", "close_players_of_the_past", "keep_player", "live_answer"]

_PAUSE_S = 0.1  # jupyter_server passes 1,000 messages a second for all outputs together: ten a second are enough


class LiveAnswer(Protocol):
    """What is shown of an answer while it comes."""

    def add(self, event: TextDelta | AudioDelta) -> None:
        """Take one piece."""
        ...

    def finish(self, reply: Reply | Speech | None, *, stopped: bool = False) -> bool:
        """The answer is over: make room for it; `stopped` says that the person wanted it to end.

        Returns
        -------
        bool
            Whether the cell's output was cleared for that.
        """
        ...


def live_answer(shell: Any, *, aloud: bool, play: str, source: str, exact: bool, title: str = "Answer") -> LiveAnswer:
    """What fits whoever reads the cell's output.

    Parameters
    ----------
    shell : InteractiveShell
    aloud : bool
        Whether the answer is spoken.
    play : {"queue", "auto", "click"}
    source : str
        Where the answer comes from: the page remembers how late its pieces are.
    exact : bool
        Whether each sound follows its own words, as the offline engine's does.
    title : str
        What the player is called.
    """
    place = front_end(shell)
    if place == "terminal":
        from nbaudio.magics.terminal import TerminalAnswer

        return TerminalAnswer(play)
    if place == "live" and aloud:
        return PlayerAnswer(shell, play, source, exact, title)
    return WordsAnswer()


class WordsAnswer:
    """Words by display updates, at most ten a second; the sound comes with the finished answer."""

    def __init__(self) -> None:
        self._handle = DisplayHandle()
        self._shown = False
        self._words: list[str] = []
        self._last_s = 0.0
        self._mp3 = _Mp3()

    def add(self, event: TextDelta | AudioDelta) -> None:
        """Take one piece."""
        if isinstance(event, AudioDelta):
            self._mp3.add(event)
            return
        self._words.append(event.text)
        now = time.monotonic()
        if now - self._last_s >= _PAUSE_S:
            self._last_s = now
            words = "".join(self._words)
            bundle = {"text/html": str(words_html(words)), "text/plain": words}
            show = self._handle.update if self._shown else self._handle.display
            self._shown = True  # before it is: an interrupt in between leaves words that are to be cleared
            show(bundle, raw=True)

    def finish(self, reply: Reply | Speech | None, *, stopped: bool = False) -> bool:
        """Make room for the answer; the words stay until it is shown."""
        self._mp3.finish(reply)
        if self._shown:
            clear_output(wait=True)
        return self._shown


class PlayerAnswer:
    """A player, which sounds with the first piece, and which the finished answer keeps."""

    def __init__(self, shell: Any, play: str, source: str, exact: bool, title: str) -> None:
        from nbaudio.captions.alignment import Follower
        from nbaudio.widgets.feed import Feed
        from nbaudio.widgets.player import Player

        close_players_of_the_past(shell)
        self._player = Player(play=play, title=title, state="arriving", source=source, asked_by=page_of(shell))
        keep_player(shell, self._player)
        self._mp3 = _Mp3()
        # Shown before the first piece: the page makes itself ready while the model still thinks.
        display(self._player)
        self._feed = Feed(self._player.send_piece, Follower(STREAM_SAMPLE_RATE, exact=exact))

    def add(self, event: TextDelta | AudioDelta) -> None:
        """Take one piece."""
        self._feed.add(event)
        if isinstance(event, AudioDelta):
            self._mp3.add(event)

    def finish(self, reply: Reply | Speech | None, *, stopped: bool = False) -> bool:
        """Hand the player over to the finished answer; without sound there is none."""
        if stopped:
            self._player.silence()
        frames = self._feed.finish()
        self._mp3.finish(reply)
        clear_output(wait=True)
        if reply is None or reply.clip is None:
            self._player.close()
            return True
        self._player.finish(reply, frames)
        reply.show_once_with(widget_view(self._player.model_id), live=self._player.key)
        return True


_PLAYERS: dict[str, list[Any]] = {}


def keep_player(shell: Any, player: Any) -> None:
    """Note that the running cell shows a player."""
    _PLAYERS.setdefault(cell_of(shell), []).append(player)


def close_players_of_the_past(shell: Any) -> None:
    """Free the players, here and in the page, that no cell shows: of a cell that is run again, or is gone."""
    for cell in (cell_of(shell), *deleted_cells(shell)):
        for player in _PLAYERS.pop(cell, []):
            player.close()


class _Mp3:
    """The MP3 of an answer, made while it comes: for a minute of sound that takes half a second.

    In a thread: libsndfile calls back into Python for every block, and an interrupt that came in there would be lost
    ("Exception ignored from cffi callback"). Interrupts come in the main thread only.
    """

    def __init__(self) -> None:
        self._sound: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._made: Future[bytes] | None = None

    def add(self, event: AudioDelta) -> None:
        """Take one piece of sound."""
        if self._made is None:
            self._made = Future()
            threading.Thread(target=self._encode, args=(event.sample_rate, self._made), daemon=True).start()
        self._sound.put(event.pcm16)

    def finish(self, reply: Reply | Speech | None) -> None:
        """Hand the MP3 to the reply, where it is the sound of all of it."""
        if self._made is None:
            return
        self._sound.put(None)
        data = self._made.result()
        if reply is not None and reply.clip is not None and not reply.partial:
            reply.clip.adopt_mp3(data)

    def _encode(self, sample_rate: int, made: Future[bytes]) -> None:
        try:
            writer = Mp3Writer(sample_rate)
            while (pcm16 := self._sound.get()) is not None:
                writer.write(pcm16_to_samples(pcm16))
            made.set_result(writer.finish())
        except Exception as error:
            made.set_exception(error)
