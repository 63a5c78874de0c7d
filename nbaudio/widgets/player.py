"""Player: a sound with its words, played in the page, also while it is still coming.

The messages between this side and ``static/player.js``; sound is mono PCM16, little endian, unless said otherwise.

    kernel -> browser   {kind: "piece", index, frames_before, words, phrases?} + [PCM16]
                            sound number `index`, which begins at frame `frames_before`; all words that came since the
                            last message; the phrases so far. A message may bring words and no sound.
                        {kind: "whole", frames}            all pieces have been sent
                        {kind: "pause"}    be silent now
                        {kind: "sound", mime, frames} + [bytes]    the answer to "need": a file, or audio/pcm;rate=24000
    browser -> kernel   {kind: "need"}     the page has no sound for this player: it was reloaded, or is new to it
                        {kind: "stop"}     the person pressed stop while sound was coming

Everything else is a trait. What a cell shows, and what is saved, is the static player, in whose place the living one
shows itself (``static/in_place.js``).
"""

from __future__ import annotations

import threading
import uuid
from typing import Any

import anywidget
from traitlets import Bool, Enum, Float, Int, List, Unicode

from nbaudio.captions.phrases import Captions
from nbaudio.display.player import player_html, player_markdown
from nbaudio.display.reply import words_html
from nbaudio.errors import ClipError
from nbaudio.settings import settings
from nbaudio.sound.clip import Clip
from nbaudio.sound.on_disk import ClipOnDisk
from nbaudio.speaking.speech import Speech
from nbaudio.transcribing.transcript import Transcript
from nbaudio.turns import Reply, Turn
from nbaudio.widgets.front_end import widget_view
from nbaudio.widgets.modules import module_text, style_text

__all__ = ["Player", "for_page"]

_LARGEST_WAV = 5_000_000  # bytes; what is longer goes to the page as MP3


class Player(anywidget.AnyWidget):
    """A player for anything with sound: play, pause, seek, speed, volume, and the words that follow it.

    Its traits go both ways: what the person does in the page is seen here with `observe`, and what is set here
    happens there, so that ipywidgets' ``link`` and ``interact`` work.

    Parameters
    ----------
    sound : Clip, Speech, Turn, Transcript or whatever `Clip` takes, optional
        A reply, a speech and a transcript bring their words and when each is said; other sounds are described by their
        length.
    play : {"click", "queue", "auto"}
        When it begins: asked for; after what sounds on the page; at once, pausing what sounds.
    title : str, optional
        Its label.

    Attributes
    ----------
    playing : bool
    position_s : float
        Where it is, in seconds.
    speed : float
        0.5 to 2; the pitch stays.
    volume : float
        0 to 1, where 1 leaves the sound as it is.
    duration_s : float

    Raises
    ------
    ClipError
        If there is no sound.

    Examples
    --------
    >>> import numpy as np
    >>> player = Player(Clip(np.sin(np.arange(24_000) / 9), sample_rate=24_000))
    >>> player.duration_s, player.playing
    (1.0, False)
    >>> player.close()
    """

    _esm = module_text("player.js")
    _css = style_text("player.css")

    key = Unicode().tag(sync=True)
    title = Unicode("Sound").tag(sync=True)
    state = Enum(["arriving", "whole", "broken"], "whole").tag(sync=True)
    sample_rate = Int(24_000).tag(sync=True)
    duration_s = Float(0.0).tag(sync=True)
    words = Unicode().tag(sync=True)
    phrases: List[Any] = List().tag(sync=True)
    notes = List(Unicode()).tag(sync=True)
    play = Enum(["queue", "auto", "click"], "click").tag(sync=True)
    # Of the page that sounds; another page with the same notebook is not told, lest it sound as well.
    playing = Bool(False).tag(sync=True, echo_update=False)
    position_s = Float(0.0, min=0.0).tag(sync=True, echo_update=False)
    speed = Float(1.0, min=0.5, max=2.0).tag(sync=True)
    volume = Float(1.0, min=0.0, max=1.0).tag(sync=True)
    source = Unicode().tag(sync=True)
    asked_by = Unicode().tag(sync=True)  # the page in which an arriving answer sounds by itself; empty: in every one
    file_name = Unicode("sound.wav").tag(sync=True)
    trouble = Unicode().tag(sync=True)

    def __init__(self, sound: Any = None, *, play: str = "click", title: str | None = None, **traits: Any) -> None:
        self._clip: Clip | None = None
        self._told: Reply | Speech | Transcript | None = (
            None  # what shows itself, with its words, where no widget lives
        )
        self._arrived = bytearray()
        self._lock = threading.Lock()  # pieces are sent from a thread, while the page may ask for all so far
        self.stopped = threading.Event()
        """Set when the person pressed stop while sound was coming."""
        if title is not None:
            traits["title"] = title  # with all else, in one message
        super().__init__(key=uuid.uuid4().hex, play=play, **traits)
        self.on_msg(self._heard)
        if sound is not None:
            self._hold(sound)
            self.title = title or self.title

    @property
    def clip(self) -> Clip | None:
        """The sound; None while it is still coming."""
        return self._clip

    # -- while the sound comes ---------------------------------------------------------------------------

    def send_piece(self, message: dict[str, Any], pcm16: bytes) -> None:
        """Pass a piece of an arriving answer on to the page; `Feed` calls it."""
        with self._lock:
            self._arrived += pcm16
            self.send(message, [pcm16])

    def silence(self) -> None:
        """Pause it in the page, whatever the page said last: while a cell runs the kernel does not hear that."""
        self.send({"kind": "pause"})

    def finish(self, reply: Reply | Speech, frames: int) -> None:
        """All that will come of the answer has come: this is it.

        Parameters
        ----------
        reply : Reply or Speech
        frames : int
            How many frames of it have been sent.
        """
        if reply.clip is None:
            raise ClipError("The answer has no sound.", "Show the reply itself.")
        with self._lock:
            self.send({"kind": "whole", "frames": frames})
            self._arrived.clear()
            self._show(reply, "broken" if reply.partial else "whole")

    # -- showing -----------------------------------------------------------------------------------------

    def _hold(self, sound: Any) -> None:
        if isinstance(sound, (Turn, Speech)):
            if sound.clip is None:
                raise ClipError("This turn has no sound to play.", "Its words are in turn.text.")
            self._show(sound, "broken" if isinstance(sound, (Reply, Speech)) and sound.partial else "whole")
        elif isinstance(sound, Transcript):
            if sound.clip is None:
                raise ClipError("This transcript has no sound that can be played.", "Its words are in transcript.text.")
            self._show_transcript(sound, sound.clip)
        else:
            self._clip = sound if isinstance(sound, Clip) else Clip(sound)
            self.set_trait("title", "Clip")
            self._describe(self._clip, repr(self._clip), Captions())

    def _show(self, turn: Turn | Speech, state: str) -> None:
        clip = turn.clip
        assert clip is not None  # both callers have looked
        self._clip, self._told = clip, turn if isinstance(turn, (Reply, Speech)) else None
        with self.hold_sync():
            self.set_trait("state", state)
            if isinstance(turn, (Reply, Speech)):
                self.set_trait("notes", turn.notes)
            if isinstance(turn, Speech):
                self.set_trait("title", "Speech")
                self._describe(clip, turn.said, turn.captions)
            else:
                self.set_trait("title", "Answer" if turn.role == "assistant" else "Recording")
                self._describe(clip, turn.text, turn.captions if isinstance(turn, Reply) else Captions())

    def _show_transcript(self, transcript: Transcript, clip: Clip) -> None:
        self._clip, self._told = clip, transcript
        with self.hold_sync():
            self.set_trait("title", "Recording")
            self.set_trait("state", "broken" if transcript.partial else "whole")
            self.set_trait("notes", transcript.notes)
            words = "\n\n".join(f"{name}: {text}" if name else text for name, text in transcript.paragraphs)
            self._describe(clip, words, transcript.marks)

    def _describe(self, clip: Clip, words: str, captions: Captions) -> None:
        with self.hold_sync():
            self.sample_rate, self.duration_s, self.words = clip.sample_rate, clip.duration_s, words
            self.phrases = [[phrase.text, phrase.start_s, phrase.end_s] for phrase in captions]
            name = clip.path.stem if isinstance(clip, ClipOnDisk) else clip.sha256[:8]
            self.file_name = f"{self.title.lower()}-{name}.wav"

    def _heard(self, _: Any, content: dict[str, Any], __: list[Any]) -> None:
        """Answer the page."""
        if content.get("kind") == "stop":
            self.stopped.set()
        elif content.get("kind") == "need":
            with self._lock:
                if self._clip is not None:
                    data, mime = for_page(self._clip)
                    self.send({"kind": "sound", "mime": mime, "frames": self._clip.frames}, [data])
                elif self._arrived:
                    message = {"kind": "sound", "mime": f"audio/pcm;rate={self.sample_rate}"}
                    self.send({**message, "frames": len(self._arrived) // 2}, [bytes(self._arrived)])

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return {**self._static(), **widget_view(self.model_id)}, {}

    def _static(self) -> dict[str, Any]:
        if self._told is not None:
            self._told.show_once_with(live=self.key)
            return self._told._repr_mimebundle_()
        if self._clip is not None:
            embedded = self._clip.embed(settings().embed_budget_kb * 1000)
            title = f"{self.title}, {self.duration_s:.1f} s"
            return {
                "text/plain": self.words or title,
                "text/html": player_html(embedded, title=title, words=self.words, live=self.key),
                "text/markdown": player_markdown(self.words, embedded.note),
            }
        waiting = f"{self.title} ..."
        return {"text/plain": waiting, "text/html": words_html(waiting, live=self.key)}


def for_page(clip: Clip) -> tuple[bytes, str]:
    """The sound as every browser reads it, and its MIME type."""
    if isinstance(clip, ClipOnDisk):
        return clip.as_mp3(), "audio/mpeg"
    if clip.frames * clip.channels * 2 <= _LARGEST_WAV:
        return clip.encode("wav"), "audio/wav"
    return clip.encode("mp3", kbit_s=64 * min(clip.channels, 2)), "audio/mpeg"
