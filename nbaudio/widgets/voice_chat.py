"""VoiceChat: a conversation with the person at the page, by hold-to-talk, by typing, or in an open session.

The messages between this side and ``static/chat.js``; sound is mono PCM16, little endian, unless said otherwise.

    kernel -> browser   {kind: "piece", answer, by_page, index, frames_before, words, phrases?} + [PCM16]    as to a
                            `Player`; `by_page` says that a page asked: then it sounds by itself in that one alone
                        {kind: "whole", answer, frames}    all pieces of the answer have been sent
                        {kind: "so far", answer, words}    to "ready": what of an arriving answer a new page has missed
                        {kind: "sound", turn, mime, frames, phrases} + [bytes]    to "need"
    browser -> kernel   {kind: "ready"}                    there is a page
                        {kind: "say", text}    {kind: "again"}    {kind: "dismiss"}    of a request that failed
                        {kind: "stop"}    {kind: "retry"}    {kind: "undo"}    {kind: "earlier"}    as the buttons say
                        {kind: "need", turn}               the page lacks the sound of a turn
                        {kind: "focus", inside}            the keyboard is in the chat, or has left it

An open session has messages of its own, see `nbaudio.widgets.chat_session`. Everything else is a trait; all that the
kernel sets are set on one thread, five times a second at most. What is recorded comes by the `Recorder` whose model
`recorder_id` names, and which has no looks of its own here.
"""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import anywidget
from traitlets import Bool, Dict, Enum, Int, List, Unicode, default

from nbaudio.conversation.chats import chat as chat_of
from nbaudio.conversation.talk import Conversation
from nbaudio.conversation.turnlist import Part, TurnList
from nbaudio.realtime.session import Realtime
from nbaudio.settings import settings
from nbaudio.sound.clip import Clip
from nbaudio.turns import Turn
from nbaudio.widgets.asking import Asked, Asking, told
from nbaudio.widgets.chat_arrivals import Arrivals
from nbaudio.widgets.chat_output import ChatOutput
from nbaudio.widgets.chat_seen import Seen
from nbaudio.widgets.chat_session import ChatSession
from nbaudio.widgets.lately import Lately
from nbaudio.widgets.modules import module_text, style_text
from nbaudio.widgets.recorder import Recorder
from nbaudio.wire.answers import AudioDelta, TextDelta
from nbaudio.wire.realtime.session import turn_detection_of

__all__ = ["VOICES", "VoiceChat"]

VOICES = (
    *("alloy", "ash", "ballad", "cedar", "coral", "echo", "fable"),
    *("marin", "nova", "onyx", "sage", "shimmer", "verse"),
)
"""The voices that OpenAI's models have by name, and the offline engine too."""

_PAUSE_S = 0.2  # with the 22 messages a second that pieces may take, 27 in all


class VoiceChat(anywidget.AnyWidget):
    """A chat in the notebook: hold to talk, or type; answers are heard and read while they come.

    It and the conversation are one: a turn that a cell adds shows up here, and what is said here is in the
    conversation. It keeps no cell waiting: requests run beside the cells.

    Parameters
    ----------
    chat : Conversation, optional
        By default the notebook's own, which its cells share.
    aloud : bool
        Whether answers are spoken.
    voice : str, optional
        By default the conversation's, else the settings'.
    realtime : bool or dict
        Whether one talks in an open session, in which both sides may speak at any time, and not by hold-to-talk; a dict
        has options of `nbaudio.Realtime`, as ``{"turn_detection": "push_to_talk"}``.

    Attributes
    ----------
    chat : Conversation
    recorder : Recorder
        What listens.
    aloud : bool
    voice : str
        These two go both ways: what the person chooses is seen here with `observe`.
    busy : bool
        Whether something that was asked here is being answered.
    trouble : dict
        Why the last request failed, in plain words (``"words"``); empty if it did not.
    session : {"closed", "opening", "open"}
    notice : str
        Something to know of the session, such as that its connection broke off and is opened again.
    muted : bool
        Whether the open microphone is given silence; it goes both ways.

    Examples
    --------
    >>> widget = VoiceChat(Conversation(voice="ash"))
    >>> widget.voice, widget.aloud, widget.busy
    ('ash', True, False)
    >>> widget.close()
    """

    key = Unicode().tag(sync=True)
    recorder_id = Unicode().tag(sync=True)
    turns: Any = List().tag(sync=True)
    earlier = Int(0).tag(sync=True)
    more = Bool(False).tag(sync=True)
    arriving: Any = List().tag(sync=True)
    busy = Bool(False).tag(sync=True)
    asked_times = Int(0).tag(sync=True)
    trouble: Any = Dict().tag(sync=True)
    spent = Unicode().tag(sync=True)
    voices: Any = List(Unicode(), list(VOICES)).tag(sync=True)
    voice = Unicode("alloy").tag(sync=True)
    aloud = Bool(True).tag(sync=True)
    play = Enum(["queue", "auto", "click"], "queue").tag(sync=True)
    realtime = Bool(False).tag(sync=True)
    session = Enum(["closed", "opening", "open"], "closed").tag(sync=True)
    session_id = Unicode().tag(sync=True)
    hold_to_talk = Bool(False).tag(sync=True)
    muted = Bool(False).tag(sync=True)
    notice = Unicode().tag(sync=True)
    _esm = Unicode().tag(sync=True)
    _css = Unicode().tag(sync=True)

    def __init__(
        self,
        chat: Conversation | None = None,
        *,
        aloud: bool = True,
        voice: str = "",
        realtime: bool | Mapping[str, Any] = False,
        **traits: Any,
    ) -> None:
        self._opened = False  # `__del__` closes what was never made, too
        self.chat = chat if chat is not None else chat_of()
        # The chat shows it, and holding its button is what begins and ends a recording.
        self.recorder = Recorder(to_say=True, silence_s=0.0, max_s=600.0, _esm="export default {};", _css="")
        self._asked: Asked | None = None  # the last
        self._running: Asked | None = None
        self._failed: tuple[Asked, dict[str, Any]] | None = None
        self._busy = False
        self._count = 0
        self._changed = threading.Event()
        self._asking = Asking()
        self._arrivals = Arrivals(self.chat, self._asking, self.send)
        self._seen = Seen(self.chat, self._arrivals)
        self._session_options = dict(realtime) if isinstance(realtime, Mapping) else {}
        self._talk = ChatSession(self.send, self._hear_session, self._written, self._unsent)
        self._output = ChatOutput(self)
        super().__init__(
            key=uuid.uuid4().hex,
            realtime=bool(realtime) or isinstance(realtime, Mapping),
            hold_to_talk=turn_detection_of(self._session_options.get("turn_detection", "server_vad")) is None,
            recorder_id=self.recorder.model_id,
            aloud=aloud and bool(self._session_options.get("aloud", True)),
            voice=voice or str({**self.chat.options, **self._session_options}.get("voice") or settings().voice),
            play=settings().play,
            **{**self._shown(), **traits},
        )
        self._lately = Lately(self._do_next, _PAUSE_S)
        self._opened = True
        # Watched, for what comes; and told of every change, for an answer that was asked for before this was here.
        self._leave = (self.chat.watch(self), self.chat.on_change(self._show))
        self.recorder.on_clip(self._take_recording)
        self.on_msg(self._hear)

    @default("_esm")
    def _default_esm(self) -> str:
        return module_text("chat.js")

    @default("_css")
    def _default_css(self) -> str:
        return "\n".join(style_text(name) for name in ("player.css", "recorder.css", "chat.css"))

    # -- what the buttons do ------------------------------------------------------------------------------

    def say(self, *parts: Part) -> None:
        """Say something, as a person at the page does. It does not wait: see `busy`, and the conversation itself.

        An answer that is still coming to something said here ends; what had come of it is kept.

        Parameters
        ----------
        parts : str, Clip, path, bytes, Turn
            As in `Conversation.say`.
        """
        self._say(Asked(parts))

    def _say(self, asked: Asked) -> None:
        if self._talk.say(*asked.parts):
            self._count += 1  # the page knows by it that it was heard
            self._show()
        else:
            self._begin(asked)

    def begin_talking(self) -> None:
        """Open a session, as the button does; it does not wait, see `session`."""
        self._begin_talking()

    def _begin_talking(self, session_id: str = "") -> None:
        self._failed = None
        self._count += 1
        options = {**self._session_options, "aloud": self.aloud, "voice": self.voice}
        self._talk.open(lambda playback: Realtime(self.chat, playback=playback, **options), session_id)

    def end_talking(self) -> None:
        """End the session, as the button does; it does not wait. What was heard of an answer stays."""
        self._talk.close()

    def retry(self) -> None:
        """Ask the last question once more, in the voice that is chosen now. It does not wait."""
        self._begin(Asked())

    def again(self) -> None:
        """Ask once more what failed, or open the session that failed. It does not wait."""
        self._again(by_page=False)

    def _again(self, *, by_page: bool) -> None:
        if self._failed is not None and self._failed[1].get("session"):
            self.begin_talking()
        elif self._failed is not None:
            self._begin(replace(self._failed[0], by_page=by_page))

    def stop(self) -> None:
        """End the answer that is coming; what had come of it is kept."""
        self._asking.stop()

    def undo(self) -> None:
        """Take the last question and its answer back; where there is none, nothing happens."""
        if any(turn.role == "user" for turn in self.chat):
            self.chat.undo()

    def close(self) -> None:
        """Free everything; the conversation is as it was, and what had come of an answer is kept."""
        if self._opened:
            self._opened = False
            self._talk.close()
            for leave in self._leave:
                leave()
            self._asking.stop()
            self._lately.close()
            self._arrivals.close()
            self._output.close()
        if hasattr(self, "recorder"):
            self.recorder.close()
        super().close()

    # -- asking -------------------------------------------------------------------------------------------

    def _begin(self, asked: Asked) -> None:
        self._asked, self._failed, self._busy = asked, None, True
        self._count += 1
        options = {"aloud": self.aloud, "voice": self.voice, "stream": True}
        self._asking.begin(lambda: self._ask(asked, options), lambda error: self._over(asked, error))
        self._show()

    async def _ask(self, asked: Asked, options: dict[str, Any]) -> None:
        self._running, asked.kept = asked, False
        if asked.parts:
            await self.chat.asay(*asked.parts, **options)
        else:
            await self.chat.aretry(**options)

    def _take_recording(self, clip: Clip) -> None:
        if self.recorder.state != "lost":
            self._say(Asked((clip,), by_page=True))
        else:  # nobody has let go of it: the page was closed, or the line broke, while somebody spoke
            self._count += 1
            self._fail(Asked((clip,)), "A recording broke off before it was ended, so it was not sent.")

    def _over(self, asked: Asked, error: BaseException | None) -> None:
        if self._asked is asked:  # else another question has taken its place, and speaks for itself
            self._busy = False
        if error is not None and not (asked.kept and isinstance(error, asyncio.CancelledError)):
            # What is in the conversation is asked again, not said twice.
            self._fail(Asked() if asked.kept else asked, told(error))
        self._show()

    def _fail(self, asked: Asked, words: str, **more: Any) -> None:
        known = {"words": words, "typed": asked.typed, "recorded_s": asked.recorded_s, **more}
        self._failed = (asked, {**known, "number": self._count})  # the same trouble once more is another
        self._show()

    # -- what happens in the conversation: a Watcher ------------------------------------------------------

    def asked(self, talk: TurnList, question: Turn) -> None:
        """A question is about to be sent, from here or from a cell."""
        if talk is self.chat and self._opened:
            by_page = self._asking.is_here() and self._running is not None and self._running.by_page
            in_session = self._talk.state == "open"
            self._arrivals.begin(question, aloud=self.aloud, in_session=in_session, by_page=by_page)
            self._show()

    def came(self, question: Turn, *events: TextDelta | AudioDelta) -> None:
        """Pieces of its answer have come."""
        for event in events:
            self._arrivals.add(question, event)

    def went_on(self, talk: TurnList, question: Turn, turn: Turn) -> None:
        """A tool is called, or has given its result."""
        if talk is self.chat:
            self._arrivals.go_on(question, turn)
            self._show()

    def kept(self, talk: TurnList, question: Turn, turns: Sequence[Turn]) -> None:
        """The question is over."""
        if talk is self.chat:
            if self._running is not None and self._asking.is_here():
                self._running.kept = bool(turns)
            self._arrivals.end(question, turns)
            self._show()

    def edited(self, talk: TurnList) -> None:
        """Turns were changed, moved or taken away: `on_change` has told so."""

    def _written(self, question: Turn) -> None:
        self._arrivals.written(question)
        self._show()

    def _hear_session(self) -> None:
        if self._talk.trouble is not None:
            self._fail(Asked(), told(self._talk.trouble), session=True)
        self._show()

    def _unsent(self, parts: tuple[Part, ...]) -> None:
        words = told(self._talk.trouble or asyncio.CancelledError())
        self._fail(Asked(parts), words, session=True, recorded_s=0.0)  # what was typed is in the box again

    # -- the page -----------------------------------------------------------------------------------------

    def _show(self) -> None:
        self._changed.set()
        if self._opened:
            self._lately.soon()

    def _do_next(self) -> float | None:
        """One thing of what is to be sent; in how many seconds there is another."""
        if self._changed.is_set():
            self._changed.clear()
            shown = self._shown()
            with self.hold_sync():
                for name, value in shown.items():
                    self.set_trait(name, value)
            self._output.changed()
        elif self._seen.needed:
            if (sound := self._seen.sound()) is not None:
                self.send(*sound)
        else:
            return self._output.renew(time.monotonic())
        return 0.0

    def _shown(self) -> dict[str, Any]:
        state = {"busy": self._busy, "asked_times": self._count, "trouble": self._failed[1] if self._failed else {}}
        return {**state, **self._talk.shown(), **self._seen.state()}

    def _hear(self, _: Any, content: Any, buffers: list[Any]) -> None:
        if not isinstance(content, dict):
            return
        kind = content.get("kind")
        if kind == "say" and isinstance(content.get("text"), str) and content["text"].strip():
            self._say(Asked((content["text"],), by_page=True))
        elif kind == "retry":
            self._begin(Asked(by_page=True))
        elif kind == "again":
            self._again(by_page=True)
        elif kind == "need":
            self._seen.need(str(content.get("turn")))
            self._lately.soon()
        elif kind == "earlier":
            self._seen.earlier()
            self._show()
        elif kind == "dismiss":
            self._failed = None
            self._show()
        elif kind == "ready":
            self._arrivals.repeat()
            self._output.keyboard_inside = False  # a page that is loaded again has not told that the keyboard left
            self._lately.soon()
        elif kind == "focus":
            self._output.keyboard_inside = bool(content.get("inside"))
            self._lately.soon()
        elif kind in ("stop", "undo"):
            getattr(self, kind)()
        elif kind == "open":
            self._begin_talking(str(content.get("session", "")))
        else:
            self._talk.hear(content, buffers)

    # -- showing ------------------------------------------------------------------------------------------

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return self._output.bundle(), {}

    def _ipython_display_(self) -> None:
        self._output.display()
