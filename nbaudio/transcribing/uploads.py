"""The files that go out: a recording as it is, or its pieces, made one after the other as they are asked for."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from nbaudio.captions.pauses import Loudness
from nbaudio.errors import ClipError
from nbaudio.settings import Backend
from nbaudio.sound.blocks import LISTENING_KBIT_S, BlockReader, BlockWriter
from nbaudio.sound.codecs import Samples
from nbaudio.transcribing.cutting import Limits, Piece
from nbaudio.transcribing.recording import Recording
from nbaudio.transcribing.wanted import Wanted
from nbaudio.wire.transcriptions import form_fields

__all__ = ["Uploads", "limits_of"]

_FIELD_BYTES = 200  # the border and the headers of one field of a form
_FORM_BYTES = 4_000  # what else a form takes
_MARGIN = 1.02  # frames and headers of the file


def limits_of(recording: Recording, wanted: Wanted, backend: Backend) -> Limits:
    """What one request to this model of this server can hold of the recording."""
    dialect = backend.dialect
    form = sum(len(str(value)) + _FIELD_BYTES for value in form_fields(wanted.options).values())
    # At worst a FLAC is as large as the samples that are in it.
    flac = 2.0 * recording.sending_rate if recording.clip is not None else 0.0
    return Limits(
        dialect.transcription_max_bytes - form - _FORM_BYTES,
        min(dialect.transcription_max_s, wanted.able.longest_s),
        dialect.transcription_piece_s,
        _MARGIN * (LISTENING_KBIT_S * 125 if dialect.transcription_upload == "mp3" else flac),
    )


class Uploads:
    """Makes the files of one recording's pieces, which are taken in order; no more than one is held here.

    Its context can be left while a piece is taken on another thread, as an interrupt does: it waits for nobody, and the
    piece is given up.

    Parameters
    ----------
    recording : Recording
    format : {"mp3", "flac"}
        Of what can't go as it is.
    limits : Limits
    whole : bool
        Whether there is one piece: all of it.
    """

    def __init__(self, recording: Recording, format: str, limits: Limits, *, whole: bool) -> None:
        self._recording, self._format, self._limits, self._whole = recording, format, limits, whole
        self._reader: BlockReader | None = None
        self._reading = threading.Lock()  # libsndfile crashes where a file is closed that another thread reads
        self._left = False

    def take(self, piece: Piece, *, look: bool) -> tuple[tuple[bytes, str], Loudness | None]:
        """A piece as a file with its ending, and its course of power if that is to be looked at.

        Raises
        ------
        ClipError
            If the recording can't be read, or the context is left meanwhile.
        """
        file = self._recording.as_it_is(self._limits.most_bytes) if self._whole else None
        if file is not None and (not look or self._recording.clip is None):
            return file, None
        rate = self._recording.sending_rate
        if self._reader is None:
            self._reader = self._recording.reader(rate)
        start, end = round(piece.start_s * rate), round(piece.end_s * rate)
        for _ in self._blocks(self._reader, start - self._reader.position):
            continue
        loudness = Loudness(rate) if look else None
        writer = BlockWriter(self._format, rate) if file is None else None
        for block in self._blocks(self._reader, end - start):
            if loudness is not None:
                loudness.add(block)
            if writer is not None:
                writer.write(block)
        return file or (writer.finish() if writer else b"", self._format), loudness

    def _blocks(self, reader: BlockReader, frames: int) -> Iterator[Samples]:
        """The next so many frames, in blocks, while anybody wants them."""
        blocks = reader.blocks(frames)
        while True:
            with self._reading:
                block = None if self._left else next(blocks, None)
            if self._left:
                self._close()
                raise ClipError("The recording was closed before a piece of it was made.", "Ask for it again.")
            if block is None:
                return
            yield block

    def _close(self) -> None:
        """Close the file, unless it is being read: whoever reads it looks afterwards whether to close it."""
        if self._reading.acquire(blocking=False):
            try:
                if self._reader is not None:
                    self._reader.close()
            finally:
                self._reading.release()

    def __enter__(self) -> Uploads:
        return self

    def __exit__(self, *_: object) -> None:
        self._left = True
        self._close()
