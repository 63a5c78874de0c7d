"""A passage of a text on its way to being sound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from nbaudio.speaking.spilling import Pieces
from nbaudio.wire.answers import AudioDelta, TextDelta
from nbaudio.wire.speech import WordTime
from nbaudio.wire.usage import Usage

__all__ = ["Order", "Passage", "Piece", "Put", "Way"]

Piece: TypeAlias = TextDelta | AudioDelta
Put: TypeAlias = Callable[[Piece], None]


@dataclass(frozen=True)
class Order:
    """How a text is to be spoken: as in `nbaudio.speaking.saying.speak`; `model` is empty where none was named."""

    voice: str
    model: str = ""
    instructions: str = ""
    speed: float = 1.0
    format: str = "pcm"
    stream: bool = True


@dataclass
class Passage:
    """One passage, and what has become of it.

    `gap` is the white space before it in the text. Its sound is mono PCM16 at 24,000 Hz; `file` is what came where that
    was no bare PCM. `said` are the words of the sound, which a chat model may have changed; `words` are their times,
    where they are known.
    """

    text: str
    gap: str = ""
    pieces: Pieces = field(default_factory=Pieces)
    file: bytes = field(default=b"", repr=False)
    words: list[WordTime] = field(default_factory=list)
    said: str = ""
    usage: Usage = field(default_factory=Usage)
    model: str = ""
    note: str = ""
    done: bool = False

    @property
    def frames(self) -> int:
        """How many frames of sound have come."""
        return self.pieces.frames

    @property
    def reported(self) -> bool:
        """Whether the server has said what it took."""
        return bool(self.usage.input_tokens or self.usage.output_tokens)


class Way(Protocol):
    """A way to have a passage spoken."""

    name: str
    """As the reader is told."""
    model: str
    told: str
    """What the model is told of the manner, beside each text."""
    reads: bool
    """Whether it is a model that reads the words: it may say others, and what it has said comes back."""
    note: str
    """What the reader should know of it."""

    def fits(self, text: str) -> bool:
        """Whether a text is short enough for one request."""
        ...

    def key(self, passage: Passage) -> str:
        """What tells its sound from any other; two passages of the same key sound the same."""
        ...

    async def speak(self, passage: Passage, put: Put, taken: Callable[[], None]) -> None:
        """Have it spoken; it is filled as the sound comes, and `put` gets each piece.

        `taken` is called when the server has accepted the request.

        Raises
        ------
        RequestError
            In one of its kinds.
        """
        ...
