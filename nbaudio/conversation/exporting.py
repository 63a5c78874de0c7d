"""A conversation for people and programs without nbaudio: Markdown, one HTML page, one sound with chapters, captions.

Turns are written one by one: a long talk is never in memory with all of its sounds.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeAlias

import numpy as np

from nbaudio.captions import subtitles
from nbaudio.conversation.showing import speaker, turn_view
from nbaudio.conversation.writing import written_whole
from nbaudio.display.conversation import turn_html, turn_markdown
from nbaudio.display.html import escape_markdown
from nbaudio.display.page import page_begin, page_end
from nbaudio.errors import SavedFileError
from nbaudio.legible import legible
from nbaudio.sound import codecs
from nbaudio.sound.chapters import Chapter, id3_chapters, wav_chapters
from nbaudio.sound.codecs import Samples
from nbaudio.turns import Turn

__all__ = ["export"]

_RATE = 24_000  # Hz; what the protocol's sound has
_GAP_S = 0.6  # of silence between two turns
_BLOCK_FRAMES = 65_536
_TITLE_LENGTH = 80
_LONGEST_WAV_BYTES = 2**32 - 2**26  # what is left is for the chapters
_ANY_SIZE = 2**62

_Write: TypeAlias = "Callable[[IO[bytes], Sequence[Turn], str], None]"


def export(path: str | os.PathLike[str], turns: Sequence[Turn], title: str) -> Path:
    """Write a file, whose ending says the form; returns its path. See `Conversation.export`.

    Raises
    ------
    SavedFileError
        If the ending is unknown, the file can't be written, or it is to be heard and nothing sounds.
    """
    path = Path(path).expanduser()
    write = _FORMS.get(path.suffix.lower())
    if write is None:
        raise SavedFileError(
            f"A conversation can't be exported with the ending {path.suffix or '(none)'!r}.",
            f"End the name in one of {', '.join(_FORMS)}; chat.save(path) keeps all of it.",
        )
    if write in (_wav, _mp3, _vtt) and not any(turn.clips for turn in turns):
        raise SavedFileError("Nothing in this conversation sounds.", "Export its words, as .md or .html.")
    with written_whole(path) as file:
        write(file, turns, title)
    return path


def _markdown(file: IO[bytes], turns: Sequence[Turn], title: str) -> None:
    file.write(f"# {escape_markdown(title)}\n".encode())
    for turn in turns:
        file.write(f"\n{turn_markdown(turn_view(turn))}\n".encode())


def _html(file: IO[bytes], turns: Sequence[Turn], title: str) -> None:
    file.write(page_begin(title).encode())
    for turn in turns:
        file.write(f"{turn_html(turn_view(turn, turn.embedded(_ANY_SIZE)))}\n".encode())
    file.write(page_end().encode())


@dataclass(frozen=True)
class _Heard:
    """A turn that sounds, the frame of the whole at which it begins, and its sound, shape ``(frames, 1)``."""

    turn: Turn
    start: int
    samples: list[Samples]

    @property
    def frames(self) -> int:
        return sum(map(len, self.samples))

    @property
    def start_s(self) -> float:
        return self.start / _RATE

    @property
    def chapter(self) -> Chapter:
        words = " ".join(legible(self.turn.words).split())
        title = f"{speaker(self.turn)}: {words}" if words else speaker(self.turn)
        if len(title) > _TITLE_LENGTH:
            title = title[: _TITLE_LENGTH - 1].rstrip() + "…"
        return Chapter(title, self.start_s, self.start_s + self.frames / _RATE)


def _heard(turns: Sequence[Turn]) -> Iterator[_Heard]:
    """All turns that sound, one after the other with gaps."""
    start = 0
    for turn in turns:
        if turn.clips:
            heard = _Heard(turn, start, [clip.mono().resample(_RATE).samples for clip in turn.clips])
            yield heard
            start += heard.frames + round(_GAP_S * _RATE)


def _played(turns: Sequence[Turn], chapters: list[Chapter]) -> Iterator[Samples]:
    """The whole talk in blocks; its chapters are added to the list as they come."""
    for heard in _heard(turns):
        if chapters:
            yield np.zeros((round(_GAP_S * _RATE), 1), np.float32)
        chapters.append(heard.chapter)
        for samples in heard.samples:
            for start in range(0, len(samples), _BLOCK_FRAMES):
                yield samples[start : start + _BLOCK_FRAMES]


def _wav(file: IO[bytes], turns: Sequence[Turn], title: str) -> None:
    chapters: list[Chapter] = []
    size = 0
    file.write(codecs.wav_header(0, _RATE))
    for block in _played(turns, chapters):
        pcm16 = codecs.samples_to_pcm16(block)
        size += len(pcm16)
        if size > _LONGEST_WAV_BYTES:
            raise SavedFileError("The talk is longer than the 24 hours that a WAV file can hold.", "Export an .mp3.")
        file.write(pcm16)
    marks = wav_chapters(chapters, _RATE)
    file.write(marks)
    file.seek(0)
    file.write(codecs.wav_header(size, _RATE))
    file.seek(4)
    file.write(struct.pack("<I", 36 + size + len(marks)))  # the whole file, less its first 8 bytes


def _mp3(file: IO[bytes], turns: Sequence[Turn], title: str) -> None:
    chapters: list[Chapter] = []
    writer = codecs.Mp3Writer(_RATE)
    for block in _played(turns, chapters):
        writer.write(block)
    file.write(id3_chapters(chapters, title) + writer.finish())


def _vtt(file: IO[bytes], turns: Sequence[Turn], title: str) -> None:
    cues: list[subtitles.Cue] = []
    speakers: list[str] = []
    for heard in _heard(turns):
        for phrase in heard.turn.captions:
            cues.append((legible(phrase.text), heard.start_s + phrase.start_s, heard.start_s + phrase.end_s))
            speakers.append(speaker(heard.turn))
    file.write(subtitles.vtt(cues, speakers).encode())


_FORMS: dict[str, _Write] = {
    ".md": _markdown,
    ".html": _html,
    ".wav": _wav,
    ".mp3": _mp3,
    ".vtt": _vtt,
}
