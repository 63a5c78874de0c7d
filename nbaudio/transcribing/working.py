"""One recording on its way: cut where it is too long, its pieces sent side by side, and what comes of them in order."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import replace
from typing import TypeAlias

import anyio
import numpy as np

from nbaudio import errors
from nbaudio.backends.connection import Connection, connection_to
from nbaudio.backends.transcribing import send
from nbaudio.captions.pauses import Loudness
from nbaudio.settings import Backend, NbAudio
from nbaudio.sound.clip import Clip
from nbaudio.transcribing.books import Books
from nbaudio.transcribing.cutting import Piece, cut
from nbaudio.transcribing.joining import SpeakerNames, joined, joined_text
from nbaudio.transcribing.kept import Kept, job_name
from nbaudio.transcribing.progress import Bar
from nbaudio.transcribing.recording import Recording
from nbaudio.transcribing.transcript import Transcript, laid_over
from nbaudio.transcribing.uploads import Uploads, limits_of
from nbaudio.transcribing.wanted import Wanted, sample_of
from nbaudio.wire.answers import TextDelta
from nbaudio.wire.transcripts import Event, Heard, Segment, TranscriptReader

__all__ = ["Put", "Work"]

Put: TypeAlias = Callable[[Event], None]

_MOST_SPEAKERS = 4  # that can be known beforehand
_SAMPLE_RATE = 16_000  # Hz of the samples of their voices
_GO_ON = "Run the same again: it goes on with the rest, and nothing is sent twice."


class Work:
    """Has one recording written down; runs on the loop of requests.

    Parameters
    ----------
    recording : Recording
    wanted : Wanted
    backend : Backend
    chosen : NbAudio
        Timeouts, retries, and where finished pieces are kept.
    books : Books
    progress : bool, optional
        Whether a bar is shown; by default for a recording in several pieces.
    """

    def __init__(
        self,
        recording: Recording,
        wanted: Wanted,
        backend: Backend,
        chosen: NbAudio,
        books: Books,
        *,
        progress: bool | None = None,
    ) -> None:
        self._recording, self._wanted, self._backend, self._chosen = recording, wanted, backend, chosen
        self._books, self._progress = books, progress
        self._pieces: list[Piece] = []
        self._heard: dict[int, Heard] = {}
        self._readers: dict[int, TranscriptReader] = {}
        self._waiting: dict[int, list[Event]] = {}  # of pieces behind the first that is not done
        self._front = 0
        self._before = (0, "")  # the piece whose text was passed on last, and its last letter
        self._names = SpeakerNames([name for name, _ in wanted.options.speakers])
        self._limits = limits_of(recording, wanted, backend)
        self._kept = Kept("", chosen)
        self._all_kept = True
        self._put: Put = _ignore
        self.over = threading.Event()
        """Set when nothing more will come of it, and what came is on the books."""

    async def run(self, put: Put) -> Transcript:
        """The transcript; `put` is called with each piece of text and each segment as it comes, in order.

        Raises
        ------
        BudgetExceeded
            Before anything is sent.
        RequestError
            In one of its kinds; `partial` is then the transcript so far, where anything came.
        ClipError
            If the recording can't be read.
        """
        self._put = put
        try:
            connection = connection_to(self._backend, self._chosen)
            self._pieces = await asyncio.to_thread(self._cut)
            left = [piece for piece in self._pieces if piece.number not in self._heard]
            sound_s = sum(piece.duration_s for piece in left) or self._recording.likely_s
            with self._books.expecting(sound_s), self._bar() as bar:
                await self._send_all(connection, left, bar)
            made = self._transcript(partial=False)
            self._kept.clear()
            return made
        except errors.RequestError as error:
            error.partial = self.partial()
            raise
        finally:
            self.over.set()

    def partial(self) -> Transcript | None:
        """What has come so far, as a transcript marked partial; None where nothing has."""
        if not self._heard and not any(reader.started for reader in self._readers.values()):
            return None
        return self._transcript(partial=True)

    @property
    def pieces_done(self) -> tuple[int, int]:
        """How many pieces are written down, and of how many."""
        return len(self._heard), len(self._pieces)

    # -- cutting ------------------------------------------------------------------------------------------

    def _cut(self) -> list[Piece]:
        """The pieces, and what is known of them already; reads the recording."""
        duration_s = self._recording.duration_s
        if duration_s is None:
            return [Piece(0, 0.0, math.inf)]
        pieces = cut(self._recording, self._limits)
        if len(pieces) > 1:
            self._kept = Kept(job_name(self._recording.digest(), self._backend, self._wanted), self._chosen)
            for piece in pieces:
                heard = Heard() if piece.silent else self._kept.get(piece)
                if heard is not None:
                    self._done(piece, heard)
        return pieces

    @contextmanager
    def _bar(self) -> Iterator[Bar]:
        shown = len(self._pieces) > 1 if self._progress is None else self._progress
        bar = Bar(sum(piece.duration_s for piece in self._pieces), len(self._pieces), shown=shown)
        try:
            for number in sorted(self._heard):
                bar.did(self._pieces[number].duration_s)
            yield bar
        finally:
            bar.close()

    # -- sending ------------------------------------------------------------------------------------------

    async def _send_all(self, connection: Connection, left: list[Piece], bar: Bar) -> None:
        failures: list[errors.NbaudioError] = []
        dialect, wanted, several = self._backend.dialect, self._wanted, len(self._pieces) > 1
        free = anyio.Semaphore(dialect.transcriptions_at_once)

        async def one(piece: Piece, wanted: Wanted, file: tuple[bytes, str], loudness: Loudness | None) -> None:
            try:
                await self._send(connection, wanted, piece, file, loudness)
                bar.did(piece.duration_s)
            except errors.NbaudioError as error:
                failures.append(error)
            finally:
                free.release()

        self._move_on()
        with Uploads(self._recording, dialect.transcription_upload, self._limits, whole=not several) as uploads:
            async with anyio.create_task_group() as group:
                for piece in left:
                    await free.acquire()
                    # After a failure nothing more is begun; what is on its way is paid for, and is waited for.
                    if failures:
                        break
                    try:
                        if self._wanted.diarize and piece.number > 0 and wanted is self._wanted:
                            wanted = await asyncio.to_thread(self._with_samples)
                        file, loudness = await asyncio.to_thread(uploads.take, piece, look=wanted.estimate)
                    except errors.NbaudioError as error:  # caught here: the group would raise it in a group
                        failures.append(error)
                        break
                    if wanted.diarize and several and piece.number == 0:
                        await one(piece, wanted, file, loudness)  # the others are to know its speakers
                    else:
                        group.start_soon(one, piece, wanted, file, loudness)
                    del file
        if failures:
            raise self._with_advice(failures[0])

    async def _send(
        self,
        connection: Connection,
        wanted: Wanted,
        piece: Piece,
        file: tuple[bytes, str],
        loudness: Loudness | None,
    ) -> None:
        reader = self._readers[piece.number] = TranscriptReader()
        sent_s = piece.duration_s or self._recording.likely_s
        try:
            events = send(connection, wanted.options, file, reader, translate=wanted.translate)
            async with aclosing(events):
                async for event in events:
                    self._pass_on(piece, event)
        except BaseException:
            if reader.started:
                self._books.pay(reader.heard(), sent_s)
            raise
        heard = reader.heard()
        self._books.pay(heard, piece.duration_s or heard.duration_s or sent_s)
        if wanted.estimate and not heard.segments and loudness is not None:
            heard = replace(heard, segments=_estimated(heard.text, loudness, piece))
            for segment in heard.segments:
                self._pass_on(piece, segment)
        self._done(piece, heard)
        if len(self._pieces) > 1:
            self._all_kept &= await asyncio.to_thread(self._kept.put, piece, heard)
        self._move_on()

    def _done(self, piece: Piece, heard: Heard) -> None:
        self._heard[piece.number] = heard
        if self._wanted.diarize and piece.number == 0:
            self._names.learn(heard, _MOST_SPEAKERS - len(self._wanted.options.speakers))

    def _with_samples(self) -> Wanted:
        """What is wanted, with samples of the voices of the first piece, by which they are known in the others."""
        samples = []
        for mark, segment in self._names.samples.items():
            with self._recording.reader(_SAMPLE_RATE) as reader:
                for _ in reader.blocks(round(segment.start_s * _SAMPLE_RATE)):
                    continue
                blocks = list(reader.blocks(round((segment.end_s - segment.start_s) * _SAMPLE_RATE)))
            clip = Clip(np.concatenate(blocks), sample_rate=_SAMPLE_RATE)
            samples.append((mark, sample_of(clip, mark)))
        return self._wanted.with_speakers(samples)

    def _with_advice(self, error: errors.NbaudioError) -> errors.NbaudioError:
        done, count = self.pieces_done
        if done and self._all_kept:
            error.next_step = f"{error.next_step} {done} of {count} pieces are done and kept. {_GO_ON}".strip()
            error.args = (f"{error.cause} {error.next_step}",)
        return error

    # -- what comes, in order -----------------------------------------------------------------------------

    def _pass_on(self, piece: Piece, event: Event) -> None:
        if isinstance(event, Segment):
            (event,) = joined([(piece, self._names.put_right(Heard(segments=(event,)), piece))]).segments
        if piece.number == self._front:
            self._give(piece.number, event)
        else:
            self._waiting.setdefault(piece.number, []).append(event)

    def _move_on(self) -> None:
        """Give what has waited for the pieces before it."""
        while self._front in self._heard:
            self._front += 1
            for event in self._waiting.pop(self._front, []):
                self._give(self._front, event)

    def _give(self, number: int, event: Event) -> None:
        """Pass one event on; where the text of another piece begins, it is parted from what stands before it."""
        if isinstance(event, TextDelta):
            before, self._before = self._before, (number, event.text[-1:] or self._before[1])
            if before[1] and before[0] != number:
                event = TextDelta(joined_text(before[1], event.text)[1:])
        self._put(event)

    def _transcript(self, *, partial: bool) -> Transcript:
        found = dict(self._heard)
        for number, reader in self._readers.items():
            if number not in found and reader.started:
                found[number] = reader.heard()
        pieces = [self._pieces[number] for number in sorted(found)]
        heard = joined((piece, self._names.put_right(found[piece.number], piece)) for piece in pieces)
        clip, wanted = self._recording.clip, self._wanted
        told_s = next((one.duration_s for one in found.values() if one.duration_s), 0.0)
        timed = any(word.start_s is not None for word in heard.words) or bool(heard.segments)
        return Transcript(
            heard.text,
            heard.words,
            heard.segments,
            heard.languages or (wanted.options.languages if len(wanted.options.languages) == 1 else ()),
            duration_s=self._recording.duration_s or told_s,
            times_from="" if not timed else "pauses" if wanted.estimate and clip is not None else "server",
            model=wanted.options.model,
            backend=self._backend.name,
            offline=self._backend.offline,
            translated=wanted.translate,
            partial=partial,
            usage=heard.usage,
            billed_s=heard.billed_s,
            note=self._note(partial, timed),
            clip=clip,
        )

    def _note(self, partial: bool, timed: bool) -> str:
        notes = [self._wanted.note]
        model = self._wanted.options.model
        if self._wanted.estimate and self._recording.clip is not None:
            notes.append(f"Times are estimated from the pauses: {model} gives none.")
        elif self._wanted.estimate and not timed:
            notes.append(f"No times: {model} gives none, and a file that can't be read here shows no pauses.")
        if partial and len(self._pieces) > 1:
            missing = [str(piece.number + 1) for piece in self._pieces if piece.number not in self._heard]
            notes.append(f"Not all of it: of {len(self._pieces)} pieces, {', '.join(missing)} are missing.")
        elif partial:
            notes.append("Not all of it: it broke off.")
        return " ".join(filter(None, notes))


def _estimated(text: str, loudness: Loudness, piece: Piece) -> tuple[Segment, ...]:
    """The phrases of a piece over its pauses, as segments that count from its beginning."""
    frames = round(piece.duration_s * 1000)
    phrases = laid_over(text, loudness, 1000, frames) if text.strip() else ()
    return tuple(Segment(phrase.text, phrase.start_s, phrase.end_s) for phrase in phrases)


def _ignore(_: Event) -> None:
    """Where only the whole transcript is wanted."""
