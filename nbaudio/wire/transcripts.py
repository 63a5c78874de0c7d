"""What a speech-to-text server answers, in every form that there is, read into one.

An answer is JSON in one of three shapes (plain, verbose, diarized), text, SRT, WebVTT, or a stream of events; and
servers do not always send the form that they were asked for: whisper-1 ignores ``stream``. So what came is looked at,
and not what was asked. Times and numbers of a server are not to be trusted: what can't be one is left out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import Any, TypeAlias

from nbaudio.captions import subtitles
from nbaudio.errors import BadReply, NbaudioError
from nbaudio.wire.answers import TextDelta
from nbaudio.wire.usage import Usage

__all__ = ["Heard", "Segment", "TranscriptReader", "Word"]

_NONE = "Is the address that of an OpenAI-compatible API?"
_LONGEST_S = 1e7  # a third of a year; what is longer is no time in a recording


@dataclass(frozen=True)
class Word:
    """One word: the seconds between which it sounds, and how sure the model is of it, 0 to 1; None where not told."""

    text: str
    start_s: float | None = None
    end_s: float | None = None
    confidence: float | None = None


@dataclass(frozen=True)
class Segment:
    """A sentence or so, and the seconds between which it sounds; `speaker` is empty where nobody tells who it is."""

    text: str
    start_s: float
    end_s: float
    speaker: str = ""
    confidence: float | None = None


@dataclass(frozen=True)
class Heard:
    """What one answer says.

    `languages` are ISO codes; `duration_s` and `billed_s` are None where the server does not tell.
    """

    text: str = ""
    words: tuple[Word, ...] = ()
    segments: tuple[Segment, ...] = ()
    languages: tuple[str, ...] = ()
    duration_s: float | None = None
    billed_s: float | None = None
    usage: Usage = field(default_factory=Usage)


Event: TypeAlias = TextDelta | Segment


class TranscriptReader:
    """Reads one answer.

    Attributes
    ----------
    ended : bool
        Whether the stream has said that it is over, by ``[DONE]``.

    Examples
    --------
    >>> reader = TranscriptReader()
    >>> reader.take_event({"type": "transcript.text.delta", "delta": "Hello."})
    [TextDelta(text='Hello.')]
    >>> reader.heard().text
    'Hello.'
    """

    def __init__(self) -> None:
        self.ended = False
        self._done = False
        self._deltas: list[str] = []
        self._segments: list[Segment] = []
        self._tokens: list[Any] = []
        self._whole = Heard()

    @property
    def complete(self) -> bool:
        """Whether all of the answer has come."""
        return self._done or self.ended

    @property
    def started(self) -> bool:
        """Whether anything of it has come."""
        return bool(self._done or self._deltas or self._segments)

    def take_whole(self, body: bytes, content_type: str) -> list[Event]:
        """An answer that is no stream, and what is new in it.

        Raises
        ------
        BadReply
            If it is no transcript.
        """
        self._whole = _whole(body, content_type.partition(";")[0].strip().lower())
        self._done = True
        text: list[Event] = [TextDelta(self._whole.text)] if self._whole.text else []
        return [*text, *self._whole.segments]

    def take_event(self, event: Any) -> list[Event]:
        """One event of a stream, and what is new in it; what is none is passed over."""
        if not isinstance(event, Mapping):
            return []
        kind = event.get("type")
        if kind == "transcript.text.delta":
            self._tokens += _listed(event.get("logprobs"))
            return self._delta(event.get("delta"))
        if kind == "transcript.text.segment":
            segment = _segment(event)
            self._segments += [segment] if segment else []
            return [segment] if segment else []
        if kind == "transcript.text.done":
            self._finish(event)
            return []
        if event.get("object") in ("transcription.chunk", "translation.chunk"):  # vLLM's own
            return [found for choice in _listed(event.get("choices")) for found in self._chunk(choice)]
        if "type" not in event and isinstance(event.get("text"), str):
            # Some servers stream what they would answer: each object is the next part.
            new = _json(event)
            self._segments += new.segments
            return [*self._delta(new.text and f" {new.text}" if self._deltas else new.text), *new.segments]
        return []

    def heard(self) -> Heard:
        """All that has come so far."""
        found = self._whole
        return replace(
            found,
            text=found.text if self._done else _clean("".join(self._deltas)),
            segments=found.segments or tuple(sorted(self._segments, key=lambda segment: segment.start_s)),
            words=found.words or _confident_words(self._tokens),
        )

    def _delta(self, text: Any) -> list[Event]:
        if not isinstance(text, str) or not text:
            return []
        self._deltas.append(text)
        return [TextDelta(text)]

    def _chunk(self, choice: Any) -> list[Event]:
        found = choice if isinstance(choice, Mapping) else {}
        delta = found.get("delta")
        events = self._delta(delta.get("content")) if isinstance(delta, Mapping) else []
        if found.get("finish_reason"):
            self._done = True
            self._whole = replace(self._whole, text=_clean("".join(self._deltas)))
        return events

    def _finish(self, event: Mapping[str, Any]) -> None:
        said = event.get("text")
        # An answer's last word counts: it may put right what the deltas said.
        self._whole = _json({**event, "text": said if isinstance(said, str) else "".join(self._deltas)})
        self._done = True


def _whole(body: bytes, kind: str) -> Heard:
    text = body.decode("utf-8", "replace").removeprefix("\ufeff")
    start = text.lstrip()[:16].lower()
    if kind in ("application/json", "") or start.startswith("{"):
        try:
            found: Any = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, Mapping) or not isinstance(found.get("text"), str):
            raise BadReply("The server's answer holds no transcript.", _NONE)
        return _json(found)
    if kind == "text/html" or start.startswith(("<!doctype", "<html")):
        raise BadReply("The server's answer holds no transcript: it is a web page.", _NONE)
    if kind == "text/vtt" or start.startswith("webvtt"):
        return _subtitles(text, subtitles.read_vtt)
    # SRT comes as plain text too, and so may a transcript of which somebody reads a time aloud: three lines decide.
    if "srt" in kind or "subrip" in kind or _looks_like_srt(text):
        return _subtitles(text, subtitles.read_srt)
    return Heard(_clean(text))


def _looks_like_srt(text: str) -> bool:
    first, _, rest = text.lstrip().partition("\n")
    return first.strip().isdecimal() and "-->" in rest.partition("\n")[0]


def _subtitles(text: str, read: Callable[[str], list[subtitles.Cue]]) -> Heard:
    try:
        cues = read(text)
    except NbaudioError as error:
        cause = f"The server's subtitles can't be read: {error.cause}"
        raise BadReply(cause, "Ask for another response_format.") from error
    made = (_timed_segment(said, start_s, end_s) for said, start_s, end_s in cues)
    segments = tuple(segment for segment in made if segment)
    return Heard(" ".join(segment.text for segment in segments), segments=segments)


def _json(found: Mapping[str, Any]) -> Heard:
    listed = _listed(found.get("segments"))
    segments = tuple(segment for one in listed if (segment := _segment(one)))
    # Servers of faster-whisper put the words into their segments.
    nested = [word for one in listed if isinstance(one, Mapping) for word in _listed(one.get("words"))]
    words = tuple(word for one in _listed(found.get("words")) or nested if (word := _word(one)))
    usage, billed_s = _usage(found.get("usage"))
    return Heard(
        _clean(found["text"]),
        words or _confident_words(_listed(found.get("logprobs"))),
        segments,
        _languages(found),
        _number(found.get("duration")),
        billed_s,
        usage,
    )


def _segment(found: Any) -> Segment | None:
    if not isinstance(found, Mapping):
        return None
    speaker, likely = found.get("speaker"), found.get("avg_logprob")
    segment = _timed_segment(found.get("text"), found.get("start"), found.get("end"))
    if segment is None:
        return None
    name = _clean(speaker) if isinstance(speaker, str) else ""
    return replace(segment, speaker=name, confidence=_chance(likely))


def _timed_segment(text: Any, start: Any, end: Any) -> Segment | None:
    start_s, end_s = _number(start), _number(end)
    if not isinstance(text, str) or not text.strip() or start_s is None or end_s is None:
        return None
    return Segment(_clean(text), start_s, max(start_s, end_s))


def _word(found: Any) -> Word | None:
    if not isinstance(found, Mapping) or not isinstance(found.get("word"), str) or not found["word"].strip():
        return None
    start_s, end_s = _number(found.get("start")), _number(found.get("end"))
    if start_s is None or end_s is None:
        start_s = end_s = None
    else:
        end_s = max(start_s, end_s)
    likely = _number(found.get("probability"))
    return Word(_clean(found["word"]), start_s, end_s, likely and min(1.0, likely))


def _confident_words(tokens: Iterable[Any]) -> tuple[Word, ...]:
    """The words that tokens with their log probabilities make up; a word is as likely as its tokens on the average."""
    words: list[Word] = []
    letters = b""
    likely: list[float] = []

    def end() -> None:
        nonlocal letters, likely
        if text := _clean(letters.decode("utf-8", "replace")):
            words.append(Word(text, confidence=round(math.exp(sum(likely) / len(likely)), 4) if likely else None))
        letters, likely = b"", []

    for token in tokens:
        if not isinstance(token, Mapping):
            continue
        written = _token_bytes(token)
        if written[:1].isspace():
            end()
        letters += written
        value = token.get("logprob")
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value <= 0:
            likely.append(float(value))
        if written[-1:].isspace():
            end()
    end()
    return tuple(words)


def _token_bytes(token: Mapping[str, Any]) -> bytes:
    """What a token stands for: it may be half of a character, so that only its bytes say it."""
    numbers, text = token.get("bytes"), token.get("token")
    if isinstance(numbers, list) and all(isinstance(one, int) and 0 <= one < 256 for one in numbers):
        return bytes(numbers)
    return text.encode("utf-8", "replace") if isinstance(text, str) else b""


def _usage(found: Any) -> tuple[Usage, float | None]:
    if not isinstance(found, Mapping):
        return Usage(), None
    into = found.get("input_token_details")
    details = into if isinstance(into, Mapping) else {}
    counts = {
        "input_tokens": found.get("input_tokens"),
        "output_tokens": found.get("output_tokens"),
        "input_text_tokens": details.get("text_tokens"),
        "input_audio_tokens": details.get("audio_tokens"),
        "output_text_tokens": found.get("output_tokens"),
    }
    return Usage.from_dict(counts), _number(found.get("seconds"))


def _languages(found: Mapping[str, Any]) -> tuple[str, ...]:
    several = [one.get("code") for one in _listed(found.get("languages")) if isinstance(one, Mapping)]
    names = [name for name in (*several, found.get("language")) if isinstance(name, str) and name.strip()]
    codes = (_codes().get(name.strip().lower(), _clean(name)) for name in names)
    return tuple(dict.fromkeys(codes))


@cache
def _codes() -> dict[str, str]:
    codes: dict[str, str] = json.loads(
        files("nbaudio.wire").joinpath("spoken_languages.json").read_text(encoding="utf-8")
    )["codes"]
    return codes


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _number(value: Any) -> float | None:
    """A number of seconds or the like, also where a server writes it as text."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if 0 <= number < _LONGEST_S else None


def _chance(log_probability: Any) -> float | None:
    if isinstance(log_probability, bool) or not isinstance(log_probability, (int, float)):
        return None
    if not log_probability <= 0:  # it may be no number at all, for JSON as Python reads it has NaN
        return None
    return round(math.exp(log_probability), 4)


def _clean(text: str) -> str:
    """A text without the halves of characters that JSON can hold and nothing else."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").strip()
