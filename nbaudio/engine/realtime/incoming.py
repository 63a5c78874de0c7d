"""The person's side of a Realtime session: sound comes in, turns are heard in it, and become items."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from anyio import to_thread

from nbaudio.engine.asked import Refusal
from nbaudio.engine.hear import SAMPLE_RATE as HEARING_RATE
from nbaudio.engine.realtime.hearing import TurnHearing
from nbaudio.engine.realtime.hearings import Hearings
from nbaudio.engine.realtime.input_buffer import InputBuffer
from nbaudio.engine.realtime.item_reading import read_item
from nbaudio.engine.realtime.items import Item, Part, new_id
from nbaudio.engine.realtime.settings import Settings
from nbaudio.engine.realtime.shared import Shared
from nbaudio.engine.realtime.sound_formats import Sound
from nbaudio.engine.realtime.turn_detection import Change
from nbaudio.sound import codecs

__all__ = ["Incoming"]

_SHORTEST_MS = 100.0  # of a turn that is committed, as of OpenAI's
_LONGEST_S = 1800.0


@dataclass
class _Turn:
    """A turn that is being said: the id that its item will have, and who hears it."""

    item_id: str
    hearing: TurnHearing


class Incoming:
    """Takes the person's sound.

    Parameters
    ----------
    shared : Shared
        Of the session; its conversation gets the items.
    spoke : callable
        Called when somebody begins to speak.
    turn_is_over : callable
        Called when they have ended, and their turn is an item.
    """

    def __init__(self, shared: Shared, spoke: Callable[[], None], turn_is_over: Callable[[], None]) -> None:
        self._shared, self._spoke, self._turn_is_over = shared, spoke, turn_is_over
        self._buffer = InputBuffer(shared.settings.input_format, shared.settings.turn_detection)
        self._turn: _Turn | None = None
        self._hearings = Hearings(self._words_of)
        self._writing_down: set[asyncio.Task[None]] = set()
        self.wanted_from_ms = math.inf
        """From here on silence is kept as well."""

    @property
    def longest_s(self) -> float:
        """Seconds of the longest turn."""
        return min(self._shared.engine.most_audio_s, _LONGEST_S)

    @property
    def speaking(self) -> bool:
        """Whether somebody speaks."""
        return self._buffer.speaking

    @property
    def written_ms(self) -> float:
        """How much sound came in the session."""
        return self._buffer.written_ms

    # -- what the client does -----------------------------------------------------------------------------

    async def append(self, data: bytes) -> None:
        """Take more sound."""
        self._hearings.check_room()
        form = self._buffer.format
        if self._buffer.duration_ms + form.milliseconds_of(len(data)) > self.longest_s * 1000:
            message = f"The input audio buffer holds at most {self.longest_s:g} s. Commit what is in it, or clear it."
            raise Refusal(message, param="audio", code="audio_too_long")
        for change in await to_thread.run_sync(self._buffer.append, data):
            self._heard(change)
        self._buffer.keep_prefix(self.wanted_from_ms)

    def end_turn(self) -> None:
        """Make what was appended an item, for the client says that its turn is over.

        Raises
        ------
        Refusal
            If it is next to nothing, or too many sounds wait to be heard.
        """
        self._hearings.check_room()
        self.commit()
        self._buffer.drop_half()

    def commit(self, end_ms: float | None = None, item_id: str = "", *, shortest_ms: float = _SHORTEST_MS) -> None:
        """Make what was appended an item of the conversation, up to a time.

        Raises
        ------
        Refusal
            If it is next to nothing.
        """
        buffer, turn = self._buffer, self._turn
        duration_ms = buffer.duration_ms
        if duration_ms < shortest_ms:
            raise Refusal(
                "Error committing input audio buffer: buffer too small. "
                f"Expected at least {_SHORTEST_MS:.0f}ms of audio, but buffer only has {duration_ms:.2f}ms of audio.",
                code="input_audio_buffer_commit_empty",
            )
        hearing = turn.hearing if turn is not None else TurnHearing(self._hearings.begin, buffer.begins_ms)
        words = hearing.words(buffer, buffer.written_ms if end_ms is None else end_ms)
        sound = buffer.take(end_ms)
        part = Part("input_audio", None, sound, sound.duration_ms)
        item = Item("user", [part], item_id or (turn.item_id if turn is not None else new_id("item")))
        if end_ms is None:
            buffer.forget_turn()
        self._turn = None
        self._shared.tell(
            "input_audio_buffer.committed", item_id=item.id, previous_item_id=self._shared.conversation.last
        )
        self.add(item, hearings=[words])

    def clear(self) -> None:
        """Drop what was appended."""
        self._buffer.clear()
        self._turn = None
        self._shared.tell("input_audio_buffer.cleared")

    def set(self, new: Settings) -> None:
        """The session will be set in another way.

        Raises
        ------
        Refusal
            If the form of the sound is to be another in the middle of one.
        """
        buffer, old = self._buffer, self._shared.settings
        if new.input_format != buffer.format:
            if self.speaking or (old.turn_detection is None and buffer.duration_ms):
                message = "The format can't change while there is sound in the input buffer. Commit it, or clear it."
                raise Refusal(message, param="session.audio.input.format", code="invalid_value")
            buffer.reform(new.input_format)
        if (old.turn_detection is None) != (new.turn_detection is None):
            buffer.forget_turn()
            self._turn = None
        buffer.detect(new.turn_detection)

    # -- items --------------------------------------------------------------------------------------------

    def add(self, item: Item, behind: str | None = None, hearings: list[asyncio.Task[str]] | None = None) -> None:
        """Put an item into the conversation, and hear what of it was not heard yet."""
        previous = self._shared.conversation.add(item, behind)
        shown = item.as_event()
        self._shared.tell("conversation.item.added", previous_item_id=previous, item=shown)
        self._shared.tell("conversation.item.done", previous_item_id=previous, item=shown)
        self.hear(item, hearings)

    def read(self, value: Any, param: str) -> Item:
        """An item that a client sends, with what is said in the form that the session is set to.

        Raises
        ------
        Refusal
            If it can't be.
        """
        item = read_item(value, param, self._shared.settings.input_format, self.longest_s)
        if any(part.sound is not None for part in item.parts):
            self._hearings.check_room()
        return item

    def hear(self, item: Item, hearings: list[asyncio.Task[str]] | None = None, *, told: bool = True) -> None:
        """Hear the sounds of an item; `hearings` are those that have begun, and `told` says whether its words are."""
        for index, part in enumerate(item.parts):
            if part.type == "input_audio" and part.words is None and part.sound is not None:
                words = hearings[index] if hearings else self._hearings.begin(part.sound)
                part.hearing = self._start(self._write_down(item, index, words, told=told))

    async def _write_down(self, item: Item, index: int, words: asyncio.Task[str], *, told: bool) -> None:
        part = item.parts[index]
        transcription = self._shared.settings.transcription
        where = {"item_id": item.id, "content_index": index}
        kind = "conversation.item.input_audio_transcription"
        try:
            part.words = await words
        except Exception as error:
            if told and transcription is not None:
                message = f"The offline engine failed: {error}"
                failure = {"type": "server_error", "code": None, "message": message, "param": None}
                self._shared.tell(f"{kind}.failed", **where, error=failure)
            raise
        if told and transcription is not None:
            if part.words:
                self._shared.tell(f"{kind}.delta", **where, delta=part.words)
            seconds = {"type": "duration", "seconds": math.ceil(part.duration_ms / 1000)}
            self._shared.tell(f"{kind}.completed", **where, transcript=part.words, usage=seconds)

    async def close(self) -> None:
        """Let go of what is being heard."""
        for task in self._writing_down:
            task.cancel()
        await asyncio.gather(*self._writing_down, self._hearings.close(), return_exceptions=True)

    # -- hearing ------------------------------------------------------------------------------------------

    def _heard(self, change: Change) -> None:
        detection = self._shared.settings.turn_detection
        if change.kind == "began":
            self._began(change.at_ms, told=detection is not None)
        elif self._turn is None:
            return
        elif change.kind == "paused":
            self._turn.hearing.paused(self._buffer, change.at_ms)
        elif change.kind == "went_on":
            self._turn.hearing.went_on()
        else:
            item_id = self._turn.item_id
            self._shared.tell("input_audio_buffer.speech_stopped", audio_end_ms=change.at_ms, item_id=item_id)
            self.commit(change.at_ms, item_id, shortest_ms=0.0)
            self._turn_is_over()

    def _began(self, at_ms: int, *, told: bool) -> None:
        detection = self._shared.settings.turn_detection
        if detection is not None:
            self._buffer.keep_from(at_ms - detection.prefix_padding_ms)
        begins_ms = self._buffer.begins_ms
        self._turn = _Turn(new_id("item"), TurnHearing(self._hearings.begin, begins_ms))
        if told:
            start_ms = round(begins_ms)
            self._shared.tell("input_audio_buffer.speech_started", audio_start_ms=start_ms, item_id=self._turn.item_id)
            self._spoke()

    def _words_of(self, sound: Sound) -> str:
        samples = codecs.pcm16_to_samples(sound.format.to_pcm16(sound.data))
        if not len(samples):
            return ""
        mono = codecs.resample(samples, sound.format.sample_rate, HEARING_RATE)[:, 0]
        listener, transcription = self._shared.engine.listener, self._shared.settings.transcription
        if transcription is None or not transcription.prompt:
            return listener.hear(mono)
        return " ".join(passage.text for passage in listener.passages([mono], prompt=transcription.prompt))

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(coroutine)
        self._writing_down.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._writing_down.discard(task)
        if not task.cancelled():
            task.exception()  # told by whoever needs the words
