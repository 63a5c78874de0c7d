"""WebVTT and SubRip (SRT): texts with times, written and read.

Texts may come from a model, and are hostile: whatever they hold, each makes exactly one cue. A line break stays, a
blank line can't be, and "-->" is escaped (WebVTT) or becomes an arrow (SRT, which knows no escape).

Sources: https://www.w3.org/TR/webvtt1/ for WebVTT. SRT has no specification: what is written here is what players agree
on, and what is read is more.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from nbaudio.errors import NbaudioError

__all__ = ["Cue", "lines_of", "read_srt", "read_vtt", "srt", "vtt"]

Cue: TypeAlias = "tuple[str, float, float]"
"""Text, and the seconds at which it begins and ends."""

_ARROW = "-->"
_TIME = r"(?:(\d{1,6}):)?(\d{1,2}):(\d{1,2})(?:[.,](\d{1,3}))?"
_TIMES = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}(?:\s.*)?", re.A)
_LIKE_TIMES = re.compile(r"\s*-?\d+:.*-->|.*-->\s*-?\d+:", re.A)
_VTT_TAG = re.compile(r"</?(?:[A-Za-z][^<>]{0,500}|[\d:.]{1,20})?>", re.A)
_LONG_NUMBER = re.compile(r"&#[0-9]{9,};?")  # no character has it, and Python reads no number of 4,300 digits
_SRT_TAG_BEGINS = re.compile(r"<(?=/?(?:b|i|u|s|font)(?:\s|>))", re.I)
_SRT_TAG = re.compile(r"</?(?:b|i|u|s|font)(?:\s[^<>]{0,500})?>|\{\\[^{}]{0,500}\}", re.I)


def vtt(cues: Iterable[Cue], speakers: Iterable[str] = ()) -> str:
    """The cues as a WebVTT file; `speakers` are who says each, where several do.

    Examples
    --------
    >>> print(vtt([("Salt & pepper", 0.5, 1.25)]))
    WEBVTT
    <BLANKLINE>
    00:00:00.500 --> 00:00:01.250
    Salt &amp; pepper
    <BLANKLINE>
    """
    names = iter(speakers)
    blocks = [
        f"{_times(start_s, end_s, '.')}\n{_voice(next(names, ''))}{_joined(html.escape(text, quote=False))}"
        for text, start_s, end_s in cues
    ]
    return "\n\n".join(["WEBVTT", *(block.rstrip("\n") for block in blocks)]) + "\n"


def srt(cues: Iterable[Cue]) -> str:
    """The cues as a SubRip file.

    Examples
    --------
    >>> print(srt([("Salt & pepper", 0.5, 1.25)]))
    1
    00:00:00,500 --> 00:00:01,250
    Salt & pepper
    <BLANKLINE>
    """
    blocks = [
        f"{number}\n{_times(start_s, end_s, ',')}\n{_joined(_harmless(text))}".rstrip("\n")
        for number, (text, start_s, end_s) in enumerate(cues, 1)
    ]
    return "\n\n".join(blocks) + "\n" if blocks else ""


def read_vtt(text: str) -> list[Cue]:
    """The cues of a WebVTT file, without their settings and marks.

    Raises
    ------
    NbaudioError
        If it is none, or a line of times can't be read.
    """
    lines = _split(text)
    if not re.fullmatch(r"WEBVTT(?:[ \t].*)?", lines[0]):
        srt_perhaps = any(map(_TIMES.fullmatch, lines))
        raise NbaudioError(
            "This is no WebVTT: its first line is not WEBVTT.",
            "Captions.from_srt reads SRT." if srt_perhaps else "Give the text of a .vtt file.",
        )
    cues = []
    for start_s, end_s, body in _blocks(lines):
        said = body[: body.index("")] if "" in body else body  # below it: a note, the next cue's name
        words = _LONG_NUMBER.sub("\ufffd", _VTT_TAG.sub("", "\n".join(said)))
        cues.append((_joined(html.unescape(words)), start_s, end_s))
    return cues


def read_srt(text: str) -> list[Cue]:
    """The cues of a SubRip file, without its tags.

    Raises
    ------
    NbaudioError
        If it is none, or a line of times can't be read.
    """
    lines = _split(text)
    if lines[0].startswith("WEBVTT"):
        raise NbaudioError("This is WebVTT, not SRT.", "Captions.from_vtt reads it.")
    cues = []
    blocks = list(_blocks(lines))
    for place, (start_s, end_s, body) in enumerate(blocks, 1):
        if place < len(blocks) and body and body[-1].strip().isdecimal():
            del body[-1]  # the next cue's number
        cues.append((_joined(_SRT_TAG.sub("", "\n".join(body))), start_s, end_s))
    if not cues and text.strip("\ufeff \r\n\t"):
        raise NbaudioError("This is no SRT: there are no times in it.", "Give the text of a .srt file.")
    return cues


def lines_of(text: str) -> list[str]:
    """The lines of a text that say anything, without control characters and without white space at their ends."""
    # Whatever any reader takes for the end of a line is one, so that none can be made to see a blank line.
    lines = re.split(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]", text)
    clean = ("".join(" " if unicodedata.category(c) == "Cc" else c for c in line).strip() for line in lines)
    return [line for line in clean if line]


def _voice(speaker: str) -> str:
    """The mark of who speaks, which a reader of WebVTT shows or leaves out."""
    name = " ".join(" ".join(lines_of(speaker)).split())
    return f"<v {html.escape(name, quote=False)}>" if name else ""


def _joined(text: str) -> str:
    return "\n".join(lines_of(text))


def _harmless(text: str) -> str:
    """A text that no reader of SRT takes for times or for tags."""
    return _SRT_TAG_BEGINS.sub("‹", text.replace(_ARROW, "→")).replace("{\\", "{ \\")


def _times(start_s: float, end_s: float, point: str) -> str:
    start_ms = round(start_s * 1000)
    end_ms = max(start_ms + 1, round(end_s * 1000))  # WebVTT wants every cue to last
    return f"{_clock(start_ms, point)} {_ARROW} {_clock(end_ms, point)}"


def _clock(time_ms: int, point: str) -> str:
    seconds, milliseconds = divmod(time_ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{milliseconds:03}"


def _split(text: str) -> list[str]:
    return re.split(r"\r\n|\n|\r", text.removeprefix("\ufeff").replace("\x00", "\ufffd"))


def _blocks(lines: list[str]) -> Iterator[tuple[float, float, list[str]]]:
    """Each line of times, read, with the lines below it up to the next."""
    places = [place for place, line in enumerate(lines) if _ARROW in line and _LIKE_TIMES.match(line)]
    for place, next_place in zip(places, [*places, len(lines)][1:], strict=True):
        found = _TIMES.fullmatch(lines[place])
        start_s, end_s = (_seconds(found.groups()[:4]), _seconds(found.groups()[4:])) if found else (1.0, 0.0)
        if found is None or end_s < start_s:
            raise NbaudioError(
                f"Line {place + 1} of the captions can't be read: {lines[place][:80]!r}.",
                "Times look like 00:00:01.500 --> 00:00:02.000, and end after they begin.",
            )
        yield start_s, end_s, lines[place + 1 : next_place]


def _seconds(parts: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, milliseconds = parts
    whole = (int(hours or 0) * 60 + int(minutes or 0)) * 60 + int(seconds or 0)
    return (whole * 1000 + int((milliseconds or "0").ljust(3, "0"))) / 1000
