"""One text being spoken: its passages requested side by side, their sound passed on in order."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import anyio

from nbaudio import errors
from nbaudio.legible import legible
from nbaudio.sentences import passages
from nbaudio.settings import Backend, NbAudio
from nbaudio.sound.clip import Clip
from nbaudio.speaking.choosing import Choosing
from nbaudio.speaking.joining import Joining
from nbaudio.speaking.passage import Order, Passage, Piece, Way
from nbaudio.speaking.paying import Paying
from nbaudio.speaking.progress import Progress
from nbaudio.speaking.speech import Speech
from nbaudio.speaking.spilling import Pieces, Spill
from nbaudio.spending.budget import Budget
from nbaudio.spending.estimate import Estimate
from nbaudio.wire.answers import STREAM_SAMPLE_RATE
from nbaudio.wire.speech import WordTime

__all__ = ["Recital"]

_kept: dict[str, Passage] = {}
"""The finished passages of the last text that was not spoken to its end: asked for again, they are not paid twice."""


class Recital:
    """Speaks one text.

    Parameters
    ----------
    text, said : str
        What was given, and the words of it that are to be said.
    order : Order
    backend : Backend
    settings : NbAudio
    budgets : sequence of Budget

    Attributes
    ----------
    over : threading.Event
        Set when nothing more will come, and what came is on the books.
    """

    def __init__(
        self, text: str, said: str, order: Order, backend: Backend, settings: NbAudio, budgets: Sequence[Budget] = ()
    ) -> None:
        self._text, self._said, self._order, self._backend = text, said, order, backend
        self._choosing = Choosing(order, backend, settings)
        self._paying = Paying(order, backend, budgets)
        self._passages: list[Passage] = []
        self._joining = Joining(lambda _: None, 0)
        self._put: Callable[[Piece | Progress], None] = lambda _: None
        self.over = threading.Event()

    @property
    def _way(self) -> Way:
        return self._choosing.way

    async def run(self, put: Callable[[Piece | Progress], None]) -> Speech:
        """The whole speech; `put` is called with each piece of it, in order, and with how far it is.

        Raises
        ------
        BudgetExceeded
            Before anything is sent.
        RequestError
            In one of its kinds; `partial` is then what came before the passage that failed, where anything did.
        """
        self.over.clear()
        self._put = put
        try:
            while True:
                try:
                    await self._speak()
                    break
                except errors.RequestError as error:
                    if not self._choosing.another(error):
                        raise
        except errors.RequestError as error:
            error.partial = self.partial()
            raise
        finally:
            self._keep()
            self.over.set()
        return self._speech(whole=True)

    def partial(self) -> Speech | None:
        """What has come so far, up to the first passage that is not complete; None where nothing has."""
        self._joining.stop()
        return self._speech(whole=False) if self._joining.sound.frames else None

    async def _speak(self) -> None:
        way = self._way
        spill = Spill()
        self._passages = [Passage(text, gap, Pieces(spill)) for gap, text in passages(self._said, way.fits)]
        self._joining = Joining(self._put, len(self._passages), spill)
        for place, passage in enumerate(self._passages):
            if (kept := _kept.get(way.key(passage))) is not None:
                self._passages[place] = replace(kept, gap=passage.gap)
        missing = [passage for passage in self._passages if not passage.done]
        texts = [passage.text for passage in missing]
        expected = self._paying.expect(texts, way.model, told=way.told, echoes=way.reads)
        guesses = {id(passage): guess for passage, guess in zip(missing, expected, strict=True)}
        await self._side_by_side(way, guesses)

    async def _side_by_side(self, way: Way, expected: dict[int, Estimate]) -> None:
        free, taken = anyio.CapacityLimiter(self._backend.dialect.speeches_at_once), anyio.Event()
        failed: list[tuple[int, errors.NbaudioError]] = []

        async def one(index: int, passage: Passage, first: bool) -> None:
            with self._paying.on_its_way(expected[id(passage)]):
                if not first:
                    await taken.wait()  # the others wait for the first to be accepted, not to be refused all at once
                async with free:
                    try:
                        await way.speak(passage, lambda piece: self._joining.add(index, piece), taken.set)
                        passage.done = True
                    except errors.NbaudioError as error:  # caught here: the group would raise a group of exceptions
                        failed.append((index, error))
                        group.cancel_scope.cancel()
                    finally:
                        if passage.pieces:
                            self._paying.pay(passage, expected[id(passage)])
            if passage.done:
                self._finish(index)

        async with anyio.create_task_group() as group:
            first = True
            for index, passage in enumerate(self._passages):
                if passage.done:  # it was kept
                    for piece in passage.pieces:
                        self._joining.add(index, piece)
                    self._finish(index)
                else:
                    group.start_soon(one, index, passage, first)
                    first = False
        if failed:
            raise self._told(*failed[0])

    def _finish(self, index: int) -> None:
        if len(self._passages) > 1:
            self._passages[index].file = b""  # its pieces are joined to others: nobody wants the file as it came
        self._joining.end(index)
        self._put(Progress(sum(passage.done for passage in self._passages), len(self._passages)))

    def _told(self, index: int, error: errors.NbaudioError) -> errors.NbaudioError:
        """The error, which says in which passage it came, and what is left to do."""
        done = sum(passage.done for passage in self._passages)
        if len(self._passages) > 1:
            words = legible(" ".join(self._passages[index].text.split()))
            shown = words if len(words) <= 40 else f"{words[:39]}…"
            error.cause = f"Passage {index + 1} of {len(self._passages)} (“{shown}”): {error.cause}"
            if done:
                error.next_step += f" The {done} that are finished are kept: speaking it again sends the others only."
            error.args = (f"{error.cause} {error.next_step}".strip(),)
        return error

    def _keep(self) -> None:
        """Keep the finished passages, unless all are."""
        done = [passage for passage in self._passages if passage.done]
        if len(done) == len(self._passages):
            for passage in done:
                _kept.pop(self._way.key(passage), None)
        elif done:
            _kept.clear()
            _kept.update({self._way.key(passage): passage for passage in done})

    def _speech(self, *, whole: bool) -> Speech:
        begun = self._passages[: len(self._joining.begins)]
        file = begun[0].file if whole and len(begun) == 1 else b""
        usages = tuple(passage.usage for passage in begun if passage.pieces)
        if whole:
            for passage in begun:
                passage.pieces.clear()  # an hour of sound need not be in memory twice
        said = "".join(self._joining.words)
        edges = [0]
        for words in self._joining.words:
            edges.append(edges[-1] + len(words))
        frames = self._joining.sound.frames
        return Speech(
            Clip(file) if file else self._joining.sound.clip(),
            text=self._text,
            said=said,
            way=self._way.name,
            model=next((passage.model for passage in begun if passage.model), self._way.model),
            voice=self._order.voice,
            backend=self._backend.name,
            offline=self._backend.offline,
            partial=not whole,
            note=self._note(begun, whole=whole),
            usages=usages,
            words=self._words(begun, frames),
            marks=(*zip(edges[1:], self._joining.begins, strict=True), (edges[-1], frames)),
            time=time.time(),
        )

    def _words(self, begun: Sequence[Passage], frames: int) -> tuple[WordTime, ...]:
        """The words that came with times, at their place in the whole."""
        found = []
        for passage, offset in zip(begun, self._joining.offsets, strict=True):
            offset_s = offset / STREAM_SAMPLE_RATE
            for word in passage.words:
                start_s, end_s = max(0.0, word.start_s + offset_s), word.end_s + offset_s
                if start_s * STREAM_SAMPLE_RATE < frames:
                    found.append(WordTime(word.word, start_s, min(max(start_s, end_s), frames / STREAM_SAMPLE_RATE)))
        return tuple(found)

    def _note(self, begun: Sequence[Passage], *, whole: bool) -> str:
        """What the reader should know of it."""
        notes = [] if whole else ["This speech broke off; what came of it is kept."]
        if self._way.note:
            notes.append(self._way.note)
        if self._way.reads and any(passage.done and not passage.said for passage in begun):
            notes.append("It gave no transcript, so that nobody has compared what it said with the text.")
        if differing := "; ".join(passage.note for passage in begun if passage.note):
            notes.append(f"Not word for word: {differing}.")
        return " ".join(notes)
