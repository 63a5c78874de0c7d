"""Text to speech on the wire: what goes to ``POST /audio/speech``, and what comes back.

Source: https://platform.openai.com/docs/api-reference/audio/createSpeech. The answer is the sound itself, or, with
``stream_format: "sse"``, events with pieces of it. Which of the two came is told by its content type, and not by what
was asked for: many servers ignore the field. ``pcm`` is headerless signed 16-bit little-endian mono at 24,000 Hz.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nbaudio.errors import BadReply
from nbaudio.wire.answers import STREAM_SAMPLE_RATE, AudioDelta
from nbaudio.wire.usage import Usage
from nbaudio.wire.wav_stream import WavStream

__all__ = ["FORMATS", "SpeechOptions", "SpeechReader", "WordTime", "WordsTimed", "speech_body", "takes_instructions"]

FORMATS = ("pcm", "wav", "mp3", "opus", "flac", "aac")
"""What ``response_format`` can be."""

_MAGIC = (  # how files begin that may come in the place of what was asked for
    (b"RIFF", "wav"), (b"OggS", "opus"), (b"fLaC", "flac"), (b"ID3", "mp3"),
)  # fmt: skip
_LONGEST_MAGIC = 4
_MIME = {
    "audio/mpeg": "mp3", "audio/mp3": "mp3", "audio/wav": "wav", "audio/x-wav": "wav", "audio/wave": "wav",
    "audio/flac": "flac", "audio/x-flac": "flac", "audio/ogg": "opus", "audio/opus": "opus", "audio/aac": "aac",
    "audio/pcm": "pcm", "audio/l16": "pcm",
}  # fmt: skip
_NO_SOUND = "Is the address that of an OpenAI-compatible API, up to and with /v1?"


@dataclass(frozen=True)
class SpeechOptions:
    """How a text is to be spoken.

    Parameters
    ----------
    model, voice : str
        A voice that begins with ``voice_`` is one of your own, and goes as an object.
    instructions : str
        The manner of speaking; models of the ``tts-1`` family know none.
    response_format : str
        One of `FORMATS`.
    speed : float
        0.25 to 4.
    events : bool
        Whether to ask for events, which bring the tokens that were used; models of the ``tts-1`` family have none.
    """

    model: str
    voice: str
    instructions: str = ""
    response_format: str = "pcm"
    speed: float = 1.0
    events: bool = False


def takes_instructions(model: str) -> bool:
    """Whether a model follows instructions, and streams events: the ``tts-1`` family does neither.

    Examples
    --------
    >>> takes_instructions("gpt-4o-mini-tts"), takes_instructions("tts-1-hd")
    (True, False)
    """
    return re.fullmatch(r"tts-1(-.*)?", model) is None


def speech_body(text: str, options: SpeechOptions) -> dict[str, Any]:
    """The request's JSON object; what is as every server has it anyway is left out.

    Examples
    --------
    >>> speech_body("Hello.", SpeechOptions("tts-1", "alloy"))
    {'model': 'tts-1', 'input': 'Hello.', 'voice': 'alloy', 'response_format': 'pcm'}
    """
    voice: Any = {"id": options.voice} if options.voice.startswith("voice_") else options.voice
    body: dict[str, Any] = {
        "model": options.model,
        "input": text,
        "voice": voice,
        "response_format": options.response_format,
    }
    if options.instructions:
        body["instructions"] = options.instructions
    if options.speed != 1.0:
        body["speed"] = options.speed
    if options.events:
        body["stream_format"] = "sse"
    return body


@dataclass(frozen=True)
class WordTime:
    """A word, and the seconds of the sound at which it begins and ends."""

    word: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class WordsTimed:
    """The words of the sound that comes next, with their times: the offline engine sends them along."""

    words: tuple[WordTime, ...] = field(repr=False)


class SpeechReader:
    """Reads one spoken text; what it has taken so far can be asked for at any time.

    Parameters
    ----------
    asked_format : str
        The ``response_format`` of the request.
    keep_pcm : bool
        Whether `audio` holds PCM at 24,000 Hz too; what is done with its pieces may be enough.

    Attributes
    ----------
    format : str
        Of `audio`: one of `FORMATS`. A plain WAV is given as ``pcm``.
    sample_rate : int
        Hz, where `format` is ``pcm``.
    usage : Usage
        As the server reported it; bare sound comes without.
    words : list of WordTime
        Those that came along.
    ended : bool
        Whether all of it has come.
    """

    def __init__(self, asked_format: str = "pcm", *, keep_pcm: bool = True) -> None:
        self._keep_pcm = keep_pcm
        self.started = False
        """Whether any sound has come."""
        self.format = asked_format
        self.sample_rate = STREAM_SAMPLE_RATE
        self.usage = Usage()
        self.words: list[WordTime] = []
        self.ended = False
        self._head = bytearray()  # the first bytes, until they show what they are
        self._known = False
        self._sound = bytearray()
        self._wav: WavStream | None = None
        self._base64_rest = ""
        self._odd_byte = b""

    @property
    def audio(self) -> bytes:
        """The bytes of `format` that have come."""
        return bytes(self._sound)

    def begin(self, content_type: str) -> bool:
        """Take in what the answer says that it is; gives whether events follow, and not the sound itself.

        Raises
        ------
        BadReply
            If it is neither.
        """
        kind, _, parameters = content_type.partition(";")
        kind = kind.strip().lower()
        if kind == "text/event-stream":
            return True
        if kind.startswith("text/") or kind.endswith(("/json", "+json")):
            raise BadReply(f"The server sent {kind} where sound was asked for.", _NO_SOUND)
        self.format = _MIME.get(kind, self.format)
        rate = re.search(r"\brate=(\d{4,6})\b", parameters.lower())
        if rate and self.format == "pcm":
            self.sample_rate = int(rate[1])
        return False

    def take(self, data: bytes) -> list[AudioDelta]:
        """Take in bytes of the sound; gives what of them can be played at once."""
        if not self._known:
            self._head += data
            if len(self._head) < _LONGEST_MAGIC:
                return []
            data, self._known = bytes(self._head), True
            self._look_at(data)
        if self._wav is not None:
            data = self._out_of_wav(self._wav, data)
        self.started |= bool(data)
        if self._keep_pcm or self.format != "pcm" or self.sample_rate != STREAM_SAMPLE_RATE:
            self._sound += data
        return self._pieces(data) if self.format == "pcm" else []

    def take_event(self, event: Any) -> list[AudioDelta | WordsTimed]:
        """Take in one event.

        Raises
        ------
        BadReply
            If it is no JSON object, or its sound is no base64.
        """
        if not isinstance(event, Mapping):
            raise BadReply("The server sent an event that is no piece of speech.", _NO_SOUND)
        found: list[AudioDelta | WordsTimed] = []
        if words := _words(event.get("words")):
            self.words += words
            found.append(WordsTimed(words))
        if isinstance(data := event.get("audio"), str) and data:
            sound = self._decoded(data)
            if sound[:4] == b"RIFF" and self._wav is not None:
                self._wav = WavStream()  # some servers make each piece a WAV of its own
            found += self.take(sound)
        if isinstance(usage := event.get("usage"), Mapping):
            self.usage = Usage.of_speech(usage)
        if event.get("type") == "speech.audio.done":
            self.ended = True
        return found

    def _look_at(self, data: bytes) -> None:
        """What the first bytes show of the format, whatever was asked for."""
        for magic, format in _MAGIC:
            if data.startswith(magic):
                self.format = format
        if self.format == "wav":
            self._wav = WavStream()

    def _out_of_wav(self, wav: WavStream, data: bytes) -> bytes:
        """The samples of a plain WAV; of another the file itself."""
        was_known = wav.plain is not None
        pcm16 = wav.feed(data)
        if wav.plain:
            self.format, self.sample_rate = "pcm", wav.sample_rate
        elif wav.plain is False:
            self.format = "wav"
            return data if was_known else bytes(wav.held)
        return pcm16

    def _decoded(self, text: str) -> bytes:
        joined = self._base64_rest + text
        keep = len(joined) % 4  # a padded piece is whole by itself; of another the last group waits for the next
        self._base64_rest = joined[len(joined) - keep :]
        try:
            return base64.b64decode(joined[: len(joined) - keep], validate=True)
        except (binascii.Error, ValueError) as error:
            raise BadReply("The server's sound is no base64.", "Try again, or with another server.") from error

    def _pieces(self, data: bytes) -> list[AudioDelta]:
        pcm16 = self._odd_byte + data
        self._odd_byte = pcm16[len(pcm16) - len(pcm16) % 2 :]
        whole = pcm16[: len(pcm16) - len(pcm16) % 2]
        return [AudioDelta(whole, self.sample_rate)] if whole else []


def _words(found: Any) -> tuple[WordTime, ...]:
    """The words with times that can be."""
    words = []
    for one in found if isinstance(found, list) else []:
        if isinstance(one, Mapping) and isinstance(one.get("word"), str):
            start_s, end_s = _time(one.get("start")), _time(one.get("end"))
            if 0 <= start_s <= end_s:
                words.append(WordTime(one["word"], start_s, end_s))
    return tuple(words)


def _time(value: Any) -> float:
    """A time in seconds; -1 where it is none."""
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e7  # also no NaN
    return float(value) if good else -1.0
