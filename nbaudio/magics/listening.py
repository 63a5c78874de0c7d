"""What a line of ``%listen`` wants: a recording that there is, the last one again, or one that has yet to be spoken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from traitlets import Enum, Float

from nbaudio.errors import CellError
from nbaudio.magics.options import COMMON, Option, Parsed, parse, setting_options, take_word

__all__ = ["LISTEN", "Listen", "listen_options", "parse_listen"]

LISTEN = """%%listen sends what you say, with what the cell says of it; the answer comes in words.

    %%listen
    What is the speaker's mood? Answer in one sentence.

    %%listen question.wav
    What is the speaker's mood? Answer in one sentence.

    reply = %listen --aloud

Without a recording the cell shows a recorder, and goes on when you have spoken: space or enter begins and ends,
escape cancels. Or name one: a file (WAV, MP3, FLAC, Ogg, Opus), or a Clip, a Reply, or bytes in the notebook."""
"""What ``--help`` says first."""

_DOORS = ["microphone", "file", "kernel"]
_RECORDING = {  # by the trait of the recorder that each sets
    "max_s": Option("max", "The longest recording; 60 by default.", "SECONDS", trait=Float(60.0, min=0.5)),
    "silence_s": Option(
        "silence", "A silence that ends it; 1.5 by default, 0: none.", "SECONDS", trait=Float(1.5, min=0)
    ),
    "review": Option("review", "Listen to the recording, and perhaps record again, before it is sent."),
    "door": Option(
        "door",
        "Where sound comes from first, of what the recorder offers; kernel: the kernel's own microphone.",
        "|".join(_DOORS),
        trait=Enum(_DOORS, "microphone"),
    ),
}


@dataclass
class Listen:
    """What a line wants.

    `source` is the recording that it names, empty where there is none; `text` what follows it; `recorder` what it says
    about a recording to be made, as traits of a `Recorder`; `again` that the last one is meant.
    """

    parsed: Parsed
    source: str
    text: str
    recorder: dict[str, Any]
    again: bool

    @property
    def waits(self) -> bool:
        """Whether somebody has to speak first."""
        return not (self.source or self.again or "help" in self.parsed.values)


def listen_options() -> list[Option]:
    """The options of ``%listen``."""
    return [
        Option("aloud", "Answer with a voice, not in words alone."),
        Option("transcribe", "Also write down what you said; the words stand above the answer."),
        Option("again", "Send the last recording once more, without speaking again."),
        *_RECORDING.values(),
        *setting_options(),
        *COMMON,
    ]


def parse_listen(line: str) -> Listen:
    """What a line of ``%listen`` wants.

    Raises
    ------
    CellError
        If that can't be.

    Examples
    --------
    >>> parse_listen("--max 10 --voice ash").recorder
    {'max_s': 10.0}
    >>> parse_listen("question.wav Who is it?").source
    'question.wav'
    """
    options = listen_options()
    parsed = parse(line, options)
    again, source = bool(parsed.values.pop("again", False)), ""
    if not again:
        source, rest = take_word(parsed.rest)
        parse(rest, options, parsed)  # options may follow the recording too
    given = {trait: option for trait, option in _RECORDING.items() if option.name in parsed.values}
    if given and (source or again):
        flags = " and ".join(option.flag for option in given.values())
        raise CellError(
            f"{flags} says how to record, and {source or 'the last recording'} is recorded already.",
            "Leave one of the two out.",
        )
    recorder = {trait: parsed.values.pop(option.name) for trait, option in given.items()}
    return Listen(parsed, source, parsed.rest, recorder, again)
