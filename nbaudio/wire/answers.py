"""What comes from the server: one reader for whole answers and for streams of chunks.

The rules are those of docs/protocol.md: every field is optional; pieces of sound are decoded one by one and
joined as bytes; the transcript is joined in order and not aligned with the sound; a chunk with nothing but
``expires_at`` ends an audio stream, which may hold no ``finish_reason`` at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from nbaudio.errors import BadReply
from nbaudio.wire.chunks import SoundChunk, sound_chunk
from nbaudio.wire.decoding import from_base64
from nbaudio.wire.tool_calls import ToolCall
from nbaudio.wire.usage import Usage

__all__ = ["Answer", "AnswerReader", "AudioDelta", "Gathering", "Lying", "TextDelta"]

STREAM_SAMPLE_RATE = 24_000
"""Hz of ``pcm16``, which the stream itself does not state (https://platform.openai.com/docs/guides/audio)."""


@dataclass(frozen=True)
class TextDelta:
    """Words that have just come: of the transcript where the model speaks, else of the text."""

    text: str


@dataclass(frozen=True)
class AudioDelta:
    """Sound that has just come: whole samples of signed 16-bit little-endian mono PCM."""

    pcm16: bytes = field(repr=False)
    sample_rate: int = STREAM_SAMPLE_RATE


class Lying(Protocol):
    """Sound that is not in memory: PCM16, mono."""

    @property
    def frames(self) -> int:
        """Its length."""
        ...


class Gathering(Protocol):
    """What takes the pieces of a stream's sound, PCM16, mono; its length is theirs, in bytes."""

    def __len__(self) -> int: ...

    def add(self, pcm16: bytes) -> None:
        """Take what comes next."""
        ...

    def all(self, more: bytes = b"") -> bytes | Lying:
        """All of it so far, with some more at its end."""
        ...


class _InMemory:
    """Gathers sound in memory."""

    def __init__(self, sample_rate: int) -> None:
        self._pcm = bytearray()

    def __len__(self) -> int:
        return len(self._pcm)

    def add(self, pcm16: bytes) -> None:
        self._pcm += pcm16

    def all(self, more: bytes = b"") -> bytes:
        return bytes(self._pcm) + more


@dataclass(frozen=True)
class Answer:
    """All that came of one answer.

    `audio` are the bytes of `audio_format` (``pcm16`` where it was streamed), or where they lie; empty where no sound
    came. `finish_reason` is the server's, or ``"stop"`` where an audio stream ended as it should without one, or empty
    where it broke off.
    """

    text: str = ""
    refusal: str = ""
    audio: bytes | Lying = field(default=b"", repr=False)
    audio_format: str = ""
    audio_id: str = ""
    expires_at: int = 0
    finish_reason: str = ""
    model: str = ""
    usage: Usage = field(default_factory=Usage)
    tool_calls: tuple[ToolCall, ...] = ()
    marks: tuple[tuple[int, int], ...] = ()
    """The order in which a stream brought words and sound: characters of `text` and frames of sound so far, at the end
    of each run of words. Of what lies between two marks the sound came first. Empty where the answer came whole."""

    def note(self, *, aloud: bool, silent: bool, whole: bool) -> str:
        """What a reader should know of it: that it broke off, was cut, is no answer, or has no sound.

        Parameters
        ----------
        aloud : bool
            Whether sound was asked for.
        silent : bool
            Whether there is none that plays.
        whole : bool
            Whether all of it came.
        """
        if not whole:
            return "This answer broke off; what came of it is kept."
        if self.finish_reason == "length":
            return "Cut at the token limit; --max-completion-tokens allows more."
        if self.finish_reason == "content_filter":
            return "The server's content filter stopped this answer."
        if self.tool_calls and not self.text:
            names = ", ".join(call.name for call in self.tool_calls)
            return f"The model asks for a tool instead of answering: {names}."
        if aloud and silent and not self.refusal:
            return "The server sent words only, although sound was asked for."
        return ""


class AnswerReader:
    """Reads one answer; what it has taken so far can be asked for at any time.

    Parameters
    ----------
    audio_format : str
        The format that a whole answer was asked for in; streams are ``pcm16``.
    gathering : callable
        Gives what the pieces of a stream's sound are gathered in, for a sample rate in Hz.
    """

    def __init__(self, audio_format: str = "wav", gathering: Callable[[int], Gathering] | None = None) -> None:
        self._format = audio_format
        self._content: list[str] = []
        self._transcript: list[str] = []
        self._refusal: list[str] = []
        self._pcm = (gathering or _InMemory)(STREAM_SAMPLE_RATE)
        self._whole_audio = b""
        self._base64_rest = ""
        self._odd_byte = b""
        self._audio_id = ""
        self._expires_at = 0
        self._end_marked = False
        self._finish_reason = ""
        self._model = ""
        self._usage = Usage()
        self._tool_calls: dict[int, list[dict[str, str]]] = {}  # by their index, which several may have
        # After each run of words: the characters of `content` and of the transcript so far, and the frames before it.
        self._order: list[tuple[int, int, int]] = []
        self.ended = False
        """Whether the stream's ``[DONE]`` has come, or the answer came whole."""

    @property
    def complete(self) -> bool:
        """Whether all of the answer is here."""
        return self.ended or bool(self._finish_reason) or self._audio_is_over

    @property
    def _audio_is_over(self) -> bool:
        # openai-node#1991: with id, sound and transcript seen, and then an expires_at that nothing followed, an audio
        # stream without a finish_reason has stopped as it should. Other servers put expires_at on every piece.
        return bool(self._audio_id and self._pcm and self._transcript and self._end_marked)

    @property
    def started(self) -> bool:
        """Whether any words or sound have come."""
        return bool(self._content or self._transcript or self._refusal or self._pcm or self._whole_audio)

    def sound_in(self, text: str) -> SoundChunk | None:
        """The chunk of the text of one, where it is but sound that can be taken as it is; else None."""
        # Where the piece before ended within a group of base64, this one has to be cut in other places.
        return None if self._base64_rest else sound_chunk(text)

    def take_chunk(self, chunk: Any) -> list[TextDelta | AudioDelta]:
        """Take in one chunk of a stream, as plain data or as `sound_in` reads it; gives what is new for eyes and ears.

        Raises
        ------
        BadReply
            If it is no JSON object, or its sound is no base64.
        """
        if isinstance(chunk, SoundChunk):
            return self._take_sound(chunk)
        if not isinstance(chunk, Mapping):
            raise BadReply("The server sent a piece that is no chat completion.", "Is the address that of a chat API?")
        self._common(chunk)
        events: list[TextDelta | AudioDelta] = []
        for choice in _list(chunk.get("choices"))[:1]:
            choice = _mapping(choice)
            self._finish_reason = _text(choice.get("finish_reason")) or self._finish_reason
            delta = _mapping(choice.get("delta"))
            for name, into in (("content", self._content), ("refusal", self._refusal)):
                if said := _text(delta.get(name)):
                    into.append(said)
                    events.append(TextDelta(said))
                    self._mark(written=len(said) if into is self._content else 0)
            if calls := delta.get("tool_calls"):
                self._tools(_list(calls))
            events += self._audio_delta(_mapping(delta.get("audio")))
        return events

    def take_whole(self, body: Any) -> list[TextDelta | AudioDelta]:
        """Take in a whole answer, as it comes when it is not streamed."""
        choices = _list(_mapping(body).get("choices"))
        if not choices:
            raise BadReply("The server's answer holds no choices.", "Is the address that of a chat API?")
        self._common(body)
        choice = _mapping(choices[0])
        message = _mapping(choice.get("message"))
        audio = _mapping(message.get("audio"))
        self._finish_reason = _text(choice.get("finish_reason")) or "stop"
        for text, into in (
            (message.get("content"), self._content),
            (message.get("refusal"), self._refusal),
            (audio.get("transcript"), self._transcript),
        ):
            if said := _text(text):
                into.append(said)
        self._tools(_list(message.get("tool_calls")))
        self._audio_marks(audio)
        if data := _text(audio.get("data")):
            self._whole_audio = _sound(data)
        self.ended = True
        words = self.answer().text
        return [TextDelta(words)] if words else []

    def take_file(self, data: bytes, audio_format: str) -> None:
        """Take a sound file that a stream brought, instead of what else it brought of sound."""
        self._whole_audio, self._format = data, audio_format

    def answer(self) -> Answer:
        """What has come so far."""
        # Words may be in `content` although sound was asked for: some answers come as text alone.
        text = "".join(self._transcript) or "".join(self._content)
        refusal = "".join(self._refusal)
        stopped = "stop" if self._audio_is_over or self.ended else ""
        last = self._last_sample()
        audio = self._whole_audio or self._pcm.all(last)
        return Answer(
            text=text or refusal,
            refusal=refusal,
            audio=audio,
            audio_format=(self._format if self._whole_audio else "pcm16") if audio else "",
            audio_id=self._audio_id,
            expires_at=self._expires_at,
            finish_reason=self._finish_reason or stopped,
            model=self._model,
            usage=self._usage,
            tool_calls=tuple(
                _call(index, call) for index in sorted(self._tool_calls) for call in self._tool_calls[index]
            ),
            marks=self._marks(len(text), (len(self._pcm) + len(last)) // 2) if self._pcm else (),
        )

    def _mark(self, *, written: int = 0, spoken: int = 0) -> None:
        """Remember that so many characters have come, and how much sound had come before them."""
        if not written and not spoken:
            return
        frames = len(self._pcm) // 2
        before = self._order[-1] if self._order else (0, 0, -1)
        if before[2] == frames:
            del self._order[-1]
        self._order.append((before[0] + written, before[1] + spoken, frames))

    def _marks(self, characters: int, frames: int) -> tuple[tuple[int, int], ...]:
        marks = [(spoken if self._transcript else written, before) for written, spoken, before in self._order]
        kept = [mark for mark, earlier in zip(marks, [(0, 0), *marks], strict=False) if mark[0] > earlier[0]]
        return tuple(kept if kept[-1:] == [(characters, frames)] else [*kept, (characters, frames)])

    def _common(self, body: Mapping[str, Any]) -> None:
        self._model = _text(body.get("model")) or self._model
        if usage := _mapping(body.get("usage")):
            self._usage = Usage.from_wire(usage)

    def _audio_marks(self, audio: Mapping[str, Any]) -> None:
        self._audio_id = self._audio_id or _text(audio.get("id"))
        expires_at = audio.get("expires_at")
        # JSON as Python reads it may hold NaN, Infinity and numbers of any length.
        if isinstance(expires_at, (int, float)) and not isinstance(expires_at, bool) and 0 < expires_at < 2**53:
            self._expires_at = int(expires_at)
            self._end_marked = not (audio.get("data") or audio.get("transcript"))

    def _audio_delta(self, audio: Mapping[str, Any]) -> list[TextDelta | AudioDelta]:
        events: list[TextDelta | AudioDelta] = []
        self._audio_marks(audio)
        if said := _text(audio.get("transcript")):
            self._transcript.append(said)
            self._end_marked = False
            events.append(TextDelta(said))
            self._mark(spoken=len(said))
        if data := _text(audio.get("data")):
            self._end_marked = False
            joined = self._base64_rest + data
            keep = len(joined) % 4  # a padded piece is whole by itself; of another the last group waits for the next
            self._base64_rest = joined[len(joined) - keep :]
            events += self._sounded(_sound(joined[: len(joined) - keep]))
        return events

    def _take_sound(self, chunk: SoundChunk) -> list[TextDelta | AudioDelta]:
        self._model = chunk.model or self._model
        self._audio_id = self._audio_id or chunk.audio_id
        self._end_marked = False
        return self._sounded(chunk.pcm16)

    def _sounded(self, pcm16: bytes) -> list[TextDelta | AudioDelta]:
        if self._odd_byte:
            pcm16 = self._odd_byte + pcm16
        odd = len(pcm16) % 2
        self._odd_byte = pcm16[len(pcm16) - odd :]
        whole = pcm16[: len(pcm16) - odd] if odd else pcm16
        if not whole:
            return []
        self._pcm.add(whole)
        return [AudioDelta(whole)]

    def _last_sample(self) -> bytes:
        """What an unpadded end still held back, where it makes a whole sample."""
        try:
            pcm = self._odd_byte + _sound(self._base64_rest)
        except BadReply:  # one character of a group of four says nothing
            return b""
        return pcm[: len(pcm) - len(pcm) % 2]

    def _tools(self, deltas: list[Any]) -> None:
        for position, delta in enumerate(deltas):
            delta = _mapping(delta)
            index, call_id, function = delta.get("index"), _text(delta.get("id")), _mapping(delta.get("function"))
            name = _text(function.get("name"))
            calls = self._tool_calls.setdefault(index if isinstance(index, int) else position, [])
            # Google's endpoint may give every call the index 0, and older vLLM every piece of a call an own id: so
            # it is another call where there is another id with a name.
            if not calls or (name and call_id and calls[-1]["id"] not in ("", call_id)):
                calls.append({"id": "", "name": "", "arguments": ""})
            call = calls[-1]
            call["id"] = call["id"] or call_id
            call["name"] = call["name"] or name
            call["arguments"] += _text(function.get("arguments"))


def _call(index: int, call: Mapping[str, str]) -> ToolCall:
    return ToolCall(**{**call, "id": call["id"] or f"call_{index}"})  # some servers give none; results need one


def _sound(text: str) -> bytes:
    try:
        return from_base64(text)
    except ValueError as error:
        raise BadReply("The server's sound is no base64.", "Try again, or with another server.") from error


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}  # of JSON nothing else is a mapping, and asking for less is slow


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    if not isinstance(value, str) or value.isascii():
        return value if isinstance(value, str) else ""
    # JSON can escape half a character, "\\ud83d", which no page and no file can hold.
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
