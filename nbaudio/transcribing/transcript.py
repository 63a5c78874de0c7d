"""Transcript: what is said in a recording, as a value that never changes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from nbaudio.captions import subtitles
from nbaudio.captions.alignment import aligned_to
from nbaudio.captions.known_times import captions_of_segments, captions_of_words
from nbaudio.captions.pauses import Loudness
from nbaudio.captions.phrases import Captions, Phrase, PhraseTimer
from nbaudio.display.transcript import TranscriptView, transcript_html, transcript_markdown, transcript_plain
from nbaudio.errors import NbaudioError, SetupError
from nbaudio.prices import Cost, price_of
from nbaudio.settings import settings
from nbaudio.sound.clip import Clip
from nbaudio.sound.on_disk import block_reader
from nbaudio.wire.transcripts import Segment, Word
from nbaudio.wire.usage import Usage

__all__ = ["Transcript"]


@dataclass(frozen=True)
class Transcript:
    """What is said in a recording.

    `text` is all of it. `words` and `segments` (sentences or so) have the seconds at which they sound, `segments` their
    speaker, and both how sure the model is of them: each where the server gave it, or it was asked for. `times_from`
    says where times are from: ``"server"``, ``"pauses"`` (an estimate, see ``docs/transcripts.md``), or nothing where
    there are none. `languages` are ISO 639-1 codes. `partial` says that it broke off. `billed_s` are the seconds that
    the server charges, None where it did not say. `note` is what the reader should know of it. `clip` is the recording,
    None where it can't be read here (an M4A file, say); it does not count when two transcripts are compared.

    Examples
    --------
    >>> said = Transcript("Yes. It is.", segments=(Segment("Yes.", 0.0, 0.8), Segment("It is.", 0.8, 1.5)))
    >>> print(said.srt)
    1
    00:00:00,000 --> 00:00:00,800
    Yes.
    <BLANKLINE>
    2
    00:00:00,800 --> 00:00:01,500
    It is.
    <BLANKLINE>
    """

    text: str
    words: tuple[Word, ...] = ()
    segments: tuple[Segment, ...] = ()
    languages: tuple[str, ...] = ()
    duration_s: float = 0.0
    times_from: str = ""
    model: str = ""
    backend: str = ""
    offline: bool = False
    translated: bool = False
    partial: bool = False
    usage: Usage = field(default_factory=Usage)
    billed_s: float | None = None
    note: str = ""
    clip: Clip | None = field(default=None, compare=False, repr=False)

    @property
    def language(self) -> str:
        """The language that is spoken, the first where there are several; empty where nobody has said."""
        return self.languages[0] if self.languages else ""

    @property
    def speakers(self) -> tuple[str, ...]:
        """Who speaks, in the order in which they begin."""
        return tuple(dict.fromkeys(segment.speaker for segment in self.segments if segment.speaker))

    @cached_property
    def captions(self) -> Captions:
        """The words as phrases with the times at which they sound.

        From the times of the words, else of the segments; where there are neither, the words are laid over the pauses
        of the recording, see ``docs/captions.md``. Empty without words, and where there is no sound to look at.
        """
        timed = [_times(word) for word in self.words if _is_timed(word)]
        if timed and not self.speakers:  # a phrase never goes on with another speaker's words
            found = captions_of_words(self.text, timed)
            if found is not None:
                return found
        if self.segments:
            return captions_of_segments((one.text, one.start_s, one.end_s) for one in self.segments)
        if self.clip is None or not self.text.strip() or self.partial:
            return Captions()
        with block_reader(self.clip) as reader:
            loudness = Loudness(reader.sample_rate)
            for block in reader.blocks():
                loudness.add(block)
        return laid_over(self.text, loudness, reader.sample_rate, reader.position)

    @property
    def marks(self) -> Captions:
        """What a player marks while it sounds: single words where their times are known, else phrases."""
        timed = [Phrase(*_times(word)) for word in self.words if _is_timed(word)]
        return Captions(timed) if timed else self.captions

    @property
    def vtt(self) -> str:
        """The text of a WebVTT file, with who speaks where that is known."""
        cues, speakers = self._cues()
        return subtitles.vtt(cues, speakers)

    @property
    def srt(self) -> str:
        """The text of a SubRip file; a speaker's name stands before the words."""
        cues, speakers = self._cues()
        return subtitles.srt(
            (f"{name}: {text}" if name else text, start_s, end_s)
            for (text, start_s, end_s), name in zip(cues, speakers, strict=True)
        )

    def _cues(self) -> tuple[list[subtitles.Cue], list[str]]:
        if not self.speakers:
            return [(phrase.text, phrase.start_s, phrase.end_s) for phrase in self.captions], [""] * len(self.captions)
        parts = [(captions_of_segments([(one.text, one.start_s, one.end_s)]), one.speaker) for one in self.segments]
        cues = [((phrase.text, phrase.start_s, phrase.end_s), name) for phrases, name in parts for phrase in phrases]
        return [cue for cue, _ in cues], [name for _, name in cues]

    @property
    def cost(self) -> Cost | None:
        """What it cost, by the minute or by the tokens; None where the price is not known."""
        if self.offline:
            return Cost()
        try:
            price = price_of(self.model, server=self.backend)
        except SetupError:  # the file of prices could be read when it was asked for
            return None
        return price.of_hearing(self.usage, self.billed_s or self.duration_s) if price is not None else None

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a file, whose ending says the form: ``.vtt``, ``.srt``, ``.txt`` or ``.json``; returns its path.

        Raises
        ------
        NbaudioError
            If it ends in anything else.
        """
        path = Path(path)
        ways = {
            ".vtt": lambda: self.vtt,
            ".srt": lambda: self.srt,
            ".txt": lambda: self.text + "\n",
            ".json": lambda: msgspec.json.format(msgspec.json.encode(self.to_dict())).decode() + "\n",
        }
        if path.suffix.lower() not in ways:
            raise NbaudioError(
                f"A transcript can't be saved with the ending {path.suffix or '(none)'!r}.",
                "End the name in .vtt, .srt, .txt or .json.",
            )
        path.write_bytes(ways[path.suffix.lower()]().encode("utf-8", "replace"))
        return path

    def to_dict(self) -> dict[str, Any]:
        """It as plain data, ready for JSON; the sound is not in it, and nothing that has no value of its own.

        Examples
        --------
        >>> Transcript("Yes.", languages=("en",)).to_dict()
        {'text': 'Yes.', 'languages': ['en']}
        """
        made: dict[str, Any] = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name == "text" or (one.name != "clip" and value not in ((), "", None, False, 0.0, Usage())):
                plain = msgspec.to_builtins(value)
                made[one.name] = list(plain) if isinstance(plain, tuple) else plain
        for name in ("words", "segments"):
            if name in made:
                made[name] = [
                    {key: found for key, found in one.items() if found not in (None, "")} for one in made[name]
                ]
        if "usage" in made:
            made["usage"] = {name: count for name, count in made["usage"].items() if count}
        return made

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], clip: Clip | None = None) -> Transcript:
        """The transcript that plain data stand for, with the recording that belongs to it.

        Raises
        ------
        NbaudioError
            If they are none.
        """
        try:
            found = msgspec.convert({**data, "clip": None}, _Record)
            made = cls(**{name: getattr(found, name) for name in _Record.__struct_fields__})
            _ = made._cues() if made.segments or made.words else None  # times that can't be are found out now
        except msgspec.ValidationError as error:
            raise NbaudioError(f"This is no transcript: {error}.", "Give what Transcript.to_dict made.") from error
        return replace(made, clip=clip)

    def show_once_with(self, bundle: Mapping[str, Any] | None = None, *, live: str = "") -> None:
        """Change what is shown the next time, and only then; as `nbaudio.turns.Reply.show_once_with`."""
        self.__dict__["_once"] = (dict(bundle or {}), live)  # no field: it is no part of what was said

    @property
    def notes(self) -> list[str]:
        """Every line that a reader should know beside the words."""
        return self._view(None, "").notes

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        words = self.text if len(self.text) <= 60 else self.text[:57] + "..."
        return f"Transcript({words!r}, {self.duration_s:.1f} s{', partial' if self.partial else ''})"

    def _view(self, budget_bytes: int | None, live: str) -> TranscriptView:
        sound = self.clip.embed(budget_bytes) if self.clip is not None and budget_bytes is not None else None
        cost = self.cost
        known = {
            "Model": self.model,
            "Backend": self.backend,
            "Language": ", ".join(self.languages),
            "Length": f"{self.duration_s:.1f} s" if self.duration_s else "",
            "Times": {"server": "by the model", "pauses": "estimated from the pauses"}.get(self.times_from, ""),
            "Cost": "" if cost is None or self.offline else str(cost),
        }
        return TranscriptView(
            paragraphs=self.paragraphs,
            sound=sound,
            note=self.note,
            offline=self.offline,
            details={name: value for name, value in known.items() if value},
            live=live,
        )

    @property
    def paragraphs(self) -> list[tuple[str, str]]:
        """Who says what, in order; one paragraph by nobody where speakers are not known."""
        if not self.speakers:
            return [("", self.text)] if self.text.strip() else []
        made: list[tuple[str, str]] = []
        for segment in self.segments:
            if made and made[-1][0] == segment.speaker:
                made[-1] = (segment.speaker, f"{made[-1][1]} {segment.text}")
            else:
                made.append((segment.speaker, segment.text))
        return made

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        instead, live = self.__dict__.pop("_once", ({}, ""))
        view = self._view(settings().embed_budget_kb * 1000, live)
        own = {
            "text/plain": transcript_plain(view),
            "text/html": transcript_html(view),
            "text/markdown": transcript_markdown(view),
        }
        return {**own, **instead}

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_once"}


class _Record(msgspec.Struct, kw_only=True):
    """What `Transcript.to_dict` writes; a later version's fields are left out by an earlier one."""

    text: str
    words: tuple[Word, ...] = ()
    segments: tuple[Segment, ...] = ()
    languages: tuple[str, ...] = ()
    duration_s: float = 0.0
    times_from: str = ""
    model: str = ""
    backend: str = ""
    offline: bool = False
    translated: bool = False
    partial: bool = False
    usage: Usage = Usage()
    billed_s: float | None = None
    note: str = ""


def laid_over(text: str, loudness: Loudness, sample_rate: int, frames: int) -> Captions:
    """The phrases of a text over the pauses of a sound of so many frames."""
    timer = PhraseTimer(sample_rate)
    timer.take(text, [(len(text), 0), (len(text), frames)])
    return aligned_to(timer, loudness)


def _is_timed(word: Word) -> bool:
    return word.start_s is not None and word.end_s is not None


def _times(word: Word) -> subtitles.Cue:
    return word.text, word.start_s or 0.0, word.end_s or 0.0
